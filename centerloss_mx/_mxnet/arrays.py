"""Faults of MXNet's arrays: copies where a view is needed, lost rows of zeros, and rounded numbers."""

from __future__ import annotations

import ctypes
import math
from typing import Any

import numpy as np
from mxnet import ndarray as nd
from mxnet.base import _LIB, check_call
from mxnet.context import cpu
from mxnet.ndarray import NDArray
from mxnet.ndarray.sparse import RowSparseNDArray
from mxnet.util import is_np_array

__all__ = [
    'argmax',
    'check_legacy_arrays',
    'from_host',
    'host_view',
    'row_numbers',
    'set_rows',
    'with_all_rows',
]


def argmax(array: NDArray, axis: int) -> NDArray:
    """Return the number of the largest entry along an axis, float32, or float64 for float64.

    MXNet's `argmax` returns it in the dtype of the array: in float16, number 2049 becomes 2048.

    https://github.com/apache/mxnet/blob/1.9.1/src/operator/tensor/broadcast_reduce_op.h#L602
    """
    return nd.argmax(array.astype('float32') if array.dtype == np.float16 else array, axis=axis)


def check_legacy_arrays(place: str) -> None:
    """Refuse `mx.npx.set_np()`: MXNet's iterators, initializers and Module then mix arrays of two kinds.

    Their errors name operators such as `_npi_uniform`, and not what to do. Custom operators are legacy ones,
    and have no NumPy form.

    https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/initializer.py#L511

    Raises
    ------
    ValueError
        The mode is on.
    """
    if is_np_array():
        raise ValueError(
            f'{place}: mx.npx.set_np() is on, and a custom operator takes legacy arrays (mx.nd) only. Call '
            'mx.npx.reset_np() before the network is built'
        )


def from_host(values: np.ndarray, dtype: Any = None) -> NDArray:
    """Copy a NumPy array into a new array in CPU memory.

    `nd.array` waits for a thread of the engine before it copies. For the rows of a batch this takes ten times
    as long as the copy.

    https://github.com/apache/mxnet/blob/1.9.1/src/ndarray/ndarray.cc#L1900

    Parameters
    ----------
    values : numpy.ndarray
        Not empty.
    dtype : numpy.dtype or str or None
        Of the array; None: that of `values`.

    Returns
    -------
    NDArray
        Of the shape of `values`.

    Examples
    --------
    >>> from_host(np.arange(3)).dtype
    <class 'numpy.int64'>
    """
    array = nd.empty(values.shape, cpu(), values.dtype if dtype is None else dtype)
    host_view(array)[...] = values
    return array


def host_view(array: NDArray, rows: int | None = None) -> np.ndarray:
    """Return the memory of a CPU array as a writable NumPy array, without a copy.

    `asnumpy` always copies, which takes seconds for the centers of a million classes. This function wraps the
    array's own memory. The caller must keep `array` as long as it uses the view.

    https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/ndarray/ndarray.py#L2567

    Parameters
    ----------
    array : NDArray
        In CPU memory: on another device the pointer must not be followed.
    rows : int or None
        How many rows a row_sparse array has; None: all of its shape, as a dense array.

    Returns
    -------
    numpy.ndarray
        Shape (rows, ...), of the same dtype.
    """
    array.wait_to_read()
    shape = array.shape if rows is None else (rows, *array.shape[1:])
    dtype = np.dtype(array.dtype)
    pointer = ctypes.c_void_p()
    check_call(_LIB.MXNDArrayGetData(array.handle, ctypes.byref(pointer)))
    memory = (ctypes.c_char * (math.prod(shape) * dtype.itemsize)).from_address(pointer.value)
    return np.frombuffer(memory, dtype).reshape(shape)


def row_numbers(values: np.ndarray, like: NDArray) -> NDArray:
    """Return row numbers as an int64 array on the device of `like`.

    `nd.array` converts integers to float32, which is exact to 2^24 only. This function keeps them.

    https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/ndarray/ndarray.py#L3361
    """
    return nd.array(values, like.context, dtype='int64')


def set_rows(array: NDArray, rows: NDArray, values: NDArray) -> None:
    """Write rows of an array in place, and wait until they are written.

    MXNet's operators for this, `scatter_nd` and `index_copy`, write all rows of a new array. This function
    calls the private operator behind ``array[rows] = values``, whose cost does not grow with the number of
    rows. It waits, because the engine does not order the write of a state in backward (see `engine`).

    https://github.com/apache/mxnet/blob/1.9.1/src/operator/tensor/indexing_op.h#L1447

    Parameters
    ----------
    array : NDArray
        Shape (C, D).
    rows : NDArray
        Shape (K,), int64: different rows of `array`.
    values : NDArray
        Shape (K, D).
    """
    nd._internal._scatter_set_nd(array, values, rows.reshape((1, -1)), shape=array.shape, out=array)
    array.wait_to_read()


def with_all_rows(array: NDArray) -> RowSparseNDArray:
    """Return a row_sparse array that has every row, rows of zeros too, as a KVStore needs centers.

    MXNet drops rows of zeros where it makes an array sparse, and a server aborts when it gets an array
    without rows. This function gives MXNet the numbers of all rows.

    | https://github.com/apache/mxnet/blob/1.9.1/src/operator/tensor/cast_storage-inl.h#L93
    | https://github.com/apache/mxnet/blob/1.9.1/src/kvstore/kvstore_dist_server.h#L533

    Parameters
    ----------
    array : NDArray
        Of any storage type, shape (num_class, ...).

    Returns
    -------
    RowSparseNDArray
        The same values; the array itself, if it has all its rows.

    Examples
    --------
    >>> with_all_rows(mx.nd.zeros((3, 2))).indices.shape
    (3,)
    """
    if array.stype == 'row_sparse' and array.indices.shape == array.shape[:1]:
        return array
    rows = nd.array(np.arange(len(array)), dtype='int64')
    return nd.sparse.row_sparse_array((array.tostype('default'), rows), array.shape, dtype=array.dtype)

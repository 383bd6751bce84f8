"""Faults of MXNet's arrays: no writable view of their memory, writes that cost all rows, rows of zeros that get lost."""

from __future__ import annotations

import ctypes
import math

import numpy as np
from mxnet import ndarray as nd
from mxnet.base import _LIB, check_call
from mxnet.ndarray import NDArray
from mxnet.ndarray.sparse import RowSparseNDArray

__all__ = ['host_view', 'row_numbers', 'set_rows', 'with_all_rows']


def host_view(array: NDArray) -> np.ndarray:
    """Return the memory of a dense CPU array as a writable NumPy array, without a copy.

    MXNet's way from an NDArray to NumPy, `asnumpy`, always copies: reading all centers of a million classes takes
    seconds. Here the array's own memory is wrapped. The caller must hold `array` as long as the view is used.

    https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/ndarray/ndarray.py#L2567

    Parameters
    ----------
    array : NDArray
        Dense, in CPU memory; for any other device the pointer must not be followed.

    Returns
    -------
    numpy.ndarray
        Of the same shape and dtype.
    """
    array.wait_to_read()
    shape, dtype = array.shape, np.dtype(array.dtype)
    pointer = ctypes.c_void_p()
    check_call(_LIB.MXNDArrayGetData(array.handle, ctypes.byref(pointer)))
    memory = (ctypes.c_char * (math.prod(shape) * dtype.itemsize)).from_address(pointer.value)
    return np.frombuffer(memory, dtype).reshape(shape)


def row_numbers(values: np.ndarray, like: NDArray) -> NDArray:
    """Return row numbers as an int64 array on the device of `like`.

    `nd.array` makes float32 of integers, and float32 holds integers exactly to 2^24 only. Here the dtype is given.

    https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/ndarray/ndarray.py#L3361
    """
    return nd.array(values, like.context, dtype='int64')


def set_rows(array: NDArray, rows: NDArray, values: NDArray) -> None:
    """Write rows of an array in place, and wait until they are written.

    MXNet's public operators for this, `scatter_nd` and `index_copy`, fill a new array: their cost grows with the number
    of all rows. Here the operator runs that MXNet's own ``array[rows] = values`` calls. The engine does not order the
    write of an auxiliary state in backward (see `engine`), so this function waits.

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

    Where MXNet makes an array sparse, it drops rows of zeros; and a server aborts when it is given an array without any
    row. Here the rows are given by their numbers.

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

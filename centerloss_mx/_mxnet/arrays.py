"""Faults of MXNet's arrays: no writable view of their memory, scattering that copies, rows of zeros that get lost."""

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

    MXNet has no such view: `asnumpy` copies.
    https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/ndarray/ndarray.py#L2551
    """
    array.wait_to_read()
    shape, dtype = array.shape, np.dtype(array.dtype)
    pointer = ctypes.c_void_p()
    check_call(_LIB.MXNDArrayGetData(array.handle, ctypes.byref(pointer)))
    memory = (ctypes.c_char * (math.prod(shape) * dtype.itemsize)).from_address(pointer.value)
    return np.frombuffer(memory, dtype).reshape(shape)


def row_numbers(values: np.ndarray, like: NDArray) -> NDArray:
    """Return row numbers as an int64 array on the device of `like`: float32, the default, is exact to 2^24 only."""
    return nd.array(values, like.context, dtype='int64')


def set_rows(array: NDArray, rows: NDArray, values: NDArray) -> None:
    """Write rows of an array in place, and wait until they are written.

    Without `out=`, MXNet's operator copies the array, at a cost that grows with the number of its rows. The engine
    does not order this write and another call that shares the array.
    """
    nd._internal._scatter_set_nd(array, values, rows.reshape((1, -1)), shape=array.shape, out=array)
    array.wait_to_read()


def with_all_rows(array: NDArray) -> RowSparseNDArray:
    """A row_sparse array whose rows are all there, zeros too: what a KVStore needs of centers.

    MXNet leaves rows of zeros out where it makes an array sparse, and its servers end at such an array.

    Parameters
    ----------
    array : NDArray
        Of any storage type, shape (num_class, ...).

    Returns
    -------
    RowSparseNDArray
        The same values; the array itself, if its rows are all there.

    Examples
    --------
    >>> with_all_rows(mx.nd.zeros((3, 2))).indices.shape
    (3,)
    """
    if array.stype == 'row_sparse' and array.indices.shape == array.shape[:1]:
        return array
    rows = nd.array(np.arange(len(array)), dtype='int64')
    return nd.sparse.row_sparse_array((array.tostype('default'), rows), array.shape, dtype=array.dtype)

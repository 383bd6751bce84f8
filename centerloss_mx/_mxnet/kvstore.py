"""Faults of MXNet's KVStore, above all of the distributed one.

Seven faults have no function:

- A KVStore may not update. `'local'` stops updating if a parameter has more than 2^24 elements, and no
  KVStore updates if MXNET_UPDATE_ON_KVSTORE is 0: each device then moves its own copy of the centers. The
  optimizer `centers` and `module.Module` refuse this.

  https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/model.py#L113
- Sparse gradients can neither be accumulated nor compressed. With `grad_req='add'`, the first backward fails.
  With compression, a distributed KVStore fails, and another one makes the centers dense. `module.Module`
  refuses both before it trains.

  | https://github.com/apache/mxnet/blob/1.9.1/src/operator/tensor/indexing_op.cc#L373
  | https://github.com/apache/mxnet/blob/1.9.1/src/kvstore/kvstore_dist.h#L400
  | https://github.com/apache/mxnet/blob/1.9.1/src/kvstore/comm.h#L505
- A server that cannot load the optimizer trains without it. The error is raised in a callback of C++ and gets
  lost; the server adds gradients to the parameters. `module.Module` checks after the first update that the
  servers have counted its samples.

  https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/kvstore/kvstore_server.py#L56
- A server never returns from ``import mxnet``: every module that it loads finds MXNet partly imported. This
  package imports names from MXNet's submodules, and does not read them as attributes of `mxnet`.

  https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/kvstore/kvstore_server.py#L86
- A server keeps float64 in float32: it reads a flag that nothing has set. With each update it also copies the
  whole array. A `RowTable` of float64 is refused.

  https://github.com/apache/mxnet/blob/1.9.1/src/kvstore/kvstore_dist_server.h#L807
- The optimizer states of servers cannot be saved. `model.save_checkpoint` warns of states that get lost.

  https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/kvstore/kvstore.py#L653
- After an update, a device has only those rows of sparse parameters that were pulled for a batch.
  `module.Module` pulls the rows of each batch, in scoring too.

  https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/module/module.py#L859
"""

from __future__ import annotations

import ctypes
from functools import partial
from typing import Any

import numpy as np
from mxnet.base import _LIB, KVStoreHandle, c_str, check_call
from mxnet.context import cpu
from mxnet.kvstore import KVStore
from mxnet.ndarray.sparse import RowSparseNDArray, _new_alloc_handle

from .arrays import from_host, host_view

__all__ = ['MOST_BYTES', 'LocalStore', 'no_rows', 'sparse_rows', 'wait_for_workers_at_exit']

MOST_BYTES = 2**31 - 1
"""The size of the largest array that a distributed KVStore can hold, in bytes.

MXNet sums the bytes of an array in a 32-bit integer, whatever the number of servers. At the first push of a
larger array the servers end, and no worker is notified. `module.Module` refuses such centers.

https://github.com/apache/mxnet/blob/1.9.1/src/kvstore/kvstore_dist.h#L801
"""


def no_rows(shape: tuple[int, int], dtype: np.dtype) -> RowSparseNDArray:
    """Return a row_sparse array without rows, in CPU memory, to pull rows into.

    `nd.sparse.zeros` has a thread of the engine remove its rows, of which it has none.

    https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/ndarray/sparse.py#L1523

    Parameters
    ----------
    shape : tuple of int
        Shape of the array.
    dtype : numpy.dtype
        Of the array.

    Returns
    -------
    RowSparseNDArray

    Examples
    --------
    >>> no_rows((3, 2), np.dtype('float32')).shape
    (3, 2)
    """
    return RowSparseNDArray(_new_alloc_handle('row_sparse', shape, cpu(), True, dtype, ['int64']))


def sparse_rows(
    rows: np.ndarray, shape: tuple[int, int], dtype: np.dtype
) -> tuple[RowSparseNDArray, np.ndarray]:
    """Return a row_sparse array that has rows with any content, and the memory of these rows.

    MXNet makes one from a dense array of the rows, which it copies twice. A block of a row table may have
    2 GB, and for the 128 rows of a batch, making the array takes longer than an optimizer's update.

    https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/ndarray/sparse.py#L1131

    Parameters
    ----------
    rows : numpy.ndarray
        Shape (K,), int64, K > 0: row numbers in ascending order.
    shape : tuple of int
        Shape of the array.
    dtype : numpy.dtype
        Of the array.

    Returns
    -------
    RowSparseNDArray
        In CPU memory.
    numpy.ndarray
        The memory, shape (K, shape[1]), to be filled. It is valid as long as the array.

    Examples
    --------
    >>> array, memory = sparse_rows(np.array([0, 2]), (3, 2), np.dtype('float32'))
    >>> memory[:] = 7
    >>> array.asnumpy()[:, 0]
    array([7., 0., 7.], dtype=float32)
    """
    handle = _new_alloc_handle('row_sparse', shape, cpu(), False, dtype, ['int64'], [rows.shape])
    numbers = from_host(rows)
    check_call(_LIB.MXNDArraySyncCopyFromNDArray(handle, numbers.handle, ctypes.c_int(0)))
    array = RowSparseNDArray(handle)
    return array, host_view(array, len(rows))


class LocalStore(KVStore):
    """A KVStore in this process, whose `push` raises the error of the updater.

    MXNet calls the updater from C++, where its error gets lost: the training would go on, and the rows would
    stay. A KVStore also makes an updater of its own in `set_optimizer`. The states of that one would not be
    among those that a Module saves. This one takes the updater of others.

    | https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/kvstore/kvstore.py#L35
    | https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/kvstore/kvstore.py#L475

    Parameters
    ----------
    updater : mxnet.optimizer.Updater or None
        None: nothing is moved.
    """

    def __init__(self, updater: Any) -> None:
        handle = KVStoreHandle()
        check_call(_LIB.MXKVStoreCreate(c_str('local'), ctypes.byref(handle)))
        super().__init__(handle)
        self._failure: Exception | None = None
        if updater is not None:
            self._set_updater(partial(self._update, updater))

    def push(self, key: Any, value: Any, priority: int = 0) -> None:
        """Push as MXNet does; the updater has run when this returns, and its error is raised here."""
        super().push(key, value, priority)
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _update(self, updater: Any, *arguments: Any) -> None:
        try:
            updater(*arguments)
        except Exception as failure:  # any that the optimizer raises; `push` raises it again
            self._failure = failure


def wait_for_workers_at_exit(kvstore: Any, wait: bool) -> None:
    """Choose whether this process waits for the other workers when it ends.

    MXNet always waits, after an error too. The other workers may wait for a gradient of this one, and then no
    process ends. A worker that fails should not wait.

    https://github.com/apache/mxnet/blob/1.9.1/src/kvstore/kvstore_dist.h#L65

    Parameters
    ----------
    kvstore : mxnet.kvstore.KVStore
        A distributed one.
    wait : bool
        True is MXNet's default.
    """
    check_call(_LIB.MXKVStoreSetBarrierBeforeExit(kvstore.handle, int(wait)))

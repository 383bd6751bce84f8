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
from typing import Any

import numpy as np
from mxnet import ndarray as nd
from mxnet.base import _LIB, check_call
from mxnet.context import cpu
from mxnet.kvstore import KVStore, create
from mxnet.ndarray.sparse import RowSparseNDArray, _new_alloc_handle

__all__ = ['MOST_BYTES', 'full_rows', 'local_store', 'wait_for_workers_at_exit']

MOST_BYTES = 2**31 - 1
"""The size of the largest array that a distributed KVStore can hold, in bytes.

MXNet sums the bytes of an array in a 32-bit integer, whatever the number of servers. At the first push of a
larger array the servers end, and no worker is notified. `module.Module` refuses such centers.

https://github.com/apache/mxnet/blob/1.9.1/src/kvstore/kvstore_dist.h#L801
"""


def full_rows(shape: tuple[int, int], dtype: Any) -> RowSparseNDArray:
    """Return a row_sparse array that has the memory of all its rows, with any content.

    MXNet makes one from a dense array only, which it copies; a block of a row table may have 2 GB. This
    function takes the memory and writes the numbers of the rows. `arrays.host_view` gives the memory to fill.

    https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/ndarray/sparse.py#L1131

    Parameters
    ----------
    shape : tuple of int
        Shape of the array.
    dtype : numpy.dtype or str
        Of the array.

    Returns
    -------
    RowSparseNDArray
        In the memory of the CPU.

    Examples
    --------
    >>> full_rows((3, 2), 'float32').indices.shape
    (3,)
    """
    handle = _new_alloc_handle('row_sparse', shape, cpu(), False, dtype, ['int64'], [shape[:1]])
    array = RowSparseNDArray(handle)
    numbers = nd.array(np.arange(shape[0]), dtype='int64')
    check_call(_LIB.MXNDArraySyncCopyFromNDArray(handle, numbers.handle, ctypes.c_int(0)))
    return array


def local_store(updater: Any) -> KVStore:
    """Make a KVStore in this process, whose rows an updater moves that others use too.

    A KVStore makes an updater of its own in `set_optimizer`. The states of that one would not be among those
    that a Module saves.

    https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/kvstore/kvstore.py#L475

    Parameters
    ----------
    updater : mxnet.optimizer.Updater or None
        None: nothing is moved.

    Returns
    -------
    mxnet.kvstore.KVStore
    """
    kvstore = create('local')
    if updater is not None:
        kvstore._set_updater(updater)
    return kvstore


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

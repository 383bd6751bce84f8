"""Faults of MXNet's KVStore, above all the distributed one.

Some faults have no function here, because all that can be done is to refuse, or to use another call:

- **Two ways of updating are silently replaced by a third.** With `'local'`, MXNet stops updating on the KVStore as soon
  as a parameter has more than 2^24 elements, and with `MXNET_UPDATE_ON_KVSTORE=0` always; each device then moves a copy
  of the centers of its own. The optimizer `centers` and `module.Module` refuse this.
  https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/model.py#L113
- **Sparse gradients can be neither accumulated nor compressed.** With `grad_req='add'`, the first backward fails; with
  compression, a KVStore of one machine makes the centers dense, and a distributed one fails. `module.Module` refuses
  both before training begins.

  | https://github.com/apache/mxnet/blob/1.9.1/src/operator/tensor/indexing_op.cc#L373
  | https://github.com/apache/mxnet/blob/1.9.1/src/kvstore/comm.h#L505
  | https://github.com/apache/mxnet/blob/1.9.1/src/kvstore/kvstore_dist.h#L400
- **A server that cannot load the optimizer goes on without it.** The error is raised in a callback of C++, where it gets
  lost; the server then adds up gradients, and the workers train on. `module.Module` looks in the first update whether
  the centers have counted their samples.
  https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/kvstore/kvstore_server.py#L56
- **A server never returns from** ``import mxnet``, so that every module that it loads finds MXNet half imported. This
  package therefore imports names from MXNet's submodules, and never uses them as attributes of `mxnet`.
  https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/kvstore/kvstore_server.py#L86
- **The states of an optimizer on servers cannot be fetched.** `model.save_checkpoint` warns where this loses something.
  https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/kvstore/kvstore.py#L653
"""

from __future__ import annotations

from typing import Any

from mxnet.base import _LIB, check_call

__all__ = ['MOST_BYTES', 'wait_for_workers_at_exit']

MOST_BYTES = 2**31 - 1
"""The size of the largest array that a distributed KVStore can hold, in bytes.

MXNet adds up the bytes of an array's rows in a 32-bit integer, whatever the number of servers. A larger array ends the
servers at the first push, and no worker is notified; `module.Module` refuses it.
https://github.com/apache/mxnet/blob/1.9.1/src/kvstore/kvstore_dist.h#L801
"""


def wait_for_workers_at_exit(kvstore: Any, wait: bool) -> None:
    """Choose whether this process waits for the other workers when it ends.

    MXNet always waits, also after an error. The other workers may be waiting for this one in a synchronous push, and
    then no process ends. Here a worker that fails does not wait; it ends, and its job can be stopped.

    https://github.com/apache/mxnet/blob/1.9.1/src/kvstore/kvstore_dist.h#L65

    Parameters
    ----------
    kvstore : mxnet.kvstore.KVStore
        A distributed one.
    wait : bool
        True is MXNet's default.
    """
    check_call(_LIB.MXKVStoreSetBarrierBeforeExit(kvstore.handle, int(wait)))

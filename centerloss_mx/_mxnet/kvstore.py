"""Faults of MXNet's distributed KVStore."""

from __future__ import annotations

from typing import Any

from mxnet.base import _LIB, check_call

__all__ = ['MOST_BYTES', 'wait_for_workers_at_exit']

# A server counts the bytes of an array in a 32-bit integer before the array is split over the servers. A larger
# one ends the servers at the first push, and no worker is notified.
# https://github.com/apache/mxnet/blob/1.9.1/src/kvstore/kvstore_dist.h#L635
MOST_BYTES = 2**31 - 1


def wait_for_workers_at_exit(kvstore: Any, wait: bool) -> None:
    """Choose whether this process waits for the other workers when it ends.

    MXNet always waits, also after an error, and the others may wait for this worker: then none of them ends.
    """
    check_call(_LIB.MXKVStoreSetBarrierBeforeExit(kvstore.handle, int(wait)))

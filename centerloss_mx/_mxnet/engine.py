"""Faults of MXNet's engine: it does not know that backward of a custom operator writes auxiliary states.

The engine orders operations by the arrays that they read and write. For a custom operator, MXNet declares the
auxiliary states as written by forward, but not by backward, which moves the centers here.

| https://github.com/apache/mxnet/blob/1.9.1/src/operator/custom/custom.cc#L565 (forward: FMutateInputs)
| https://github.com/apache/mxnet/blob/1.9.1/src/operator/custom/custom.cc#L585 (backward: none)
"""

from __future__ import annotations

import atexit
import threading
from contextlib import suppress

from mxnet import ndarray as nd
from mxnet.base import _LIB, MXNetError, check_call
from mxnet.ndarray import NDArray

__all__ = ['finish', 'moving_centers', 'wait_for_centers', 'wait_for_readers']

moving_centers = threading.Lock()
"""A lock for the time in which backward moves centers.

The engine takes two backward passes that share centers for readers, and may run both at a time. Without this lock, one
of the two moves would be lost.
"""


def wait_for_centers() -> None:
    """Wait until all pending backward passes have moved their centers.

    A read that follows backward is not ordered behind it: a copy of the centers can lack their last move. Here the
    reader waits for everything that is pending.
    """
    nd.waitall()


def wait_for_readers(array: NDArray) -> None:
    """Wait until all pending operations that read an array are done.

    Backward of a custom operator counts as a reader of the centers that it moves. Here one array waits for its own
    readers, where `wait_for_centers` would wait for everything.
    """
    check_call(_LIB.MXNDArrayWaitToWrite(array.handle))


def finish() -> None:
    """Wait for pending custom operators before the process ends; registered with `atexit`.

    MXNet's own handler stops the threads of custom operators first and waits for the engine afterwards. An operator
    whose input comes later gets a new thread, which nobody joins: the process aborts, or hangs.

    | https://github.com/apache/mxnet/blob/1.9.1/src/c_api/c_api.cc#L1579
    | https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/base.py#L595
    """
    with suppress(MXNetError):  # the error of a batch whose result nobody reads
        nd.waitall()


atexit.register(finish)  # handlers run in reverse order: this one before MXNet's

"""Faults of MXNet's engine: it does not know that backward of a custom operator writes auxiliary states.

The engine orders operations by the arrays that they read and write. For a custom operator, MXNet declares the
auxiliary states as written by forward, but not by backward, which moves the centers here.

| https://github.com/apache/mxnet/blob/1.9.1/src/operator/custom/custom.cc#L565 (forward: FMutateInputs)
| https://github.com/apache/mxnet/blob/1.9.1/src/operator/custom/custom.cc#L585 (backward: none)
"""

from __future__ import annotations

import atexit
from contextlib import suppress

from mxnet import ndarray as nd
from mxnet.base import _LIB, MXNetError, check_call
from mxnet.ndarray import NDArray

__all__ = ['finish', 'wait_for_centers', 'wait_for_readers']


def wait_for_centers() -> None:
    """Wait until all pending backward passes have moved their centers.

    The engine does not order a read behind backward: a copy of the centers can lack their last move. This
    function waits for all pending operations.
    """
    nd.waitall()


def wait_for_readers(array: NDArray) -> None:
    """Wait until all pending operations that read an array are done.

    To the engine, backward is a reader of the centers that it moves. This function waits for the readers of
    one array, where `wait_for_centers` waits for all operations.
    """
    check_call(_LIB.MXNDArrayWaitToWrite(array.handle))


def finish() -> None:
    """Wait for pending custom operators before the process ends; registered with `atexit`.

    At exit, MXNet stops the threads of custom operators before it waits for the engine. An operator whose
    input is ready later starts a new thread, which is never joined, and the process aborts or hangs. This
    function waits for all operations first.

    | https://github.com/apache/mxnet/blob/1.9.1/src/c_api/c_api.cc#L1579
    | https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/base.py#L595
    """
    with suppress(MXNetError):  # the error of a batch whose result nobody reads
        nd.waitall()


atexit.register(finish)  # handlers run in reverse order: this one before MXNet's

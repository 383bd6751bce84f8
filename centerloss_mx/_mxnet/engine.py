"""MXNet's engine does not know that backward of a custom operator writes its auxiliary states."""

from __future__ import annotations

import atexit
import threading
from contextlib import suppress

from mxnet import ndarray as nd
from mxnet.base import _LIB, MXNetError, check_call
from mxnet.ndarray import NDArray

__all__ = ['moving_centers', 'wait_for_centers', 'wait_for_readers']

# The engine may run two backward passes at a time that share centers, because it takes both for readers.
# Without this lock one of the two moves would be lost.
moving_centers = threading.Lock()


def wait_for_centers() -> None:
    """Wait until pending backward passes have moved the centers.

    The engine orders a read after the forward pass only, so that a copy of the centers can miss their last move.
    https://github.com/apache/mxnet/blob/1.9.1/src/operator/custom/custom.cc#L585 (no FMutateInputs)
    """
    nd.waitall()


def wait_for_readers(array: NDArray) -> None:
    """Wait until nothing reads an array any more: backward, which writes centers, counts as a reader.

    https://github.com/apache/mxnet/blob/1.9.1/src/operator/custom/custom.cc#L585
    """
    check_call(_LIB.MXNDArrayWaitToWrite(array.handle))


def _finish() -> None:
    """Wait for pending custom operators before MXNet shuts down: its shutdown hangs or aborts on them."""
    with suppress(MXNetError):  # of a batch whose result nobody reads
        nd.waitall()


atexit.register(_finish)  # runs before MXNet's own handler, which was registered earlier

"""Faults of MXNet's engine: it does not know that a custom operator writes its auxiliary states.

The engine orders operations by the arrays that they read and write. MXNet declares the auxiliary states of a
custom operator as written by forward, but not by backward, which moves the centers here. An executor declares
them as read only.

| https://github.com/apache/mxnet/blob/1.9.1/src/operator/custom/custom.cc#L565 (forward: FMutateInputs)
| https://github.com/apache/mxnet/blob/1.9.1/src/operator/custom/custom.cc#L585 (backward: none)
| https://github.com/apache/mxnet/blob/1.9.1/src/executor/graph_executor.cc#L1281 (an executor: none)
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from contextlib import suppress
from pathlib import Path

from mxnet import ndarray as nd
from mxnet import operator as mxop
from mxnet.base import _LIB, MXNetError, check_call
from mxnet.ndarray import NDArray

__all__ = ['finish', 'finish_before_fork', 'wait_for_centers', 'wait_for_readers']


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
    """Wait for all pending operations, and drop the errors of results that nobody will read.

    - At exit, MXNet stops the threads of custom operators before it waits for the engine. An operator whose
      input is ready later starts a new thread, which is never joined, and the process aborts or hangs. This
      function waits first; it is registered with `atexit`.
    - MXNet keeps the error of an operation until its result is read, or until the next wait for all
      operations. When the error of a batch is raised, the next batch has begun, and fails too: the first wait
      of another network raises that error. `Module.fit` calls this function after an error.

    | https://github.com/apache/mxnet/blob/1.9.1/src/c_api/c_api.cc#L1579
    | https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/base.py#L595
    | https://github.com/apache/mxnet/blob/1.9.1/src/engine/threaded_engine.cc#L421 (the kept errors)
    """
    with suppress(MXNetError):
        nd.waitall()


def finish_before_fork() -> None:
    """Wait for pending custom operators before the process forks; registered with `os.register_at_fork`.

    When a process forks, MXNet joins the threads of custom operators. They wait for the GIL, to run Python or
    to delete an operator after it has run, and the thread that forks has the GIL: the fork never ends. This
    function waits for all operations without the GIL, and then until Python deletes no more operators and no
    other thread runs, which may be about to delete one.

    If an operation has failed, MXNet ends the process in the middle of the fork: it waits there for all
    operations, and nothing catches the error. This function raises the error first. Python cannot raise it in
    the line that forks; it prints the error, with "Exception ignored", and forks.

    | https://github.com/apache/mxnet/blob/1.9.1/src/initialize.cc#L179
    | https://github.com/apache/mxnet/blob/1.9.1/src/engine/threaded_engine.cc#L415 (the error)
    """
    try:
        nd.waitall()
    finally:
        for _ in range(100):  # another thread may go on to create and delete operators
            operators = len(mxop._registry.ref_holder)
            time.sleep(0.002)
            if operators == len(mxop._registry.ref_holder) and not _others_run():
                break


def _others_run() -> bool:
    """Whether another thread runs, or would if there were a free processor; False where /proc is missing."""
    own = str(threading.get_native_id())
    for stat in Path('/proc/self/task').glob('*/stat'):
        with suppress(OSError):  # it has ended
            state = stat.read_text(errors='replace').rpartition(')')[2].split()[0]
            if state == 'R' and stat.parent.name != own:
                return True
    return False


os.register_at_fork(before=finish_before_fork)
atexit.register(finish)  # handlers run in reverse order: this one before MXNet's

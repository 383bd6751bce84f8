"""Ctrl-C while a program runs."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import contextmanager
from types import FrameType
from typing import Iterator

from .. import _program

SECONDS_TO_TIDY_UP = 5


@contextmanager
def interruptible(line: str) -> Iterator[None]:
    """Raise KeyboardInterrupt after Ctrl-C, whatever becomes of the exception on its way.

    The exception lets `finally` remove partial files. But Python prints and forgets an exception in `__del__`
    and in a callback from C, and MXNet makes another error of one in an operator. So an error after Ctrl-C is
    a KeyboardInterrupt here; and where the program goes on for seconds, or Ctrl-C comes again, the process
    ends at once, with a line on standard error.
    """
    if threading.current_thread() is not threading.main_thread():  # no other may set handlers
        yield
        return
    received: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        if received:
            _program.end(line)
        received.append(number)
        sys.unraisablehook = lambda _: None
        signal.setitimer(signal.ITIMER_REAL, SECONDS_TO_TIDY_UP)
        raise KeyboardInterrupt

    interrupted, alarm = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM)
    hook = sys.unraisablehook
    if interrupted in (signal.SIG_IGN, None):  # behind a shell's &, or a handler in C
        yield
        return
    signal.signal(signal.SIGALRM, interrupt)
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    except BaseException:
        if not received:
            raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGINT, interrupted)
        signal.signal(signal.SIGALRM, alarm)
        sys.unraisablehook = hook
    if received:
        raise KeyboardInterrupt

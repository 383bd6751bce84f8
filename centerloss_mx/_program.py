"""What a program of this package does first: Ctrl-C ends it with one line, while it reads its arguments.

MXNet takes seconds to load. A program reads its arguments before, so that its help and errors come at once.
Python imports the package before the program that is in it: the package asks here whether there is one.
This module imports nothing but Python.
"""

import os
import signal
import sys
from contextlib import suppress
from typing import Optional

__all__ = ['NAME', 'RUNNING', 'begin', 'end']

NAME = 'centerloss-mx'
_MODULES = {'centerloss_mx': NAME, 'centerloss_mx.launch': 'launch'}
_INTERRUPTED = 130  # 128 + SIGINT, as in a shell


def _running() -> Optional[str]:
    """Return the name of the program of this package that this process runs; None: it runs another.

    While Python looks for the module of `-m`, sys.argv[0] is '-m'. Its name is in sys.orig_argv, which Python
    3.8 and 3.9 do not have: there, a program that is run with `-m` loads MXNet first.
    """
    arguments = getattr(sys, 'argv', None) or ['']
    if arguments[0] == '-m':
        module = getattr(sys, 'orig_argv', arguments)[-len(arguments)]
        return _MODULES.get(module)
    return NAME if os.path.basename(arguments[0]) == NAME else None


RUNNING = _running()


def begin() -> None:
    """Let Ctrl-C end a program of this package at once.

    There is nothing to tidy up yet, and an exception could get lost in MXNet's import.
    """
    # Ctrl-C is ignored behind a shell's &.
    if RUNNING and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda *_: end(f'{RUNNING}: interrupted'))


def end(line: str) -> None:
    """Print a line on standard error and end the process, as after Ctrl-C."""
    with suppress(OSError):  # standard error may be closed
        os.write(2, f'{line}\n'.encode(errors='backslashreplace'))
    os._exit(_INTERRUPTED)

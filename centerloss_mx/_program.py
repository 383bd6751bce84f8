"""What a program of this package does first: Ctrl-C ends it with one line, while it reads its arguments.

MXNet takes seconds to load. A program reads its arguments before, so that its help and errors come at once.
Python imports the package before the program that is in it: the package asks here whether that is the case.
This module imports nothing but Python.
"""

import os
import signal
import sys
from contextlib import suppress

__all__ = ['NAME', 'end', 'is_program']

NAME = 'centerloss-mx'
INTERRUPTED = 130  # 128 + SIGINT, as in a shell


def is_program() -> bool:
    """Return whether Python was started as `centerloss-mx` or `python -m centerloss_mx`.

    While Python looks for the module of `-m`, sys.argv[0] is '-m'. The module's name stands in sys.orig_argv,
    which Python 3.8 and 3.9 do not have: there, `python -m centerloss_mx` loads MXNet first.
    """
    arguments = getattr(sys, 'argv', None) or ['']
    if arguments[0] == '-m':
        original = getattr(sys, 'orig_argv', [])
        return original[-len(arguments) :][:1] == ['centerloss_mx']
    return os.path.basename(arguments[0]) == NAME


def begin() -> None:
    """Prepare this process, which is a program and has no other thread yet.

    Ctrl-C ends it at once: there is nothing to tidy up, and an exception could get lost in MXNet's import.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # it is ignored behind a shell's &
        signal.signal(signal.SIGINT, lambda *_: end(f'{NAME}: interrupted'))
    # MXNet prints a line for each network that it binds, unless this is set.
    os.environ.setdefault('MXNET_SUBGRAPH_VERBOSE', '0')


def end(line: str) -> None:
    """Print a line on standard error and end the process, as after Ctrl-C."""
    with suppress(OSError):  # standard error may be closed
        os.write(2, f'{line}\n'.encode())
    os._exit(INTERRUPTED)

"""How a program ends: with an exit status and, after an error, one sentence."""

from __future__ import annotations

import os
import sys
from contextlib import redirect_stdout
from io import StringIO, TextIOWrapper
from pathlib import Path
from typing import Callable

from mxnet.base import MXNetError

from .._mxnet.custom_op import OperatorErrors
from .interruption import interruptible


def run(
    main: Callable[[], None], interrupted: str = 'interrupted', name: str | None = None, debug: bool = False
) -> None:
    """Run a program; print an error as one sentence.

    Parameters
    ----------
    main : callable
        The program.
    interrupted : str
        What to print after Ctrl-C.
    name : str or None
        Name of the program; None: that of its file.
    debug : bool
        Whether to show the traceback of an error.

    Raises
    ------
    SystemExit
        With status 1 and the sentence of an error, or 130 after Ctrl-C.

    Examples
    --------
    >>> run(lambda: print('done'))
    done
    """
    # Without this, MXNet prints a line for each network that it binds. No other thread runs yet.
    os.environ.setdefault('MXNET_SUBGRAPH_VERBOSE', '0')
    name = Path(sys.argv[0]).name if name is None else name
    stdout = sys.stdout or StringIO()  # None: it is closed
    if isinstance(stdout, TextIOWrapper):  # the name of a class may have characters that it does not encode
        stdout.reconfigure(errors='backslashreplace')
    operator_errors = OperatorErrors(stdout)
    try:
        with interruptible(f'{name}: {interrupted}'), redirect_stdout(stdout if debug else operator_errors):
            main()
        stdout.flush()
    except KeyboardInterrupt:
        print(f'{name}: {interrupted}', file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # the reader of the output, such as `head`, has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (OSError, ValueError, ImportError, MemoryError, MXNetError, RuntimeError) as error:
        if debug:
            raise
        sentence = ' '.join(str(error).split()) or type(error).__name__
        if isinstance(error, MXNetError):  # it begins with a traceback, and ends in the check that failed
            sentence = operator_errors.sentence or str(error).strip().splitlines()[-1]
        sys.exit(f'{name}: {sentence}')

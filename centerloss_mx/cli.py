"""What the command line and the examples' scripts share: how help is laid out, and what ends a process."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, Callable, NoReturn, TextIO

from mxnet.base import MXNetError

from .dataset import Samples
from .io import Images, readable_images

__all__ = ['Help', 'Parser', 'readable', 'run']


class Help(argparse.ArgumentDefaultsHelpFormatter):
    """Tell the default of an option where it has one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        tells = action.default not in (None, False, argparse.SUPPRESS)
        return super()._get_help_string(action) if tells else action.help


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Exit with status 2.

        Parameters
        ----------
        message : str
            What is wrong with the arguments.
        """
        self.exit(2, f'{self.prog}: {message} (see {self.prog} --help)\n')


class _OperatorErrors:
    """Standard output without the tracebacks that MXNet prints of errors in custom operators.

    What MXNet then raises lacks the sentence; it is kept here.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.sentence, self._inside = stream, '', False

    def write(self, text: str) -> int:
        if text.startswith('Error in '):
            self.sentence = text.strip().splitlines()[-1].partition(': ')[2]
        elif not (self._inside and text == '\n'):  # the end of the same print
            return self.stream.write(text)
        self._inside = text != '\n'
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def run(
    main: Callable[[], None], interrupted: str = 'interrupted', name: str | None = None, debug: bool = False
) -> None:
    """Run a program; what ends it is one sentence.

    Parameters
    ----------
    main : callable
        The program.
    interrupted : str
        What to say where somebody has interrupted it.
    name : str or None
        Of the program; None: that of its file.
    debug : bool
        Whether to show where an error comes from.

    Raises
    ------
    SystemExit
        With status 1 and a sentence for what went wrong, 130 where it was interrupted.

    Examples
    --------
    >>> run(lambda: print('done'))
    done
    """
    name = Path(sys.argv[0]).name if name is None else name
    os.environ.setdefault('MXNET_SUBGRAPH_VERBOSE', '0')  # what MXNet says of each network it binds
    stdout = sys.stdout or StringIO()  # None: it is closed
    operator_errors = _OperatorErrors(stdout)
    try:
        with redirect_stdout(stdout if debug else operator_errors):
            main()
        stdout.flush()
    except KeyboardInterrupt:
        print(f'{name}: {interrupted}', file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # who reads what is printed has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (OSError, ValueError, ImportError, MemoryError, MXNetError, RuntimeError) as error:
        if debug:
            raise
        sentence = ' '.join(str(error).split()) or type(error).__name__
        if isinstance(error, MXNetError):  # it begins with a traceback, and ends in the check that failed
            sentence = operator_errors.sentence or str(error).strip().splitlines()[-1]
        sys.exit(f'{name}: {sentence}')


def readable(samples: Samples, skip_bad: bool) -> Samples:
    """Where it is asked for, leave out pictures that cannot be decoded, and print which.

    Parameters
    ----------
    samples : io.Images or dataset.Arrays
        The samples; arrays are all readable.
    skip_bad : bool
        Whether to look. Else the first such picture will be an error.

    Returns
    -------
    io.Images or dataset.Arrays

    Examples
    --------
    >>> samples = readable(load_samples('birds'), skip_bad=True)  # doctest: +SKIP
    """
    if skip_bad and isinstance(samples, Images):
        samples, unreadable = readable_images(samples)
        if unreadable:
            print(f'{len(unreadable)} pictures left out, as they cannot be decoded: {", ".join(unreadable)}')
    return samples

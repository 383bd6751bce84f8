"""Whether a file can be read, or written, and if not, why."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ['check_file', 'check_folder']


def check_file(path: str | os.PathLike, expected: str = '') -> None:
    """Raise an error that says why a file cannot be read.

    Parameters
    ----------
    path : path-like
        The file.
    expected : str
        The end of the message, such as ``'expected a .params file'``; '': it has none.

    Raises
    ------
    FileNotFoundError
        There is no such file, it is a folder, or a link to a file that does not exist.
    PermissionError
        This user may not read it, or not look into its folder.
    OSError
        Its name is too long, or a link leads to itself.

    Examples
    --------
    >>> check_file('none.params', 'expected a .params file')
    Traceback (most recent call last):
    FileNotFoundError: none.params does not exist; expected a .params file
    """
    path, end = Path(path), f'; {expected}' if expected else ''
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        what = 'is a link to a file that does not exist' if os.path.islink(path) else 'does not exist'
        raise FileNotFoundError(f'{path} {what}{end}') from None
    except OSError as error:
        raise type(error)(f'{path} cannot be read ({error.strerror}){end}') from None
    if path.is_dir():
        raise FileNotFoundError(f'{path} is a folder{end}')
    if not os.access(path, os.R_OK):
        raise PermissionError(f'{path} cannot be read (Permission denied){end}')


def check_folder(path: str | os.PathLike) -> None:
    """Raise FileNotFoundError if the folder of a file to write does not exist."""
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f'{path.parent} is not a folder; expected one to write {path.name} to')

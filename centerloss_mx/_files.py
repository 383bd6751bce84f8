"""Files that are written completely or not at all, and arrays in .npz files."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Callable, Sequence

import numpy as np

__all__ = ['read_npz', 'write_whole']


def write_whole(path: str | os.PathLike, write: Callable[[str], object]) -> None:
    """Write a file completely or not at all: readers find the new file or the old one, never a part.

    Parameters
    ----------
    path : path-like
        The file.
    write : callable
        Called with the name of a temporary file in the same folder, with the same suffix.

    Raises
    ------
    OSError
        The folder does not exist or is not writable. Errors of `write` are passed on; the old file stays.

    Examples
    --------
    >>> write_whole('net.json', symbol.save)  # doctest: +SKIP
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f'{path.parent} is not a folder; expected one to write {path.name} to')
    partial = path.with_name(f'.{os.getpid()}-{path.name}')
    try:
        write(str(partial))
        os.replace(partial, path)
    finally:
        if partial.exists():
            partial.unlink()


def read_npz(
    path: str | os.PathLike, names: Sequence[str], optional: Sequence[str] = ()
) -> dict[str, np.ndarray]:
    """Read arrays from an .npz file; pickled arrays are refused.

    Parameters
    ----------
    path : path-like
        The file.
    names, optional : sequence of str
        The arrays to read. Those in `optional` may be missing.

    Returns
    -------
    dict of str to numpy.ndarray
        The arrays that the file has.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is not an .npz file, is damaged, or lacks an array; the message lists those that it has.

    Examples
    --------
    >>> labels = read_npz('faces.npz', ['labels'])['labels']  # doctest: +SKIP
    """
    expected = f'expected the arrays {" and ".join(names)}'
    if not Path(path).is_file():
        what = 'is a folder' if Path(path).is_dir() else 'does not exist'
        raise FileNotFoundError(f'{path} {what}; {expected} in an .npz file')
    if not zipfile.is_zipfile(path):
        raise ValueError(f'{path} is not an .npz file, or it is damaged; {expected}')
    try:
        with open(path, 'rb') as file, np.load(file, allow_pickle=False) as arrays:
            missing = [name for name in names if name not in arrays.files]
            if missing:
                raise ValueError(f'{missing[0]} is not among {", ".join(arrays.files) or "none"}')
            found = {name: arrays[name] for name in (*names, *optional) if name in arrays.files}
            for name, array in found.items():
                if not isinstance(array, np.ndarray):
                    raise ValueError(f'{name} is not an array')
            return found
    except Exception as error:  # NumPy's errors for a damaged file have no common base
        raise ValueError(f'{path}: {expected}: {error}') from None

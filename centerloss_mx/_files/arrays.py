"""Arrays in .npz files."""

from __future__ import annotations

import math
import os
import zipfile
from typing import Mapping, Sequence

import numpy as np

from .npy import read_header
from .there import check_file
from .whole import write_checked

__all__ = ['read_npz', 'write_npz']

_DEFLATE_RATIO = 1032  # bytes that one compressed byte can become at most


def write_npz(path: str | os.PathLike, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays to an .npz file as `write_whole` does, and compare their checksums with the file.

    Parameters
    ----------
    path : path-like
        The file.
    arrays : mapping of str to numpy.ndarray
        The arrays, by name.

    Raises
    ------
    ValueError
        An array of objects, which would be pickled.
    OSError
        As `write_checked`.

    Examples
    --------
    >>> write_npz('faces.npz', {'labels': np.arange(3)})  # doctest: +SKIP
    """

    # Not np.savez: where the disk is full, it leaves its archive open, whose end then prints a traceback.
    def write(name: str) -> None:
        with zipfile.ZipFile(name, 'w', allowZip64=True) as archive:
            for key, array in arrays.items():
                with archive.open(f'{key}.npy', 'w', force_zip64=True) as file:
                    np.lib.format.write_array(file, np.asanyarray(array), allow_pickle=False)

    def is_written(name: str) -> bool:
        if not zipfile.is_zipfile(name):
            return False
        with zipfile.ZipFile(name) as archive:
            return archive.testzip() is None

    write_checked(path, write, is_written)


def read_npz(
    path: str | os.PathLike, names: Sequence[str], optional: Sequence[str] = ()
) -> dict[str, np.ndarray]:
    """Read arrays from an .npz file; pickled arrays are refused.

    Parameters
    ----------
    path : path-like
        The file.
    names, optional : sequence of str
        The arrays to read; of ``'images or features'``, all that there are. Those in `optional` may be
        missing.

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
    check_file(path, f'{expected} in an .npz file')
    if not zipfile.is_zipfile(path):
        raise ValueError(f'{path} is not an .npz file, or it is damaged; {expected}')
    try:
        with open(path, 'rb') as file, np.load(file, allow_pickle=False) as arrays:
            found = []
            for name in names:
                there = [one for one in name.split(' or ') if one in arrays.files]
                if not there:
                    raise ValueError(f'{name} is not among {", ".join(arrays.files) or "none"}')
                found += there
            found += [name for name in optional if name in arrays.files]
            for name in found:
                _check_size(arrays.zip, f'{name}.npy')
            return {name: arrays[name] for name in found}
    except Exception as error:  # NumPy's errors for a damaged file have no common base
        reason = ' '.join(str(error).split())  # NumPy's may have several lines
        raise ValueError(f'{path}: {expected}: {reason}') from None


def _check_size(archive: zipfile.ZipFile, name: str) -> None:
    """Raise ValueError for an array whose header promises another size than its file in the archive has."""
    if name not in archive.namelist():
        raise ValueError(f'{name[:-4]} is not an array')
    info = archive.getinfo(name)
    if info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        most = _DEFLATE_RATIO * info.compress_size
        if info.file_size > most:
            raise ValueError(f'{name}: {info.compress_size} bytes cannot hold {info.file_size}')
    with archive.open(info) as file:
        shape, _, dtype = read_header(file)
        expected = file.tell() + math.prod(shape) * max(1, dtype.itemsize)
    if info.file_size != expected and not dtype.hasobject:
        raise ValueError(f'{name}: {info.file_size} bytes found, {expected} expected ({dtype} {shape})')

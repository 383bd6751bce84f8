"""Files of the idx format, in which MNIST is published."""

from __future__ import annotations

import gzip
import math
import os
import zlib
from io import BufferedIOBase
from pathlib import Path

import numpy as np

_DTYPES = {0x08: 'u1', 0x09: 'i1', 0x0B: 'i2', 0x0C: 'i4', 0x0D: 'f4', 0x0E: 'f8'}
_MOST_DIMENSIONS = 32  # of a NumPy array


def read_idx(path: str | os.PathLike[str]) -> np.ndarray:
    """Read a file of the idx format, in which MNIST is published.

    Parameters
    ----------
    path : path-like
        The file. It may be gzipped, whatever its name.

    Returns
    -------
    numpy.ndarray
        Any number of dimensions; uint8, int8, int16, int32, float32 or float64, in the byte order of this
        machine (the file is big-endian).

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The path is a folder; or the file is a damaged gzip file, has another magic number, or has fewer or
        more bytes than its header says.

    References
    ----------
    http://yann.lecun.com/exdb/mnist/, "The IDX file format".
    """
    return read_idx_with_magic(Path(path))[1]


def read_idx_with_magic(path: Path) -> tuple[int, np.ndarray]:
    """Return the magic number of an idx file, which says dtype and dimensions, and its array."""
    if path.is_dir():
        raise ValueError(f'{path} is a folder; expected an idx file')
    try:
        file = path.open('rb')
    except FileNotFoundError:
        raise FileNotFoundError(f'{path} does not exist; expected an idx file, gzipped or not') from None
    with file:
        zipped = file.read(2) == b'\x1f\x8b'
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        if not zipped:
            return _read(path, file, size)
        try:
            return _read(path, gzip.GzipFile(fileobj=file), None)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ValueError(f'{path}: damaged gzip file ({size} bytes): {error}') from error


def _read(path: Path, file: BufferedIOBase, size: int | None) -> tuple[int, np.ndarray]:
    """Read the header, then not more than it says; `size`: that of the file, where it is known before."""
    content = _take(file, 4)
    if len(content) < 4:
        raise ValueError(f'{path}: truncated: {len(content)} bytes found, the magic number alone has 4')
    magic = int.from_bytes(content[:4], 'big')
    code, ndim = content[2], content[3]
    if content[:2] != b'\0\0' or code not in _DTYPES or ndim > _MOST_DIMENSIONS:
        codes = ', '.join(f'{known:02x}' for known in _DTYPES)
        raise ValueError(
            f'{path}: magic 0x{magic:08x} is not that of an idx file: expected 0x0000TTDD, '
            f'TT the type (one of {codes}), DD the number of dimensions (at most {_MOST_DIMENSIONS})'
        )
    begin = 4 + 4 * ndim
    content += _take(file, 4 * ndim)
    if len(content) < begin:
        raise ValueError(f'{path}: truncated: {len(content)} bytes found, its header alone has {begin}')
    shape = tuple(int(size) for size in np.frombuffer(content, '>u4', count=ndim, offset=4))
    dtype = np.dtype(_DTYPES[code]).newbyteorder('>')
    expected = begin + math.prod(shape) * dtype.itemsize
    if size in (None, expected):
        content += _take(file, expected + 1 - begin)  # one more: the end of a gzip file is checked, too
    found = len(content) if size is None else size
    if found != expected:
        what = 'truncated' if found < expected else f'{found - expected} trailing bytes'
        at_least = 'at least ' if size is None and found > expected else ''
        raise ValueError(
            f'{path}: {at_least}{what}: {at_least}{found} bytes found, {expected} expected '
            f'(magic 0x{magic:08x}, shape {shape})'
        )
    # astype copies: the array is writable, and the bytes of the file are released.
    array = np.frombuffer(content, dtype, offset=begin).reshape(shape).astype(dtype.newbyteorder('='))
    return magic, array


def _take(file: BufferedIOBase, count: int) -> bytearray:
    """Read up to `count` bytes, in pieces: `read` would allocate all of them before."""
    content = bytearray()
    while len(content) < count:
        piece = file.read(min(count - len(content), 2**20))
        if not piece:
            break
        content += piece
    return content

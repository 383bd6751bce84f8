"""Files of the idx format, in which MNIST is published."""

from __future__ import annotations

import gzip
import math
import os
import zlib
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
    content = _unzipped(path)
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
    if len(content) < begin:
        raise ValueError(f'{path}: truncated: {len(content)} bytes found, its header alone has {begin}')
    shape = tuple(int(size) for size in np.frombuffer(content, '>u4', count=ndim, offset=4))
    dtype = np.dtype(_DTYPES[code]).newbyteorder('>')
    expected = begin + math.prod(shape) * dtype.itemsize
    if len(content) != expected:
        what = 'truncated' if len(content) < expected else f'{len(content) - expected} trailing bytes'
        raise ValueError(
            f'{path}: {what}: {len(content)} bytes found, {expected} expected '
            f'(magic 0x{magic:08x}, shape {shape})'
        )
    # astype copies: the array is writable, and the bytes of the file are released.
    array = np.frombuffer(content, dtype, offset=begin).reshape(shape).astype(dtype.newbyteorder('='))
    return magic, array


def _unzipped(path: Path) -> bytes:
    if path.is_dir():
        raise ValueError(f'{path} is a folder; expected an idx file')
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(f'{path} does not exist; expected an idx file, gzipped or not') from None
    if content[:2] != b'\x1f\x8b':
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f'{path}: damaged gzip file ({len(content)} bytes): {error}') from error

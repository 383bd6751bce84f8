"""Large arrays in .npy files: written in pieces, read where they are needed."""

from __future__ import annotations

import math
import os
import zlib
from typing import IO, Iterable

import numpy as np

from .there import check_file
from .whole import write_checked

__all__ = ['read_header', 'read_npy', 'write_npy']

_READ_BYTES = 2**24


def write_npy(
    path: str | os.PathLike, shape: tuple[int, ...], dtype: str, pieces: Iterable[np.ndarray]
) -> None:
    """Write an array that comes in pieces to an .npy file, and compare its checksum with the file.

    The file is written as `write_whole` does it. Neither the array nor the file is ever whole in memory.

    Parameters
    ----------
    path : path-like
        The file.
    shape : tuple of int
        Of the array.
    dtype : str
        Of the array, such as 'float32'.
    pieces : iterable of numpy.ndarray
        The array's rows in order, any number in each piece, shape (rows, *shape[1:]).

    Raises
    ------
    ValueError
        The pieces do not make an array of that shape; the file is as before.
    OSError
        As `write_checked`.

    Examples
    --------
    >>> write_npy('rows.npy', (4, 2), 'float32', [np.ones((3, 2)), np.zeros((1, 2))])  # doctest: +SKIP
    """
    checksum = 0

    def write(name: str) -> None:
        nonlocal checksum
        rows = 0
        with open(name, 'wb') as file:
            header = {'descr': np.dtype(dtype).str, 'fortran_order': False, 'shape': tuple(shape)}
            np.lib.format.write_array_header_1_0(file, header)
            for piece in pieces:
                if piece.shape[1:] != tuple(shape[1:]):
                    raise ValueError(f'{path}: a piece has shape {piece.shape}; expected rows of {shape}')
                content = np.ascontiguousarray(piece, dtype).data
                checksum = zlib.crc32(content, checksum)
                file.write(content)
                rows += len(piece)
        if rows != shape[0]:
            raise ValueError(f'{path}: the pieces have {rows} rows; expected {shape[0]}')

    def is_written(name: str) -> bool:
        found = 0
        with open(name, 'rb') as file:
            if read_header(file) != (tuple(shape), False, np.dtype(dtype)):
                return False
            for content in iter(lambda: file.read(_READ_BYTES), b''):
                found = zlib.crc32(content, found)
        return found == checksum

    write_checked(path, write, is_written)


def read_npy(path: str | os.PathLike) -> np.memmap:
    """Map the array of an .npy file into memory, so that rows are read when they are used.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    numpy.memmap
        Read-only. Another file may take the path meanwhile, as `write_npy` does; this array stays.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is no .npy file, is cut off or longer than its array, or the array is not one of numbers.

    Examples
    --------
    >>> rows = read_npy('rows.npy')  # doctest: +SKIP
    """
    check_file(path, 'expected an .npy file')
    with open(path, 'rb') as file:
        try:
            shape, by_columns, dtype = read_header(file)
        except Exception as error:  # NumPy's errors for a damaged header have no common base
            reason = ' '.join(str(error).split())  # NumPy's may have several lines
            raise ValueError(f'{path} is not an .npy file, or it is damaged: {reason}') from None
        if dtype.kind not in 'biuf' or min(shape, default=0) < 0:
            raise ValueError(f'{path} has an array of {dtype} {shape}; expected numbers')
        start, size = file.tell(), os.fstat(file.fileno()).st_size
        expected = start + math.prod(shape) * dtype.itemsize
        if size != expected:
            raise ValueError(
                f'{path} has {size} bytes, {expected} expected ({dtype} {shape}): it is cut off or damaged'
            )
        return np.memmap(file, dtype, 'r', start, shape, 'F' if by_columns else 'C')


def read_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Read shape, whether the array is stored by columns, and dtype from the beginning of an .npy file.

    Raises
    ------
    ValueError
        For what is no header; a damaged one gives other errors of NumPy, too.
    """
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    return np.lib.format.read_array_header_2_0(file)

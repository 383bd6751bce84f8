"""Faults of MXNet's reader and writer of .rec files: it trusts lengths, and does not see a full disk."""

from __future__ import annotations

import os
import struct
from typing import Any, BinaryIO, Iterable, Iterator, NamedTuple

import numpy as np
from mxnet import recordio

__all__ = ['MOST_BYTES', 'RecordHeader', 'read_headers', 'read_record', 'write_record']

_MAGIC = struct.pack('<I', 0xCED7230A)
_LENGTH = 2**29 - 1  # the lower bits of a header's second word; the upper three say which part it is
MOST_BYTES = _LENGTH  # of a record
_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)
_HEADER = struct.Struct('<IfQQ')  # of recordio.IRHeader: number of labels or 0, label, two keys


class RecordHeader(NamedTuple):
    """What a record says of its picture.

    Parameters
    ----------
    labels : numpy.ndarray
        float32 (L,).
    is_vector : bool
        Whether the labels are a vector; if not, L is 1.
    has_picture : bool
        Whether something follows the labels.
    """

    labels: np.ndarray
    is_vector: bool
    has_picture: bool


def read_record(path: str | os.PathLike[str], position: int) -> tuple[Any, bytes]:
    """Return label and picture of the record at a position of a .rec file.

    MXNet's reader allocates the length in a record's header, up to 512 MB, before it looks at the file. It
    returns None at the end of a file, and raises MXNetError for a damaged one.

    https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/recordio.py#L173
    https://github.com/dmlc/dmlc-core/blob/main/src/recordio.cc

    Raises
    ------
    ValueError
        There is no complete record.
    """
    with open(path, 'rb') as file:
        content = _MAGIC.join(_parts(file, position))
    try:
        header, picture = recordio.unpack(content)
    except struct.error as error:
        raise ValueError(f'damaged record: {error}') from None
    return header.label, picture


def read_headers(path: str | os.PathLike[str], positions: Iterable[int]) -> Iterator[RecordHeader]:
    """Yield the header of the record at each position of a .rec file; no picture is read.

    Raises
    ------
    ValueError
        There is no complete record.
    """
    with open(path, 'rb') as file:
        for position in positions:
            part, length = _part(file, position)
            if length < _HEADER.size:
                raise ValueError(f'damaged record: {length} bytes')
            number, label, _, _ = _HEADER.unpack(file.read(_HEADER.size))
            end = _HEADER.size + 4 * number
            if number == 0:
                labels = np.array([label], np.float32)
            elif end > length:
                raise ValueError(f'damaged record: {number} labels in {length} bytes')
            else:
                labels = np.frombuffer(file.read(4 * number), '<f4')
            yield RecordHeader(labels, number > 0, length > end or part != _WHOLE)


def write_record(file: BinaryIO, content: bytes) -> None:
    """Write a record of at most `MOST_BYTES`; OSError where MXNet's writer would go on after a full disk.

    https://github.com/apache/mxnet/blob/1.9.1/3rdparty/dmlc-core/src/recordio.cc#L12
    """
    starts = [0]  # of the parts: where the magic number stands at a multiple of 4, it is left out
    found = content.find(_MAGIC)
    while found >= 0:
        if found % 4 == 0:
            starts.append(found + 4)
        found = content.find(_MAGIC, found + (4 if found % 4 == 0 else 1))
    for number, start in enumerate(starts):
        last = number == len(starts) - 1
        end = len(content) if last else starts[number + 1] - 4
        kind = (_WHOLE if last else _FIRST) if number == 0 else (_LAST if last else _MIDDLE)
        file.write(_MAGIC + (kind << 29 | end - start).to_bytes(4, 'little'))
        file.write(content[start:end] + bytes(-(end - start) % 4))


def _parts(file: BinaryIO, position: int) -> Iterator[bytes]:
    """The parts of a record, which ends a part where the magic number occurs in it."""
    part = None
    while part not in (_WHOLE, _LAST):
        part, length = _part(file, position)
        yield file.read(length)
        position += 8 + length + -length % 4


def _part(file: BinaryIO, position: int) -> tuple[int, int]:
    """Return which part of a record begins at a position, and its length; the file is at its content then."""
    size = os.fstat(file.fileno()).st_size
    if not 0 <= position <= size - 8:
        raise ValueError(f'truncated: {size} bytes found, a record expected at byte {position}')
    file.seek(position)
    magic, word = file.read(4), int.from_bytes(file.read(4), 'little')
    part, length = word >> 29, word & _LENGTH
    if magic != _MAGIC:
        raise ValueError(f'no record at byte {position}')
    if position + 8 + length > size:
        raise ValueError(f'truncated: {size} bytes found, {position + 8 + length} expected')
    return part, length

"""Faults of MXNet's reader of .rec files: it trusts the length in a record's header."""

from __future__ import annotations

import os
import struct
from typing import Any

from mxnet import recordio

__all__ = ['read_record']

_MAGIC = struct.pack('<I', 0xCED7230A)
_LENGTH = 2**29 - 1  # the lower bits of a header's second word; the upper three say which part it is
_WHOLE, _LAST = 0, 3


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
    try:
        header, picture = recordio.unpack(_content(path, position))
    except struct.error as error:
        raise ValueError(f'damaged record: {error}') from None
    return header.label, picture


def _content(path: str | os.PathLike[str], position: int) -> bytes:
    """A record, which is written in parts where the magic number occurs in it."""
    parts = []
    part = None
    with open(path, 'rb') as file:
        size = os.fstat(file.fileno()).st_size
        while part not in (_WHOLE, _LAST):
            if not 0 <= position <= size - 8:
                raise ValueError(f'truncated: {size} bytes found, a record expected at byte {position}')
            file.seek(position)
            magic, word = file.read(4), int.from_bytes(file.read(4), 'little')
            part, length = word >> 29, word & _LENGTH
            if magic != _MAGIC:
                raise ValueError(f'no record at byte {position}')
            if position + 8 + length > size:
                raise ValueError(f'truncated: {size} bytes found, {position + 8 + length} expected')
            parts.append(file.read(length))
            position += 8 + length + -length % 4
    return _MAGIC.join(parts)

"""What the headers of saved arrays promise, compared with the bytes that are there."""

from __future__ import annotations

import io
import math
import os
import pickletools
import struct
from pathlib import Path
from typing import Any, BinaryIO

__all__ = ['check_params', 'check_states']

_LIST_MAGIC = 0x112
_V1, _V2, _V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA  # older files have the number of dimensions there
_MOST_DIMENSIONS = 32  # of an array of MXNet
_NUM_AUX = {0: 0, 1: 1, 2: 2}  # arrays of indices of a dense, a row_sparse and a csr array
_BYTES = {0: 4, 1: 8, 2: 2, 3: 1, 4: 4, 5: 1, 6: 8, 7: 1, 8: 2, 9: 2, 10: 4, 11: 8, 12: 2}  # by type flag


def check_params(path: str | os.PathLike) -> None:
    """Raise ValueError for a file of `mx.nd.save` whose headers promise more than it has.

    https://github.com/apache/mxnet/blob/1.9.1/src/ndarray/ndarray.cc#L1728
    """
    with open(path, 'rb') as file:
        saved = _Saved(file, os.fstat(file.fileno()).st_size)
        magic, _, count = saved.read('<QQQ')
        if magic != _LIST_MAGIC:
            raise ValueError(f'magic number 0x{magic:x}, expected 0x{_LIST_MAGIC:x}')
        for _ in range(count):
            _pass_array(saved)
        for _ in range(*saved.read('<Q')):
            saved.skip(*saved.read('<Q'))


def check_states(path: str | os.PathLike) -> None:
    """Raise ValueError for a file of pickled arrays whose headers promise more than they have.

    Nothing is unpickled.
    """
    for _, argument, _ in pickletools.genops(Path(path).read_bytes()):
        if isinstance(argument, (bytes, bytearray)) and argument[:4] == struct.pack('<I', _V2):
            _pass_array(_Saved(io.BytesIO(argument), len(argument)))


def _pass_array(saved: _Saved) -> None:
    """Read the headers of one array, and skip its data."""
    (magic,) = saved.read('<I')
    num_aux, sparse_shape = 0, None
    if magic in (_V2, _V3):
        (stype,) = saved.read('<i')
        if stype not in _NUM_AUX:
            raise ValueError(f'an array of storage type {stype}')
        num_aux = _NUM_AUX[stype]
        sparse_shape = saved.read_shape() if num_aux else None
    shape = saved.read_shape() if magic in (_V1, _V2, _V3) else saved.read_sizes('I', magic)
    if not shape and magic != _V3:
        raise ValueError('an array without a shape')
    saved.read('<ii')  # the context
    (type_flag,) = saved.read('<i')
    parts = [(type_flag, shape if sparse_shape is None else sparse_shape)]
    for _ in range(num_aux):
        parts.append((*saved.read('<i'), saved.read_shape()))
    for type_flag, shape in parts:
        if type_flag not in _BYTES:
            raise ValueError(f'an array of type {type_flag}')
        saved.skip(_BYTES[type_flag] * math.prod(shape))


class _Saved:
    """Reads headers and skips data; ValueError where a file has less."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file, self.size = file, size

    def read(self, layout: str) -> tuple[Any, ...]:
        content = self.file.read(struct.calcsize(layout))
        if len(content) < struct.calcsize(layout):
            raise ValueError(f'truncated: {self.size} bytes found, more expected')
        return struct.unpack(layout, content)

    def read_shape(self) -> tuple[int, ...]:
        return self.read_sizes('q', *self.read('<i'))

    def read_sizes(self, kind: str, ndim: int) -> tuple[int, ...]:
        if not 0 <= ndim <= _MOST_DIMENSIONS:
            raise ValueError(f'an array of {ndim} dimensions')
        shape = self.read(f'<{ndim}{kind}')
        if min(shape, default=0) < 0:
            raise ValueError(f'an array of shape {shape}')
        return shape

    def skip(self, count: int) -> None:
        end = self.file.tell() + count
        if end > self.size:
            raise ValueError(f'truncated: {self.size} bytes found, {end} expected')
        self.file.seek(end)

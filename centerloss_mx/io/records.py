"""The records of a .rec file: their keys, labels and pictures."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Iterator, Sequence

import numpy as np
from mxnet import recordio
from mxnet.base import MXNetError

from .._checks import quantity

__all__ = ['index_of', 'read_pictures', 'record_keys', 'record_labels', 'record_name', 'record_sizes']


def index_of(path_imgrec: str | os.PathLike[str]) -> Path:
    """Return the path of the index beside a .rec file."""
    return Path(path_imgrec).with_suffix('.idx')


def record_name(path: str, key: int) -> str:
    """Return the name of a record for messages."""
    return f'{path}: record {key}'


def record_keys(path: str | os.PathLike[str]) -> list[int]:
    """Return the keys of all records, in the order of the index."""
    return _opened(path).keys


def record_labels(path: Path) -> np.ndarray:
    """Return the label of every record, in the order of the index; float32 (N,)."""
    index = index_of(path)
    if not index.is_file():
        raise FileNotFoundError(
            f'{index} does not exist; expected the index of {path.name}, as im2rec.py writes it'
        )
    labels = []
    try:
        records = _opened(path)
        for key in records.keys:
            labels.append(recordio.unpack(records.read_idx(key) or b'')[0].label)
    except (IndexError, ValueError, MXNetError, struct.error):
        after = f'after {quantity(len(labels), "record")}' if labels else 'from the first record on'
        raise ValueError(
            f'{path}: cannot be read {after}; the file is truncated, or {index.name} is not its index'
        ) from None
    for key, label in zip(records.keys, labels):
        if np.ndim(label):
            raise ValueError(f'{record_name(str(path), key)} has {len(label)} labels, expected one number')
    return np.array(labels, np.float32)


def read_pictures(path: str | os.PathLike[str], keys: Sequence[int]) -> Iterator[bytes]:
    """Return the encoded pictures of records, one after the other."""
    records = _opened(path)
    return (recordio.unpack(records.read_idx(key))[1] for key in keys)


def _opened(path: str | os.PathLike[str]) -> recordio.MXIndexedRecordIO:
    return recordio.MXIndexedRecordIO(str(index_of(path)), str(path), 'r')


def record_sizes(path: str | os.PathLike[str]) -> dict[int, int]:
    """Return the number of bytes of each record by its key, from the index and the size of the file."""
    positions = _opened(path).idx
    starts = sorted(positions.values())
    ends = dict(zip(starts, [*starts[1:], os.path.getsize(path)]))
    return {key: ends[start] - start for key, start in positions.items()}

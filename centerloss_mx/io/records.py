"""The records of a .rec file and their labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from mxnet.base import MXNetError

__all__ = ['index_of', 'open_records', 'record_keys', 'record_labels', 'record_name']
import os
import struct

from mxnet import recordio


def record_labels(path: Path) -> np.ndarray:
    """Return the label of every record, in the order of the index; float32 (N,)."""
    index = index_of(path)
    if not index.is_file():
        raise FileNotFoundError(
            f'{index}: not there; expected the index of {path.name}, as im2rec.py writes it'
        )
    labels = []
    try:
        records = open_records(path)
        for key in records.keys:
            labels.append(recordio.unpack(records.read_idx(key) or b'')[0].label)
    except (IndexError, ValueError, MXNetError, struct.error):
        after = f'after {len(labels)} good records' if labels else 'from the first record on'
        raise ValueError(
            f'{path}: cannot be read {after}; is it whole, and {index.name} its index?'
        ) from None
    for key, label in zip(records.keys, labels):
        if np.ndim(label):
            raise ValueError(f'{path}: record {key} has {len(label)} labels, expected one number')
    return np.array(labels, np.float32)


def index_of(path_imgrec: str | os.PathLike[str]) -> Path:
    """Return the path of the index beside a .rec file."""
    return Path(path_imgrec).with_suffix('.idx')


def open_records(path: str | os.PathLike[str]) -> recordio.MXIndexedRecordIO:
    """Open a .rec file and its index."""
    return recordio.MXIndexedRecordIO(str(index_of(path)), str(path), 'r')


def record_keys(path: str | os.PathLike[str]) -> list[int]:
    """Return the keys of all records, in the order of the index."""
    return open_records(path).keys


def record_name(path: str, key: int) -> str:
    """Return the name of a record in messages."""
    return f'{path}: record {key}'

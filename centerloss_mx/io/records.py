"""The records of a .rec file: their keys, positions and labels."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from .._checks import quantity
from .._files import check_file
from .._mxnet.records import read_record

__all__ = ['record_labels', 'record_name', 'record_positions', 'record_sizes']


def record_name(path: str | os.PathLike[str], key: int) -> str:
    """Return the name of a record for messages."""
    return f'{path}: record {key}'


def record_positions(path: str | os.PathLike[str]) -> dict[int, int]:
    """Return the position of each record in a .rec file by its key, in the order of the index beside it."""
    path, index = Path(path), Path(path).with_suffix('.idx')
    check_file(index, f'expected the index of {path.name}, as im2rec.py writes it')
    try:
        lines = [line.split('\t') for line in index.read_text(encoding='utf-8').splitlines()]
        return {int(line[0]): int(line[1]) for line in lines}
    except (ValueError, IndexError):
        raise _unreadable(path, 0) from None


def record_labels(path: Path) -> np.ndarray:
    """Return the label of every record, in the order of the index; float32 (N,)."""
    labels: list[float] = []
    for key, position in record_positions(path).items():
        try:
            label, _ = read_record(path, position)
        except ValueError:
            raise _unreadable(path, len(labels)) from None
        if np.ndim(label):
            raise ValueError(f'{record_name(path, key)} has {len(label)} labels, expected one number')
        labels.append(label)
    return np.array(labels, np.float32)


def record_sizes(path: str | os.PathLike[str]) -> dict[int, int]:
    """Return the number of bytes of each record by its key, from the index and the size of the file."""
    positions = record_positions(path)
    starts = sorted(positions.values())
    ends = dict(zip(starts, [*starts[1:], os.path.getsize(path)]))
    return {key: ends[start] - start for key, start in positions.items()}


def _unreadable(path: Path, count: int) -> ValueError:
    after = f'after {quantity(count, "record")}' if count else 'from the first record on'
    return ValueError(
        f'{path}: cannot be read {after}; the file is truncated, or {path.stem}.idx is not its index'
    )

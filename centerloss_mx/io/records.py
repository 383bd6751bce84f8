"""The records of a .rec file: their keys, positions and labels."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Mapping

import numpy as np

from .._checks import quantity
from .._files import check_file
from .._mxnet.records import RecordHeader, read_headers

__all__ = ['labelled_records', 'record_name', 'record_positions', 'record_sizes']


def record_name(path: str | os.PathLike[str], key: int) -> str:
    """Return the name of a record for messages."""
    return f'{path}: record {key}'


def record_positions(path: str | os.PathLike[str]) -> dict[int, int]:
    """Return the position of each record in a .rec file by its key, in the order of the index beside it."""
    path, index = Path(path), Path(path).with_suffix('.idx')
    check_file(index, f'expected the index of {path.name}, as im2rec.py writes it')
    try:
        lines = [line.split('\t') for line in index.read_text(encoding='utf-8').splitlines()]
        positions = {int(line[0]): int(line[1]) for line in lines}
    except (ValueError, IndexError):
        raise _unreadable(path, 0) from None
    if len(positions) < len(lines) or len({*positions.values()}) < len(lines):
        raise ValueError(f'{index}: a key or a position is there twice; expected one line a record')
    return positions


def labelled_records(path: Path, label_column: int | None = None) -> tuple[list[int], np.ndarray]:
    """Return keys and labels of the records that hold pictures; the pictures are not read.

    InsightFace's .rec files have a first record, of key 0, without a picture. Its labels (first, end) say
    that pictures have the keys 1 to first - 1, and that the records from there on describe the identities.

    Parameters
    ----------
    path : pathlib.Path
        The .rec file.
    label_column : int or None
        Which label of a record counts, from 0; None: the only one, or the first of InsightFace's.

    Returns
    -------
    keys : list of int
        N keys, in the order of the index; in that of the keys for InsightFace's files.
    labels : numpy.ndarray
        float32 (N,).

    Raises
    ------
    ValueError
        A record cannot be read, has no such label, or has several and `label_column` is None.

    References
    ----------
    `FaceImageIter` and `MXFaceDataset` of https://github.com/deepinsight/insightface.
    """
    positions = record_positions(path)
    headers: dict[int, RecordHeader] = {}
    try:
        for key, header in zip(positions, read_headers(path, positions.values())):
            headers[key] = header
    except ValueError:
        raise _unreadable(path, len(headers)) from None
    keys = [*headers]
    first = headers.get(0)
    if first is not None and first.is_vector and not first.has_picture:
        keys = _pictures_before(float(first.labels[0]), headers, path)
        label_column = label_column or 0
    labels = [_label(record_name(path, key), headers[key].labels, label_column) for key in keys]
    return keys, np.array(labels, np.float32)


def _pictures_before(first: float, headers: Mapping[int, RecordHeader], path: Path) -> list[int]:
    """The keys of pictures in a file of InsightFace's, 1 to first - 1."""
    keys = sorted(key for key in headers if 1 <= key < first)
    if len(keys) != first - 1:  # also where it is not a number
        raise ValueError(
            f'{record_name(path, 0)} says that there are {first - 1:.9g} pictures; the index has {len(keys)}'
        )
    without = next((key for key in keys if not headers[key].has_picture), None)
    if without is not None:
        raise ValueError(f'{record_name(path, without)} has no picture; expected pictures before {first:.9g}')
    return keys


def _label(name: str, labels: np.ndarray, column: int | None) -> float:
    if column is None and len(labels) != 1:
        raise ValueError(
            f'{name} has {len(labels)} labels, expected one number; label_column=0 would take the first'
        )
    if not 0 <= (column or 0) < len(labels):
        raise ValueError(f'{name} has {quantity(len(labels), "label")}; expected number {column}, from 0')
    return float(labels[column or 0])


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

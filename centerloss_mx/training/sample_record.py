"""The record of the samples of a training, in an .npz file beside its checkpoint."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .._files import read_npz, write_npz
from ..dataset import Samples
from ..dataset.fingerprints import difference, fingerprints, rows_of, sample_names
from .hooks import Hook, TrainingState

__all__ = [
    'SampleRecord',
    'SampleRecordFile',
    'check_samples',
    'load_record',
    'record_path',
    'recorded_part',
]


class SampleRecord(NamedTuple):
    """The fingerprints of the samples of a training.

    Parameters
    ----------
    train, test : numpy.ndarray
        uint64 (N,) and (M,), in the order of the samples; M is 0 where nothing is tested.
    """

    train: np.ndarray
    test: np.ndarray


def record_of(train: Samples, test: Samples | None) -> SampleRecord:
    """Compute the fingerprints of the samples to train and to test with."""
    nothing = np.zeros(0, np.uint64)
    return SampleRecord(fingerprints(train), nothing if test is None else fingerprints(test))


def record_path(prefix: str | os.PathLike) -> Path:
    """Return the path of the record of a training."""
    return Path(f'{prefix}-samples.npz')


class SampleRecordFile(Hook):
    """Write the record of the samples before the first checkpoint.

    Parameters
    ----------
    prefix : path-like
        Beginning of the file's name.
    """

    def __init__(self, prefix: str | os.PathLike) -> None:
        self.prefix = prefix
        self.record: SampleRecord | None = None

    def begin(self, training: TrainingState, begin_epoch: int) -> None:
        """Look at the samples; what a resumed training was begun with stays as it is recorded."""
        self.record = None if begin_epoch else record_of(training.train, training.test)

    def epoch_end(self, training: TrainingState, epoch: int) -> None:
        """Write them, once."""
        if self.record is not None:
            record, self.record = self.record._asdict(), None
            write_npz(record_path(self.prefix), record)


def load_record(prefix: str | os.PathLike) -> SampleRecord | None:
    """Read the record of a training; None: there is none, as earlier versions kept none.

    Raises
    ------
    ValueError
        The file is damaged.
    """
    path = record_path(prefix)
    if not path.exists():
        return None
    record = SampleRecord(**read_npz(path, SampleRecord._fields))
    for name, found in record._asdict().items():
        if found.dtype != np.uint64 or found.ndim != 1:
            raise ValueError(f'{path}: {name} is {found.dtype} {found.shape}; expected uint64 (N,)')
    return record


def recorded_part(record: SampleRecord, samples: Samples, part: str) -> Samples:
    """Select the samples of a part, 'train' or 'test'; ValueError: they are not those of the record."""
    now = fingerprints(samples)
    what = difference(np.concatenate(record), now, sample_names(samples))
    if what is not None:
        raise ValueError(what)
    return samples.take(rows_of(record._asdict()[part], now))


def check_samples(
    prefix: str | os.PathLike, train: Samples, test: Samples | None, logger: logging.Logger
) -> None:
    """Compare the samples of a training that is resumed with its record; warn if there is none.

    The samples to test with are compared if there are some, now and in the record.

    Raises
    ------
    ValueError
        They are other samples, divided in another way, or in another order: the batches would be others.
    """
    before = load_record(prefix)
    if before is None:
        logger.warning('%s does not exist: these samples may be others than before', record_path(prefix))
        return
    test = test if len(before.test) else None
    before = before if test is not None else before._replace(test=before.test[:0])
    now = record_of(train, test)
    if all(map(np.array_equal, now, before)):
        return
    names = sample_names(train, ' of train') + ([] if test is None else sample_names(test, ' of test'))
    what = difference(np.concatenate(before), np.concatenate(now), names)
    if what is None and difference(before.train, now.train, names) is None:
        what = 'they are the same samples in another order'
    elif what is None:
        what = 'they are the same samples, divided otherwise into those to train and those to test with'
    raise ValueError(
        f'{prefix} was trained with other samples: {what}; expected those of {record_path(prefix)}'
    )

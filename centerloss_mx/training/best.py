"""The best epoch of a training by a column of its history, and the hook that stops when it is long ago."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

import numpy as np

from .._checks import check_size, quantity
from .hooks import Hook, TrainingState

_LOWER_IS_BETTER = ('own', 'ratio')


class EarlyStopping(Hook):
    """Stop a training whose best epoch is a number of epochs ago.

    Higher numbers are better, but for the columns ``'own'`` and ``'ratio'``. An equal number is no
    improvement, and NaN is none. A training that has been stopped stays so when it is resumed: the hook reads
    the history again.

    Parameters
    ----------
    column : str
        A column of the history, which has to be there after each epoch. A hook that adds it comes before this
        one.
    patience : int
        Number of epochs without improvement after which the training stops, > 0.

    Raises
    ------
    ValueError
        `patience` is not > 0. In the training: there is no such column, the history of the epochs before is
        missing, or there are several workers.

    Examples
    --------
    >>> training = Training(net, train, test, hooks=[EarlyStopping('test_accuracy', 5)])  # doctest: +SKIP
    """

    every_worker = True  # so that each of several refuses it

    def __init__(self, column: str, patience: int) -> None:
        check_size('', 'patience', patience)
        self.column, self.patience = column, patience

    def begin(self, training: TrainingState, begin_epoch: int) -> None:
        """Stop again what was stopped before."""
        check_can_stop(training, 'EarlyStopping')
        check_history(training, self.column, begin_epoch)
        self._stop(training)

    def epoch_end(self, training: TrainingState, epoch: int) -> None:
        """Stop if the best epoch is long ago."""
        check_column(training, self.column)
        self._stop(training)

    def _stop(self, training: TrainingState) -> None:
        best = best_epoch(training.history, self.column)
        if best is None:
            return
        row = next(row for row in training.history if row['epoch'] == best)
        waited = training.history[-1]['epoch'] - best
        if waited >= self.patience:
            training.stop = (
                f'{self.column} has not improved on {row[self.column]:.4g} of epoch {best} '
                f'for {quantity(waited, "epoch")}'
            )


def best_epoch(history: Sequence[Mapping[str, Any]], column: str) -> int | None:
    """Return the first epoch with the best number of a column; None: there is no number."""
    sign = -1 if column in _LOWER_IS_BETTER else 1
    found = [(sign * row.get(column, np.nan), -row['epoch']) for row in history]
    found = [(value, epoch) for value, epoch in found if not np.isnan(value)]
    return -max(found)[1] if found else None


def check_column(training: TrainingState, column: str) -> None:
    """Raise ValueError if the last row of the history lacks a column."""
    row = training.history[-1]
    if column not in row:
        raise ValueError(
            f'{training.title}: the history has no column {column!r} in epoch {row["epoch"]}; it has '
            f'{", ".join(row)}'
        )


def check_history(training: TrainingState, column: str, begin_epoch: int) -> None:
    """Raise ValueError if a resumed training does not know the epochs before."""
    if len(training.history) < begin_epoch:
        raise ValueError(
            f'{training.title}: {column} of the {quantity(begin_epoch, "epoch")} before is not known; pass '
            'fit the history of the training'
        )


def check_can_stop(training: TrainingState, what: str) -> None:
    """Raise ValueError if there are other workers, which would wait for one that stops."""
    if training.num_workers > 1:
        raise ValueError(
            f'{training.title}: {what} cannot end a training on {training.num_workers} workers; expected one'
        )

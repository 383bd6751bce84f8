"""The history of a training in a .csv file: a row for each epoch."""

from __future__ import annotations

import csv
import os
from io import StringIO
from typing import Any, Mapping, Sequence

from .._checks import quantity
from .._files import write_bytes
from ..model import latest_checkpoint
from .hooks import Hook, TrainingState


class HistoryFile(Hook):
    """Write the history to a .csv file after each epoch, before its checkpoint; see `FirstRow`.

    Parameters
    ----------
    path : path-like
        The file.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = path

    def epoch_end(self, training: TrainingState, epoch: int) -> None:
        """Write all rows; after the first epoch, none."""
        self.write(training.history, 0 if epoch == 1 else len(training.history))

    def write(self, history: Sequence[Mapping[str, Any]], num_rows: int) -> None:
        """Write the header, and the first rows."""
        text = StringIO(newline='')
        columns = dict.fromkeys(name for row in history for name in row)
        writer = csv.DictWriter(text, list(columns), restval='nan')
        writer.writeheader()
        writer.writerows(history[:num_rows])
        write_bytes(self.path, text.getvalue().encode())


class FirstRow(HistoryFile):
    """Write the row of the first epoch after its checkpoint: a file with rows tells of a checkpoint."""

    def epoch_end(self, training: TrainingState, epoch: int) -> None:
        """Write it."""
        if epoch == 1:
            self.write(training.history, 1)


def read_history(path: str | os.PathLike) -> list[dict[str, Any]]:
    """Read the history of a training from its .csv file.

    Parameters
    ----------
    path : path-like
        A file that `Training.fit` has written.

    Returns
    -------
    list of dict
        A row for each epoch: 'epoch', 1 for the first, and the other columns of the file as float.

    Raises
    ------
    ValueError
        The file is damaged.

    Examples
    --------
    >>> read_history('runs/mnist/softmax/history.csv')[-1]['test_accuracy']  # doctest: +SKIP
    0.9495
    """
    try:
        with open(path, newline='', encoding='utf-8') as file:
            reader = csv.DictReader(file)
            rows = [{name: float(value) for name, value in row.items()} for row in reader]
            if 'epoch' not in (reader.fieldnames or ()):
                raise KeyError('epoch')
        return [{**row, 'epoch': int(row['epoch'])} for row in rows]
    except (KeyError, TypeError, ValueError, OverflowError, csv.Error):
        raise ValueError(f'{path}: not the history of a training, or the file is truncated') from None


def resumable_epoch(prefix: str | os.PathLike, history: str | os.PathLike) -> int:
    """Return the epoch that a training goes on from: that of its last checkpoint.

    Parameters
    ----------
    prefix, history : path-like
        As given to `Training.fit`.

    Returns
    -------
    int
        0: the training has not ended its first epoch, and begins anew.

    Raises
    ------
    FileNotFoundError
        The history has epochs, and there is no checkpoint; or the other way round.
    ValueError
        The history is damaged.

    Examples
    --------
    >>> resumable_epoch('runs/lenet', 'runs/lenet-history.csv')  # doctest: +SKIP
    12
    """
    last = latest_checkpoint(prefix) or 0
    if not os.path.lexists(history):
        if last:
            raise FileNotFoundError(
                f'{history} does not exist, but the checkpoint {prefix} is of epoch {last}; put it back, or '
                'begin anew'
            )
        return 0
    rows = read_history(history)
    if rows and not last:
        raise FileNotFoundError(
            f'{history} has {quantity(len(rows), "epoch")}, but there is no checkpoint {prefix}-NNNN.params; '
            'put it back, or begin anew'
        )
    return 0 if last == 1 and not rows else last  # then it was killed between checkpoint and first row

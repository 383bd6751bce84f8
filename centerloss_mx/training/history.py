"""The history of a training in a .csv file: a row for each epoch."""

from __future__ import annotations

import csv
import os
from typing import Any

from .._files import write_whole
from .hooks import Hook, TrainingState


class HistoryFile(Hook):
    """Write the history to a .csv file after each epoch.

    Parameters
    ----------
    path : path-like
        The file.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = path

    def epoch_end(self, training: TrainingState, epoch: int) -> None:
        """Write all rows."""

        def write(name: str) -> None:
            with open(name, 'w', newline='') as file:
                columns = dict.fromkeys(name for row in training.history for name in row)
                writer = csv.DictWriter(file, list(columns), restval='nan')
                writer.writeheader()
                writer.writerows(training.history)

        write_whole(self.path, write)


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
        with open(path, newline='') as file:
            rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
        return [{**row, 'epoch': int(row['epoch'])} for row in rows]
    except (KeyError, TypeError, ValueError, OverflowError, csv.Error):
        raise ValueError(f'{path}: not the history of a training, or the file is truncated') from None

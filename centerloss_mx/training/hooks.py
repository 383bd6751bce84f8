"""What a training calls while it runs: a hook's methods, which do nothing until a subclass needs them."""

from __future__ import annotations

from typing import Any, Callable, Mapping

import numpy as np
from mxnet.model import BatchEndParam

from ..callback import ProgressBar
from .state import TrainingState


class Hook:
    """Something to do during a training; a subclass defines the methods that it needs.

    `Training.fit` calls the hooks in the order of its list, in the process of rank 0 only. An exception in a
    hook ends the training.

    Examples
    --------
    >>> class Ratios(Hook):
    ...     def epoch_end(self, training, epoch):
    ...         print(f'{epoch}: {training.history[-1]["ratio"]:.3f}')
    >>> training = Training(net, train, test, hooks=[Ratios()])  # doctest: +SKIP
    """

    def begin(self, training: TrainingState, begin_epoch: int) -> None:
        """Prepare, before the first batch; `begin_epoch` epochs have been trained before.

        Parameters
        ----------
        training : TrainingState
            The training that begins.
        begin_epoch : int
            Number of epochs trained before, 0 or more.
        """

    def epoch_begin(self, training: TrainingState) -> None:
        """Act before the first batch of each epoch.

        Parameters
        ----------
        training : TrainingState
            The training that runs.
        """

    def batch_end(self, training: TrainingState, param: BatchEndParam) -> None:
        """Act after each batch.

        Parameters
        ----------
        training : TrainingState
            The training that runs.
        param : mxnet.model.BatchEndParam
            Epoch, number of the batch in it, metric, and the variables of `Module.fit`.
        """

    def epoch_end(self, training: TrainingState, epoch: int) -> None:
        """Act after each epoch; `training.history[-1]` is its row, if an earlier hook measures.

        Parameters
        ----------
        training : TrainingState
            The training that runs.
        epoch : int
            Number of epochs trained, 1 after the first.
        """

    def end(self, training: TrainingState) -> None:
        """Act after the last epoch; not called where the training fails.

        Parameters
        ----------
        training : TrainingState
            The training that has ended.
        """


class AfterFirstBatch(Hook):
    """Call a function once, after the first batch has been trained: every check has passed then."""

    def __init__(self, function: Callable[[], None]) -> None:
        self.function: Callable[[], None] | None = function

    def batch_end(self, training: TrainingState, param: BatchEndParam) -> None:
        """Call the function, the first time."""
        function, self.function = self.function, None
        if function is not None:
            function()


class AfterEpoch(Hook):
    """Call a function after each epoch, with the training and the features of the test samples."""

    def __init__(self, function: Callable[[Any, np.ndarray], None]) -> None:
        self.function = function

    def epoch_end(self, training: TrainingState, epoch: int) -> None:
        """Call the function."""
        self.function(training, training.test_features)


class Log(Hook):
    """Write a line to the training's logger after each epoch."""

    def epoch_end(self, training: TrainingState, epoch: int) -> None:
        """Write the line."""
        training.logger.info('Epoch[%d] %s', epoch - 1, _line(training.history[-1]))


class Progress(Hook):
    """Show a bar of all batches, and print a line above it after each epoch.

    Parameters
    ----------
    lines : bool
        Whether to print the lines.
    """

    def __init__(self, lines: bool) -> None:
        self.lines = lines
        self.bar: ProgressBar | None = None

    def begin(self, training: TrainingState, begin_epoch: int) -> None:
        """Open the bar at the first batch to train."""
        total, done = training.num_batches * training.num_epoch, training.num_batches * begin_epoch
        self.bar = ProgressBar(total, training.title, initial=done)

    def batch_end(self, training: TrainingState, param: BatchEndParam) -> None:
        """Advance the bar."""
        if self.bar is not None:
            self.bar(param)

    def epoch_end(self, training: TrainingState, epoch: int) -> None:
        """Print the line."""
        if self.lines and self.bar is not None:
            self.bar.write(f'{training.title}, epoch {epoch}: {_line(training.history[-1])}')

    def end(self, training: TrainingState) -> None:
        """Close the bar."""
        if self.bar is not None:
            self.bar.close()


def _line(row: Mapping[str, Any]) -> str:
    if 'test_accuracy' in row:
        return f'test accuracy {row["test_accuracy"]:.2%}, ratio {row["ratio"]:.3f}, {row["seconds"]:.1f} s'
    return f'training accuracy {row["train_accuracy"]:.2%}, {row["seconds"]:.1f} s'

"""Hooks: `Training.fit` calls their methods, which do nothing unless a subclass defines them."""

from __future__ import annotations

import logging
from typing import Any, Callable, Mapping, Protocol

import numpy as np
from mxnet.context import Context
from mxnet.initializer import Initializer
from mxnet.kvstore import KVStore
from mxnet.metric import EvalMetric
from mxnet.model import BatchEndParam
from mxnet.ndarray import NDArray
from mxnet.symbol import Symbol

from ..callback import ProgressBar
from ..dataset import Samples
from ..model import Features
from ..module import Module


class TrainingState(Protocol):
    """The attributes and methods of `Training` that hooks and its parts use; its docstring describes them."""

    symbol: Symbol
    title: str
    train: Samples
    test: Samples | None
    layer: str
    seed: int
    rand_mirror: bool
    num_epoch: int
    num_batches: int
    num_workers: int
    leads: bool
    context: list[Context]
    kvstore: str | KVStore
    optimizer: str
    optimizer_params: dict[str, Any]
    initializer: Initializer
    arg_params: Mapping[str, NDArray]
    aux_params: Mapping[str, NDArray]
    start_centers: bool | Features | None
    select: str | None
    logger: logging.Logger
    metric: EvalMetric
    module: Module | None
    history: list[dict[str, Any]]
    test_features: np.ndarray
    stop: str | None

    def predict(self, samples: Samples) -> tuple[np.ndarray, np.ndarray]:
        """Compute features, (N, D), and classes, (N,)."""

    def parameters(self) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
        """Return parameters and auxiliary states."""


class Hook:
    """Something to do during a training; a subclass defines the methods that it needs.

    `Training.fit` calls the hooks in the order of its list. They run in the process of rank 0; those with
    `every_worker` run in all processes. An exception in a hook ends the training. To end it without an error,
    a hook sets `training.stop` to a sentence that says why, in `begin` or `epoch_end`: the epoch's checkpoint
    and history are written, and no other epoch begins.

    Examples
    --------
    >>> class Ratios(Hook):
    ...     def epoch_end(self, training, epoch):
    ...         print(f'{epoch}: {training.history[-1]["ratio"]:.3f}')
    >>> training = Training(net, train, test, hooks=[Ratios()])  # doctest: +SKIP
    """

    every_worker = False

    def begin(self, training: TrainingState, begin_epoch: int) -> None:
        """Prepare, before the first batch; `begin_epoch` epochs have been trained before."""

    def epoch_begin(self, training: TrainingState) -> None:
        """Act before the first batch of each epoch."""

    def batch_end(self, training: TrainingState, param: BatchEndParam) -> None:
        """Act after each batch; `param` has epoch, batch number and metric, as in MXNet's callbacks."""

    def first_batch_end(self, training: TrainingState) -> None:
        """Act once, after the first batch: what cannot work is refused here, before files are replaced."""

    def epoch_end(self, training: TrainingState, epoch: int) -> None:
        """Act after each epoch, 1 for the first; `training.history[-1]` is its row."""

    def end(self, training: TrainingState) -> None:
        """Act after the last epoch, or that which stopped the training; not called if it fails."""


class AfterFirstBatch(Hook):
    """Call a function once, after the first batch has been trained: every check has passed then."""

    def __init__(self, function: Callable[[], None]) -> None:
        self.function = function

    def first_batch_end(self, training: TrainingState) -> None:
        """Call the function."""
        self.function()


class AfterEpoch(Hook):
    """Call a function after each epoch, with the training and the features of the test samples."""

    def __init__(self, function: Callable[[Any, np.ndarray], None]) -> None:
        self.function = function

    def epoch_end(self, training: TrainingState, epoch: int) -> None:
        """Call the function."""
        self.function(training, training.test_features)


class Log(Hook):
    """Write a line to the training's logger after each epoch; epochs count from 0, as in MXNet's lines."""

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
    shown = {'test_accuracy': 'test accuracy', 'test_precision_at_1': 'precision@1 of unseen classes'}
    name = next((name for name in shown if name in row), 'train_accuracy')
    ratio = f', ratio {row["ratio"]:.3f}' if 'ratio' in row else ''
    unseen = ''.join(f', {name} {value:.2%}' for name, value in row.items() if name.endswith('_map_at_r'))
    return f'{shown.get(name, "training accuracy")} {row[name]:.2%}{ratio}{unseen}, {row["seconds"]:.1f} s'

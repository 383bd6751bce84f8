"""What is measured after each epoch of a training."""

from __future__ import annotations

import math
import time

import numpy as np

from .._checks import quantity
from ..dataset import Samples
from ..evaluation import cluster_ratio
from ..evaluation.retrieval import precision_at_1
from .hooks import Hook, TrainingState


class Measurement(Hook):
    """Append a row to the training's history after each epoch, and stop a training that has diverged.

    The row has the epoch, the accuracies on training and test samples, the distances of
    `evaluation.cluster_ratio`, and the seconds of the epoch without those of the hooks after it. Where no
    class of the test samples was trained on, it has `evaluation.retrieval`'s precision at 1 in
    place of their accuracy. Under a sampled class layer there is no accuracy: that of the training samples is
    NaN.
    """

    def __init__(self) -> None:
        self.start = 0.0

    def begin(self, training: TrainingState, begin_epoch: int) -> None:
        """Check the test samples.

        Raises
        ------
        ValueError
            They are of fewer than two classes.
        """
        if training.test is not None:
            classes = np.unique(training.test.labels)
            if len(classes) < 2:
                raise ValueError(
                    f'{training.title}: the {quantity(len(training.test.labels), "test sample")} are of '
                    f'{quantity(len(classes), "class", "classes")}; expected two or more, between which to '
                    'measure the distance'
                )

    def epoch_begin(self, training: TrainingState) -> None:
        """Start the clock."""
        self.start = time.perf_counter()

    def first_batch_end(self, training: TrainingState) -> None:
        """Refuse test samples that the network does not take."""
        if training.test is not None:
            try_out(training, training.test)

    def epoch_end(self, training: TrainingState, epoch: int) -> None:
        """Measure, and append the row.

        Raises
        ------
        ValueError
            The features of the test samples are not finite or all equal, or, without test samples, the
            parameters are not finite.
        """
        seconds = time.perf_counter() - self.start
        measured = dict(training.metric.get_global_name_value())
        row = {'epoch': epoch, 'train_accuracy': measured.get('accuracy', math.nan)}
        if training.test is None:
            _check_parameters(training, epoch)
        else:
            training.test_features, predicted = training.predict(training.test)
            known = {*training.test.class_names} & {*training.train.class_names}
            if known and 'accuracy' in measured:
                row['test_accuracy'] = float((predicted == training.test.labels).mean())
            try:  # of two classes, only features that are not finite or all equal are refused
                if 'test_accuracy' not in row and np.bincount(training.test.labels).max() > 1:
                    row['test_precision_at_1'] = precision_at_1(training.test_features, training.test.labels)
                row.update(cluster_ratio(training.test_features, training.test.labels)._asdict())
            except ValueError as error:
                raise diverged(training, epoch, error) from None
        training.history.append({**row, 'seconds': seconds})


def try_out(training: TrainingState, samples: Samples) -> None:
    """Measure one of the samples, so that an epoch is not lost to a wrong shape."""
    training.predict(samples.take(np.zeros(1, int)))


def _check_parameters(training: TrainingState, epoch: int) -> None:
    for params in training.parameters():
        for name, value in params.items():
            if not np.isfinite(value.asnumpy()).all():
                raise diverged(training, epoch, f'{name} is not finite')


def diverged(training: TrainingState, epoch: int, reason: object) -> ValueError:
    """Return the error of a training whose features or parameters are not finite."""
    learning_rate = training.optimizer_params.get('learning_rate', 0.01)
    return ValueError(
        f'{training.title}, epoch {epoch}: training diverged ({reason}); '
        f'lower learning_rate ({learning_rate:g}) or scale'
    )

"""Validation on classes that are not trained on."""

from __future__ import annotations

import numpy as np

from .._checks import quantity
from ..dataset import Samples
from ..evaluation import check_unseen, retrieval
from ..evaluation.distances import paired_distances
from ..evaluation.inputs import sklearn
from ..evaluation.pairs import drawn_pairs
from ..evaluation.verification import tar_at_far
from .hooks import Hook, TrainingState
from .measurement import diverged, try_out

_NUM_PAIRS = 10000  # of one kind
_FAR = 1e-3


class Validation(Hook):
    """Measure on classes that are not trained on: what a network for verification and retrieval is for.

    It adds three columns to the history. They compare features of `Training`'s `layer` by their cosine.

    - `<name>_precision_at_1` and `<name>_map_at_r`: see `evaluation.retrieval`.
    - `<name>_tar_at_far_0.001`: the accepted share of genuine pairs where at most 0.1% of the impostor pairs
      are accepted. There are up to 10 000 pairs of each kind, drawn once with seed 0. With fewer than 1000
      impostor pairs, it is NaN.

    Parameters
    ----------
    samples : io.Images or dataset.Arrays
        Samples of two classes or more, none of which is trained on.
    name : str
        How the columns begin.

    Raises
    ------
    ValueError
        The samples have no labels, or there is no pair of one class, or none of two. Before the first batch:
        a class is trained on, too, as the names tell. In the first batch: the network does not take the
        samples. After an epoch: features are not finite.
    ImportError
        Before the first batch: scikit-learn is not installed.

    References
    ----------
    Musgrave, Belongie and Lim, A Metric Learning Reality Check, ECCV 2020: the checkpoint is chosen by a
    validation on classes of its own.

    Examples
    --------
    >>> hooks = [Validation(people), EarlyStopping('validation_map_at_r', 5)]  # doctest: +SKIP
    >>> training = Training(net, train, hooks=hooks, select='validation_map_at_r')  # doctest: +SKIP
    """

    def __init__(self, samples: Samples, name: str = 'validation') -> None:
        self.samples, self.name = samples, name
        if not samples.class_names:
            raise ValueError(f'{name}: the samples have no labels; expected those of samples with labels')
        self.classes = _classes(samples)
        self.first, self.second, self.same = drawn_pairs(self.classes, _NUM_PAIRS, seed=0)
        if self.same.all() or not self.same.any():
            raise ValueError(
                f'{name}: {quantity(len(self.classes), "sample")} of '
                f'{quantity(len(np.unique(self.classes)), "class", "classes")}; expected two classes or '
                'more, and two samples or more of a class'
            )

    def begin(self, training: TrainingState, begin_epoch: int) -> None:
        """Check that the classes are not trained on; warn where a rate will not be measured."""
        sklearn('metrics')  # its absence is said here, not after an epoch
        try:
            check_unseen(np.unique(self.classes), np.unique(_classes(training.train)))
        except ValueError as error:
            raise ValueError(f'{self.name}: {error}') from None
        num_impostor = int((~self.same).sum())
        if num_impostor * _FAR < 1:
            training.logger.warning(
                '%s_tar_at_far_%g will be nan: there are %d impostor pairs, and it needs %d',
                self.name, _FAR, num_impostor, 1 / _FAR,
            )  # fmt: skip

    def first_batch_end(self, training: TrainingState) -> None:
        """Refuse samples that the network does not take."""
        try_out(training, self.samples)

    def epoch_end(self, training: TrainingState, epoch: int) -> None:
        """Measure, and add the columns."""
        features, _ = training.predict(self.samples)
        try:  # only features that are not finite are refused
            found = retrieval(features, self.samples.labels)
        except ValueError as error:
            raise diverged(training, epoch, error) from None
        similarities = -paired_distances(features[self.first], features[self.second], 'cosine')
        training.history[-1].update(
            {
                f'{self.name}_precision_at_1': found.precision_at_1,
                f'{self.name}_map_at_r': found.map_at_r,
                f'{self.name}_tar_at_far_{_FAR:g}': tar_at_far(similarities, self.same, _FAR),
            }
        )


def _classes(samples: Samples) -> np.ndarray:
    """Return the name of the class of each sample."""
    return np.array(samples.class_names)[samples.labels]

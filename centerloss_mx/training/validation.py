"""Validation on classes that are not trained on."""

from __future__ import annotations

import numpy as np

from .._checks import quantity
from ..dataset import Samples
from ..evaluation import check_unseen, retrieval, verification_pairs, verify
from ..evaluation.inputs import sklearn
from .hooks import Hook, TrainingState
from .measurement import diverged

_NUM_PAIRS = 3000  # a fold: genuine pairs, and as many impostor pairs
_FAR = 1e-3


class Validation(Hook):
    """Measure on classes that are not trained on: what a network for verification and retrieval is for.

    It adds three columns to the history. They compare features of `Training`'s `layer` by their cosine.

    - `<name>_precision_at_1` and `<name>_map_at_r`: see `evaluation.retrieval`.
    - `<name>_tar_at_far_0.001`: the accepted share of genuine pairs where at most 0.1% of the impostor pairs
      are accepted, see `evaluation.verify`. There are up to 6000 pairs of each kind, drawn once with seed 0.

    Parameters
    ----------
    samples : io.Images or dataset.Arrays
        Samples of four classes or more, none of which is trained on.
    name : str
        How the columns begin.

    Raises
    ------
    ValueError
        The samples have no labels, or are too few to draw pairs from. Before the first batch: a class is
        trained on, too, as the names tell. After an epoch: features are not finite.
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
        self.classes = _classes(samples)
        try:
            self.pairs = verification_pairs(self.classes, num_folds=2, num_pairs=_NUM_PAIRS)
        except ValueError:  # a fold without a pair of one kind
            raise ValueError(
                f'{name}: {quantity(len(self.classes), "sample")} of '
                f'{quantity(len(np.unique(self.classes)), "class", "classes")}; expected four classes or '
                'more, with two samples or more each'
            ) from None

    def begin(self, training: TrainingState, begin_epoch: int) -> None:
        """Check that the classes are not trained on; warn where a rate will not be measured."""
        sklearn('metrics')  # its absence is said here, not after an epoch
        try:
            check_unseen(np.unique(self.classes), np.unique(_classes(training.train)))
        except ValueError as error:
            raise ValueError(f'{self.name}: {error}') from None
        num_impostor = int((~self.pairs.same).sum())
        if num_impostor * _FAR < 1:
            training.logger.warning(
                '%s_tar_at_far_%g will be nan: there are %d impostor pairs, and it needs %d',
                self.name, _FAR, num_impostor, 1 / _FAR,
            )  # fmt: skip

    def epoch_end(self, training: TrainingState, epoch: int) -> None:
        """Measure, and add the columns."""
        features, _ = training.predict(self.samples)
        try:  # only features that are not finite are refused
            found = retrieval(features, self.samples.labels)
        except ValueError as error:
            raise diverged(training, epoch, error) from None
        rates = {point.far: point.tar for point in verify(features, self.pairs).tar_at_far}
        training.history[-1].update(
            {
                f'{self.name}_precision_at_1': found.precision_at_1,
                f'{self.name}_map_at_r': found.map_at_r,
                f'{self.name}_tar_at_far_{_FAR:g}': rates[_FAR],
            }
        )


def _classes(samples: Samples) -> np.ndarray:
    """Return the name of the class of each sample."""
    if not samples.class_names:
        raise ValueError('the samples have no labels; expected those of samples with labels')
    return np.array(samples.class_names)[samples.labels]

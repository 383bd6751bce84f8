"""Verification as InsightFace's `verification.py` computes it, for comparison with its published figures."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .distances import unit
from .inputs import checked_features
from .pairs import Pairs, checked_pairs

_FAR = 1e-3
_ACCURACY_GRID = np.arange(0, 4, 0.01)  # thresholds of squared distances
_FAR_GRID = np.arange(0, 4, 0.001)


class InsightFaceVerification(NamedTuple):
    """What InsightFace prints of a set of pairs, and of which folds it is the mean.

    Parameters
    ----------
    accuracy, accuracy_std : float
        Mean and standard deviation (of the K folds, not of their mean) of `accuracies`.
    tar, tar_std : float
        Mean and standard deviation of `tars`: InsightFace's ``val`` at FAR 1e-3.
    far : float
        Mean of `fars`.
    accuracies, tars, fars : numpy.ndarray
        (K,): of each fold, at thresholds of the other folds.

    References
    ----------
    recognition/arcface_mxnet/verification.py of https://github.com/deepinsight/insightface
    """

    accuracy: float
    accuracy_std: float
    tar: float
    tar_std: float
    far: float
    accuracies: np.ndarray
    tars: np.ndarray
    fars: np.ndarray


def insightface_verify(features: np.ndarray, pairs: Pairs) -> InsightFaceVerification:
    """Verify pairs by InsightFace's protocol.

    Features are divided by their lengths. A pair is accepted if its squared Euclidean distance d is less than
    a threshold. For the accuracy, it is the first of 0, 0.01, ..., 3.99 with the most right answers on the
    other folds. For TAR at FAR, FAR is computed on the other folds at 0, 0.001, ..., 3.999; the threshold is
    where the lines between these points reach FAR 1e-3, and 0 if none does. TAR and FAR are those of the fold
    itself at this threshold.

    `verify` differs in three ways: its threshold may be any number, its `tar_at_far` is of one ROC curve of
    all folds and never above the FAR asked for, and its standard error is that of the mean.

    Parameters
    ----------
    features : numpy.ndarray
        Shape (N, D). InsightFace's are sums of the features of a picture and of its mirror image, see `flip`
        of `model.FeatureExtractor.predict`.
    pairs : Pairs
        At least two folds, each with genuine and impostor pairs. Those of InsightFace are ten of consecutive
        pairs, as `dataset.load_pairs` returns them for a .bin file.

    Returns
    -------
    InsightFaceVerification

    Raises
    ------
    ValueError
        As `verify`.

    References
    ----------
    recognition/arcface_mxnet/verification.py of https://github.com/deepinsight/insightface

    Examples
    --------
    >>> pairs = Pairs([0, 0, 2, 2], [1, 2, 3, 0], [True, False] * 2, [0, 0, 1, 1])
    >>> insightface_verify(np.eye(2)[[0, 0, 1, 1]], pairs).accuracy
    1.0
    """
    features = checked_features(features)
    pairs = checked_pairs(pairs, len(features))
    squared = ((unit(features[pairs.first]) - unit(features[pairs.second])) ** 2).sum(axis=1)
    found = []
    for fold in np.unique(pairs.fold):
        test, train = pairs.fold == fold, pairs.fold != fold
        genuine, impostor = _accepted(squared[train], pairs.same[train], _ACCURACY_GRID)
        right = genuine - impostor  # + the impostor pairs, a constant
        is_right = (squared[test] < _ACCURACY_GRID[right.argmax()]) == pairs.same[test]
        accepted = squared[test] < _threshold_at_far(squared[train], pairs.same[train])
        tar, far = (accepted[pairs.same[test] == same].mean() for same in (True, False))
        found.append((is_right.mean(), tar, far))
    accuracies, tars, fars = map(np.array, zip(*found))
    return InsightFaceVerification(
        accuracy=float(accuracies.mean()),
        accuracy_std=float(accuracies.std()),
        tar=float(tars.mean()),
        tar_std=float(tars.std()),
        far=float(fars.mean()),
        accuracies=accuracies,
        tars=tars,
        fars=fars,
    )


def _accepted(squared: np.ndarray, same: np.ndarray, thresholds: np.ndarray) -> list[np.ndarray]:
    """Return the numbers of genuine and of impostor pairs that each threshold accepts."""
    return [np.searchsorted(np.sort(squared[kind]), thresholds) for kind in (same, ~same)]


def _threshold_at_far(squared: np.ndarray, same: np.ndarray) -> float:
    """Return where FAR, its points on the grid joined by lines, leaves 1e-3; 0: it does not come so far."""
    far = _accepted(squared, same, _FAR_GRID)[1] / (~same).sum()
    return float(np.interp(_FAR, far, _FAR_GRID)) if far[-1] >= _FAR else 0.0

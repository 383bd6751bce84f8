"""Verification of pairs by the protocol of LFW."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .distances import paired_distances
from .estimators import principal_components
from .inputs import check_metric, checked_features, sklearn
from .pairs import Pairs, checked_pairs

FARS = (1e-1, 1e-2, 1e-3, 1e-4)


class TarAtFar(NamedTuple):
    """The true accept rate at a false accept rate, with the number of pairs that allows it.

    Parameters
    ----------
    far : float
        The allowed false accept rate.
    tar : float
        Accepted share of the genuine pairs; NaN if `num_allowed` is 0, which means too few impostor pairs.
    num_allowed : int
        The number of impostor pairs that may be accepted: floor(far * impostor pairs).

    References
    ----------
    A point of the ROC curve of ISO/IEC 19795-1.
    """

    far: float
    tar: float
    num_allowed: int


class Verification(NamedTuple):
    """How well a threshold separates genuine pairs from impostor pairs.

    Parameters
    ----------
    accuracy, standard_error : float
        Mean over the folds, and standard deviation of the folds / sqrt(folds).
    accuracies, thresholds : numpy.ndarray
        (K,): accuracy of each fold, and the threshold fitted on the other folds. A pair is accepted if its
        similarity is at least the threshold.
    far, tar : numpy.ndarray
        (T,): the ROC curve, accepted shares of impostor and genuine pairs, from the strictest threshold on.
    auc : float
        The area under the ROC curve, 0 to 1.
    eer : float
        The equal error rate: where the accepted share of impostor pairs equals the refused share of genuine
        pairs.
    tar_at_far : list of TarAtFar
        At 1e-1, 1e-2, 1e-3 and 1e-4.
    num_genuine, num_impostor : int
        Numbers of pairs.
    similarities : numpy.ndarray
        (P,): minus the distance of each pair, after the projection of its fold.

    References
    ----------
    Huang et al., Labeled Faces in the Wild, 2007 (folds); Wen et al. 2016, Section 4.
    """

    accuracy: float
    standard_error: float
    accuracies: np.ndarray
    thresholds: np.ndarray
    far: np.ndarray
    tar: np.ndarray
    auc: float
    eer: float
    tar_at_far: list[TarAtFar]
    num_genuine: int
    num_impostor: int
    similarities: np.ndarray


def verify(
    features: np.ndarray, pairs: Pairs, metric: str = 'cosine', num_components: int | None = None
) -> Verification:
    """Verify pairs by the LFW protocol: the threshold of each fold is the best one on all other folds.

    Parameters
    ----------
    features : numpy.ndarray
        Shape (N, D).
    pairs : Pairs
        At least two folds, each with genuine and impostor pairs.
    metric : {'cosine', 'euclidean'}
        The distance.
    num_components : int or None
        Project the features of each fold's pairs on this number of principal components, fitted on the
        samples of the other folds' pairs; None: no projection.

    Returns
    -------
    Verification
        Accuracy with its standard error, ROC curve, AUC, EER and TAR at FAR.

    Raises
    ------
    ValueError
        Features that are not finite, an unknown metric, pairs that name rows outside 0..N-1, a fold without
        genuine or impostor pairs, `num_components` outside 1..min(samples to fit, D), or a sample to fit so
        far from the others that PCA in float64 cannot tell these apart.
    ImportError
        scikit-learn is not installed.

    References
    ----------
    Huang et al., Labeled Faces in the Wild, 2007, Section III; PCA as in Wen et al. 2016, Section 4.2.

    Examples
    --------
    >>> features = np.repeat(np.eye(4), 5, axis=0)
    >>> found = verify(features, verification_pairs(np.repeat(np.arange(4), 5), 2, 6))
    >>> found.accuracy, found.auc, found.eer
    (1.0, 1.0, 0.0)
    """
    features = checked_features(features)
    check_metric(metric)
    pairs = checked_pairs(pairs, len(features))
    folds = np.unique(pairs.fold)
    similarities = np.zeros(len(pairs.same))
    accuracies, thresholds = np.zeros(len(folds)), np.zeros(len(folds))
    if num_components is None:
        similar = -_pair_distances(features, pairs, metric)  # one for all folds
    for i, fold in enumerate(folds):
        test, train = pairs.fold == fold, pairs.fold != fold
        if num_components is not None:
            similar = -_pair_distances(_projected(features, pairs, train, num_components), pairs, metric)
        thresholds[i] = _best_threshold(similar[train], pairs.same[train])
        accuracies[i] = ((similar[test] >= thresholds[i]) == pairs.same[test]).mean()
        similarities[test] = similar[test]
    far, tar = _roc_curve(similarities, pairs.same)
    num_impostor = int((~pairs.same).sum())
    return Verification(
        accuracy=float(accuracies.mean()),
        standard_error=float(accuracies.std(ddof=1) / np.sqrt(len(folds))),
        accuracies=accuracies,
        thresholds=thresholds,
        far=far,
        tar=tar,
        auc=float(sklearn('metrics').auc(far, tar)),
        eer=_equal_error_rate(far, tar),
        tar_at_far=[_tar_at(wanted, far, tar, num_impostor) for wanted in FARS],
        num_genuine=len(pairs.same) - num_impostor,
        num_impostor=num_impostor,
        similarities=similarities,
    )


def tar_at_far(similarities: np.ndarray, same: np.ndarray, far: float) -> float:
    """Return the accepted share of genuine pairs, see `TarAtFar`, for pairs of any origin."""
    return _tar_at(far, *_roc_curve(similarities, same), int((~same).sum())).tar


def _roc_curve(similarities: np.ndarray, same: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    far, tar, _ = sklearn('metrics').roc_curve(same, similarities, drop_intermediate=False)
    return far, tar


def _projected(features: np.ndarray, pairs: Pairs, train: np.ndarray, num_components: int) -> np.ndarray:
    """Project all features on the principal components of the samples in the pairs `train`."""
    rows = np.unique([pairs.first[train], pairs.second[train]])
    most = min(len(rows), features.shape[1])
    if not 1 <= num_components <= most:
        raise ValueError(f'num_components={num_components} is outside 1..{most}')
    return principal_components(features, num_components, rows)(features)


def _pair_distances(features: np.ndarray, pairs: Pairs, metric: str) -> np.ndarray:
    return paired_distances(features[pairs.first], features[pairs.second], metric)


def _best_threshold(similarities: np.ndarray, same: np.ndarray) -> float:
    """Return the most accurate threshold, midway between two similarities; of several, the strictest."""
    far, tar, thresholds = sklearn('metrics').roc_curve(same, similarities, drop_intermediate=False)
    right = tar * same.sum() + (1 - far) * (~same).sum()
    best = int(np.round(right, 6).argmax())
    if best == 0:
        largest = thresholds[1]  # no pair is accepted
        return float(max(largest + 1, np.nextafter(largest, np.inf)))
    lower = thresholds[best + 1] if best + 1 < len(thresholds) else thresholds[best]
    middle = (thresholds[best] + lower) / 2
    return float(middle if middle > lower else thresholds[best])


def _equal_error_rate(far: np.ndarray, tar: np.ndarray) -> float:
    """Return the FAR at which the ROC curve, its points joined by lines, crosses far = 1 - tar."""
    excess = far - (1 - tar)  # rises along the curve from -1 to 1
    k = int((excess >= 0).argmax())
    share = excess[k] / (excess[k] - excess[k - 1])
    return float(far[k] - share * (far[k] - far[k - 1]))


def _tar_at(wanted: float, far: np.ndarray, tar: np.ndarray, num_impostor: int) -> TarAtFar:
    allowed = int(wanted * num_impostor)
    accepted = np.round(far * num_impostor)
    rate = float(tar[accepted <= allowed].max()) if allowed else float('nan')
    return TarAtFar(far=wanted, tar=rate, num_allowed=allowed)

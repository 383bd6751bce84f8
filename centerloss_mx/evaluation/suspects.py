"""Samples whose label may be wrong: far from their own class and near another one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .clusters import class_means
from .distances import nearest, paired_distances, unit
from .inputs import check_metric, checked_samples


class Suspects(NamedTuple):
    """Samples that are nearer to another class than to their own, the most suspicious first.

    Parameters
    ----------
    rows : numpy.ndarray
        int (S,), the rows of the samples.
    suggested : numpy.ndarray
        (S,), the label of the nearest other class.
    excess : numpy.ndarray
        float64 (S,), > 0: how much farther the own class is than the other one, in units of the features.
    """

    rows: np.ndarray
    suggested: np.ndarray
    excess: np.ndarray


def suspects(features: np.ndarray, labels: np.ndarray, metric: str = 'cosine') -> Suspects:
    """Find samples whose label may be wrong: they are nearer to the mean of another class.

    | excess_i = ||x_i - m_{y_i} without x_i|| - min_{j != y_i} ||x_i - m_j||

    m_j is the mean of the features of class j; that of the own class is without the sample, which would
    draw it near. ||x_i - m_y without x_i|| = ||x_i - m_y|| n_y / (n_y - 1). Samples with an excess > 0 are
    returned. A sample that is the only one of its class has no such mean, and is none of them.

    Parameters
    ----------
    features : numpy.ndarray
        Shape (N, D); best of a network that was trained on these labels for a few epochs, because one that
        was trained for long learns wrong labels by heart.
    labels : numpy.ndarray
        Shape (N,), of two classes or more.
    metric : {'cosine', 'euclidean'}
        'cosine' divides the features by their length first. Distances are Euclidean then, too.

    Returns
    -------
    Suspects

    Raises
    ------
    ValueError
        Shapes that do not fit, features that are not finite, fewer than two classes, or an unknown metric.
    ImportError
        scikit-learn is not installed.

    Examples
    --------
    >>> features = np.array([[0.0, 0], [0, 1], [0, 2], [9, 0], [9, 1], [9, 2], [9, 1]])
    >>> found = suspects(features, np.array([0, 0, 0, 1, 1, 1, 0]), 'euclidean')
    >>> found.rows, found.suggested, found.excess
    (array([6]), array([1]), array([9.]))
    """
    features, labels = checked_samples(features, labels)
    check_metric(metric)
    if metric == 'cosine':
        features = unit(features)
    classes, means = class_means(features, labels)
    if len(classes) < 2:
        raise ValueError(f'the samples are of one class, {classes[0]}; expected two or more')
    own, sizes = np.unique(labels, return_inverse=True, return_counts=True)[1:]
    two = np.array([*nearest(features, means, np.full(len(own), 2), 'euclidean')])
    other = np.where(two[:, 0] == own, two[:, 1], two[:, 0])
    judged = np.flatnonzero(sizes[own] > 1)
    own, other, features = own[judged], other[judged], features[judged]
    without = sizes[own] / (sizes[own] - 1)
    to_own, to_other = (paired_distances(features, means[j], 'euclidean') for j in (own, other))
    excess = to_own * without - to_other
    found = np.flatnonzero(excess > 0)
    found = found[np.argsort(-excess[found], kind='stable')]
    return Suspects(judged[found], classes[other[found]], excess[found])

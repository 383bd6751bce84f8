"""Retrieval: precision@1, R-precision and MAP@R."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .inputs import check_metric, checked_samples, sklearn

_CHUNK = 2**24  # distances computed at a time


class Retrieval(NamedTuple):
    """How well each sample finds the other samples of its class; means over queries, 0 to 1.

    Parameters
    ----------
    precision_at_1 : float
        Share of queries whose nearest sample is of their class.
    r_precision : float
        Share of the query's class among its R nearest samples; R is the number of other samples of its
        class.
    map_at_r : float
        Mean of (1 / R) sum_{i=1..R} P(i). P(i) is the precision at i where the i-th nearest is of the class,
        else 0.
    num_queries : int
        Samples with at least one other sample of their class.
    num_left_out : int
        Samples that are alone in their class. They are no queries, but other queries can find them.

    References
    ----------
    Musgrave, Belongie and Lim, A Metric Learning Reality Check, ECCV 2020, Section 3.2.
    """

    precision_at_1: float
    r_precision: float
    map_at_r: float
    num_queries: int
    num_left_out: int


def retrieval(features: np.ndarray, labels: np.ndarray, metric: str = 'cosine') -> Retrieval:
    """Rank all other samples by their distance to each sample: precision@1, R-precision and MAP@R.

    Samples at the same distance are ranked in the order of their rows.

    Parameters
    ----------
    features : numpy.ndarray
        Shape (N, D).
    labels : numpy.ndarray
        Shape (N,).
    metric : {'cosine', 'euclidean'}
        The distance.

    Returns
    -------
    Retrieval
        The three means over queries, and the numbers of samples.

    Raises
    ------
    ValueError
        Shapes that do not fit, features that are not finite, an unknown metric, or no class with two samples.
    ImportError
        scikit-learn is not installed.

    References
    ----------
    Musgrave, Belongie and Lim, A Metric Learning Reality Check, ECCV 2020, Section 3.2.

    Examples
    --------
    >>> features = np.array([[0.0], [1.0], [1.5], [9.0]])
    >>> retrieval(features, np.array([0, 0, 1, 1]), 'euclidean').precision_at_1
    0.5
    """
    features, labels = checked_samples(features, labels)
    check_metric(metric)
    _, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    relevant = counts[classes] - 1  # R
    queries = np.flatnonzero(relevant)
    if not len(queries):
        raise ValueError(
            f'each of the {len(labels)} samples is alone in its class; expected a class with at least two'
        )
    scores = np.zeros((len(queries), 3))
    chunk = max(1, _CHUNK // len(labels))
    for begin in range(0, len(queries), chunk):
        rows = queries[begin : begin + chunk]
        distances = sklearn('metrics').pairwise_distances(features[rows], features, metric=metric)
        distances[np.arange(len(rows)), rows] = np.inf  # a query does not find itself
        for i, (row, distance) in enumerate(zip(rows, distances), begin):
            found = classes[_nearest(distance, relevant[row])] == classes[row]
            precision = np.cumsum(found) / np.arange(1, len(found) + 1)
            scores[i] = found[0], found.mean(), (precision * found).mean()
    precision_at_1, r_precision, map_at_r = scores.mean(axis=0).tolist()
    return Retrieval(
        precision_at_1=precision_at_1,
        r_precision=r_precision,
        map_at_r=map_at_r,
        num_queries=len(queries),
        num_left_out=len(labels) - len(queries),
    )


def _nearest(distance: np.ndarray, count: int) -> np.ndarray:
    """Return the indices of the `count` smallest distances, ascending; equal ones in their order."""
    farthest = np.partition(distance, count - 1)[count - 1]
    candidates = np.flatnonzero(distance <= farthest)
    return candidates[np.argsort(distance[candidates], kind='stable')][:count]

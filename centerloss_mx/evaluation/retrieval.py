"""Retrieval: precision@1, R-precision and MAP@R."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .distances import nearest
from .inputs import check_metric, checked_samples


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
    num_queries = int((relevant > 0).sum())
    if not num_queries:
        raise ValueError(
            f'each of the {len(labels)} samples is alone in its class; expected a class with at least two'
        )
    scores = []
    for own, neighbors in zip(classes, nearest(features, features, relevant, metric, others=True)):
        if len(neighbors):
            found = classes[neighbors] == own
            precision = np.cumsum(found) / np.arange(1, len(found) + 1)
            scores.append((found[0], found.mean(), (precision * found).mean()))
    precision_at_1, r_precision, map_at_r = np.mean(scores, axis=0).tolist()
    return Retrieval(
        precision_at_1=precision_at_1,
        r_precision=r_precision,
        map_at_r=map_at_r,
        num_queries=num_queries,
        num_left_out=len(labels) - num_queries,
    )

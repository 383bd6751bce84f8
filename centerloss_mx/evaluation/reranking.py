"""Re-ranking by k-reciprocal neighbors."""

from __future__ import annotations

from typing import Any, Iterator

import numpy as np

from .._optional import require
from .distances import nearest, relative_squares, unit
from .inputs import check_metric, checked_features


def reranked_distances(
    query: np.ndarray,
    gallery: np.ndarray,
    metric: str = 'cosine',
    k1: int = 20,
    k2: int = 6,
    weight: float = 0.3,
) -> Iterator[np.ndarray]:
    """Yield for each query its distances to the gallery, after re-ranking by k-reciprocal neighbors.

    d* = (1 - weight) d_J + weight d. d is the squared Euclidean distance, divided by the largest one of its
    query; of features with length 1 for the cosine. d_J is the Jaccard distance of the sets of k-reciprocal
    neighbors, whose members count exp(-d).

    Parameters
    ----------
    query, gallery : numpy.ndarray
        Features, (Q, D) and (G, D).
    metric : {'cosine', 'euclidean'}
        The distance.
    k1, k2 : int
        Neighbors for the sets, and for their mean over neighbors, > 0.
    weight : float
        The paper's lambda, 0 to 1.

    Yields
    ------
    numpy.ndarray
        float64 (G,).

    Raises
    ------
    ValueError
        Features that do not fit or are not finite, or an unknown metric.
    ImportError
        scikit-learn is not installed.

    References
    ----------
    Zhong et al., Re-ranking Person Re-identification with k-reciprocal Encoding, CVPR 2017, Eq. 2 to 12. As
    in the authors' code, distances are squared and divided by the largest.

    Examples
    --------
    >>> rng = np.random.RandomState(0)
    >>> [row] = reranked_distances(rng.randn(1, 4), rng.randn(30, 4))
    >>> row.shape
    (30,)
    """
    check_metric(metric)
    query = checked_features(query)
    gallery = checked_features(gallery, query.shape[1], 'gallery')
    points = np.concatenate([query, gallery])
    if metric == 'cosine':
        points = unit(points)
    count = min(k1 + 1, len(points))
    ranks = np.array([*nearest(points, points, np.full(len(points), count), 'euclidean')])
    encoded = _encoded(points, ranks, k1)
    if k2 > 1:
        encoded = _mean_over_neighbors(encoded, ranks[:, :k2])
    by_column = encoded.tocsc()
    for i, distances in enumerate(relative_squares(points[: len(query)], points)):
        jaccard = _jaccard(encoded, by_column, i)
        yield ((1 - weight) * jaccard + weight * distances)[len(query) :]


def _encoded(points: np.ndarray, ranks: np.ndarray, k1: int) -> Any:
    """Encode each point by its k-reciprocal neighbors, which count exp(-d); Eq. 3 and 7."""
    rows, columns, values = [], [], []
    for i, distances in enumerate(relative_squares(points, points)):
        neighbors = _expanded(ranks, i, k1)
        weights = np.exp(-distances[neighbors])
        rows.append(np.full(len(neighbors), i))
        columns.append(neighbors)
        values.append(weights / weights.sum())
    sparse = require('scipy.sparse', 're-ranking')
    entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return sparse.csr_matrix(entries, shape=(len(points), len(points)))


def _expanded(ranks: np.ndarray, i: int, k1: int) -> np.ndarray:
    """The k-reciprocal neighbors of a point, and those of a neighbor that share most of theirs; Eq. 3."""
    neighbors = _reciprocal(ranks, i, k1)
    found = [neighbors]
    for candidate in neighbors:
        of_candidate = _reciprocal(ranks, candidate, int(np.around(k1 / 2)))
        if np.isin(of_candidate, neighbors).sum() > 2 / 3 * len(of_candidate):
            found.append(of_candidate)
    return np.unique(np.concatenate(found))


def _reciprocal(ranks: np.ndarray, i: int, k: int) -> np.ndarray:
    """The points among the k nearest of a point that have it among theirs; itself is one of both. Eq. 2."""
    forward = ranks[i, : k + 1]
    return forward[(ranks[forward, : k + 1] == i).any(axis=1)]


def _mean_over_neighbors(encoded: Any, ranks: np.ndarray) -> Any:
    """Local query expansion; Eq. 11."""
    sparse = require('scipy.sparse', 're-ranking')
    rows = np.repeat(np.arange(len(ranks)), ranks.shape[1])
    share = np.full(ranks.size, 1 / ranks.shape[1])
    return sparse.csr_matrix((share, (rows, ranks.ravel())), shape=encoded.shape) @ encoded


def _jaccard(encoded: Any, by_column: Any, i: int) -> np.ndarray:
    """The Jaccard distances of a point to all; Eq. 10."""
    least = np.zeros(encoded.shape[0])
    row = slice(encoded.indptr[i], encoded.indptr[i + 1])
    for column, value in zip(encoded.indices[row], encoded.data[row]):
        others = slice(by_column.indptr[column], by_column.indptr[column + 1])
        least[by_column.indices[others]] += np.minimum(value, by_column.data[others])
    return 1 - least / (2 - least)

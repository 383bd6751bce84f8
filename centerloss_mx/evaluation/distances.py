"""Distances and nearest neighbors, right for finite features of any size and place.

A large feature's square overflows. And |x|^2 - 2 x·y + |y|^2, which is fast, loses a distance that is small
beside |x|. So norms are scaled by powers of two, and neighbors that the fast formula cannot tell apart are
compared by their differences.
"""

from __future__ import annotations

from typing import Iterator

import numpy as np

from .inputs import sklearn

_CHUNK = 2**24  # distances computed at a time
_SHORT = 2000  # points, all of which are put in order
_TINY = 1e-280  # what underflow takes from a sum of squares is far less


def lengths(vectors: np.ndarray) -> np.ndarray:
    """Compute ||v|| of each row, float64 (N,), without overflow or underflow of the squares."""
    with np.errstate(over='ignore'):
        squares = _squares(vectors)
    norms = np.sqrt(squares)
    beyond = ~((squares > _TINY) & (squares < np.inf))
    if beyond.any():
        scaled, exponents = _scaled(vectors[beyond])
        norms[beyond] = np.ldexp(np.sqrt(_squares(scaled)), exponents)
    return norms


def paired_distances(first: np.ndarray, second: np.ndarray, metric: str) -> np.ndarray:
    """Compute the distance between each row of `first` and that of `second`, float64 (P,)."""
    if metric == 'euclidean':
        return lengths(first - second)
    first, second = unit(first), unit(second)
    zero = ~(first.any(axis=1) & second.any(axis=1))  # without a direction: the cosine counts as 0
    return np.where(zero, 1, 0.5 * _squares(first - second))


def nearest(
    features: np.ndarray, points: np.ndarray, counts: np.ndarray, metric: str, others: bool = False
) -> Iterator[np.ndarray]:
    """Yield for each feature the rows of the points nearest to it, the nearest first.

    Points at the same distance come in the order of their rows. It keeps a copy of the points.

    Parameters
    ----------
    features, points : numpy.ndarray
        float64 (N, D) and (M, D).
    counts : numpy.ndarray
        (N,): how many points to find for each feature, 0..M.
    metric : {'cosine', 'euclidean'}
        The distance.
    others : bool
        Feature i does not find point i.
    """
    largest = max(max(rows.max(initial=0), -rows.min(initial=0)) for rows in (features, points))
    exponent, origin = -np.frexp(largest)[1], 0 if metric == 'cosine' else np.median(points, axis=0)
    # Rounding in `between`, for each unit of |x|^2 + |y|^2.
    rounding = (features.shape[1] + 8) * np.finfo(np.float64).eps

    def prepared(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if metric == 'cosine':
            return unit(rows), np.ones(len(rows))  # zeros, too: their cosine is 0
        rows = np.ldexp(rows, exponent)
        rows -= np.ldexp(origin, exponent)
        return rows, _squares(rows)

    between = sklearn('metrics').euclidean_distances
    known, known_squares = prepared(points)
    margins = rounding * known_squares
    chunk = max(1, _CHUNK // len(points))
    for begin in range(0, len(features), chunk):
        asked, squares = prepared(features[begin : begin + chunk])
        # Less the margins: what is least is found without another pass over the block.
        block = between(
            asked, known, Y_norm_squared=known_squares - margins, squared=True, X_norm_squared=squares
        )
        for i, least in enumerate(block, begin):
            if others:
                least[i] = np.inf
            margin = rounding * squares[i - begin] + _TINY
            found, groups = _candidates(least, margins, margin, counts[i])
            if len(groups) and groups[-1] + 1 < len(groups):
                alike = np.flatnonzero(np.bincount(groups)[groups] > 1)
                exact = np.zeros(len(found))
                exact[alike] = paired_distances(points[found[alike]], features[i : i + 1], metric)
                found = found[np.lexsort((found, exact, groups))]
            yield found[: counts[i]]


def relative_squares(features: np.ndarray, points: np.ndarray) -> Iterator[np.ndarray]:
    """Yield for each feature its squared distances to all points, divided by the largest.

    Parameters
    ----------
    features, points : numpy.ndarray
        float64 (N, D) and (M, D).
    """
    largest = max(np.abs(rows).max(initial=0) for rows in (features, points))
    exponent, origin = -np.frexp(largest)[1], np.median(points, axis=0)
    known = np.ldexp(points - origin, exponent)
    chunk = max(1, _CHUNK // len(points))
    for begin in range(0, len(features), chunk):
        asked = np.ldexp(features[begin : begin + chunk] - origin, exponent)
        for squares in sklearn('metrics').euclidean_distances(asked, known, squared=True):
            yield squares / (squares.max() or 1)


def _candidates(
    least: np.ndarray, margins: np.ndarray, margin: float, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return which may be the nearest, nearest first, and their groups; within one, errors hide the order.

    Distances are from `least` - `margin` to `least` + 2 `margins` + `margin`.
    """
    if not count:
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    shortlist = None
    step = int(np.sqrt(len(least) / count))
    if step > 1 and len(least) > _SHORT:
        # The `count`-th of some points is no nearer than that of all: it saves to partition the whole row.
        shortlist = _within(least, least[::step] + 2 * margins[::step], margin, count)
        least, margins = least[shortlist], margins[shortlist]
    most = least + 2 * margins
    found = _within(least, most, margin, count)
    found = found[(least[found] + most[found]).argsort()]
    behind = np.minimum.accumulate(least[found][::-1])[::-1][1:] - margin
    apart = behind > np.maximum.accumulate(most[found])[:-1] + margin
    groups = np.concatenate([[0], np.cumsum(apart)])
    return found if shortlist is None else shortlist[found], groups


def _within(least: np.ndarray, most: np.ndarray, margin: float, count: int) -> np.ndarray:
    """Return where a distance may be no more than the `count`-th of others, which are at most `most`."""
    return np.flatnonzero(least <= np.partition(most, count - 1)[count - 1] + 2 * margin)


def _scaled(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Divide each row by a power of two, its largest entry is in [1/2, 1) then; return the exponents, too."""
    _, exponents = np.frexp(np.abs(vectors).max(axis=1, initial=0))
    return np.ldexp(vectors, -exponents[:, np.newaxis]), exponents


def unit(vectors: np.ndarray) -> np.ndarray:
    """Divide each row by its length; zeros stay."""
    scaled, _ = _scaled(vectors)
    norms = np.sqrt(_squares(scaled))
    scaled /= np.where(norms > 0, norms, 1)[:, np.newaxis]
    return scaled


def _squares(vectors: np.ndarray) -> np.ndarray:
    return np.einsum('ij,ij->i', vectors, vectors)

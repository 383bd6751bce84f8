"""Re-identification: CMC, mAP and mINP by the protocol of Market-1501."""

from __future__ import annotations

from typing import Iterator, NamedTuple

import numpy as np

from .._optional import with_progress
from .distances import nearest
from .inputs import check_metric, checked_features, checked_samples
from .reranking import reranked_distances

_JUNK = ('-1', '-1.0')
_NUMBERS = 'biuf'  # kinds of dtypes


class ReId(NamedTuple):
    """How well queries find the pictures of their identity from other cameras; means over queries, 0 to 1.

    Parameters
    ----------
    cmc_at_1, cmc_at_5, cmc_at_10 : float
        Share of queries with a match among the 1, 5, 10 nearest.
    map : float
        Mean average precision: mean of (1 / M) sum_{i=1..M} i / r_i, where r_i is the rank of the i-th of M
        matches.
    minp : float
        Mean inverse negative penalty: mean of M / r_M.
    num_queries : int
        Queries with at least one match.
    num_left_out : int
        Queries without a match; they do not count.
    num_junk : int
        Gallery pictures of identity -1; they do not count.

    References
    ----------
    Zheng et al., Scalable Person Re-identification: A Benchmark, ICCV 2015 (protocol); Ye et al., Deep
    Learning for Person Re-identification: A Survey and Outlook, 2021, Section 4.2 (mINP). The average
    precision is that of fast-reid and torchreid, without the interpolation of the code of Market-1501.
    """

    cmc_at_1: float
    cmc_at_5: float
    cmc_at_10: float
    map: float
    minp: float
    num_queries: int
    num_left_out: int
    num_junk: int


def reid(
    query: np.ndarray,
    query_labels: np.ndarray,
    query_cameras: np.ndarray | None,
    gallery: np.ndarray,
    gallery_labels: np.ndarray,
    gallery_cameras: np.ndarray | None,
    metric: str = 'cosine',
    rerank: bool = False,
    progress: bool = False,
) -> ReId:
    """Rank a gallery for each query, and compare identities: CMC, mAP and mINP.

    Gallery pictures of the query's identity from its own camera are left out, and so is junk. Gallery
    pictures at the same distance are ranked in the order of their rows.

    Parameters
    ----------
    query, gallery : numpy.ndarray
        Features, (Q, D) and (G, D).
    query_labels, gallery_labels : numpy.ndarray
        (Q,) and (G,): the identities, numbers or names. In the gallery, -1 is junk. Distractors have an
        identity that no query has, 0 in Market-1501.
    query_cameras, gallery_cameras : numpy.ndarray or None
        (Q,) and (G,): the cameras. None: nothing is left out for its camera.
    metric : {'cosine', 'euclidean'}
        The distance.
    rerank : bool
        Whether `reranked_distances` takes its place.
    progress : bool
        Whether to show a tqdm bar.

    Returns
    -------
    ReId

    Raises
    ------
    ValueError
        Shapes that do not fit, features or cameras that are not finite, an unknown metric, cameras of one
        side only, or numbers on one side and text on the other; or no query has a match.
    ImportError
        scikit-learn is not installed; or `progress`, and tqdm is not installed.

    References
    ----------
    Zheng et al., Scalable Person Re-identification: A Benchmark, ICCV 2015.

    Examples
    --------
    >>> query, gallery = np.array([[1.0, 0]]), np.array([[1.0, 0], [1, 1], [1, 2]])
    >>> reid(query, [7], [1], gallery, [7, 3, 7], [1, 2, 2]).map
    0.5
    """
    check_metric(metric)
    query, query_labels = checked_samples(query, query_labels)
    gallery, gallery_labels = checked_samples(
        checked_features(gallery, query.shape[1], 'gallery'), gallery_labels
    )
    query_cameras, gallery_cameras = _checked_cameras(
        (query_cameras, gallery_cameras), (len(query), len(gallery))
    )
    is_junk = np.isin(gallery_labels.astype(str), _JUNK)
    rankings = _rankings(query, gallery, metric, rerank)
    found = []
    for i, order in enumerate(
        with_progress(rankings, 'queries', 'query', total=len(query)) if progress else rankings
    ):
        same = gallery_labels == query_labels[i]
        left_out = is_junk | (same & (gallery_cameras == query_cameras[i]))
        ranks = 1 + np.flatnonzero(same[order[~left_out[order]]])
        if len(ranks):
            found.append(_scores(ranks))
    if not found:
        raise ValueError('no query has a match in the gallery: none of their identities from another camera')
    cmc_at_1, cmc_at_5, cmc_at_10, mean_ap, minp = np.mean(found, axis=0).tolist()
    num_left_out = len(query) - len(found)
    return ReId(cmc_at_1, cmc_at_5, cmc_at_10, mean_ap, minp, len(found), num_left_out, int(is_junk.sum()))


def _scores(ranks: np.ndarray) -> tuple[float, ...]:
    """CMC at 1, 5, 10, average precision and inverse negative penalty, of the ranks of the matches from 1."""
    precisions = np.arange(1, len(ranks) + 1) / ranks
    return ranks[0] <= 1, ranks[0] <= 5, ranks[0] <= 10, precisions.mean(), precisions[-1]


def _rankings(query: np.ndarray, gallery: np.ndarray, metric: str, rerank: bool) -> Iterator[np.ndarray]:
    """Yield the rows of the gallery for each query, the nearest first."""
    if not rerank:
        return nearest(query, gallery, np.full(len(query), len(gallery)), metric)
    return (row.argsort(kind='stable') for row in reranked_distances(query, gallery, metric))


def _checked_cameras(
    cameras: tuple[np.ndarray | None, np.ndarray | None], sizes: tuple[int, int]
) -> list[np.ndarray]:
    """Return the cameras of queries and gallery; without any, such as differ."""
    if cameras[0] is None and cameras[1] is None:
        return [np.zeros(sizes[0]), np.ones(sizes[1])]
    checked = []
    for name, of_side, size in zip(('query_cameras', 'gallery_cameras'), cameras, sizes):
        if of_side is None or np.shape(of_side) != (size,):
            shape = None if of_side is None else np.shape(of_side)
            raise ValueError(f'{name} of shape {shape}; expected {(size,)}, as there are features')
        of_side = np.asarray(of_side)
        of_side = np.array(of_side.tolist()) if of_side.dtype == object else of_side  # a column of pandas
        if of_side.dtype.kind == 'f' and not np.isfinite(of_side).all():
            raise ValueError(f'{name} at row {int(np.isfinite(of_side).argmin())} is not finite')
        checked.append(of_side)
    kinds = [_NUMBERS if found.dtype.kind in _NUMBERS else found.dtype.kind for found in checked]
    if kinds[0] != kinds[1]:  # none would be equal
        raise ValueError(
            f'cameras of {checked[0].dtype} and {checked[1].dtype}; expected numbers on both sides, or text'
        )
    return checked

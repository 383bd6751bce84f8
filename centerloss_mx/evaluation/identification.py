"""Identification: who is it, or nobody that is known."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .._optional import with_progress
from .distances import nearest, paired_distances
from .inputs import check_metric, checked_features, checked_labels, checked_samples

FPIRS = (1e-1, 1e-2, 1e-3)


class TpirAtFpir(NamedTuple):
    """The true positive identification rate at a false positive identification rate, and its threshold.

    Parameters
    ----------
    fpir : float
        The allowed share of non-mated probes with a candidate.
    tpir : float
        Share of mated probes whose first candidate is right, with a similarity of at least the threshold; NaN
        if `num_allowed` is 0, which means too few non-mated probes.
    threshold : float
        The least similarity at which the share of non-mated probes is allowed; NaN, too.
    num_allowed : int
        The number of non-mated probes that may have a candidate: floor(fpir * non-mated probes).

    References
    ----------
    ISO/IEC 19795-1; the terms of NIST's FRVT 1:N.
    """

    fpir: float
    tpir: float
    threshold: float
    num_allowed: int


class Identification(NamedTuple):
    """How well people of a gallery are found, and how well others are told from them.

    Parameters
    ----------
    rank_1, rank_5, rank_10 : float
        Share of mated probes, those of a person in the gallery, with that person among the first 1, 5, 10
        candidates; NaN if there are none.
    tpir_at_fpir : list of TpirAtFpir
        At 1e-1, 1e-2 and 1e-3.
    num_mated, num_non_mated : int
        Numbers of probes.
    """

    rank_1: float
    rank_5: float
    rank_10: float
    tpir_at_fpir: list[TpirAtFpir]
    num_mated: int
    num_non_mated: int


def identify(
    gallery: np.ndarray,
    gallery_labels: np.ndarray,
    probes: np.ndarray,
    probe_labels: np.ndarray,
    metric: str = 'cosine',
    progress: bool = False,
) -> Identification:
    """Find the people of a gallery for each probe: rank-k rates, and TPIR at FPIR.

    The similarity to a person is that to the most similar of their gallery samples. Candidates with the same
    similarity are ranked in the order of the gallery's rows.

    Parameters
    ----------
    gallery, probes : numpy.ndarray
        Features, (G, D) and (P, D).
    gallery_labels, probe_labels : numpy.ndarray
        (G,) and (P,): the people, numbers or names. Probes of people who are not in the gallery are
        non-mated.
    metric : {'cosine', 'euclidean'}
        The similarity: the cosine, or minus the Euclidean distance.
    progress : bool
        Whether to show a tqdm bar.

    Returns
    -------
    Identification

    Raises
    ------
    ValueError
        Shapes that do not fit, features that are not finite, or an unknown metric.
    ImportError
        scikit-learn is not installed; or `progress`, and tqdm is not installed.

    References
    ----------
    ISO/IEC 19795-1, identification in open sets.

    Examples
    --------
    >>> gallery, probes = np.eye(3), np.array([[1.0, 0.1, 0], [0, 0.9, 0.1], [1, 1, 1]])
    >>> found = identify(gallery, ['ann', 'bob', 'eve'], probes, ['ann', 'bob', 'joe'])
    >>> found.rank_1, found.num_non_mated
    (1.0, 1)
    """
    check_metric(metric)
    gallery, gallery_labels = checked_samples(gallery, gallery_labels)
    probes, probe_labels = checked_samples(checked_features(probes, gallery.shape[1], 'probes'), probe_labels)
    is_mated = np.isin(probe_labels, gallery_labels)
    counts = np.where(is_mated, len(gallery), 1)
    orders = nearest(probes, gallery, counts, metric)
    first = np.zeros(len(probes), np.intp)
    ranks = np.zeros(len(probes), np.intp)  # of the right person; 0: nobody
    for i, order in enumerate(
        with_progress(orders, 'probes', 'probe', total=len(probes)) if progress else orders
    ):
        first[i] = order[0]
        if is_mated[i]:
            people = gallery_labels[order]
            ranks[i] = len(np.unique(people[: (people == probe_labels[i]).argmax()])) + 1
    similarities = _similarities(gallery[first], probes, metric)
    rates = [_share(ranks[is_mated] <= k) for k in (1, 5, 10)]
    tpirs = [_tpir_at(fpir, similarities, ranks) for fpir in FPIRS]
    return Identification(rates[0], rates[1], rates[2], tpirs, int(is_mated.sum()), int((~is_mated).sum()))


def nearest_identities(
    gallery: np.ndarray, gallery_labels: np.ndarray, probes: np.ndarray, metric: str = 'cosine'
) -> tuple[np.ndarray, np.ndarray]:
    """Return the person in a gallery who is most similar to each probe, and the similarity.

    Parameters
    ----------
    gallery, probes : numpy.ndarray
        Features, (G, D) and (P, D).
    gallery_labels : numpy.ndarray
        (G,): the people, numbers or names.
    metric : {'cosine', 'euclidean'}
        The similarity: the cosine, or minus the Euclidean distance.

    Returns
    -------
    labels : numpy.ndarray
        (P,).
    similarities : numpy.ndarray
        float64 (P,).

    Raises
    ------
    ValueError, ImportError
        As `identify`.

    Examples
    --------
    >>> labels, _ = nearest_identities(np.eye(2), np.array(['ann', 'bob']), np.array([[0.2, 1.0]]))
    >>> labels.tolist()
    ['bob']
    """
    check_metric(metric)
    gallery, gallery_labels = checked_samples(gallery, gallery_labels)
    probes = checked_features(probes, gallery.shape[1], 'probes')
    first = np.array([order[0] for order in nearest(probes, gallery, np.ones(len(probes), np.intp), metric)])
    return checked_labels(gallery_labels)[first], _similarities(gallery[first], probes, metric)


def _similarities(found: np.ndarray, probes: np.ndarray, metric: str) -> np.ndarray:
    distances = paired_distances(found, probes, metric)
    return 1 - distances if metric == 'cosine' else -distances


def _share(marked: np.ndarray) -> float:
    return float(marked.mean()) if len(marked) else float('nan')


def _tpir_at(fpir: float, similarities: np.ndarray, ranks: np.ndarray) -> TpirAtFpir:
    """Place the threshold just above the first non-mated probe that is not allowed."""
    is_mated = ranks > 0
    non_mated = np.sort(similarities[~is_mated])[::-1]
    allowed = int(fpir * len(non_mated))
    if not allowed:
        return TpirAtFpir(fpir, float('nan'), float('nan'), 0)
    threshold = float(np.nextafter(non_mated[allowed], np.inf))
    accepted = (ranks == 1) & (similarities >= threshold)
    return TpirAtFpir(fpir, _share(accepted[is_mated]), threshold, allowed)

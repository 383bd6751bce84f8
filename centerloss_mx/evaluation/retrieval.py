"""Retrieval: precision@1, R-precision, MAP@R and recall@K."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .._optional import with_progress
from .distances import nearest
from .inputs import check_metric, checked_features, checked_labels, checked_samples

_RECALL_AT = (1, 10, 100, 1000)


class Retrieval(NamedTuple):
    """How well each query finds the references of its class; means, 0 to 1.

    A field that begins with `macro_` is the mean over classes of the means over their queries: each class
    counts alike. The others are means over queries. A recall is None where there are fewer than K references.

    Parameters
    ----------
    precision_at_1 : float
        Share of queries whose nearest reference is of their class.
    r_precision : float
        Share of the query's class among its R nearest references; R is the number of references of its
        class, without the query itself.
    map_at_r : float
        Mean of (1 / R) sum_{i=1..R} P(i). P(i) is the precision at i where the i-th nearest is of the class,
        else 0.
    num_queries : int
        Samples with at least one reference of their class.
    num_left_out : int
        Samples without one. They are no queries, but other queries can find them.
    recall_at_1, recall_at_10, recall_at_100, recall_at_1000 : float or None
        Share of queries with a reference of their class among the K nearest; recall@1 is precision@1.
    macro_precision_at_1, macro_r_precision, macro_map_at_r : float
        Means over classes.
    macro_recall_at_1, macro_recall_at_10, macro_recall_at_100, macro_recall_at_1000 : float or None
        Means over classes.

    References
    ----------
    Musgrave, Belongie and Lim, A Metric Learning Reality Check, ECCV 2020, Section 3.2. Recall@K: Song,
    Xiang, Jegelka and Savarese, Deep Metric Learning via Lifted Structured Feature Embedding, CVPR 2016.
    """

    precision_at_1: float
    r_precision: float
    map_at_r: float
    num_queries: int
    num_left_out: int
    recall_at_1: float | None = None
    recall_at_10: float | None = None
    recall_at_100: float | None = None
    recall_at_1000: float | None = None
    macro_precision_at_1: float | None = None
    macro_r_precision: float | None = None
    macro_map_at_r: float | None = None
    macro_recall_at_1: float | None = None
    macro_recall_at_10: float | None = None
    macro_recall_at_100: float | None = None
    macro_recall_at_1000: float | None = None


class QueryScores(NamedTuple):
    """What `score_queries` finds, a row for each query.

    Parameters
    ----------
    measures : tuple of str
        Names of the M measures: ``'precision_at_1'``, ``'r_precision'``, ``'map_at_r'``, and
        ``'recall_at_K'`` for each K of 1, 10, 100, 1000 that is at most the number of references.
    scores : numpy.ndarray
        float64 (Q, M), 0 to 1.
    rows : numpy.ndarray
        int (Q,), ascending: the rows of the features that are queries.
    labels : numpy.ndarray
        (Q,): their classes.
    num_left_out : int
        Number of features that are no queries: there is no reference of their class.
    """

    measures: tuple[str, ...]
    scores: np.ndarray
    rows: np.ndarray
    labels: np.ndarray
    num_left_out: int

    def mean(self) -> Retrieval:
        """Average over queries, and over classes."""
        _, means, _ = self._class_means()
        macro = [f'macro_{name}' for name in self.measures]
        return Retrieval(
            **dict(zip(self.measures, self.scores.mean(axis=0).tolist())),
            **dict(zip(macro, means.mean(axis=0).tolist())),
            num_queries=len(self.rows),
            num_left_out=self.num_left_out,
        )

    def by_class(self) -> dict[Any, dict[str, float]]:
        """Average over the queries of each class: the measures and `num_queries`, by label."""
        classes, means, counts = self._class_means()
        return {
            label: {'num_queries': count, **dict(zip(self.measures, row))}
            for label, count, row in zip(classes.tolist(), counts.tolist(), means.tolist())
        }

    def _class_means(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        classes, numbers, counts = np.unique(self.labels, return_inverse=True, return_counts=True)
        sums = np.stack([np.bincount(numbers, column) for column in self.scores.T], axis=1)
        return classes, sums / counts[:, np.newaxis], counts


def retrieval(
    features: np.ndarray,
    labels: np.ndarray,
    metric: str = 'cosine',
    references: np.ndarray | None = None,
    reference_labels: np.ndarray | None = None,
    progress: bool = False,
) -> Retrieval:
    """Rank references by their distance to each sample: precision@1, R-precision, MAP@R and recall@K.

    The references are the other samples, or a set of their own. Those at the same distance are ranked in the
    order of their rows. The memory for N samples and M references grows with N + M.

    Parameters
    ----------
    features : numpy.ndarray
        Shape (N, D): the queries.
    labels : numpy.ndarray
        Shape (N,).
    metric : {'cosine', 'euclidean'}
        The distance.
    references, reference_labels : numpy.ndarray or None
        Shapes (M, D) and (M,): what the queries are to find; None: all other samples.
    progress : bool
        Show a progress bar, on a terminal.

    Returns
    -------
    Retrieval
        The means over queries and over classes, and the numbers of samples.

    Raises
    ------
    ValueError
        Shapes that do not fit, features that are not finite, an unknown metric, references without labels or
        labels without references, or no sample with a reference of its class.
    ImportError
        scikit-learn is not installed, or, for a progress bar, tqdm.

    References
    ----------
    Musgrave, Belongie and Lim, A Metric Learning Reality Check, ECCV 2020, Section 3.2.

    Examples
    --------
    >>> features = np.array([[0.0], [1.0], [1.5], [9.0]])
    >>> retrieval(features, np.array([0, 0, 1, 1]), 'euclidean').precision_at_1
    0.5
    """
    return score_queries(features, labels, metric, references, reference_labels, progress).mean()


def precision_at_1(features: np.ndarray, labels: np.ndarray) -> float:
    """Return the `precision_at_1` of `retrieval`, for which one neighbor of each sample is enough."""
    features, labels = checked_samples(features, labels)
    _, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    queries = counts[classes] > 1
    found = np.concatenate([*nearest(features, features, queries.astype(int), 'cosine', others=True)])
    return float((classes[found] == classes[queries]).mean())


def score_queries(
    features: np.ndarray,
    labels: np.ndarray,
    metric: str = 'cosine',
    references: np.ndarray | None = None,
    reference_labels: np.ndarray | None = None,
    progress: bool = False,
) -> QueryScores:
    """Measure retrieval for each query: what `retrieval` averages.

    Parameters
    ----------
    features, labels, metric, references, reference_labels, progress
        As in `retrieval`.

    Returns
    -------
    QueryScores
        The scores of each query; `mean` and `by_class` average them.

    Raises
    ------
    ValueError, ImportError
        As in `retrieval`.

    References
    ----------
    Musgrave, Belongie and Lim, A Metric Learning Reality Check, ECCV 2020, Section 3.2.

    Examples
    --------
    >>> features = np.array([[0.0], [1.0], [1.5], [9.0]])
    >>> found = score_queries(features, ['a', 'a', 'b', 'b'], 'euclidean')
    >>> found.by_class()['b']['precision_at_1']
    0.5
    """
    features, labels = checked_samples(features, labels)
    check_metric(metric)
    known, known_labels = _checked_references(features, labels, references, reference_labels)
    others = references is None
    both, numbers = np.unique(np.concatenate([known_labels, labels]), return_inverse=True)
    known_classes, classes = np.split(numbers, [len(known)])
    relevant = np.bincount(known_classes, minlength=len(both))[classes] - others  # R
    rows = np.flatnonzero(relevant)
    if not len(rows):
        raise ValueError(
            f'each of the {len(labels)} samples is alone in its class; expected a class with at least two'
            if others
            else f'none of the {len(known)} references is of the class of a sample; expected the same labels'
        )
    recall_at = [k for k in _RECALL_AT if k <= len(known) - others]
    scores = np.empty((len(rows), 3 + len(recall_at)))
    counts = np.where(relevant > 0, np.maximum(relevant, recall_at[-1]), 0)
    ranked = nearest(features, known, counts, metric, others)
    if progress:
        ranked = with_progress(ranked, 'retrieval', 'sample', total=len(features))
    queries = iter(scores)
    for own, total, neighbors in zip(classes, relevant, ranked):
        if total:
            found = known_classes[neighbors] == own
            first = found[:total]
            precision = np.cumsum(first) / np.arange(1, total + 1)
            recall = [found[:k].any() for k in recall_at]
            next(queries)[:] = first[0], first.mean(), (precision * first).mean(), *recall
    return QueryScores(
        measures=('precision_at_1', 'r_precision', 'map_at_r', *(f'recall_at_{k}' for k in recall_at)),
        scores=scores,
        rows=rows,
        labels=labels[rows],
        num_left_out=len(labels) - len(rows),
    )


def _checked_references(
    features: np.ndarray, labels: np.ndarray, references: Any, reference_labels: Any
) -> tuple[np.ndarray, np.ndarray]:
    if (references is None) != (reference_labels is None):
        raise ValueError('references and reference_labels belong together; one of them is None')
    if references is None:
        return features, labels
    references = checked_features(references, features.shape[1], 'references')
    reference_labels = checked_labels(reference_labels)
    if reference_labels.shape != references.shape[:1]:
        raise ValueError(
            f'references of shape {references.shape} and reference_labels of shape {reference_labels.shape}; '
            'expected (M, D) and (M,)'
        )
    return references, reference_labels

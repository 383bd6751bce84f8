"""NumPy in, numbers out: how tight the clusters of features are, and which classes are confused."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ['ClusterRatio', 'class_accuracies', 'class_means', 'cluster_ratio', 'confused_pairs']


class ClusterRatio(NamedTuple):
    """How tight clusters are, in Euclidean distances; lower `ratio` is tighter.

    Parameters
    ----------
    own : float
        Mean over samples of ||x - m_y||, in the features' unit.
    between : float
        Mean over pairs of classes of ||m_j - m_k||, in the features' unit.
    ratio : float
        own / between, without unit.

    References
    ----------
    The intra-class compactness and inter-class separability of Wen et al. 2016, Section 3.
    """

    own: float
    between: float
    ratio: float


def class_means(features: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean feature m_j of every class present.

    Parameters
    ----------
    features : numpy.ndarray
        Shape (N, D).
    labels : numpy.ndarray
        Shape (N,).

    Returns
    -------
    classes : numpy.ndarray
        Shape (K,): the classes present, ascending.
    means : numpy.ndarray
        Shape (K, D), float64.

    Raises
    ------
    ValueError
        No samples, shapes that do not fit, or features that are not finite.

    References
    ----------
    What c_j stands for in Wen et al. 2016, Eq. 2.

    Examples
    --------
    >>> class_means(np.array([[0.0], [2.0], [5.0]]), np.array([0, 0, 1]))[1].tolist()
    [[1.0], [5.0]]
    """
    features, labels = np.asarray(features), np.asarray(labels)
    if features.ndim != 2 or labels.shape != features.shape[:1] or not len(labels):
        raise ValueError(
            f'features of shape {features.shape} and labels of shape {labels.shape}; '
            'expected (N, D) and (N,), N > 0'
        )
    finite = np.isfinite(features).all(axis=1)
    if not finite.all():
        raise ValueError(f'features at row {int(finite.argmin())} are not finite')
    classes, inverse, counts = np.unique(labels, return_inverse=True, return_counts=True)
    sums = np.zeros((len(classes), features.shape[1]))
    np.add.at(sums, inverse, features)
    return classes, sums / counts[:, np.newaxis]


def cluster_ratio(features: np.ndarray, labels: np.ndarray) -> ClusterRatio:
    """How far samples are from their class's mean, over how far the class means are from each other.

    own = mean_i ||x_i - m_{y_i}||; between = mean over pairs j < k of ||m_j - m_k||; ratio = own / between.

    Parameters
    ----------
    features : numpy.ndarray
        Shape (N, D): features of a test set.
    labels : numpy.ndarray
        Shape (N,): their classes, two at least.

    Returns
    -------
    ClusterRatio
        own, between and ratio.

    Raises
    ------
    ValueError
        Fewer than two classes, class means that all coincide, shapes that do not fit, or features that are
        not finite.

    References
    ----------
    The intra-class compactness and inter-class separability of Wen et al. 2016, Section 3, as numbers.
    m_j is the mean of the given features, not a trained center, so that a network trained without center
    loss has a ratio too.

    Examples
    --------
    >>> cluster_ratio(np.array([[0.0], [2.0], [5.0]]), np.array([0, 0, 1])).between
    4.0
    """
    classes, means = class_means(features, labels)
    if len(classes) < 2:
        raise ValueError(f'labels hold one class, {classes[0]}; expected two at least')
    own = np.linalg.norm(features - means[np.searchsorted(classes, labels)], axis=1).mean()
    pairs = len(classes) * (len(classes) - 1) / 2
    between = sum(np.linalg.norm(m_j - means[j + 1 :], axis=1).sum() for j, m_j in enumerate(means)) / pairs
    if between == 0:
        raise ValueError('all class means coincide: the features have collapsed; expected different ones')
    return ClusterRatio(float(own), float(between), float(own / between))


def class_accuracies(confusion: np.ndarray) -> np.ndarray:
    """The share of each class's samples that were predicted right.

    Parameters
    ----------
    confusion : numpy.ndarray
        Shape (num_class, num_class): how many samples of class j (row) were predicted as class k (column).

    Returns
    -------
    numpy.ndarray
        Shape (num_class,), 0 to 1; NaN for a class without samples.

    References
    ----------
    Recall by class; the matrix is that of scikit-learn's `confusion_matrix`.

    Examples
    --------
    >>> class_accuracies(np.array([[3, 1], [0, 2]])).tolist()
    [0.75, 1.0]
    """
    counts = confusion.sum(axis=1)
    return np.where(counts > 0, np.diag(confusion) / np.maximum(counts, 1), np.nan)


def confused_pairs(confusion: np.ndarray, num_pairs: int = 15) -> list[tuple[int, int, int]]:
    """The class pairs that were confused most.

    Parameters
    ----------
    confusion : numpy.ndarray
        Shape (num_class, num_class): how many samples of class j (row) were predicted as class k (column).
    num_pairs : int
        How many pairs at most.

    Returns
    -------
    list of (int, int, int)
        Class, predicted class and count > 0, the largest count first, equal ones in the order of the classes.

    References
    ----------
    The largest entries off the diagonal of scikit-learn's `confusion_matrix`.

    Examples
    --------
    >>> confused_pairs(np.array([[7, 0, 1], [0, 9, 0], [3, 0, 6]]))
    [(2, 0, 3), (0, 2, 1)]
    """
    wrong = np.array(confusion)
    np.fill_diagonal(wrong, 0)
    rows, columns = np.unravel_index(np.argsort(-wrong, axis=None, kind='stable')[:num_pairs], wrong.shape)
    return [(int(j), int(k), int(wrong[j, k])) for j, k in zip(rows, columns) if wrong[j, k]]

"""Classification by nearest neighbors and nearest centers."""

from __future__ import annotations

import numpy as np

from .distances import nearest
from .inputs import check_metric, checked_features, checked_samples


def knn_predict(
    train_features: np.ndarray,
    train_labels: np.ndarray,
    features: np.ndarray,
    num_neighbors: int = 5,
    metric: str = 'cosine',
) -> np.ndarray:
    """Classify each sample by the majority of its nearest neighbors.

    Parameters
    ----------
    train_features, train_labels : numpy.ndarray
        Shapes (M, D) and (M,): samples of known classes.
    features : numpy.ndarray
        Shape (N, D): samples to classify.
    num_neighbors : int
        Number of neighbors that vote, 1..M.
    metric : {'cosine', 'euclidean'}
        The distance.

    Returns
    -------
    numpy.ndarray
        Shape (N,): the predicted labels. Of classes with equally many votes, the smallest label wins.

    Raises
    ------
    ValueError
        Shapes that do not fit, features that are not finite, an unknown metric, or a number of neighbors
        outside 1..M.
    ImportError
        scikit-learn is not installed.

    References
    ----------
    Cover and Hart, Nearest Neighbor Pattern Classification, 1967; scikit-learn's `KNeighborsClassifier`.

    Examples
    --------
    >>> knn_predict(np.array([[0.0], [5.0]]), np.array([3, 7]), np.array([[4.0]]), 1, 'euclidean')
    array([7])
    """
    train_features, train_labels = checked_samples(train_features, train_labels)
    features = checked_features(features, train_features.shape[1])
    if not 1 <= num_neighbors <= len(train_labels):
        raise ValueError(f'num_neighbors={num_neighbors} is outside 1..{len(train_labels)}')
    check_metric(metric)
    classes, numbers = np.unique(train_labels, return_inverse=True)
    counts = np.full(len(features), num_neighbors)
    voted = [
        np.bincount(numbers[neighbors]).argmax()
        for neighbors in nearest(features, train_features, counts, metric)
    ]
    return classes[voted]


def nearest_center(features: np.ndarray, centers: np.ndarray, metric: str = 'euclidean') -> np.ndarray:
    """Classify by the nearest center: argmin_j d(x_i, c_j).

    Parameters
    ----------
    features : numpy.ndarray
        Shape (N, D).
    centers : numpy.ndarray
        Shape (C, D): trained centers, or the means that `class_means` returns.
    metric : {'cosine', 'euclidean'}
        The distance.

    Returns
    -------
    numpy.ndarray
        int (N,): row numbers of `centers`; of equally near centers, the first.

    Raises
    ------
    ValueError
        Shapes that do not fit, features or centers that are not finite, or an unknown metric.
    ImportError
        scikit-learn is not installed.

    References
    ----------
    The distance is that of Wen et al. 2016, Eq. 2.

    Examples
    --------
    >>> nearest_center(np.array([[4.0]]), np.array([[0.0], [5.0]]))
    array([1])
    """
    centers = checked_features(centers, name='centers')
    features = checked_features(features, centers.shape[1])
    check_metric(metric)
    return np.concatenate([*nearest(features, centers, np.ones(len(features), int), metric)])

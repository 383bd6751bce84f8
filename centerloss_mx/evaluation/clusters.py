"""How tight the clusters of features are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .distances import lengths
from .estimators import kmeans
from .inputs import checked_samples, sklearn


class ClusterRatio(NamedTuple):
    """How tight clusters are, in Euclidean distances; a lower `ratio` is tighter.

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
    """Compute the mean feature m_j of every class present.

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
        float64 (K, D).

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
    features, labels = checked_samples(features, labels)
    classes, first, inverse, counts = np.unique(
        labels, return_index=True, return_inverse=True, return_counts=True
    )
    origins = features[first]  # their sums would be rounded where features are far from 0
    sums = np.zeros(origins.shape)
    np.add.at(sums, inverse, features - origins[inverse])
    return classes, origins + sums / counts[:, np.newaxis]


def cluster_ratio(features: np.ndarray, labels: np.ndarray) -> ClusterRatio:
    """Compare the distances within classes with the distances between classes.

    own = mean_i ||x_i - m_{y_i}||; between = mean over pairs j < k of ||m_j - m_k||; ratio = own / between.

    m_j is the mean of the given features of class j and not a trained center. So a network that was
    trained without center loss has a ratio, too.

    Parameters
    ----------
    features : numpy.ndarray
        Shape (N, D): features of a test set.
    labels : numpy.ndarray
        Shape (N,): their classes, at least two.

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

    Examples
    --------
    >>> cluster_ratio(np.array([[0.0], [2.0], [5.0]]), np.array([0, 0, 1])).between
    4.0
    """
    features, labels = checked_samples(features, labels)
    classes, means = class_means(features, labels)
    if len(classes) < 2:
        raise ValueError(f'labels hold one class, {classes[0]}; expected at least two')
    own = lengths(features - means[np.searchsorted(classes, labels)]).mean()
    pairs = len(classes) * (len(classes) - 1) / 2
    between = sum(lengths(m_j - means[j + 1 :]).sum() for j, m_j in enumerate(means)) / pairs
    if between == 0:
        raise ValueError(f'all {len(classes)} class means coincide: the features have collapsed to a point')
    return ClusterRatio(own=float(own), between=float(between), ratio=float(own / between))


def clustering_nmi(features: np.ndarray, labels: np.ndarray, seed: int = 0) -> float:
    """Cluster with k-means, k = number of classes, and compare the clusters with the classes.

    NMI = 2 I(clusters; classes) / (H(clusters) + H(classes)), from 0 (unrelated) to 1 (equal).

    Parameters
    ----------
    features : numpy.ndarray
        Shape (N, D).
    labels : numpy.ndarray
        Shape (N,).
    seed : int
        Seed of k-means.

    Returns
    -------
    float
        The normalized mutual information.

    Raises
    ------
    ValueError
        Shapes that do not fit, features that are not finite, or a sample so far from the others that k-means
        in float64 cannot tell these apart.
    ImportError
        scikit-learn is not installed.

    References
    ----------
    scikit-learn's `KMeans` (10 starts) and `normalized_mutual_info_score`.

    Examples
    --------
    >>> clustering_nmi(np.array([[0.0], [0.1], [5.0], [5.1]]), np.array([1, 1, 2, 2]))
    1.0
    """
    features, labels = checked_samples(features, labels)
    clusters = kmeans(features, len(np.unique(labels)), seed)
    return float(sklearn('metrics').normalized_mutual_info_score(labels, clusters))

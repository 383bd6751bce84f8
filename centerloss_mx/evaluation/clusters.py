"""How tight the clusters of features are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .distances import lengths
from .estimators import kmeans
from .inputs import checked_features, checked_samples, sklearn

_MOST_PAIRS = 2_000_000  # of classes, whose distances are all computed: 2,000 classes
_CHUNK = 2**20  # coordinates of pairs at a time


class ClusterRatio(NamedTuple):
    """How tight clusters are, in Euclidean distances; a lower `ratio` is tighter.

    Parameters
    ----------
    own : float
        Mean over samples of ||x - m_y||, in the features' unit.
    between : float
        Mean over pairs of classes of ||m_j - m_k||, in the features' unit; of more than 2,000 classes an
        estimate, as `between_classes` makes it.
    ratio : float
        own / between, without unit.

    References
    ----------
    The intra-class compactness and inter-class separability of Wen et al. 2016, Section 3.
    """

    own: float
    between: float
    ratio: float


class BetweenClasses(NamedTuple):
    """The mean distance between class means, and how exact it is.

    Parameters
    ----------
    mean : float
        Mean over pairs of classes of ||m_j - m_k||, in the features' unit.
    standard_error : float
        That of the estimate; 0 where all pairs were computed.
    num_pairs : int
        Number of pairs that were computed.

    References
    ----------
    The inter-class separability of Wen et al. 2016, Section 3.
    """

    mean: float
    standard_error: float
    num_pairs: int


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
    trained without center loss has a ratio, too. `between_classes` computes *between*; of more than 2,000
    classes it is an estimate.

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
    between = between_classes(means).mean
    if between == 0:
        raise ValueError(f'all {len(classes)} class means coincide: the features have collapsed to a point')
    return ClusterRatio(own=float(own), between=float(between), ratio=float(own / between))


def between_classes(means: np.ndarray) -> BetweenClasses:
    """Compute the mean over pairs j < k of ||m_j - m_k||; of more than 2,000 classes, estimate it.

    The estimate is the mean over 2,000,000 pairs, drawn evenly with a fixed seed. It is unbiased, and the
    same for the same means. Its time and memory do not grow with the number of pairs.

    Parameters
    ----------
    means : numpy.ndarray
        Shape (C, D): the class means, at least two.

    Returns
    -------
    BetweenClasses
        The mean, its standard error, and the number of pairs.

    Raises
    ------
    ValueError
        Fewer than two means, or means that are not finite.

    References
    ----------
    The inter-class separability of Wen et al. 2016, Section 3; simple random sampling with replacement.

    Examples
    --------
    >>> between_classes(np.array([[0.0], [1.0], [5.0]]))
    BetweenClasses(mean=3.3333333333333335, standard_error=0.0, num_pairs=3)
    """
    means = checked_features(means, name='means')
    num_class = len(means)
    if num_class < 2:
        raise ValueError('means hold one class; expected at least two')
    num_pairs = num_class * (num_class - 1) // 2
    if num_pairs <= _MOST_PAIRS:
        total = sum(lengths(m_j - means[j + 1 :]).sum() for j, m_j in enumerate(means))
        return BetweenClasses(float(total / num_pairs), 0.0, num_pairs)
    rng = np.random.RandomState(0)
    first = rng.randint(num_class, size=_MOST_PAIRS)
    second = (first + rng.randint(1, num_class, size=_MOST_PAIRS)) % num_class  # another class
    chunk = max(1, _CHUNK // means.shape[1])
    distances = np.concatenate(
        [
            lengths(means[first[i : i + chunk]] - means[second[i : i + chunk]])
            for i in range(0, _MOST_PAIRS, chunk)
        ]
    )
    largest = distances.max() or 1  # the squares of large distances overflow
    spread = largest * (distances / largest).std(ddof=1)
    return BetweenClasses(float(distances.mean()), float(spread / np.sqrt(_MOST_PAIRS)), _MOST_PAIRS)


def clustering_nmi(features: np.ndarray, labels: np.ndarray, seed: int = 0, progress: bool = False) -> float:
    """Cluster with k-means, k = number of classes, and compare the clusters with the classes.

    NMI = 2 I(clusters; classes) / (H(clusters) + H(classes)), from 0 (unrelated) to 1 (equal).

    Where N k is more than 10,000,000, k-means takes mini-batches and one start, and a warning is logged.
    Clusters are less exact then, and NMI is usually lower: compare numbers of one algorithm only.

    Parameters
    ----------
    features : numpy.ndarray
        Shape (N, D).
    labels : numpy.ndarray
        Shape (N,).
    seed : int
        Seed of k-means.
    progress : bool
        Show a progress bar of mini-batches, on a terminal.

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
        scikit-learn is not installed, or, for a progress bar, tqdm.

    References
    ----------
    scikit-learn's `KMeans` (10 starts) or `MiniBatchKMeans`, and `normalized_mutual_info_score`; Sculley,
    Web-Scale K-Means Clustering, 2010.

    Examples
    --------
    >>> clustering_nmi(np.array([[0.0], [0.1], [5.0], [5.1]]), np.array([1, 1, 2, 2]))
    1.0
    """
    features, labels = checked_samples(features, labels)
    clusters = kmeans(features, len(np.unique(labels)), seed, progress)
    return float(sklearn('metrics').normalized_mutual_info_score(labels, clusters))

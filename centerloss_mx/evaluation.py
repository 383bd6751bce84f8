"""NumPy in, numbers out: clusters, classification, retrieval and verification by features.

What is scikit-learn's is done by scikit-learn: `pip install 'centerloss_mx[examples]'` brings it.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Iterable, NamedTuple

import numpy as np

__all__ = [
    'ClusterRatio',
    'Pairs',
    'Retrieval',
    'TarAtFar',
    'Verification',
    'check_unseen',
    'class_accuracies',
    'class_means',
    'cluster_ratio',
    'clustering_nmi',
    'confused_pairs',
    'knn_predict',
    'nearest_center',
    'retrieval',
    'verification_pairs',
    'verify',
]

METRICS = ('cosine', 'euclidean')
FARS = (1e-1, 1e-2, 1e-3, 1e-4)
_CHUNK = 2**24  # distances at a time


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
    features, labels = _checked(features, labels)
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


def knn_predict(
    train_features: np.ndarray,
    train_labels: np.ndarray,
    features: np.ndarray,
    num_neighbors: int = 5,
    metric: str = 'cosine',
) -> np.ndarray:
    """Classify by the majority of the nearest neighbors.

    Parameters
    ----------
    train_features, train_labels : numpy.ndarray
        Shapes (M, D) and (M,): samples whose classes are known.
    features : numpy.ndarray
        Shape (N, D): samples to classify.
    num_neighbors : int
        How many neighbors vote, 1..M.
    metric : {'cosine', 'euclidean'}
        The distance.

    Returns
    -------
    numpy.ndarray
        Shape (N,): the labels; of classes with as many votes, the one that sorts first.

    Raises
    ------
    ValueError
        Shapes that do not fit, features that are not finite, or a number of neighbors out of its range.
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
    train_features, train_labels = _checked(train_features, train_labels)
    features = _checked_features(features, train_features.shape[1])
    if not 1 <= num_neighbors <= len(train_labels):
        raise ValueError(f'num_neighbors={num_neighbors} is outside 1..{len(train_labels)}')
    _check_metric(metric)
    neighbors = _sklearn('neighbors')
    model = neighbors.KNeighborsClassifier(num_neighbors, metric=metric, algorithm='brute')
    return model.fit(train_features, train_labels).predict(features)


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
        int (N,): rows of `centers`; of equally near ones, the first.

    Raises
    ------
    ValueError
        Shapes that do not fit, or features or centers that are not finite.
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
    centers = _checked_features(centers, name='centers')
    features = _checked_features(features, centers.shape[1])
    _check_metric(metric)
    return _sklearn('metrics').pairwise_distances_argmin(features, centers, metric=metric)


def clustering_nmi(features: np.ndarray, labels: np.ndarray, seed: int = 0) -> float:
    """How much k-means clusters, as many as there are classes, tell of the classes.

    NMI = 2 I(clusters; classes) / (H(clusters) + H(classes)), 0 to 1.

    Parameters
    ----------
    features : numpy.ndarray
        Shape (N, D).
    labels : numpy.ndarray
        Shape (N,).
    seed : int
        Of k-means.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        Shapes that do not fit, or features that are not finite.
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
    features, labels = _checked(features, labels)
    clusters = _sklearn('cluster').KMeans(len(np.unique(labels)), n_init=10, random_state=seed)
    return float(_sklearn('metrics').normalized_mutual_info_score(labels, clusters.fit_predict(features)))


class Retrieval(NamedTuple):
    """How well each sample finds the others of its class; all means over queries, in [0, 1].

    Parameters
    ----------
    precision_at_1 : float
        Share of queries whose nearest sample is of their class.
    r_precision : float
        Share of the query's class among its R nearest, R = samples of its class beside it.
    map_at_r : float
        Mean of (1 / R) sum_{i=1..R} P(i), P(i) = precision at i where the i-th is of the class, else 0.
    num_queries : int
        Samples that have others of their class.
    num_left_out : int
        Samples alone in their class: no queries, but found by others.

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
    """Let every sample find the others: precision@1, R-precision and MAP@R.

    Of samples at the same distance the one that comes first in `features` is found first.

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

    Raises
    ------
    ValueError
        Shapes that do not fit, features that are not finite, or no class with two samples.
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
    features, labels = _checked(features, labels)
    _check_metric(metric)
    _, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    others = counts[classes] - 1  # R
    queries = np.flatnonzero(others)
    if not len(queries):
        raise ValueError(f'each of the {len(labels)} samples is alone in its class; there is nothing to find')
    scores = np.zeros((len(queries), 3))
    chunk = max(1, _CHUNK // len(labels))
    for begin in range(0, len(queries), chunk):
        rows = queries[begin : begin + chunk]
        distances = _sklearn('metrics').pairwise_distances(features[rows], features, metric=metric)
        distances[np.arange(len(rows)), rows] = np.inf  # it does not find itself
        for i, (row, distance) in enumerate(zip(rows, distances), begin):
            found = classes[_nearest(distance, others[row])] == classes[row]
            precision = np.cumsum(found) / np.arange(1, len(found) + 1)
            scores[i] = found[0], found.mean(), (precision * found).mean()
    precision_at_1, r_precision, map_at_r = scores.mean(axis=0).tolist()
    return Retrieval(precision_at_1, r_precision, map_at_r, len(queries), len(labels) - len(queries))


def _nearest(distance: np.ndarray, count: int) -> np.ndarray:
    """The numbers of the `count` smallest, ascending; of equal ones, the first."""
    farthest = np.partition(distance, count - 1)[count - 1]
    candidates = np.flatnonzero(distance <= farthest)
    return candidates[np.argsort(distance[candidates], kind='stable')][:count]


class Pairs(NamedTuple):
    """Pairs of samples, to verify whether both are of one person.

    Parameters
    ----------
    first, second : numpy.ndarray
        int (P,): rows of the features.
    same : numpy.ndarray
        bool (P,): whether both are of one class, a genuine pair; else it is an impostor pair.
    fold : numpy.ndarray
        int (P,): the fold of each pair, 0..K-1.

    References
    ----------
    Huang et al., Labeled Faces in the Wild, 2007, Section III.
    """

    first: np.ndarray
    second: np.ndarray
    same: np.ndarray
    fold: np.ndarray


class TarAtFar(NamedTuple):
    """The true accept rate at a false accept rate, and what it rests on.

    Parameters
    ----------
    far : float
        The false accept rate that is allowed.
    tar : float
        Share of the genuine pairs that are accepted; NaN where `num_allowed` is 0: too few impostor pairs.
    num_allowed : int
        Impostor pairs that may be accepted, floor(far * impostor pairs).

    References
    ----------
    A point of the ROC curve of ISO/IEC 19795-1, with the number of comparisons behind it.
    """

    far: float
    tar: float
    num_allowed: int


class Verification(NamedTuple):
    """How well a threshold tells genuine pairs from impostor pairs.

    Parameters
    ----------
    accuracy, standard_error : float
        Mean over the folds, and standard deviation of the folds / sqrt(folds).
    accuracies, thresholds : numpy.ndarray
        (K,): of each fold, with the threshold fitted on the others; pairs at least as similar are accepted.
    far, tar : numpy.ndarray
        The ROC curve: accepted shares of impostor and genuine pairs, from the strictest threshold on.
    auc : float
        The area under it.
    eer : float
        Where as many impostor pairs are accepted as genuine ones are refused.
    tar_at_far : list of TarAtFar
        At 1e-1, 1e-2, 1e-3 and 1e-4.
    num_genuine, num_impostor : int
        Pairs of each kind.
    similarities : numpy.ndarray
        (P,): of each pair, under the projection of its fold; minus the distance.

    References
    ----------
    Huang et al., Labeled Faces in the Wild, 2007 (folds); Wen et al. 2016, Section 4.
    """

    accuracy: float
    standard_error: float
    accuracies: np.ndarray
    thresholds: np.ndarray
    far: np.ndarray
    tar: np.ndarray
    auc: float
    eer: float
    tar_at_far: list[TarAtFar]
    num_genuine: int
    num_impostor: int
    similarities: np.ndarray


def check_unseen(names: Iterable[Any], trained_on: Iterable[Any]) -> None:
    """Refuse to verify people that were trained on: numbers of a leak are too good.

    Parameters
    ----------
    names : iterable
        Names of the people to verify.
    trained_on : iterable
        Names of the training classes.

    Raises
    ------
    ValueError
        Somebody is in both; the message names them.

    References
    ----------
    The unrestricted protocols of LFW ask that test people are absent from training.

    Examples
    --------
    >>> check_unseen(['ann'], ['bob', 'eve'])
    """
    leaked = sorted(set(map(str, names)) & set(map(str, trained_on)))
    if leaked:
        shown = ', '.join(leaked[:10]) + (', ...' if len(leaked) > 10 else '')
        raise ValueError(f'{len(leaked)} of those to verify were trained on: {shown}; expected others')


def verification_pairs(labels: np.ndarray, num_folds: int = 10, num_pairs: int = 300, seed: int = 0) -> Pairs:
    """Draw pairs to verify as LFW has them: folds without a common person, half of the pairs genuine.

    People are dealt out to the folds at random; pairs are drawn without repetition.

    Parameters
    ----------
    labels : numpy.ndarray
        Shape (N,): the person of each sample.
    num_folds : int
        How many folds, >= 2.
    num_pairs : int
        Genuine pairs of a fold at most, and as many impostor pairs; fewer where there are not as many.
    seed : int
        Of the drawing.

    Returns
    -------
    Pairs

    Raises
    ------
    ValueError
        A fold without genuine or without impostor pairs, or numbers out of their range.

    References
    ----------
    Huang et al., Labeled Faces in the Wild, 2007, Section III: View 2 has 10 folds of 300 and 300 pairs.

    Examples
    --------
    >>> pairs = verification_pairs(np.repeat(np.arange(4), 5), num_folds=2, num_pairs=6)
    >>> len(pairs.same), int(pairs.same.sum())
    (24, 12)
    """
    labels = np.asarray(labels)
    if num_folds < 2 or num_pairs < 1:
        raise ValueError(f'num_folds={num_folds}, num_pairs={num_pairs}; expected 2 and 1 at least')
    rng = np.random.RandomState(seed)
    people = rng.permutation(np.unique(labels))
    folds = []
    for fold in range(num_folds):
        members = np.flatnonzero(np.isin(labels, people[fold::num_folds]))
        first, second = (members[side] for side in np.triu_indices(len(members), 1))
        same = labels[first] == labels[second]
        kinds = [np.flatnonzero(same), np.flatnonzero(~same)]
        count = min(num_pairs, *map(len, kinds))
        if not count:
            kind, who = 'impostor' if len(kinds[0]) else 'genuine', people[fold::num_folds]
            raise ValueError(
                f'fold {fold} of {num_folds}, of people {who.tolist()}, has no {kind} pair; expected fewer '
                'folds, or more people and samples'
            )
        drawn = np.concatenate([rng.choice(kind, count, replace=False) for kind in kinds])
        folds.append((first[drawn], second[drawn], same[drawn], np.full(len(drawn), fold)))
    return Pairs(*map(np.concatenate, zip(*folds)))


def verify(
    features: np.ndarray, pairs: Pairs, metric: str = 'cosine', num_components: int | None = None
) -> Verification:
    """Verify pairs by the LFW protocol: each fold with the threshold that is best on all others.

    Parameters
    ----------
    features : numpy.ndarray
        Shape (N, D).
    pairs : Pairs
        Of at least two folds, each with genuine and impostor pairs.
    metric : {'cosine', 'euclidean'}
        The distance.
    num_components : int or None
        Project the features of each fold's pairs on that many principal components, fitted on the samples of
        the other folds' pairs; None: do not.

    Returns
    -------
    Verification

    Raises
    ------
    ValueError
        Features that are not finite, pairs that name rows which are not there, a fold without genuine or
        impostor pairs, or more components than there can be.
    ImportError
        scikit-learn is not installed.

    References
    ----------
    Huang et al., Labeled Faces in the Wild, 2007, Section III; PCA as in Wen et al. 2016, Section 4.2.

    Examples
    --------
    >>> features = np.repeat(np.eye(4), 5, axis=0)
    >>> found = verify(features, verification_pairs(np.repeat(np.arange(4), 5), 2, 6))
    >>> found.accuracy, found.auc, found.eer
    (1.0, 1.0, 0.0)
    """
    features = _checked_features(features)
    _check_metric(metric)
    pairs = _checked_pairs(pairs, len(features))
    folds = np.unique(pairs.fold)
    similarities = np.zeros(len(pairs.same))
    accuracies, thresholds = np.zeros(len(folds)), np.zeros(len(folds))
    if num_components is None:
        similar = -_pair_distances(features, pairs, metric)  # the same for all folds
    for i, fold in enumerate(folds):
        test, train = pairs.fold == fold, pairs.fold != fold
        if num_components is not None:
            similar = -_pair_distances(_projected(features, pairs, train, num_components), pairs, metric)
        thresholds[i] = _best_threshold(similar[train], pairs.same[train])
        accuracies[i] = ((similar[test] >= thresholds[i]) == pairs.same[test]).mean()
        similarities[test] = similar[test]
    metrics = _sklearn('metrics')
    far, tar, _ = metrics.roc_curve(pairs.same, similarities, drop_intermediate=False)
    num_impostor = int((~pairs.same).sum())
    return Verification(
        float(accuracies.mean()),
        float(accuracies.std(ddof=1) / np.sqrt(len(folds))),
        accuracies,
        thresholds,
        far,
        tar,
        float(metrics.auc(far, tar)),
        _equal_error_rate(far, tar),
        [_tar_at(wanted, far, tar, num_impostor) for wanted in FARS],
        len(pairs.same) - num_impostor,
        num_impostor,
        similarities,
    )


def _projected(features: np.ndarray, pairs: Pairs, train: np.ndarray, num_components: int) -> np.ndarray:
    rows = np.unique([pairs.first[train], pairs.second[train]])
    most = min(len(rows), features.shape[1])
    if not 1 <= num_components <= most:
        raise ValueError(f'num_components={num_components} is outside 1..{most}')
    return _sklearn('decomposition').PCA(num_components).fit(features[rows]).transform(features)


def _pair_distances(features: np.ndarray, pairs: Pairs, metric: str) -> np.ndarray:
    paired = _sklearn('metrics.pairwise').paired_distances
    return paired(features[pairs.first], features[pairs.second], metric=metric)


def _best_threshold(similarities: np.ndarray, same: np.ndarray) -> float:
    """In the middle between two neighboring similarities; of equally good ones, the strictest."""
    far, tar, thresholds = _sklearn('metrics').roc_curve(same, similarities, drop_intermediate=False)
    right = tar * same.sum() + (1 - far) * (~same).sum()
    best = int(np.round(right, 6).argmax())
    if best == 0:
        return float(thresholds[1] + 1)  # none is accepted
    lower = thresholds[best + 1] if best + 1 < len(thresholds) else thresholds[best]
    return float((thresholds[best] + lower) / 2)


def _equal_error_rate(far: np.ndarray, tar: np.ndarray) -> float:
    """Where the ROC curve, its points joined by lines, crosses far = 1 - tar."""
    excess = far - (1 - tar)  # never falls along the curve, from -1 to 1
    k = int((excess >= 0).argmax())
    share = excess[k] / (excess[k] - excess[k - 1])
    return float(far[k] - share * (far[k] - far[k - 1]))


def _tar_at(wanted: float, far: np.ndarray, tar: np.ndarray, num_impostor: int) -> TarAtFar:
    allowed = int(wanted * num_impostor)
    accepted = np.round(far * num_impostor)
    return TarAtFar(wanted, float(tar[accepted <= allowed].max()) if allowed else float('nan'), allowed)


def _checked_pairs(pairs: Pairs, num_samples: int) -> Pairs:
    pairs = Pairs(*map(np.asarray, pairs))
    if len({part.shape for part in pairs}) != 1 or pairs.same.ndim != 1:
        raise ValueError(f'pairs of shapes {[part.shape for part in pairs]}; expected (P,) for all four')
    for side in pairs.first, pairs.second:
        out = (side < 0) | (side >= num_samples)
        if out.any():
            raise ValueError(f'a pair names row {side[out.argmax()]} of {num_samples} features')
    folds = np.unique(pairs.fold)
    if len(folds) < 2:
        raise ValueError(f'{len(folds)} folds of pairs; expected two at least')
    for fold in folds:
        same = pairs.same[pairs.fold == fold]
        if same.all() or not same.any():
            raise ValueError(f'fold {fold} has no {"impostor" if same.all() else "genuine"} pair')
    return pairs._replace(same=pairs.same.astype(bool))


def _checked(features: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    features, labels = np.asarray(features), np.asarray(labels)
    if features.ndim != 2 or labels.shape != features.shape[:1] or not len(labels):
        raise ValueError(
            f'features of shape {features.shape} and labels of shape {labels.shape}; '
            'expected (N, D) and (N,), N > 0'
        )
    return _checked_features(features), labels


def _checked_features(features: np.ndarray, dim: int | None = None, name: str = 'features') -> np.ndarray:
    features = np.asarray(features)
    if features.ndim != 2 or not len(features) or dim not in (None, features.shape[1]):
        raise ValueError(
            f'{name} of shape {features.shape}; expected (N, {"D" if dim is None else dim}), N > 0'
        )
    finite = np.isfinite(features).all(axis=1)
    if not finite.all():
        raise ValueError(f'{name} at row {int(finite.argmin())} are not finite')
    return features


def _check_metric(metric: str) -> None:
    if metric not in METRICS:
        raise ValueError(f'metric={metric!r} is not one of {", ".join(METRICS)}')


def _sklearn(module: str) -> Any:
    try:
        return import_module(f'sklearn.{module}')
    except ImportError as error:
        raise ImportError("this needs scikit-learn: pip install 'centerloss_mx[examples]'") from error

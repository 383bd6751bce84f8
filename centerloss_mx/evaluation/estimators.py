"""scikit-learn's k-means, PCA and t-SNE, on features that their arithmetic can tell apart.

They square distances from the mean. So features are moved and scaled first, and refused where one sample lies
so far from the others that the squares of all others are rounded away.
"""

from __future__ import annotations

import logging
from typing import Callable

import numpy as np

from .._optional import with_progress
from .distances import lengths
from .inputs import sklearn

_FARTHEST = 1 / np.sqrt(np.finfo(np.float64).eps)  # 6.7e7: its square is the resolution of float64
_MOST_FOR_KMEANS = 10_000_000  # features times clusters: about a minute
_BATCH, _PASSES = 4096, 3  # of k-means by mini-batches

_log = logging.getLogger('centerloss_mx.evaluation')


def kmeans(features: np.ndarray, num_clusters: int, seed: int, progress: bool = False) -> np.ndarray:
    """Cluster features, float64 (N, D), by k-means with 10 starts; return the cluster of each, (N,).

    Where N times the number of clusters is more than 10,000,000, it takes mini-batches and one start.
    """
    origin, exponent = _frame(features, 'k-means')
    scaled = np.ldexp(features - origin, -exponent)
    if len(features) * num_clusters <= _MOST_FOR_KMEANS:
        return sklearn('cluster').KMeans(num_clusters, n_init=10, random_state=seed).fit_predict(scaled)
    _log.warning(
        'k-means of %s features in %s clusters: by mini-batches, since their product is more than %s',
        *(f'{number:,}' for number in (len(features), num_clusters, _MOST_FOR_KMEANS)),
    )
    model = sklearn('cluster').MiniBatchKMeans(num_clusters, n_init=1, random_state=seed)
    model.partial_fit(scaled)  # of all features, so that the start is drawn from all
    rng = np.random.RandomState(seed)
    order = np.concatenate([rng.permutation(len(features)) for _ in range(_PASSES)])
    batches = np.array_split(order, max(1, len(order) // _BATCH))
    for rows in with_progress(batches, 'k-means', 'batch') if progress else batches:
        model.partial_fit(scaled[rows])
    return model.predict(scaled)


def principal_components(
    features: np.ndarray, num_components: int, rows: np.ndarray | slice = slice(None)
) -> Callable[[np.ndarray], np.ndarray]:
    """Fit principal components to rows of features; return the projection, in the same unit."""
    origin, exponent = _frame(features, 'PCA', rows)
    pca = sklearn('decomposition').PCA(num_components).fit(np.ldexp(features[rows] - origin, -exponent))
    return lambda points: np.ldexp(pca.transform(np.ldexp(points - origin, -exponent)), exponent)


def tsne(features: np.ndarray) -> np.ndarray:
    """Embed features, float64 (N, D), in the plane by t-SNE, perplexity 30 or less; float64 (N, 2)."""
    _frame(features, 't-SNE')
    perplexity = min(30, (len(features) - 1) / 3)
    model = sklearn('manifold').TSNE(perplexity=perplexity, init='pca', random_state=0)
    return model.fit_transform(features).astype(np.float64)


def _frame(
    features: np.ndarray, purpose: str, rows: np.ndarray | slice = slice(None)
) -> tuple[np.ndarray, int]:
    """Return the median of rows of features, and the power of two that they are scaled by."""
    origin = np.median(features[rows], axis=0)
    away = lengths(features[rows] - origin)
    farthest = int(away.argmax())
    typical = np.median(away[away > 0]) if away.any() else 1
    if away[farthest] > _FARTHEST * typical:
        row = np.arange(len(features))[rows][farthest]
        raise ValueError(
            f'features at row {row} are {away[farthest] / typical:.2g} times as far from the '
            f'median as half of the others; {purpose} in float64 tells these apart up to {_FARTHEST:.2g} '
            'times. Leave out this sample'
        )
    return origin, int(np.frexp(away[farthest])[1])

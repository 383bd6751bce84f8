"""scikit-learn's k-means, PCA and t-SNE, on features that their arithmetic can tell apart.

They square distances from the mean. So features are moved and scaled first, and refused where one sample lies
so far from the others that the squares of all others are rounded away.
"""

from __future__ import annotations

from typing import Callable

import numpy as np

from .distances import lengths
from .inputs import sklearn

_FARTHEST = 1 / np.sqrt(np.finfo(np.float64).eps)  # 6.7e7: its square is the resolution of float64


def kmeans(features: np.ndarray, num_clusters: int, seed: int) -> np.ndarray:
    """Cluster features, float64 (N, D), by k-means with 10 starts; return the cluster of each, (N,)."""
    origin, exponent = _frame(features, 'k-means')
    model = sklearn('cluster').KMeans(num_clusters, n_init=10, random_state=seed)
    return model.fit_predict(np.ldexp(features - origin, -exponent))


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

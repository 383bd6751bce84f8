"""Checks of features, labels and metrics that several protocols share."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._checks import check_choice
from .._optional import require

METRICS = ('cosine', 'euclidean')


def checked_samples(features: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return features and labels as arrays; raise ValueError where they do not fit or are not finite."""
    features, labels = np.asarray(features), np.asarray(labels)
    if features.ndim != 2 or labels.shape != features.shape[:1] or not len(labels):
        raise ValueError(
            f'features of shape {features.shape} and labels of shape {labels.shape}; '
            'expected (N, D) and (N,), N > 0'
        )
    return checked_features(features), labels


def checked_features(features: np.ndarray, dim: int | None = None, name: str = 'features') -> np.ndarray:
    """Return features as an array; raise ValueError for another shape or numbers that are not finite."""
    features = np.asarray(features)
    if features.ndim != 2 or not len(features) or dim not in (None, features.shape[1]):
        raise ValueError(
            f'{name} of shape {features.shape}; expected (N, {"D" if dim is None else dim}), N > 0'
        )
    finite = np.isfinite(features).all(axis=1)
    if not finite.all():
        raise ValueError(f'{name} at row {int(finite.argmin())} are not finite')
    return features


def check_metric(metric: str) -> None:
    """Raise ValueError for an unknown distance."""
    check_choice('', 'metric', metric, METRICS)


def sklearn(module: str) -> Any:
    """Import a module of scikit-learn, which the functions that use it need and others do not."""
    return require(f'sklearn.{module}', 'centerloss_mx.evaluation')

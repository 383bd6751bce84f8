"""Checks of features, labels and metrics that several protocols share."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._checks import check_choice
from .._choices import METRICS
from .._optional import require

LARGEST = 1e300  # sums and lengths of features overflow beyond it


def checked_samples(features: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return features and labels as arrays; raise ValueError where they do not fit or are not finite."""
    features, labels = np.asarray(features), np.asarray(labels)
    if features.ndim != 2 or labels.shape != features.shape[:1] or not len(labels):
        raise ValueError(
            f'features of shape {features.shape} and labels of shape {labels.shape}; '
            'expected (N, D) and (N,), N > 0'
        )
    return checked_features(features), checked_labels(labels)


def checked_labels(labels: np.ndarray) -> np.ndarray:
    """Return labels as an array; raise ValueError for NaN, which is in no class."""
    labels = np.asarray(labels)
    if labels.dtype.kind == 'f' and np.isnan(labels).any():
        raise ValueError(f'label nan at row {int(np.isnan(labels).argmax())} is no class')
    return labels


def checked_features(features: np.ndarray, dim: int | None = None, name: str = 'features') -> np.ndarray:
    """Return features as float64, which each formula here computes in; raise ValueError if they do not fit.

    What is float64 already is not copied.
    """
    features = np.asarray(features)
    if features.ndim != 2 or not len(features) or dim not in (None, features.shape[1]):
        raise ValueError(
            f'{name} of shape {features.shape}; expected (N, {"D" if dim is None else dim}), N > 0'
        )
    if features.dtype.kind not in 'fiub':
        raise ValueError(f'{name} are {features.dtype}; expected numbers')
    most = 2.0**53 if features.dtype.kind in 'iu' else LARGEST
    with np.errstate(over='ignore'):
        numbers = features.astype(np.float64, copy=False)
    finite = np.isfinite(numbers).all(axis=1)
    if not finite.all():
        raise ValueError(f'{name} at row {int(finite.argmin())} are not finite')
    if max(numbers.max(initial=0), -numbers.min(initial=0)) > most:
        row = int(np.abs(numbers).max(axis=1).argmax())
        raise ValueError(
            f'{name} at row {row} are as large as {np.abs(numbers[row]).max():.3g}; '
            f'expected at most {most:.3g} for {features.dtype}'
        )
    return numbers


def check_metric(metric: str) -> None:
    """Raise ValueError for an unknown distance."""
    check_choice('', 'metric', metric, METRICS)


def sklearn(module: str) -> Any:
    """Import a module of scikit-learn, which the functions that use it need and others do not."""
    return require(f'sklearn.{module}', 'centerloss_mx.evaluation')

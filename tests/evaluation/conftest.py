"""What several tests of protocols need: features with ties, distances by hand, and faces."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def tied():
    def samples(seed, classes=5, size=60, dim=2):
        """Features on a coarse grid: many at the same distance, some the same."""
        rng = np.random.RandomState(seed)
        return rng.randint(0, 4, (size, dim)).astype(float), rng.randint(0, classes, size)

    return samples


@pytest.fixture
def distance():
    def between(a, b, metric):
        if metric == 'cosine':
            return 1 - (a @ b) / (np.linalg.norm(a) * np.linalg.norm(b))
        return np.sqrt(((a - b) ** 2).sum())

    return between


@pytest.fixture
def faces():
    """Features of 30 people, 12 each, and their labels."""
    rng = np.random.RandomState(0)
    labels = np.repeat(np.arange(30), 12)
    return rng.randn(30, 8)[labels] + rng.randn(len(labels), 8), labels


@pytest.fixture
def few():
    """Six samples of three classes, and the same with a NaN in row 4."""
    features = np.random.RandomState(0).randn(6, 2)
    broken = np.where(np.arange(6)[:, np.newaxis] == 4, np.nan, features)
    return features, np.array([0, 0, 1, 1, 2, 2]), broken

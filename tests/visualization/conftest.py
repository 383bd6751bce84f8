"""Embeddings of clusters, to draw."""

from __future__ import annotations

from centerloss_mx.visualization import Panel

import numpy as np
import pytest


@pytest.fixture
def panel_of():
    def panel(num_class, dim=2, centers=True, title='many', each=4):
        """Clusters of 4 samples a class, in the order 0, 1, 2, ..., 0, 1, 2, ..."""
        rng = np.random.RandomState(20161008)
        means = 10 * rng.randn(num_class, dim)
        y = np.tile(np.arange(num_class), each)
        return Panel(title, means[y] + rng.randn(len(y), dim), y, means if centers else None)

    return panel

"""How tight clusters are, against the oracle, and what k-means finds."""

from __future__ import annotations

from centerloss_mx import reference
from centerloss_mx.evaluation import class_means, cluster_ratio, clustering_nmi

import numpy as np
import pytest

SEED = 20161008


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
@pytest.mark.parametrize('classes', [[0, 1, 2, 3], [2, 7], [0, 5, 900]])
def test_the_cluster_ratio_agrees_with_the_oracle(dtype, classes):
    rng = np.random.RandomState(SEED)
    y = rng.choice(classes, 60)
    x = (3 * rng.randn(901, 4)[y] + rng.randn(60, 4)).astype(dtype)
    np.testing.assert_allclose(cluster_ratio(x, y), reference.cluster_ratio(x, y), rtol=1e-12)


def test_the_ratio_does_not_change_with_scale_and_place():
    rng = np.random.RandomState(SEED)
    x, y = rng.randn(50, 3), rng.randint(0, 4, 50)
    assert cluster_ratio(100 * x + 7, y).ratio == pytest.approx(cluster_ratio(x, y).ratio)


def test_class_means_are_the_means_of_the_classes_present():
    rng = np.random.RandomState(SEED)
    x, y = rng.randn(50, 3), rng.choice([1, 4, 9], 50)
    classes, means = class_means(x, y)
    assert classes.tolist() == [1, 4, 9]
    for j, mean in zip(classes, means):
        np.testing.assert_allclose(mean, x[y == j].mean(axis=0), rtol=1e-12)


@pytest.mark.parametrize('features, labels, message', [
    (np.ones((3, 2)), [0, 1], r'features of shape \(3, 2\) and labels of shape \(2,\); expected'),
    (np.ones(3), [0, 1, 1], r'features of shape \(3,\)'),
    (np.ones((0, 2)), [], 'N > 0'),
    (np.array([[1.0], [np.nan]]), [0, 1], 'features at row 1 are not finite'),
    (np.ones((2, 2)), [3, 3], 'labels hold one class, 3; expected at least two'),
    (np.ones((2, 2)), [3, 4], 'all 2 class means coincide: the features have collapsed'),
])  # fmt: skip
def test_bad_input_is_refused(features, labels, message):
    with pytest.raises(ValueError, match=message):
        cluster_ratio(features, np.asarray(labels))


def test_clusters_that_are_the_classes_tell_all_and_noise_tells_little():
    rng = np.random.RandomState(0)
    labels = np.repeat(np.arange(5), 20)
    assert clustering_nmi(labels[:, np.newaxis] * 10 + rng.randn(100, 3), labels) == 1
    assert clustering_nmi(rng.randn(100, 3), labels) < 0.2


def test_features_that_are_not_finite_are_not_clustered(few):
    with pytest.raises(ValueError, match='features at row 4 are not finite'):
        clustering_nmi(few[2], few[1])

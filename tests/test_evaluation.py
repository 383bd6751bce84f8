"""The numbers that say how tight clusters are."""

from __future__ import annotations

from centerloss_mx import reference
from centerloss_mx.evaluation import class_accuracies, class_means, cluster_ratio, confused_pairs

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
    (np.ones((2, 2)), [3, 3], 'labels hold one class, 3; expected two at least'),
    (np.ones((2, 2)), [3, 4], 'all class means coincide: the features have collapsed'),
])  # fmt: skip
def test_bad_input_is_refused(features, labels, message):
    with pytest.raises(ValueError, match=message):
        cluster_ratio(features, np.asarray(labels))


def test_class_accuracies_are_right_over_all_and_unknown_without_samples():
    accuracies = class_accuracies(np.array([[3, 1, 0], [0, 0, 0], [1, 2, 0]]))
    np.testing.assert_array_equal(accuracies, [0.75, np.nan, 0])


def test_confused_pairs_are_the_largest_off_the_diagonal():
    confusion = np.random.RandomState(20161008).poisson(1, (30, 30))
    pairs = confused_pairs(confusion, 20)
    wrong = sorted((-n, j, k) for (j, k), n in np.ndenumerate(confusion) if j != k and n)
    assert pairs == [(j, k, -n) for n, j, k in wrong[:20]]
    assert len(pairs) == 20 and confused_pairs(np.diag([3, 4])) == []

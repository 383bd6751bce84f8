"""How tight clusters are, against the oracle, and what k-means finds."""

from __future__ import annotations

import importlib
import logging

from centerloss_mx import reference
from centerloss_mx.evaluation import between_classes, class_means, cluster_ratio, clustering_nmi

import numpy as np
import pytest

SEED = 20161008
CLUSTERS = importlib.import_module('centerloss_mx.evaluation.clusters')
ESTIMATORS = importlib.import_module('centerloss_mx.evaluation.estimators')


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


def test_up_to_2000_classes_all_pairs_are_computed_and_of_more_2000000_are_drawn():
    rng = np.random.RandomState(SEED)
    means = rng.randn(2001, 2)
    exact = sum(
        np.sqrt(((a - means[j + 1 : 2000]) ** 2).sum(axis=1)).sum() for j, a in enumerate(means[:2000])
    )
    found = between_classes(means[:2000])
    assert found[1:] == (0, 1_999_000) and found.mean == pytest.approx(exact / 1_999_000, rel=1e-12)
    exact += np.sqrt(((means[2000] - means[:2000]) ** 2).sum(axis=1)).sum()
    exact /= 2_001_000
    found = between_classes(means)
    assert found.num_pairs == 2_000_000 and 0 < found.standard_error < 1e-3 * exact
    assert found.mean != exact and abs(found.mean - exact) < 5 * found.standard_error
    assert between_classes(means) == found  # the same pairs
    assert cluster_ratio(np.repeat(means, 2, axis=0), np.repeat(np.arange(2001), 2)).between == found.mean


@pytest.mark.parametrize('factor', [1e-200, 1.0, 1e200])
def test_the_standard_error_is_the_spread_of_estimates(factor, monkeypatch):
    monkeypatch.setattr(CLUSTERS, '_MOST_PAIRS', 400)
    rng = np.random.RandomState(SEED)
    exact, found = [], []
    for _ in range(200):
        means = rng.exponential(size=(60, 1))
        exact.append(np.abs(means - means.T)[np.triu_indices(60, 1)].mean())
        found.append(between_classes(factor * means))
    errors = [one.mean / factor - mean for one, mean in zip(found, exact)]
    expected = np.mean([one.standard_error / factor for one in found])
    assert np.std(errors) == pytest.approx(expected, rel=0.2)
    assert abs(np.mean(errors)) < 5 * expected / np.sqrt(200)


def test_many_clusters_are_found_by_mini_batches_which_a_warning_tells(monkeypatch, caplog):
    rng = np.random.RandomState(0)
    labels = np.repeat(np.arange(6), 50)
    features = 100 * np.eye(6)[labels] + rng.randn(300, 6)
    exact = clustering_nmi(features, labels)
    assert not caplog.records
    monkeypatch.setattr(ESTIMATORS, '_MOST_FOR_KMEANS', 1799)
    monkeypatch.setattr(ESTIMATORS, '_BATCH', 64)
    found = [clustering_nmi(features + offset, labels, seed=1) for offset in (0, 0, 2**20)]
    assert exact == 1 and found[0] == found[1] == pytest.approx(found[2]) and found[0] > 0.8
    assert caplog.record_tuples[0] == (
        'centerloss_mx.evaluation',
        logging.WARNING,
        'k-means of 300 features in 6 clusters: by mini-batches, since their product is more than 1,799',
    )


def test_mini_batches_follow_the_seed(monkeypatch):
    monkeypatch.setattr(ESTIMATORS, '_MOST_FOR_KMEANS', 0)
    monkeypatch.setattr(ESTIMATORS, '_BATCH', 32)
    rng = np.random.RandomState(0)
    features, labels = rng.randn(200, 4), np.arange(200) % 9
    found = [clustering_nmi(features, labels, seed) for seed in (0, 0, 1)]
    assert found[0] == found[1] != found[2]

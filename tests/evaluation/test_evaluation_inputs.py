"""The shapes of features and labels that every protocol refuses."""

from __future__ import annotations

import re

from centerloss_mx.evaluation import cluster_ratio, knn_predict, nearest_center, retrieval

import numpy as np
import pytest

SHAPES = [(), (0,), (4,), (0, 2), (4, 2, 1), (4, 1, 2)]


@pytest.mark.parametrize('shape', [*SHAPES, (4, 1), (4, 3)])
def test_features_that_are_no_rows_are_refused(shape):
    refused = rf'features of shape {re.escape(str(shape))}; expected \(N, 2\), N > 0'
    with pytest.raises(ValueError, match=refused):
        knn_predict(np.eye(2), [0, 1], np.ones(shape), 1)
    with pytest.raises(ValueError, match=refused):
        nearest_center(np.ones(shape), np.eye(2))


@pytest.mark.parametrize('protocol', [cluster_ratio, retrieval])
@pytest.mark.parametrize('shape', SHAPES)
def test_samples_that_are_no_rows_are_refused(protocol, shape):
    with pytest.raises(ValueError, match=r'features of shape .*; expected \(N, D\) and \(N,\), N > 0'):
        protocol(np.ones(shape), np.zeros(shape[:1]))


@pytest.mark.parametrize('protocol', [cluster_ratio, retrieval])
@pytest.mark.parametrize('shape', [(), (3,), (5,), (4, 1), (4, 2)])
def test_labels_that_are_not_one_a_sample_are_refused(protocol, shape):
    with pytest.raises(ValueError, match=r'labels of shape .*; expected \(N, D\) and \(N,\), N > 0'):
        protocol(np.ones((4, 2)), np.zeros(shape))


def test_the_nearest_center_by_cosine_is_the_one_of_the_same_direction(distance):
    rng = np.random.RandomState(20161008)
    features, centers = rng.randn(50, 3), rng.randn(7, 3) * [[1], [10], [0.1], [1], [100], [1], [0.01]]
    expected = [min(range(7), key=lambda j: distance(x, centers[j], 'cosine')) for x in features]
    np.testing.assert_array_equal(nearest_center(features, centers, 'cosine'), expected)

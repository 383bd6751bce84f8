"""The shapes of features and labels that every protocol refuses."""

from __future__ import annotations

from centerloss_mx.evaluation import cluster_ratio, knn_predict, nearest_center, retrieval

import numpy as np
import pytest

SHAPES = [(), (0,), (4,), (0, 2), (4, 2, 1), (4, 1, 2)]


@pytest.mark.parametrize('shape', SHAPES)
def test_features_that_are_no_rows_are_refused(shape):
    with pytest.raises(ValueError, match=r'of shape .*; expected \(N, 2\), N > 0'):
        knn_predict(np.eye(2), [0, 1], np.ones(shape), 1)
    with pytest.raises(ValueError, match=r'of shape .*; expected \(N, (D|2)\), N > 0'):
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

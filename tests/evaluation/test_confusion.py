"""Accuracies by class and confused pairs, counted by hand."""

from __future__ import annotations

from centerloss_mx.evaluation import class_accuracies, confused_pairs

import numpy as np


def test_class_accuracies_are_right_over_all_and_unknown_without_samples():
    accuracies = class_accuracies(np.array([[3, 1, 0], [0, 0, 0], [1, 2, 0]]))
    np.testing.assert_array_equal(accuracies, [0.75, np.nan, 0])


def test_confused_pairs_are_the_largest_off_the_diagonal():
    confusion = np.random.RandomState(20161008).poisson(1, (30, 30))
    pairs = confused_pairs(confusion, 20)
    wrong = sorted((-n, j, k) for (j, k), n in np.ndenumerate(confusion) if j != k and n)
    assert pairs == [(j, k, -n) for n, j, k in wrong[:20]]
    assert len(pairs) == 20 and confused_pairs(np.diag([3, 4])) == []

"""InsightFace's protocol, against a program of it that goes pair by pair and threshold by threshold."""

from __future__ import annotations

from centerloss_mx.evaluation import Pairs, insightface_verify

import numpy as np
import pytest
from insightface_program import insightface_program


def noisy_pairs(count, noise, seed):
    """Features of pairs, each kind in turn: a person's features are one vector with noise."""
    rng = np.random.RandomState(seed)
    same = np.arange(count) // 7 % 2 == 0
    people = rng.randn(count, 16)
    others = np.where(same[:, np.newaxis], people, rng.randn(count, 16) + 0.5 * people)
    features = np.stack([people, others], axis=1).reshape(2 * count, 16)
    return features + noise * rng.randn(*features.shape), same


@pytest.mark.parametrize('count, noise', [(603, 0.9), (213, 0.2)])
def test_the_figures_are_those_of_insightface(count, noise):
    features, same = noisy_pairs(count, noise, seed=count)
    features[[0, 3, 28, 29]] = 0  # no direction: InsightFace leaves zeros as they are
    fold = np.repeat(np.arange(10), [len(part) for part in np.array_split(same, 10)])
    rows = np.arange(2 * count)
    found = insightface_verify(features, Pairs(rows[::2], rows[1::2], same, fold))
    expected = insightface_program(features, same)
    np.testing.assert_allclose(found[:5], expected, rtol=0, atol=1e-6)
    assert 0.5 < found.accuracy < 1 and 0 < found.tar < 1
    assert found.accuracies.std() == found.accuracy_std and len(found.tars) == len(found.fars) == 10


def test_the_threshold_lies_between_the_points_of_the_grid():
    """All squared distances of genuine pairs are in the cell of the grid where FAR comes to 1e-2."""
    rng = np.random.RandomState(7)
    same = np.arange(4000) % 3 > 0
    angles = 2 * np.arcsin(np.sqrt(rng.uniform(0.5, np.where(same, 0.501, 0.6))) / 2)
    features = np.stack(
        [np.ones((4000, 2)) * [1, 0], np.stack([np.cos(angles), np.sin(angles)], axis=1)], axis=1
    )
    fold, rows = np.repeat(np.arange(10), 400), np.arange(8000)
    found = insightface_verify(features.reshape(-1, 2), Pairs(rows[::2], rows[1::2], same, fold))
    expected = insightface_program(features.reshape(-1, 2), same)
    np.testing.assert_allclose(found[:5], expected, rtol=0, atol=1e-6)
    assert 0.05 < found.tar < 0.5


def test_the_threshold_is_zero_where_no_impostor_is_nearer_than_two():
    """All impostor pairs are opposite, at the squared distance 4, which no threshold of the grid accepts."""
    features = np.array([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
    pairs = Pairs(np.zeros(4, int), np.array([1, 2, 1, 2]), [True, False] * 2, [0, 0, 1, 1])
    found = insightface_verify(features, pairs)
    assert (found.accuracy, found.tar, found.far) == (1, 0, 0)


def test_pairs_that_cannot_be_verified_are_refused():
    with pytest.raises(ValueError, match='1 fold of pairs; expected at least two'):
        insightface_verify(np.eye(2), Pairs([0, 0], [0, 1], [True, False], [0, 0]))

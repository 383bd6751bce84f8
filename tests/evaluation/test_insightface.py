"""InsightFace's protocol, against a program of it that goes pair by pair and threshold by threshold."""

from __future__ import annotations

from centerloss_mx.evaluation import Pairs, insightface_verify

import numpy as np
import pytest


def insightface_program(embeddings, same, num_folds=10):
    """Accuracy with deviation, val at FAR 1e-3 with deviation, and FAR, of pairs of rows 2i and 2i + 1."""
    unit = embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-300)
    distances = np.square(unit[0::2] - unit[1::2]).sum(axis=1)

    def rates(threshold, rows):
        accepted = distances[rows] < threshold
        genuine = same[rows]
        return (
            (accepted & genuine).sum() / genuine.sum(),
            (accepted & ~genuine).sum() / (~genuine).sum(),
            (accepted == genuine).mean(),
        )

    accuracies, vals, fars = [], [], []
    sizes = np.full(num_folds, len(same) // num_folds)
    sizes[: len(same) % num_folds] += 1  # as KFold
    for end, size in zip(np.cumsum(sizes), sizes):
        test = np.arange(end - size, end)
        train = np.setdiff1d(np.arange(len(same)), test)
        grid = np.arange(0, 4, 0.01)
        best = grid[np.argmax([rates(threshold, train)[2] for threshold in grid])]
        accuracies.append(rates(best, test)[2])
        grid = np.arange(0, 4, 0.001)
        far = [rates(threshold, train)[1] for threshold in grid]
        threshold = 0.0
        if max(far) >= 1e-3:
            last = max(i for i in range(len(grid)) if far[i] <= 1e-3)  # of a linear spline through the points
            threshold = grid[last]
            if last + 1 < len(grid):
                threshold += (1e-3 - far[last]) / (far[last + 1] - far[last]) * (grid[last + 1] - grid[last])
        vals.append(rates(threshold, test)[0])
        fars.append(rates(threshold, test)[1])
    return np.mean(accuracies), np.std(accuracies), np.mean(vals), np.std(vals), np.mean(fars)


def noisy_pairs(count, noise, seed):
    """Features of pairs, each kind in turn: a person's features are one vector with noise."""
    rng = np.random.RandomState(seed)
    same = np.arange(count) // 7 % 2 == 0
    people = rng.randn(count, 16)
    others = np.where(same[:, np.newaxis], people, rng.randn(count, 16) + 0.5 * people)
    features = np.stack([people, others], axis=1).reshape(2 * count, 16)
    return features + noise * rng.randn(*features.shape), same


@pytest.mark.parametrize('count, noise', [(600, 0.5), (603, 0.9), (213, 0.2)])
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


def test_the_threshold_is_zero_where_no_impostor_is_nearer_than_two():
    """All impostor pairs are opposite, at the squared distance 4, which no threshold of the grid accepts."""
    features = np.array([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
    pairs = Pairs(np.zeros(4, int), np.array([1, 2, 1, 2]), [True, False] * 2, [0, 0, 1, 1])
    found = insightface_verify(features, pairs)
    assert (found.accuracy, found.tar, found.far) == (1, 0, 0)


def test_pairs_that_cannot_be_verified_are_refused():
    with pytest.raises(ValueError, match='1 fold of pairs; expected at least two'):
        insightface_verify(np.eye(2), Pairs([0, 0], [0, 1], [True, False], [0, 0]))

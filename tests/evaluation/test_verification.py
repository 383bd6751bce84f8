"""Verification of pairs, counted by hand."""

from __future__ import annotations

from centerloss_mx.evaluation import Pairs, verification_pairs, verify

import numpy as np
import pytest


@pytest.mark.parametrize('metric', ['euclidean', 'cosine'])
@pytest.mark.parametrize('num_components', [None, 3])
@pytest.mark.parametrize('tied_ones', [False, True])
def test_verification_is_what_counting_gives(metric, num_components, tied_ones, faces, distance):
    features, labels = faces
    if tied_ones:
        features = np.round(features) + (9 if metric == 'cosine' else 0)
    pairs = verification_pairs(labels, num_folds=5, num_pairs=40)
    similar, accuracies = np.zeros(len(pairs.same)), []
    for fold in range(5):
        test, train = pairs.fold == fold, pairs.fold != fold
        projected = features
        if num_components:
            rows = sorted({*pairs.first[train], *pairs.second[train]})
            mean = features[rows].mean(axis=0)
            axes = np.linalg.svd(features[rows] - mean, full_matrices=False)[2][:num_components]
            projected = (features - mean) @ axes.T
        scores = np.array([
            -distance(projected[i], projected[j], metric) for i, j in zip(pairs.first, pairs.second)
        ]).round(9)  # fmt: skip
        levels = np.unique(scores[train])
        right = [((scores[train] >= level) == pairs.same[train]).sum() for level in levels]
        level = levels[max(range(len(levels)), key=lambda i: (right[i], i))]
        between = levels[max(0, np.searchsorted(levels, level) - 1)]
        threshold = (level + between) / 2
        accuracies.append(((scores[test] >= threshold) == pairs.same[test]).mean())
        similar[test] = scores[test]
    found = verify(features, pairs, metric, num_components)
    np.testing.assert_allclose(found.similarities, similar, atol=1e-8)
    np.testing.assert_allclose(found.accuracies, accuracies, rtol=1e-12)
    assert found.accuracy == pytest.approx(np.mean(accuracies))
    assert found.standard_error == pytest.approx(np.std(accuracies, ddof=1) / np.sqrt(5))
    genuine, impostor = similar[pairs.same], similar[~pairs.same]
    wins = (genuine[:, np.newaxis] > impostor).mean() + (genuine[:, np.newaxis] == impostor).mean() / 2
    assert found.auc == pytest.approx(wins)
    assert (found.num_genuine, found.num_impostor) == (len(genuine), len(impostor))
    for wanted, tar, allowed in found.tar_at_far:
        assert allowed == np.floor(wanted * len(impostor))
        if not allowed:
            assert np.isnan(tar)
            continue
        tars = [(genuine >= t).mean() for t in np.unique(similar) if (impostor >= t).sum() <= allowed]
        assert tar == pytest.approx(max(tars))
    assert [far for far, *_ in found.tar_at_far] == [1e-1, 1e-2, 1e-3, 1e-4]


def test_the_equal_error_rate_lies_where_the_errors_are_equal():
    rng = np.random.RandomState(0)
    size = 20000
    features = np.zeros((2 * size, 1))
    features[1::2, 0] = np.concatenate([rng.randn(size // 2), 2 + rng.randn(size // 2)])
    features -= features.min() - 1  # distances are shifted, and keep their order
    features[::2] = 0
    first = np.arange(0, 2 * size, 2)
    same = np.repeat([True, False], size // 2)
    pairs = Pairs(first, first + 1, same, np.arange(size) % 10)
    found = verify(features, pairs, 'euclidean')
    assert found.eer == pytest.approx(0.1587, abs=0.01)  # of two normal distributions 2 sigma apart
    assert found.accuracy == pytest.approx(1 - 0.1587, abs=0.01)


def test_perfect_and_hopeless_features(faces):
    _, labels = faces
    pairs = verification_pairs(labels, num_folds=3)
    perfect = verify(np.eye(30)[labels], pairs)
    assert (perfect.accuracy, perfect.auc, perfect.eer, perfect.standard_error) == (1, 1, 0, 0)
    same = verify(np.ones((len(labels), 2)), pairs)
    assert (same.accuracy, same.auc, same.eer) == (0.5, 0.5, 0.5)


def test_the_projection_does_not_know_the_fold_it_is_tested_on(faces):
    features, labels = faces
    pairs = verification_pairs(labels, num_folds=3)
    before = verify(features, pairs, num_components=2)
    fold = np.unique([pairs.first[pairs.fold == 0], pairs.second[pairs.fold == 0]])
    features[fold[0]] *= 1000
    touched = (pairs.first == fold[0]) | (pairs.second == fold[0])
    after = verify(features, pairs, num_components=2)
    keep = (pairs.fold == 0) & ~touched
    np.testing.assert_allclose(after.similarities[keep], before.similarities[keep], rtol=1e-9)
    assert abs(after.similarities[pairs.fold == 1] - before.similarities[pairs.fold == 1]).max() > 1e-3


def test_where_no_threshold_is_right_no_pair_is_accepted():
    """Impostors are more similar than genuine pairs in both folds: half of the answers are right at most."""
    # rows 0 and 1 are one point; of each fold, a genuine pair far apart and two impostor pairs at distance 0
    features = np.array([[0.0], [0.0], [5.0]])
    first, second = np.zeros(6, int), np.array([1, 1, 2, 1, 1, 2])
    same = np.array([False, False, True] * 2)
    found = verify(features, Pairs(first, second, same, np.repeat([0, 1], 3)), 'euclidean')
    assert (found.thresholds > found.similarities.max()).all()
    assert found.accuracies.tolist() == [2 / 3, 2 / 3]  # both impostors are refused, and the genuine pair


PAIRS = Pairs([0, 0, 2, 2], [1, 2, 3, 4], [True, False, True, False], [0, 0, 1, 1])


@pytest.mark.parametrize('changed, message', [
    ({'second': [1, 2, 3, 6]}, r'pair 3 names row 6; expected 0\.\.5'),
    ({'first': [-1, 0, 2, 2]}, r'pair 0 names row -1; expected 0\.\.5'),
    ({'same': [True] * 3 + [False]}, 'fold 0 has no impostor pair; expected both kinds in each fold'),
    ({'same': [False] * 2 + [True] * 2}, 'fold 0 has no genuine pair'),
    ({'fold': [0] * 4}, '1 fold of pairs; expected at least two'),
    ({'fold': [0] * 3}, r'expected \(P,\) for all four'),
])  # fmt: skip
def test_pairs_that_cannot_be_verified_are_refused(few, changed, message):
    with pytest.raises(ValueError, match=message):
        verify(few[0], PAIRS._replace(**changed))


def test_features_that_cannot_be_verified_are_refused(few):
    features, _, broken = few
    with pytest.raises(ValueError, match='features at row 4 are not finite'):
        verify(broken, PAIRS)
    for count in 0, 3:
        with pytest.raises(ValueError, match=rf'num_components={count} is outside 1\.\.2'):
            verify(features, PAIRS, num_components=count)
    with pytest.raises(ValueError, match="metric='l2' is not one of cosine, euclidean"):
        verify(features, PAIRS, 'l2')


def test_where_it_is_best_to_accept_every_pair_the_threshold_is_the_least_similarity():
    positions = np.array([[0.0], [0.5], [1], [2], [3], [0], [0.5], [1], [2], [4]])
    first, second = np.array([0] * 4 + [5] * 4), np.array([1, 2, 3, 4, 6, 7, 8, 9])
    pairs = Pairs(first, second, second % 5 != 1, np.repeat([0, 1], 4))  # the nearest two are no pair
    found = verify(positions, pairs, 'euclidean')
    assert found.thresholds.tolist() == [-4, -3]  # from the other fold
    assert found.accuracies.tolist() == [0.75, 0.5]

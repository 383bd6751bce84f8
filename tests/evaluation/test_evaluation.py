"""Clusters, neighbors, retrieval and verification: what features give, counted once more by hand."""

from __future__ import annotations

import sys

from centerloss_mx import evaluation, reference
from centerloss_mx.evaluation import class_accuracies, class_means, cluster_ratio, confused_pairs

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

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


PEOPLE, EACH = 30, 12


def tied(seed, classes=5, size=60, dim=2):
    """Features on a coarse grid: many at the same distance, some the same."""
    rng = np.random.RandomState(seed)
    return rng.randint(0, 4, (size, dim)).astype(float), rng.randint(0, classes, size)


def distances(a, b, metric):
    if metric == 'cosine':
        return 1 - (a @ b) / (np.linalg.norm(a) * np.linalg.norm(b))
    return np.sqrt(((a - b) ** 2).sum())


@pytest.mark.parametrize('seed', range(4))
def test_retrieval_is_what_counting_gives(seed, monkeypatch):
    features, labels = tied(seed)
    labels[7] = 99  # alone in its class
    queries = []
    for i, (x, y) in enumerate(zip(features, labels)):
        others = [j for j in range(len(labels)) if j != i]
        relevant = sum(labels[j] == y for j in others)
        if relevant == 0:
            continue
        ranked = sorted(others, key=lambda j: (distances(x, features[j], 'euclidean'), j))[:relevant]
        hits = [labels[j] == y for j in ranked]
        precisions = [sum(hits[: k + 1]) / (k + 1) for k in range(relevant)]
        average = sum(p for p, hit in zip(precisions, hits) if hit) / relevant
        queries.append((hits[0], sum(hits) / relevant, average))
    monkeypatch.setattr('centerloss_mx.evaluation._CHUNK', 7 * len(labels))  # in several chunks
    found = evaluation.retrieval(features, labels, 'euclidean')
    np.testing.assert_allclose(found[:3], np.mean(queries, axis=0), rtol=1e-12)
    assert found.num_queries == len(queries) and found.num_left_out == 1


def test_retrieval_by_cosine_knows_no_length():
    rng = np.random.RandomState(0)
    features, labels = rng.randn(40, 3), rng.randint(0, 4, 40)
    scaled = features * rng.uniform(0.1, 9, (40, 1))
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    expected = evaluation.retrieval(unit, labels, 'euclidean')
    assert evaluation.retrieval(scaled, labels, 'cosine') == pytest.approx(expected)


@pytest.mark.parametrize('metric', ['euclidean', 'cosine'])
@pytest.mark.parametrize('k', [1, 4, 7])
def test_neighbors_vote_as_in_scikit_learn(k, metric):
    features, labels = tied(1)
    features += 1  # no zero vectors
    train, test = slice(20, None), slice(20)
    model = KNeighborsClassifier(k, metric=metric, algorithm='brute').fit(features[train], labels[train])
    found = evaluation.knn_predict(features[train], labels[train], features[test], k, metric)
    np.testing.assert_array_equal(found, model.predict(features[test]))


def test_the_nearest_center_is_the_nearest_by_counting():
    features, _ = tied(2)
    centers = np.array([[0.0, 0.0], [3.0, 1.0], [3.0, 1.0], [1.0, 2.0]])
    expected = [min(range(4), key=lambda j: (distances(x, centers[j], 'euclidean'), j)) for x in features]
    np.testing.assert_array_equal(evaluation.nearest_center(features, centers), expected)


def test_clusters_that_are_the_classes_tell_all_and_noise_tells_little():
    rng = np.random.RandomState(0)
    labels = np.repeat(np.arange(5), 20)
    assert evaluation.clustering_nmi(labels[:, np.newaxis] * 10 + rng.randn(100, 3), labels) == 1
    assert evaluation.clustering_nmi(rng.randn(100, 3), labels) < 0.2


def faces(seed=0, noise=1.0):
    rng = np.random.RandomState(seed)
    labels = np.repeat(np.arange(PEOPLE), EACH)
    return rng.randn(PEOPLE, 8)[labels] + noise * rng.randn(len(labels), 8), labels


def test_folds_share_no_person_and_hold_as_many_impostors_as_genuine_pairs():
    _, labels = faces()
    pairs = evaluation.verification_pairs(labels, num_folds=5, num_pairs=40, seed=3)
    people = [
        set(labels[pairs.first[pairs.fold == k]]) | set(labels[pairs.second[pairs.fold == k]])
        for k in range(5)
    ]
    assert not any(people[j] & people[k] for j in range(5) for k in range(j))
    for k in range(5):
        of_fold = [part[pairs.fold == k] for part in pairs]
        assert len(of_fold[2]) == 80 and of_fold[2].sum() == 40
        assert len(set(zip(*of_fold[:2]))) == 80  # none twice
    np.testing.assert_array_equal(labels[pairs.first] == labels[pairs.second], pairs.same)
    assert (pairs.first != pairs.second).all()
    again = evaluation.verification_pairs(labels, num_folds=5, num_pairs=40, seed=3)
    assert all((one == other).all() for one, other in zip(pairs, again))


@pytest.mark.parametrize('metric', ['euclidean', 'cosine'])
@pytest.mark.parametrize('num_components', [None, 3])
@pytest.mark.parametrize('tied_ones', [False, True])
def test_verification_is_what_counting_gives(metric, num_components, tied_ones):
    features, labels = faces()
    if tied_ones:
        features = np.round(features) + (9 if metric == 'cosine' else 0)
    pairs = evaluation.verification_pairs(labels, num_folds=5, num_pairs=40)
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
            -distances(projected[i], projected[j], metric) for i, j in zip(pairs.first, pairs.second)
        ]).round(9)  # fmt: skip
        levels = np.unique(scores[train])
        right = [((scores[train] >= level) == pairs.same[train]).sum() for level in levels]
        level = levels[max(range(len(levels)), key=lambda i: (right[i], i))]
        between = levels[max(0, np.searchsorted(levels, level) - 1)]
        threshold = (level + between) / 2
        accuracies.append(((scores[test] >= threshold) == pairs.same[test]).mean())
        similar[test] = scores[test]
    found = evaluation.verify(features, pairs, metric, num_components)
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
    pairs = evaluation.Pairs(first, first + 1, same, np.arange(size) % 10)
    found = evaluation.verify(features, pairs, 'euclidean')
    assert found.eer == pytest.approx(0.1587, abs=0.01)  # of two normal distributions 2 sigma apart
    assert found.accuracy == pytest.approx(1 - 0.1587, abs=0.01)


def test_perfect_and_hopeless_features():
    _, labels = faces()
    pairs = evaluation.verification_pairs(labels, num_folds=3)
    perfect = evaluation.verify(np.eye(PEOPLE)[labels], pairs)
    assert (perfect.accuracy, perfect.auc, perfect.eer, perfect.standard_error) == (1, 1, 0, 0)
    same = evaluation.verify(np.ones((len(labels), 2)), pairs)
    assert (same.accuracy, same.auc, same.eer) == (0.5, 0.5, 0.5)


def test_the_projection_does_not_know_the_fold_it_is_tested_on():
    features, labels = faces()
    pairs = evaluation.verification_pairs(labels, num_folds=3)
    before = evaluation.verify(features, pairs, num_components=2)
    fold = np.unique([pairs.first[pairs.fold == 0], pairs.second[pairs.fold == 0]])
    features[fold[0]] *= 1000
    touched = (pairs.first == fold[0]) | (pairs.second == fold[0])
    after = evaluation.verify(features, pairs, num_components=2)
    keep = (pairs.fold == 0) & ~touched
    np.testing.assert_allclose(after.similarities[keep], before.similarities[keep], rtol=1e-9)
    assert abs(after.similarities[pairs.fold == 1] - before.similarities[pairs.fold == 1]).max() > 1e-3


ev = evaluation
GOOD = np.random.RandomState(0).randn(6, 2)
LABELS = np.array([0, 0, 1, 1, 2, 2])
NAN = np.where(np.arange(6)[:, np.newaxis] == 4, np.nan, GOOD)
PAIRS = evaluation.Pairs([0, 0, 2, 2], [1, 2, 3, 4], [True, False, True, False], [0, 0, 1, 1])


@pytest.mark.parametrize('call, message', [
    (lambda: ev.retrieval(NAN, LABELS), 'features at row 4 are not finite'),
    (lambda: ev.retrieval(GOOD, LABELS[:5]), r'features of shape \(6, 2\) and labels of shape \(5,\)'),
    (lambda: ev.retrieval(GOOD, np.arange(6)), 'each of the 6 samples is alone in its class'),
    (lambda: ev.retrieval(GOOD, LABELS, 'l2'), "metric='l2' is not one of cosine, euclidean"),
    (lambda: ev.knn_predict(GOOD, LABELS, GOOD[:, :1]), r'features of shape \(6, 1\); expected \(N, 2\)'),
    (lambda: ev.knn_predict(GOOD, LABELS, GOOD, 7), r'num_neighbors=7 is outside 1\.\.6'),
    (lambda: ev.nearest_center(GOOD, NAN), 'centers at row 4 are not finite'),
    (lambda: ev.clustering_nmi(NAN, LABELS), 'features at row 4 are not finite'),
    (lambda: ev.verify(NAN, PAIRS), 'features at row 4 are not finite'),
    (lambda: ev.verify(GOOD, PAIRS._replace(second=[1, 2, 3, 6])), 'a pair names row 6 of 6 features'),
    (lambda: ev.verify(GOOD, PAIRS._replace(first=[-1, 0, 2, 2])), 'a pair names row -1 of 6 features'),
    (lambda: ev.verify(GOOD, PAIRS._replace(same=[True] * 3 + [False])), 'fold 0 has no impostor pair'),
    (lambda: ev.verify(GOOD, PAIRS._replace(same=[False] * 2 + [True] * 2)), 'fold 0 has no genuine'),
    (lambda: ev.verify(GOOD, PAIRS._replace(fold=[0] * 4)), '1 folds of pairs; expected two at least'),
    (lambda: ev.verify(GOOD, PAIRS._replace(fold=[0] * 3)), r'expected \(P,\) for all four'),
    (lambda: ev.verify(GOOD, PAIRS, num_components=3), r'num_components=3 is outside 1\.\.2'),
    (lambda: ev.verification_pairs(LABELS, 3), r'fold 0 of 3, of people \[\d\], has no impostor pair'),
    (lambda: ev.verification_pairs(np.arange(9), 3), 'has no genuine pair'),
    (lambda: ev.verification_pairs(LABELS, 1), 'num_folds=1, num_pairs=300; expected 2 and 1'),
    (lambda: ev.check_unseen(['ann', 'bob'], ['eve', 'bob']), '1 of those to verify were trained on: bob'),
])  # fmt: skip
def test_what_cannot_be_evaluated_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_others_may_be_verified():
    evaluation.check_unseen(['ann'], ['eve', 'bob'])


def test_without_scikit_learn_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, 'sklearn.metrics', None)
    with pytest.raises(ImportError, match=r"pip install 'centerloss_mx\[examples\]'"):
        evaluation.retrieval(GOOD, LABELS)

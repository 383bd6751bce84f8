"""Numbers that do not depend on the size, the place and the dtype of features: against exact arithmetic."""

from __future__ import annotations

import re
from fractions import Fraction
from math import isqrt
from pathlib import Path

import centerloss_mx
from centerloss_mx.evaluation import (
    Pairs,
    class_means,
    cluster_ratio,
    clustering_nmi,
    knn_predict,
    nearest_center,
    retrieval,
    verification_pairs,
    verify,
)  # fmt: skip
from centerloss_mx.visualization import Panel, embedding_figure

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

# Whole numbers near an offset, times a power of two: each dtype holds them exactly.
PLACES = [
    ('float64', 0, 0), ('float64', 10**8, 0), ('float64', 2**50, 0), ('float64', 3, 600),
    ('float64', 7, -900),
    ('float32', 0, 0), ('float32', 10**7, 0), ('float32', 5, 100), ('float32', 5, -140), ('float16', 1000, 0),
    ('float16', 9, -20), ('int64', 2**52, 0), ('int16', -30000, 0), ('uint8', 200, 0),
]  # fmt: skip


@st.composite
def samples(draw, least=1):
    """Whole numbers (N, D), labels, and the same numbers as features of some dtype, place and size."""
    size, dim = draw(st.integers(least, 12)), draw(st.integers(1, 4))
    whole = draw(arrays(np.int64, (size, dim), elements=st.integers(0, 6)))
    labels = draw(arrays(np.int64, size, elements=st.integers(0, 3)))
    dtype, offset, exponent = draw(st.sampled_from(PLACES))
    exact = np.ldexp((whole + offset).astype(np.float64), exponent)
    features = (whole + offset).astype(dtype) if np.dtype(dtype).kind in 'iu' else exact.astype(dtype)
    assert (features.astype(np.float64) == exact).all()
    return whole, labels, features, exponent


def squares(whole):
    return ((whole[:, np.newaxis] - whole) ** 2).sum(axis=2)


def ranked(distances, but=None):
    return sorted((j for j in range(len(distances)) if j != but), key=lambda j: (distances[j], j))


def length(square, exponent):
    """The square root of a fraction, to 60 bits, times a power of two."""
    square = Fraction(square)
    root = isqrt(square.numerator * square.denominator << 120)
    return np.ldexp(float(Fraction(root, square.denominator << 60)), exponent)


@given(samples(), st.data())
def test_neighbors_vote_whatever_the_place_and_size_of_features(drawn, data):
    whole, labels, features, _ = drawn
    count = data.draw(st.integers(1, len(labels)))
    expected = []
    for row in squares(whole):
        votes = labels[ranked(row)[:count]].tolist()
        expected.append(min(sorted(set(votes)), key=lambda j: -votes.count(j)))
    assert knn_predict(features, labels, features, count, 'euclidean').tolist() == expected


@given(samples(), st.data())
def test_the_nearest_center_is_that_of_exact_arithmetic(drawn, data):
    whole, _, features, _ = drawn
    rows = data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=5))
    expected = [ranked(row)[0] for row in squares(whole)[:, rows]]
    assert nearest_center(features, features[rows]).tolist() == expected


@given(samples())
def test_retrieval_is_that_of_exact_arithmetic(drawn):
    whole, labels, features, _ = drawn
    queries = []
    for i, row in enumerate(squares(whole)):
        relevant = int((labels == labels[i]).sum()) - 1
        hits = [bool(labels[j] == labels[i]) for j in ranked(row, i)[:relevant]]
        if hits:
            precisions = [Fraction(sum(hits[: k + 1]), k + 1) * hits[k] for k in range(relevant)]
            queries.append((hits[0], Fraction(sum(hits), relevant), sum(precisions) / relevant))
    if not queries:
        with pytest.raises(ValueError, match='alone in its class'):
            retrieval(features, labels, 'euclidean')
        return
    found = retrieval(features, labels, 'euclidean')
    assert found[:3] == pytest.approx([float(sum(part) / len(queries)) for part in zip(*queries)], rel=1e-12)
    assert (found.num_queries, found.num_left_out) == (len(queries), len(labels) - len(queries))


@given(samples())
def test_class_means_and_cluster_ratio_are_those_of_exact_arithmetic(drawn):
    whole, labels, features, exponent = drawn
    classes = sorted(set(labels.tolist()))
    origin = features[0].astype(np.float64)
    means = {
        j: [Fraction(int(column.sum()), len(column)) for column in whole[labels == j].T] for j in classes
    }
    found_classes, found = class_means(features, labels)
    assert found_classes.tolist() == classes
    for mean, row in zip(means.values(), found):  # as near as float64 comes to the mean itself
        shifts = [float(Fraction(m) - int(o)) for m, o in zip(mean, whole[0])]
        np.testing.assert_allclose(
            row, origin + np.ldexp(shifts, exponent), rtol=4e-16, atol=np.ldexp(1e-14, exponent)
        )
    between = [
        sum((a - b) ** 2 for a, b in zip(means[j], means[k])) for j in classes for k in classes if j < k
    ]
    if not any(between):
        with pytest.raises(ValueError, match=r'labels hold one class|collapsed to a point'):
            cluster_ratio(features, labels)
        return
    own = [sum((int(a) - b) ** 2 for a, b in zip(x, means[y])) for x, y in zip(whole, labels.tolist())]
    expected = [np.mean([length(square, exponent) for square in part]) for part in (own, between)]
    ratio = cluster_ratio(features, labels)
    # means are rounded to float64 at the place of the features
    rounding = 4 * np.spacing(np.abs(features.astype(np.float64)).max())
    assert [ratio.own, ratio.between] == pytest.approx(expected, rel=1e-12, abs=rounding)


@given(samples(least=6), st.integers(0, 99))
def test_verification_is_that_of_exact_arithmetic(drawn, seed):
    whole, _, features, exponent = drawn
    rng = np.random.RandomState(seed)
    first, second = rng.randint(0, len(whole), (2, 12))
    same, fold = np.tile([True, False], 6), np.repeat([0, 1, 2], 4)
    distances = squares(whole)[first, second]
    accuracies = []
    for k in range(3):
        train, test = fold != k, fold == k
        levels = [-1, *sorted(set(distances[train].tolist()))]  # accepted are distances up to a level
        right = [((distances[train] <= level) == same[train]).sum() for level in levels]
        best = int(np.argmax(right))
        middle = np.sqrt([max(level, 0) for level in levels[best : best + 2]]).mean()
        limit = middle if best else -1
        accuracies.append(((np.sqrt(distances[test]) <= limit) == same[test]).mean())
    found = verify(features, Pairs(first, second, same, fold), 'euclidean')
    np.testing.assert_allclose(
        found.similarities, [-length(int(square), exponent) for square in distances], rtol=1e-12
    )
    assert found.accuracies.tolist() == accuracies
    genuine, impostor = distances[same][:, np.newaxis], distances[~same]
    assert found.auc == pytest.approx((genuine < impostor).mean() + (genuine == impostor).mean() / 2)


FACTORS = [
    ('float16', 2.0**-20), ('float32', 1e-30), ('float32', 3e18), ('float32', 1e36), ('float64', 1e-200),
    ('float64', 1e160),
]  # fmt: skip


def two_kinds(seed=20161008, dim=3):
    """Features of 40 samples of 5 classes, which overlap."""
    rng = np.random.RandomState(seed)
    labels = np.repeat(np.arange(5), 8)
    return rng.randn(5, dim)[labels] + 0.5 * rng.randn(40, dim), labels


@pytest.mark.parametrize('dtype, factor', FACTORS)
@pytest.mark.parametrize('metric', ['cosine', 'euclidean'])
def test_a_factor_changes_no_number(dtype, factor, metric):
    features, labels = two_kinds()
    features = features.astype('float16').astype('float64')
    scaled = (features * factor).astype(dtype)
    # what float16 rounds, and factors that are no powers of two, are in both
    features = (scaled.astype(np.longdouble) / np.longdouble(factor)).astype(np.float64)
    pairs = verification_pairs(labels, num_folds=2, num_pairs=20)
    assert retrieval(scaled, labels, metric) == retrieval(features, labels, metric)
    for count in 1, 4:
        found = knn_predict(scaled[::2], labels[::2], scaled[1::2], count, metric)
        assert (found == knn_predict(features[::2], labels[::2], features[1::2], count, metric)).all()
    for num_components in None, 2:
        found = verify(scaled, pairs, metric, num_components)
        expected = verify(features, pairs, metric, num_components)
        unit = factor if metric == 'euclidean' else 1
        np.testing.assert_allclose(found.similarities / unit, expected.similarities, rtol=1e-6, atol=1e-9)
        assert (found.accuracies == expected.accuracies).all() and found.eer == expected.eer
    assert cluster_ratio(scaled, labels).ratio == pytest.approx(cluster_ratio(features, labels).ratio)
    assert clustering_nmi(scaled, labels) == clustering_nmi(features, labels)


@pytest.mark.parametrize('offset', [0, 1e6, 1e9])
def test_cosine_neighbors_in_a_narrow_cone_are_those_of_longer_arithmetic(offset):
    features, labels = two_kinds()
    features = features + offset
    unit = features.astype(np.longdouble)
    unit /= np.sqrt((unit**2).sum(axis=1, keepdims=True))
    distances = ((unit[:, np.newaxis] - unit) ** 2).sum(axis=2)
    np.fill_diagonal(distances, np.inf)
    expected = labels[distances.argmin(axis=1)] == labels
    assert retrieval(features, labels).precision_at_1 == expected.mean()
    for i in range(40):
        rows = np.arange(40) != i
        nearest_row = np.flatnonzero(rows)[distances[i][rows].argmin()]
        assert knn_predict(features[rows], np.flatnonzero(rows), features[[i]], 1).tolist() == [nearest_row]


@pytest.mark.parametrize('offset', [1e5, 1e8])
def test_a_place_far_from_zero_changes_no_cluster_and_no_component(offset):
    whole = np.round(16 * two_kinds()[0])  # exact at each place
    labels = two_kinds()[1]
    pairs = verification_pairs(labels, num_folds=2, num_pairs=20)
    moved = whole + offset
    assert clustering_nmi(moved, labels) == clustering_nmi(whole, labels)
    np.testing.assert_allclose(
        verify(moved, pairs, 'euclidean', 2).similarities,
        verify(whole, pairs, 'euclidean', 2).similarities,
        rtol=1e-9,
        atol=1e-9,
    )


@pytest.mark.parametrize('size', [1e9, 1e25, 1e38])
def test_neighbors_of_small_samples_are_found_beside_a_huge_one(size):
    features, labels = two_kinds()
    expected = retrieval(features.astype('float32'), labels, 'euclidean')
    with_huge = np.concatenate([features, np.full((1, 3), size)]).astype('float32')
    found = retrieval(with_huge, np.append(labels, 9), 'euclidean')
    assert found == expected._replace(num_left_out=1)


def test_a_sample_too_far_from_the_others_is_refused_where_squares_would_hide_these():
    features, labels = two_kinds()
    features[17] = 1e12
    pairs = verification_pairs(labels, num_folds=2, num_pairs=20)
    message = r'features at row 17 are \S+e\+1[12] times as far from the median as half of the others; {} '
    with pytest.raises(ValueError, match=message.format('k-means')):
        clustering_nmi(features, labels)
    with pytest.raises(ValueError, match=message.format('PCA')):
        verify(features, pairs, num_components=2)
    for projection, name in ('pca', 'PCA'), ('tsne', 't-SNE'):
        with pytest.raises(ValueError, match=f"panel 'far': {message.format(name)}"):
            embedding_figure([Panel('far', features, labels)], projection=projection)
    features[17] = 1e6
    assert clustering_nmi(features, labels) < 0.9  # a cluster of its own


@pytest.mark.parametrize('features, message', [
    (np.full((3, 2), 1e305), r'row 0 are as large as 1e\+305; expected at most 1e\+300 for float64'),
    (np.array([[1], [2**60], [3]]), r'row 1 are as large as 1\.15e\+18; expected at most 9\.01e\+15'),
    (np.array([['1'], ['2'], ['3']]), 'features are <U1; expected numbers'),
    (np.ones((3, 2), complex), 'features are complex128; expected numbers'),
    (np.array([[1.0], [2.0], [np.inf]]), 'features at row 2 are not finite'),
    (np.zeros((0, 2)), r'N > 0'),
])  # fmt: skip
def test_numbers_that_float64_does_not_hold_are_refused(features, message):
    labels = np.zeros(len(features), int)
    for measure in class_means, retrieval, clustering_nmi:
        with pytest.raises(ValueError, match=message):
            measure(features, labels)


def test_a_threshold_that_accepts_no_pair_is_above_all_similarities_of_any_size():
    features = np.array([[0.0], [1e20], [9e20]])
    first, second = np.zeros(6, int), np.array([1, 1, 2, 1, 1, 2])
    same = np.array([False, False, True] * 2)  # the impostors are nearer
    found = verify(features, Pairs(first, second, same, np.repeat([0, 1], 3)), 'euclidean')
    assert (found.thresholds > found.similarities.max()).all()
    assert found.accuracies.tolist() == [2 / 3, 2 / 3]


def test_features_reach_scikit_learn_in_two_files_only():
    """Those that center and scale: no protocol can forget it."""
    package = Path(centerloss_mx.__file__).parent
    modules = 'cluster|decomposition|manifold|neighbors|preprocessing|pairwise|euclidean|cosine'
    arithmetic = re.compile(rf"sklearn(\.|\(')(metrics('\)|)\.)?({modules})")
    found = {
        path.name for path in package.rglob('*.py') if arithmetic.search(path.read_text(encoding='utf-8'))
    }
    assert found == {'distances.py', 'estimators.py'}


def test_a_feature_of_zeros_has_the_same_cosine_distance_to_all_others():
    features = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 0.0], [1.0, 9.0], [-2.0, 0.1], [0.0, -1.0]])
    labels = np.array([0, 1, 0, 1, 2, 2])
    # Distance 1 is nearer than all that point away, and as far as what is at right angles.
    assert knn_predict(features[[4, 5, 0]], [4, 5, 0], features[[1, 0]], 1).tolist() == [5, 4]
    assert knn_predict(features[[4, 0, 2]], [4, 0, 2], features[[1]], 1).tolist() == [0]
    assert retrieval(features, labels).precision_at_1 == 3 / 6  # rows 1, 2 and 3 find their class
    pairs = Pairs([0, 0, 1, 4] * 2, [2, 1, 3, 5] * 2, [True, False, True, False] * 2, np.repeat([0, 1], 4))
    assert verify(features, pairs).similarities[:2].tolist() == [-1, -1]


@pytest.mark.parametrize('offset', [10**9, -(10**12), 10**15])
def test_the_mean_of_many_samples_far_from_zero_is_the_float64_next_to_it(offset):
    rng = np.random.RandomState(20161008)
    whole, labels = offset + rng.randint(0, 1000, (3000, 2)), rng.randint(0, 2, 3000)
    _, means = class_means(whole, labels)
    for j in 0, 1:
        expected = [float(Fraction(int(column.sum()), len(column))) for column in whole[labels == j].T]
        np.testing.assert_allclose(means[j], expected, rtol=0, atol=np.spacing(float(abs(offset))))


def test_a_threshold_separates_similarities_that_are_next_to_each_other():
    near = np.nextafter(1, 2)
    features = np.array([[0.0], [near], [np.nextafter(near, 2)]])
    pairs = Pairs([0, 0] * 2, [1, 2] * 2, [True, False] * 2, [0, 0, 1, 1])
    assert verify(features, pairs, 'euclidean').accuracies.tolist() == [1, 1]

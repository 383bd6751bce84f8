"""CMC, mAP and mINP against a brute-force program and by hand; re-ranking against dense arrays."""

from __future__ import annotations

from fractions import Fraction

from centerloss_mx.evaluation import reid
from centerloss_mx.evaluation.reranking import reranked_distances

import numpy as np
import pytest
from makers import SEED


def brute_force(query, query_labels, query_cameras, gallery, gallery_labels, gallery_cameras):
    """Each query on its own, in whole numbers: squared distances of integer features are exact."""
    results, left_out = [], 0
    for feature, label, camera in zip(query, query_labels, query_cameras):
        ranked = []
        for row, other in enumerate(gallery):
            junk = gallery_labels[row] == -1
            own = gallery_labels[row] == label and gallery_cameras[row] == camera
            if not junk and not own:
                distance = sum((int(a) - int(b)) ** 2 for a, b in zip(feature, other))
                ranked.append((distance, row, int(gallery_labels[row] == label)))
        matches = [match for _, _, match in sorted(ranked)]
        num_match = sum(matches)
        if not num_match:
            left_out += 1
            continue
        precisions = [Fraction(sum(matches[: k + 1]), k + 1) for k, match in enumerate(matches) if match]
        results.append([
            any(matches[:1]), any(matches[:5]), any(matches[:10]),
            sum(precisions) / num_match, precisions[-1],
        ])  # fmt: skip
    return [float(sum(column) / len(results)) for column in zip(*results)] if results else None, left_out


@pytest.mark.parametrize('case', range(200))
def test_it_equals_a_brute_force_program(case):
    rng = np.random.RandomState(case)
    num_query, num_gallery = rng.randint(1, 8), rng.randint(1, 40)
    query, gallery = rng.randint(-2, 3, (num_query, 3)), rng.randint(-2, 3, (num_gallery, 3))  # many ties
    query_labels, gallery_labels = rng.randint(1, 5, num_query), rng.randint(-1, 5, num_gallery)
    query_cameras, gallery_cameras = rng.randint(1, 4, num_query), rng.randint(1, 4, num_gallery)
    sides = (query, query_labels, query_cameras), (gallery, gallery_labels, gallery_cameras)
    expected, left_out = brute_force(*sides[0], *sides[1])
    if expected is None:
        with pytest.raises(ValueError, match='no query has a match in the gallery'):
            reid(*sides[0], *sides[1], metric='euclidean')
        return
    kind = (int, float, str)[case % 3]
    sides = tuple((side[0], side[1].astype(kind), side[2].astype(kind)) for side in sides)
    found = reid(*sides[0], *sides[1], metric='euclidean')
    np.testing.assert_allclose(found[:5], expected, rtol=1e-12)
    assert found.num_left_out == left_out and found.num_queries == num_query - left_out
    assert found.num_junk == (gallery_labels == -1).sum()


def test_ten_pictures_by_hand():
    """Query p1 of camera 1 at angle 0; pictures at growing angles. What counts: x p2 p1 p3 p1 and so on."""
    angles = np.radians([1, 2, 3, 4, 5, 6, 7, 8, 9])
    gallery = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    #          own    junk  p2    p1    dist. p1    own   p3    p1
    labels = ['p1', '-1', 'p2', 'p1', '0', 'p1', 'p1', 'p3', 'p1']
    cameras = [1, 2, 2, 2, 3, 3, 1, 1, 2]
    # Left out: rows 0 and 6 (own camera), row 1 (junk). Ranked: p2, p1, 0, p1, p3, p1: matches at 2, 4, 6.
    found = reid([[1.0, 0]], ['p1'], [1], gallery, labels, cameras)
    assert found.cmc_at_1 == 0 and found.cmc_at_5 == 1
    assert found.map == pytest.approx((1 / 2 + 2 / 4 + 3 / 6) / 3) and found.minp == pytest.approx(3 / 6)
    assert found.num_queries == 1 and found.num_left_out == 0 and found.num_junk == 1
    without = reid([[1.0, 0]], ['p1'], None, gallery, labels, None)
    assert without.cmc_at_1 == 1 and without.minp == pytest.approx(5 / 8)  # rows 0, 3, 5, 6, 8 of eight


def test_cameras_are_of_both_sides():
    features, labels = np.eye(3), [1, 2, 3]
    with pytest.raises(ValueError, match=r'gallery_cameras of shape None; expected \(3,\), as there are'):
        reid(features, labels, [1, 1, 1], features, labels, None)
    with pytest.raises(ValueError, match=r'query_cameras of shape \(2,\); expected \(3,\)'):
        reid(features, labels, [1, 1], features, labels, [1, 1, 1])
    with pytest.raises(ValueError, match=r'gallery of shape \(3, 2\); expected \(N, 3\)'):
        reid(features, labels, None, features[:, :2], labels, None)


NUMBERS, TEXT = [1, 2, 2], ['1', '2', '2']


@pytest.mark.parametrize(
    'cameras',
    [(NUMBERS, TEXT), (TEXT, NUMBERS), (TEXT, np.array(TEXT, 'S')), (np.array(NUMBERS, object), TEXT)],
)
def test_cameras_of_two_kinds_are_refused(cameras):
    """None would be equal: no gallery picture would be left out, and all figures would be too good."""
    features, labels = np.array([[1.0, 0], [1, 1], [1, 2]]), [7, 7, 7]
    with pytest.raises(ValueError, match='expected numbers on both sides, or text'):
        reid(features, labels, cameras[0], features, labels, cameras[1])


def test_cameras_that_are_not_finite_are_refused():
    features, labels = np.array([[1.0, 0], [1, 1], [1, 2]]), [7, 7, 7]
    with pytest.raises(ValueError, match='gallery_cameras at row 1 is not finite'):
        reid(features, labels, [1, 2, 2], features, labels, [1, np.nan, 2])
    assert reid(features, labels, [1, 2, 2], features, labels, [1.0, 2.0, 2.0]).num_queries == 3


@pytest.mark.parametrize('cameras', [NUMBERS, TEXT])
def test_cameras_of_a_column_of_objects_are_those_of_their_kind(cameras):
    features, labels = np.array([[1.0, 0], [1, 1], [1, 2]]), [7, 3, 7]
    column = np.array(cameras, object)
    expected = reid(features, labels, cameras, features, labels, cameras)
    assert expected != reid(features, labels, None, features, labels, None)
    for query_cameras, gallery_cameras in (column, column), (column, cameras), (cameras, column):
        assert reid(features, labels, query_cameras, features, labels, gallery_cameras) == expected


def dense_reranking(query, gallery, k1, k2, weight):
    """The equations of Zhong et al. in dense arrays."""
    points = np.concatenate([query, gallery])
    count = len(points)
    squares = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    d = squares / squares.max(axis=1, keepdims=True)
    ranks = squares.argsort(axis=1, kind='stable')

    def reciprocal(i, k):
        return {j for j in ranks[i, : k + 1] if i in ranks[j, : k + 1]}

    v = np.zeros((count, count))
    for i in range(count):
        neighbors = reciprocal(i, k1)
        expanded = set(neighbors)
        for j in neighbors:
            others = reciprocal(j, round(k1 / 2))
            if len(others & neighbors) > 2 / 3 * len(others):
                expanded |= others
        for j in expanded:
            v[i, j] = np.exp(-d[i, j])
        v[i] /= v[i].sum()
    v = np.array([v[ranks[i, :k2]].mean(axis=0) for i in range(count)])
    least = np.minimum(v[:, None], v[None]).sum(axis=2)
    most = np.maximum(v[:, None], v[None]).sum(axis=2)
    found = (1 - weight) * (1 - least / most) + weight * d
    return found[: len(query), len(query) :]


@pytest.mark.parametrize('k1, k2, weight', [(20, 6, 0.3), (6, 1, 0.0), (8, 3, 1.0)])
def test_re_ranking_equals_dense_arrays(k1, k2, weight):
    rng = np.random.RandomState(SEED)
    means = rng.randn(6, 5) * 2
    query, gallery = (means[rng.randint(0, 6, size)] + rng.randn(size, 5) for size in (7, 70))
    found = np.array([*reranked_distances(query, gallery, 'euclidean', k1, k2, weight)])
    np.testing.assert_allclose(found, dense_reranking(query, gallery, k1, k2, weight), atol=1e-12)


def test_re_ranking_of_the_cosine_does_not_see_lengths():
    rng = np.random.RandomState(SEED)
    query, gallery = rng.randn(3, 5), rng.randn(60, 5)
    scaled = gallery * rng.uniform(0.1, 10, (60, 1))
    found, expected = (np.array([*reranked_distances(query, one)]) for one in (scaled, gallery))
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_it_ranks_by_the_distances_after_re_ranking():
    rng = np.random.RandomState(SEED)
    means = rng.randn(6, 5)
    labels, gallery_labels = rng.randint(0, 6, 9), rng.randint(0, 6, 60)
    query, gallery = means[labels] + rng.randn(9, 5), means[gallery_labels] + rng.randn(60, 5)
    found = reid(query, labels, None, gallery, gallery_labels, None, 'euclidean', rerank=True)
    precisions = []
    for row, label in zip(dense_reranking(query, gallery, 20, 6, 0.3), labels):
        matches = gallery_labels[row.argsort()] == label
        precisions.append((matches.cumsum() / np.arange(1, 61))[matches].mean())
    assert found.map == pytest.approx(np.mean(precisions), abs=1e-12)
    assert found.map != reid(query, labels, None, gallery, gallery_labels, None, 'euclidean').map

"""Rank-k rates and TPIR at FPIR against a brute-force program."""

from __future__ import annotations

import math

from centerloss_mx.evaluation import identify, nearest_identities

import numpy as np
import pytest
from makers import SEED


def brute_force(gallery, people, probes, persons):
    """Per probe: the people by their nearest sample; integer features make squared distances exact."""
    ranks, tops = [], []
    for probe, person in zip(probes, persons):
        best = {}
        for row, (sample, name) in enumerate(zip(gallery, people)):
            distance = sum((int(a) - int(b)) ** 2 for a, b in zip(probe, sample))
            best[name] = min(best.get(name, (math.inf, 0)), (distance, row))
        order = sorted(best, key=best.get)
        ranks.append(order.index(person) + 1 if person in order else 0)
        tops.append(-math.sqrt(best[order[0]][0]))
    return np.array(ranks), np.array(tops)


@pytest.mark.parametrize('case', range(30))
def test_it_equals_a_brute_force_program(case):
    rng = np.random.RandomState(case)
    gallery, probes = rng.randint(-2, 3, (25, 3)), rng.randint(-2, 3, (60, 3))
    people, persons = rng.randint(0, 14, 25), rng.randint(0, 25, 60)
    ranks, tops = brute_force(gallery, people, probes, persons)
    found = identify(gallery, people, probes, persons, 'euclidean')
    mated = ranks > 0
    assert (found.num_mated, found.num_non_mated) == (mated.sum(), (~mated).sum())
    for k in 1, 5, 10:
        assert getattr(found, f'rank_{k}') == pytest.approx((ranks[mated] <= k).mean(), abs=1e-12)
    for one in found.tpir_at_fpir:
        allowed = math.floor(one.fpir * (~mated).sum())
        assert one.num_allowed == allowed
        if not allowed:
            assert math.isnan(one.tpir) and math.isnan(one.threshold)
            continue
        # Of all thresholds between similarities, the lowest that lets through so few.
        best = max(
            ((ranks == 1) & (tops >= threshold)).sum() / mated.sum()
            for threshold in [*np.unique(tops), 1.0]
            if (tops[~mated] >= threshold).sum() <= allowed
        )
        assert one.tpir == pytest.approx(best, abs=1e-12)
        assert (tops[~mated] >= one.threshold).sum() <= allowed
    labels, similarities = nearest_identities(gallery, people, probes, 'euclidean')
    np.testing.assert_allclose(similarities, tops, atol=1e-12)
    assert (labels[mated] == persons[mated]).mean() == found.rank_1


def test_the_similarity_is_the_cosine():
    rng = np.random.RandomState(SEED)
    gallery, probes = rng.randn(20, 6), rng.randn(9, 6)
    cosines = (probes @ gallery.T) / np.outer(*(np.linalg.norm(one, axis=1) for one in (probes, gallery)))
    labels, similarities = nearest_identities(gallery, np.arange(20), probes)
    np.testing.assert_array_equal(labels, cosines.argmax(axis=1))
    np.testing.assert_allclose(similarities, cosines.max(axis=1), atol=1e-12)


def test_without_probes_of_a_kind_their_rate_is_unknown():
    found = identify(np.eye(3), ['a', 'b', 'c'], np.eye(3), ['x', 'y', 'z'])
    assert math.isnan(found.rank_1) and found.num_mated == 0
    found = identify(np.eye(3), ['a', 'b', 'c'], np.eye(3), ['a', 'b', 'c'])
    assert found.rank_1 == 1 and all(math.isnan(one.tpir) for one in found.tpir_at_fpir)
    with pytest.raises(ValueError, match=r'probes of shape \(2, 2\); expected \(N, 3\)'):
        identify(np.eye(3), ['a', 'b', 'c'], np.eye(2), ['a', 'b'])

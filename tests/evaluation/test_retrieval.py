"""Retrieval, counted by hand."""

from __future__ import annotations

import importlib
import sys

from centerloss_mx.evaluation import retrieval

import numpy as np
import pytest

# the function of the same name hides the module
MODULE = importlib.import_module('centerloss_mx.evaluation.distances')


@pytest.mark.parametrize('seed', range(4))
def test_retrieval_is_what_counting_gives(seed, monkeypatch, tied, distance):
    features, labels = tied(seed)
    labels[7] = 99  # alone in its class
    queries = []
    for i, (x, y) in enumerate(zip(features, labels)):
        others = [j for j in range(len(labels)) if j != i]
        relevant = sum(labels[j] == y for j in others)
        if relevant == 0:
            continue
        ranked = sorted(others, key=lambda j: (distance(x, features[j], 'euclidean'), j))[:relevant]
        hits = [labels[j] == y for j in ranked]
        precisions = [sum(hits[: k + 1]) / (k + 1) for k in range(relevant)]
        average = sum(p for p, hit in zip(precisions, hits) if hit) / relevant
        queries.append((hits[0], sum(hits) / relevant, average))
    monkeypatch.setattr(MODULE, '_CHUNK', 7 * len(labels))  # in several chunks
    found = retrieval(features, labels, 'euclidean')
    np.testing.assert_allclose(found[:3], np.mean(queries, axis=0), rtol=1e-12)
    assert found.num_queries == len(queries) and found.num_left_out == 1


def test_retrieval_by_cosine_knows_no_length():
    rng = np.random.RandomState(0)
    features, labels = rng.randn(40, 3), rng.randint(0, 4, 40)
    scaled = features * rng.uniform(0.1, 9, (40, 1))
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    expected = retrieval(unit, labels, 'euclidean')
    assert retrieval(scaled, labels, 'cosine') == pytest.approx(expected)


def test_what_cannot_be_ranked_is_refused(few):
    features, labels, broken = few
    for arguments, message in [
        ((broken, labels), 'features at row 4 are not finite'),
        ((features, labels[:5]), r'features of shape \(6, 2\) and labels of shape \(5,\)'),
        (
            (features, np.arange(6)),
            'each of the 6 samples is alone in its class; expected a class with at least',
        ),
        ((features, labels, 'l2'), "metric='l2' is not one of cosine, euclidean"),
    ]:
        with pytest.raises(ValueError, match=message):
            retrieval(*arguments)


def test_without_scikit_learn_it_says_what_to_install(monkeypatch, few):
    monkeypatch.setitem(sys.modules, 'sklearn.metrics', None)
    message = r"centerloss_mx.evaluation needs scikit-learn: pip install 'centerloss_mx\[examples\]'"
    with pytest.raises(ImportError, match=message):
        retrieval(*few[:2])

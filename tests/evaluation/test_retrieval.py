"""Retrieval, counted by hand."""

from __future__ import annotations

import importlib
import sys

from centerloss_mx.evaluation import retrieval, score_queries

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


def counted(features, labels, known, known_labels, but_itself):
    """The measures of each query by sorting, {} for what is no query; features are whole numbers."""
    scores = []
    for i, (x, y) in enumerate(zip(features, labels)):
        rows = [j for j in range(len(known)) if not (but_itself and i == j)]
        ranked = sorted(rows, key=lambda j: (sum((a - b) ** 2 for a, b in zip(x, known[j])), j))
        hits = [known_labels[j] == y for j in ranked]
        total = sum(hits)
        if not total:
            scores.append({})
            continue
        precisions = [sum(hits[: k + 1]) / (k + 1) * hits[k] for k in range(total)]
        scores.append({
            'precision_at_1': float(hits[0]),
            'r_precision': sum(hits[:total]) / total,
            'map_at_r': sum(precisions) / total,
            **{f'recall_at_{k}': float(any(hits[:k])) for k in (1, 10, 100, 1000) if k <= len(hits)},
        })  # fmt: skip
    return scores


@pytest.mark.parametrize('rows_a_block', [1, 7, 10**6])
@pytest.mark.parametrize('others, size, offset', [
    (True, 120, 0), (False, 1200, 0), (False, 99, 10**8), (True, 11, 5), (True, 10, 0),
])  # fmt: skip
def test_recall_and_means_over_queries_and_classes_are_what_counting_gives(
    others, size, offset, rows_a_block, monkeypatch
):
    rng = np.random.RandomState(size)
    known, known_labels = rng.randint(0, 6, (size, 2)).tolist(), (rng.randint(1, 6, size) ** 2).tolist()
    features, labels = known, known_labels
    if not others:
        features, labels = rng.randint(0, 6, (40, 2)).tolist(), (rng.randint(1, 7, 40) ** 2).tolist()
    expected = counted(features, labels, known, known_labels, others)
    monkeypatch.setattr(MODULE, '_CHUNK', rows_a_block * size)
    arguments = [np.add(features, offset), labels, 'euclidean']
    if not others:
        arguments += [np.add(known, offset), known_labels]
    found = score_queries(*arguments)
    queries = [i for i, scores in enumerate(expected) if scores]
    assert found.rows.tolist() == queries and found.num_left_out == len(labels) - len(queries)
    assert found.labels.tolist() == [labels[i] for i in queries]
    for row, i in zip(found.scores, queries):
        assert dict(zip(found.measures, row)) == pytest.approx(expected[i], rel=1e-12)
    by_class = {}
    for i in queries:
        by_class.setdefault(labels[i], []).append(expected[i])
    assert found.by_class().keys() == by_class.keys()
    mean = retrieval(*arguments)
    for name in found.measures:
        of_classes = {y: np.mean([scores[name] for scores in by_class[y]]) for y in by_class}
        assert {y: row[name] for y, row in found.by_class().items()} == pytest.approx(of_classes)
        assert getattr(mean, name) == pytest.approx(np.mean([expected[i][name] for i in queries]))
        assert getattr(mean, f'macro_{name}') == pytest.approx(np.mean([*of_classes.values()]))
    assert [row['num_queries'] for row in found.by_class().values()] == [
        len(by_class[y]) for y in sorted(by_class)
    ]
    for k in 1, 10, 100, 1000:  # as many references as fit
        fits = k <= size - others
        assert (getattr(mean, f'recall_at_{k}') is not None) == fits == (f'recall_at_{k}' in found.measures)
        assert (getattr(mean, f'macro_recall_at_{k}') is not None) == fits


@pytest.mark.parametrize('order', ['near ones first', 'near ones last', 'mixed'])
@pytest.mark.parametrize('others', [False, True])
def test_any_number_of_neighbors_is_found_in_any_order_of_points(order, others, monkeypatch):
    monkeypatch.setattr(MODULE, '_SHORT', 100)
    rng = np.random.RandomState(3)
    points = rng.randint(0, 9, (700, 3)).astype(float)
    if order != 'mixed':
        points = points[np.argsort((points**2).sum(axis=1) * (1 if order == 'near ones first' else -1))]
    squares = ((points[:, np.newaxis] - points) ** 2).sum(axis=2)
    if others:
        np.fill_diagonal(squares, np.inf)
    ranked = squares.argsort(axis=1, kind='stable')
    counts = np.arange(700)
    for row, count, found in zip(ranked, counts, MODULE.nearest(points, points, counts, 'euclidean', others)):
        assert found.tolist() == row[:count].tolist()


def test_references_that_cannot_be_found_are_refused(few):
    features, labels, broken = few
    for references, reference_labels, message in [
        (features, None, 'references and reference_labels belong together; one of them is None'),
        (None, labels, 'references and reference_labels belong together'),
        (features[:, :1], labels, r'references of shape \(6, 1\); expected \(N, 2\)'),
        (broken, labels, 'references at row 4 are not finite'),
        (
            features,
            labels[:5],
            r'references of shape \(6, 2\) and reference_labels of shape \(5,\); expected',
        ),
        (features, labels + 3, 'none of the 6 references is of the class of a sample'),
    ]:
        with pytest.raises(ValueError, match=message):
            retrieval(features, labels, 'cosine', references, reference_labels)

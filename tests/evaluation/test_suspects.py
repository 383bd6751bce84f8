"""Samples whose label may be wrong, against a loop that leaves each of them out of its mean."""

from __future__ import annotations

from centerloss_mx.dataset import as_arrays
from centerloss_mx.evaluation import suspects
from centerloss_mx.io import load_mnist
from centerloss_mx.model_zoo import lenet
from centerloss_mx.symbol import supervised
from centerloss_mx.training import IGNORE_LABEL, Training, num_batches, sgd

import numpy as np
import pytest


def by_hand(features, labels, metric):
    """(row, suggested, excess) of each suspect, the most suspicious first."""
    x = np.asarray(features, np.float64)
    if metric == 'cosine':
        x = np.array([row / np.sqrt((row * row).sum()) if row.any() else row for row in x])
    found = []
    for i, label in enumerate(labels):
        rest = [k for k in range(len(x)) if labels[k] == label and k != i]
        if not rest:
            continue
        own = np.sqrt(((x[i] - np.mean([x[k] for k in rest], axis=0)) ** 2).sum())
        distances = {
            other: np.sqrt(((x[i] - x[labels == other].mean(axis=0)) ** 2).sum())
            for other in np.unique(labels)
            if other != label
        }
        other = min(distances, key=distances.get)
        if own > distances[other]:
            found.append((i, other, own - distances[other]))
    return sorted(found, key=lambda one: (-one[2], one[0]))


@pytest.mark.parametrize('metric', ['cosine', 'euclidean'])
@pytest.mark.parametrize('seed', range(20))
def test_they_are_those_of_a_loop_that_leaves_each_sample_out(seed, metric):
    rng = np.random.RandomState(seed)
    num_class = rng.randint(2, 6)
    labels = rng.randint(0, num_class, 40)
    labels[:2] = 0, 1
    names = np.array(['d', 'a', 'c', 'b', 'e'])[labels] if seed % 2 else labels
    features = rng.randn(num_class, 3)[labels] * 2 + rng.randn(40, 3) + (1e5 if metric == 'euclidean' else 0)
    found, expected = suspects(features, names, metric), by_hand(features, names, metric)
    assert found.rows.tolist() == [row for row, _, _ in expected]
    assert found.suggested.tolist() == [other for _, other, _ in expected]
    np.testing.assert_allclose(found.excess, [excess for _, _, excess in expected], 1e-6, 1e-9)


def test_a_sample_alone_in_its_class_is_no_suspect_and_draws_others():
    features = np.array([[0.0], [1], [2], [9], [9.5]])
    found = suspects(features, np.array([0, 0, 0, 1, 0]), 'euclidean')
    assert found.rows.tolist() == [4] and found.suggested.tolist() == [1]
    np.testing.assert_allclose(found.excess, [8.5 - 0.5])


def test_labels_that_are_right_have_no_suspects():
    features = np.array([[0.0, 1], [0, 2], [5, 0], [6, 0]])
    found = suspects(features, np.array([3, 3, 7, 7]))
    assert [len(values) for values in found] == [0, 0, 0]


def test_one_class_is_refused():
    with pytest.raises(ValueError, match='the samples are of one class, 4; expected two or more'):
        suspects(np.eye(2), np.array([4, 4]))


@pytest.mark.slow
@pytest.mark.parametrize('share, precision, recall', [(0.05, 0.5, 0.9), (0.2, 0.8, 0.9)])
def test_they_are_most_of_the_digits_with_wrong_labels(share, precision, recall):
    images, labels = (array[:3000] for array in load_mnist()[:2])
    rng = np.random.RandomState(20161008)
    given = labels.astype(int)
    wrong = rng.permutation(len(labels))[: int(share * len(labels))]
    given[wrong] = (given[wrong] + rng.randint(1, 10, len(wrong))) % 10
    train = as_arrays(images, given)
    padding = {'use_ignore': True, 'ignore_label': IGNORE_LABEL}
    net = supervised(lenet(16), 10, 'center_loss', 16, scale=0.01, batchsize=50, **padding)
    params = sgd(0.03, num_batches(train, 50), 4)
    training = Training(net, train, batch_size=50, num_epoch=4, seed=1, optimizer_params=params)
    training.fit()
    found = suspects(training.predict(train)[0], given)
    right = np.isin(found.rows, wrong)
    assert right.mean() > precision and right.sum() > recall * len(wrong)
    assert (found.suggested[right] == labels[found.rows[right]]).mean() > 0.9

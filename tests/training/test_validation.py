"""Validation on classes that are not trained on."""

from __future__ import annotations

import sys
from itertools import combinations

from centerloss_mx.dataset import as_arrays
from centerloss_mx.evaluation import retrieval
from centerloss_mx.evaluation.pairs import drawn_pairs
from centerloss_mx.evaluation.retrieval import precision_at_1
from centerloss_mx.model import feature_extractor
from centerloss_mx.symbol import supervised
from centerloss_mx.training import EarlyStopping, Hook, Training, Validation, read_history, validation

import mxnet as mx
import numpy as np
import pytest
from makers import patterned_pictures

COLUMNS = ['validation_precision_at_1', 'validation_map_at_r', 'validation_tar_at_far_0.001']


def samples(classes, each, seed=1):
    """Pictures of noise over a pattern of their class; the classes are letters."""
    pictures, labels = patterned_pictures(len(classes), each, 8, seed)
    return as_arrays(pictures, np.array([*classes])[labels])


def training(hooks=(), num_epoch=2, train=None, layer='embedding_output', **options):
    train = samples('abc', 4) if train is None else train
    hidden = mx.sym.FullyConnected(mx.sym.Flatten(mx.sym.Variable('data')), num_hidden=6, name='hidden')
    embedding = mx.sym.FullyConnected(hidden, num_hidden=3, name='embedding')
    params = {'learning_rate': 0.01, 'momentum': 0.9}
    net = supervised(embedding, len(train.class_names), 'softmax', 3)
    return Training(
        net, train, None, 'one', 4, num_epoch, optimizer_params=params, hooks=hooks, layer=layer, **options
    )


class Features(Hook):
    """Keeps the features of samples after each epoch."""

    def __init__(self, samples):
        self.samples, self.after = samples, []

    def epoch_end(self, training, epoch):
        self.after.append(training.predict(self.samples)[0])


def by_hand(features, labels):
    """Precision at 1 and MAP@R of each sample among the others, by the cosine, in float64."""
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    first, average = [], []
    for i, own in enumerate(labels):
        others = np.delete(np.arange(len(labels)), i)
        order = others[np.argsort(-(unit[others] @ unit[i]), kind='stable')]
        same = labels[order] == own
        number = same.sum()
        first.append(same[0])
        average.append(sum(same[: k + 1].mean() for k in range(number) if same[k]) / number)
    return np.mean(first), np.mean(average)


@pytest.mark.parametrize('layer', ['embedding_output', 'hidden_output'])
def test_the_columns_are_those_of_the_features_of_the_layer(tmp_path, layer):
    unseen = samples('wxyz', 30, seed=2)
    kept = Features(unseen)
    hook = Validation(unseen)
    one = training([hook, kept], layer=layer)
    one.fit(tmp_path / 'net', tmp_path / 'net.csv')
    for row, features in zip(one.history, kept.after):
        assert features.shape == (120, 6 if layer == 'hidden_output' else 3)
        expected = by_hand(features.astype(np.float64), unseen.labels)
        assert [row[name] for name in COLUMNS[:2]] == pytest.approx(expected, rel=1e-12)
        unit = features.astype(np.float64) / np.linalg.norm(
            features.astype(np.float64), axis=1, keepdims=True
        )
        first, second, same = hook.first, hook.second, hook.same
        cosines = (unit[first] * unit[second]).sum(axis=1)
        refused = np.sort(cosines[~same])[::-1][int(0.001 * (~same).sum())]  # the first of the impostors
        assert row[COLUMNS[2]] == pytest.approx((cosines[same] > refused).mean(), rel=1e-12)
    rows = read_history(tmp_path / 'net.csv')
    assert [[row[name] for name in COLUMNS] for row in rows] == [
        [row[name] for name in COLUMNS] for row in one.history
    ]
    extractor = feature_extractor(tmp_path / 'net')
    assert extractor.layer == layer
    np.testing.assert_allclose(extractor.predict(unseen.images), kept.after[-1], rtol=1e-6, atol=1e-6)


def test_the_pairs_are_all_that_there_are_or_the_same_draw_of_them():
    labels = np.random.RandomState(3).permutation([0, 0, 0, 1, 1, 2, 3, 3, 3, 3])
    first, second, same = drawn_pairs(labels, 100, seed=0)
    found = [*map(frozenset, zip(first.tolist(), second.tolist()))]
    assert len(found) == 45 and {*found} == {frozenset(pair) for pair in combinations(range(10), 2)}
    np.testing.assert_array_equal(same, labels[first] == labels[second])
    drawn = [drawn_pairs(labels, 7, seed) for seed in (0, 0, 1)]
    assert all(map(np.array_equal, drawn[0], drawn[1])) and not all(map(np.array_equal, drawn[0], drawn[2]))
    first, second, same = drawn[0]
    assert same.sum() == 7 and (~same).sum() == 7
    assert len({*map(frozenset, zip(first.tolist(), second.tolist()))}) == 14
    np.testing.assert_array_equal(same, labels[first] == labels[second])


def test_every_validation_of_the_same_samples_has_the_same_pairs(monkeypatch):
    monkeypatch.setattr(validation, '_NUM_PAIRS', 20)
    one, other = Validation(samples('wxyz', 8)), Validation(samples('wxyz', 8))
    for name in 'first', 'second', 'same':
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert len(one.same) == 40


def test_a_validation_changes_no_number_of_the_training_and_shows_its_map(capsys, tmp_path):
    plain, validated = training(), training([Validation(samples('wxyz', 3), 'people')])
    without = plain.fit().get_params()
    capsys.readouterr()
    found = validated.fit(tmp_path / 'net').get_params()
    for expected, params in zip(without, found):
        for name, value in expected.items():
            np.testing.assert_array_equal(params[name].asnumpy(), value.asnumpy(), err_msg=name)
    row = validated.history[-1]
    line = f'training accuracy {row["train_accuracy"]:.2%}, people_map_at_r {row["people_map_at_r"]:.2%}, '
    assert line in capsys.readouterr().out


def test_classes_that_are_trained_on_are_refused_before_the_first_batch(tmp_path):
    known = samples('aéyz', 3)
    decomposed = known._replace(class_names=['a', 'y', 'z', 'e\u0301'])
    train = samples('é7z', 4)
    with pytest.raises(ValueError) as refused:
        training([Validation(decomposed)], train=train).fit(tmp_path / 'net')
    assert str(refused.value) == (
        'validation: 2 classes to verify are in the training set: z, é; verify other classes'
    )
    assert not [*tmp_path.iterdir()]
    # Only what there are samples of: both parts of `take` have all names.
    everything = samples('abcdefg', 4)
    parts = (
        everything.take(np.flatnonzero(everything.labels < 3)),
        everything.take(np.flatnonzero(everything.labels >= 3)),
    )
    training([Validation(parts[1])], 1, parts[0]).fit()


@pytest.mark.parametrize('as_hook', [True, False], ids=['validation', 'test samples'])
def test_samples_that_the_network_does_not_take_are_refused_before_files_are_replaced(as_hook):
    others = as_arrays(*patterned_pictures(3, 3, 12))
    one, replaced = training([Validation(others)] if as_hook else []), []
    one.test = None if as_hook else others
    with pytest.raises(ValueError, match=r'the network does not take samples of shape \(1, 12, 12\)'):
        one.fit(on_begin=lambda: replaced.append(True))
    assert not replaced


@pytest.mark.parametrize(
    'classes, each, number', [('w', 4, '4 samples of 1 class'), ('wxyz', 1, '4 samples of 4 classes')]
)
def test_too_few_samples_are_refused(classes, each, number):
    with pytest.raises(ValueError) as refused:
        Validation(samples(classes, each), 'people')
    assert str(refused.value) == (
        f'people: {number}; expected two classes or more, and two samples or more of a class'
    )


def test_samples_without_labels_are_refused():
    with pytest.raises(ValueError, match=r'^validation: the samples have no labels; expected those of'):
        Validation(as_arrays(np.zeros((4, 8, 8), np.uint8), None))


def test_too_few_impostor_pairs_are_said_and_never_the_best(caplog):
    caplog.set_level('WARNING', 'centerloss_mx.training')
    column = COLUMNS[2]
    one = training([Validation(samples('wxyz', 5)), EarlyStopping(column, 1)])
    one.fit()
    assert np.isnan([row[column] for row in one.history]).all() and len(one.history) == 2
    assert caplog.messages == [f'{column} will be nan: there are 150 impostor pairs, and it needs 1000']


def test_features_that_are_not_finite_are_a_divergence():
    unseen = samples('wxyz', 3)
    images = unseen.images.copy()
    images[2, 0, 0, 0] = np.inf
    with pytest.raises(ValueError, match=r'^one, epoch 1: training diverged \(features at row 2 are not'):
        training([Validation(unseen._replace(images=images))]).fit()


def test_without_scikit_learn_it_is_said_before_the_first_batch(monkeypatch):
    hook = Validation(samples('wxyz', 3))
    monkeypatch.setitem(sys.modules, 'sklearn', None)
    monkeypatch.setitem(sys.modules, 'sklearn.metrics', None)
    with pytest.raises(ImportError, match=r"needs scikit-learn: pip install 'centerloss_mx\[examples\]'"):
        training([hook]).fit(on_begin=lambda: pytest.fail('a batch was trained'))


def test_another_layer_than_those_of_the_network_is_refused():
    with pytest.raises(
        ValueError, match=r"^the network has no output 'hiden_output'; it has .*hidden_output"
    ):
        training(layer='hiden_output')


def test_precision_at_1_is_that_of_the_whole_retrieval():
    rng = np.random.RandomState(20161008)
    for _ in range(30):
        number = rng.randint(2, 60)
        features = rng.randn(number, 3) if rng.rand() < 0.5 else rng.randint(-1, 2, (number, 3))
        labels = np.append(rng.randint(0, 20, number - 2), [99, 99])
        assert precision_at_1(features, labels) == retrieval(features, labels).precision_at_1

"""Centers of a new training that start at class means."""

from __future__ import annotations

from centerloss_mx.dataset import as_arrays
from centerloss_mx.model import Features, find_centers
from centerloss_mx.symbol import supervised
from centerloss_mx.training import IGNORE_LABEL, Hook, Training
from centerloss_mx.training.seeds import seed_training
from centerloss_mx.training.start import begin

import mxnet as mx
import numpy as np
import pytest
from makers import patterned_pictures

NAMES = ['a', 'b', 'c', 'd']


def training(loss='center_loss', num_epoch=1, classes=4, each=6, learning_rate=0.0, **options):
    pictures, labels = patterned_pictures(classes, each, 8)
    train = as_arrays(pictures, np.array(NAMES)[labels])
    embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=3, name='embedding')
    of_loss = {} if loss == 'softmax' else {'scale': 0.1, 'use_ignore': True, 'ignore_label': IGNORE_LABEL}
    if loss == 'center_loss':
        of_loss.update(batchsize=5, alpha=0.25)
    net = supervised(embedding, classes, loss, 3, **of_loss)
    params = {'learning_rate': learning_rate, 'momentum': 0.9}
    if loss == 'sync_center_loss':
        options['optimizer'], params['base'], params['alpha'] = 'centers', 'sgd', 0.25
    return Training(net, train, None, loss, 5, num_epoch, optimizer_params=params, seed=4, **options)


def centers_at_the_start(one):
    """The centers that `Module.fit` is given."""
    seed_training(one.seed, one.rand_mirror)
    start = begin(one, lambda: one._batches('local'))
    return find_centers(one.symbol, start.arg_params, start.aux_params), start


@pytest.mark.parametrize('loss', ['center_loss', 'sync_center_loss', 'learned_center_loss'])
def test_they_start_at_the_class_means_of_the_batches_in_every_home(loss):
    one = training(loss, start_centers=True)
    found, start = centers_at_the_start(one)
    weight, bias = (start.arg_params[f'embedding_{name}'].asnumpy() for name in ('weight', 'bias'))
    features = one.train.images.reshape(24, -1).astype(np.float64) @ weight.T.astype(np.float64) + bias
    expected = [features[one.train.labels == j].mean(axis=0) for j in range(4)]  # five batches: all samples
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def given(names, number=3, dim=3):
    rng = np.random.RandomState(20161008)
    labels = np.repeat(np.arange(len(names)), number)
    return Features(rng.randn(len(labels), dim).astype(np.float32), labels, [*names])


@pytest.mark.parametrize('loss', ['center_loss', 'sync_center_loss', 'learned_center_loss'])
def test_they_start_at_the_means_of_the_features_of_their_names_in_every_home(loss):
    features = given('Xdba')
    found = centers_at_the_start(training(loss, start_centers=features))[0]
    without = centers_at_the_start(training(loss, start_centers=given('Xbda')))[0]
    for name, row in zip(NAMES, range(4)):
        own = features.features[features.classes == name]
        expected = own.mean(axis=0) if len(own) else without[row]
        np.testing.assert_allclose(found[row], expected, rtol=1e-6, err_msg=name)


class Order(Hook):
    """Keeps the labels of each batch."""

    def __init__(self):
        self.labels = []

    def batch_end(self, training, param):
        self.labels.append(param.locals['data_batch'].label[0].asnumpy().tolist())


@pytest.mark.parametrize('loss', ['center_loss', 'sync_center_loss'])
def test_nothing_else_starts_in_another_way(loss):
    plain, started = (training(loss, start_centers=start, hooks=[Order()]) for start in (None, given('abcd')))
    for expected, found in zip(plain.fit().get_params(), started.fit().get_params()):
        for name, value in expected.items():
            if 'center_loss' not in name:
                np.testing.assert_array_equal(found[name].asnumpy(), value.asnumpy(), err_msg=name)
    assert plain.hooks[0].labels == started.hooks[0].labels and len(plain.hooks[0].labels) == 5
    assert not np.allclose(plain.centers, started.centers)


@pytest.mark.parametrize('start', [True, given('abcd')], ids=['batches', 'features'])
def test_a_resumed_training_goes_on_with_its_own_centers(tmp_path, start):
    options = {'learning_rate': 0.01, 'start_centers': start}
    expected = training(num_epoch=3, **options).fit().get_params()
    training(num_epoch=1, **options).fit(tmp_path / 'net')
    found = training(num_epoch=3, **options).fit(tmp_path / 'net', begin_epoch=1).get_params()
    for before, now in zip(expected, found):
        for name, value in before.items():
            np.testing.assert_array_equal(now[name].asnumpy(), value.asnumpy(), err_msg=name)


@pytest.mark.parametrize(
    'options, sentence',
    [
        (
            {'start_centers': given('xy')},
            'no feature is of a class that is trained on: they are of x, y, and',
        ),
        ({'start_centers': given('ab', dim=2)}, r'features of shape \(6, 2\); expected \(N, 3\)'),
        ({'start_centers': given('')}, 'the features have no labels; expected those of samples with labels'),
        (
            {'start_centers': given('ab')._replace(checkpoint={'layer': 'neck_output'})},
            'the features are of neck_output; expected those of embedding_output, which center_loss reads',
        ),
        ({'start_centers': True, 'loss': 'softmax'}, 'the network has 0 center losses; expected one'),
    ],
)
def test_a_start_that_cannot_be_is_refused_before_anything_is_written(tmp_path, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        training(**options).fit(tmp_path / 'net')
    assert not [*tmp_path.iterdir()]

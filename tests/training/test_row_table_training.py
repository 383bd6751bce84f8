"""Training of networks with row tables: resumed, its centers, and where they start."""

from __future__ import annotations

import os

from centerloss_mx.dataset import as_arrays
from centerloss_mx.model import Features
from centerloss_mx.symbol import supervised
from centerloss_mx.training import Training

import mxnet as mx
import numpy as np
import pytest

NUM_CLASS, DIM = 7, 4
CENTERS = 'center_loss_center_weight'
RNG = np.random.RandomState(20161008)
SAMPLES = as_arrays(RNG.randint(0, 255, (35, 6, 6)).astype('uint8'), np.arange(35) % NUM_CLASS)


def training(num_epoch=1, **options):
    embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=DIM, name='embedding')
    net = supervised(
        embedding, NUM_CLASS, 'sync_center_loss', DIM, scale=0.1, centers='table', use_ignore=True,
        ignore_label=-1, classifier={'num_sampled': 5},
    )  # fmt: skip
    params = {'learning_rate': 0.01, **options.pop('optimizer_params', {})}
    return Training(net, SAMPLES, None, 'one', 4, num_epoch, 'centers', params, **options)


def numbers(module):
    trained = {name: value.asnumpy() for name, value in module.get_params()[0].items()}
    return {**trained, **{name: np.concatenate([*t.pieces()]) for name, t in module.row_tables.items()}}


@pytest.mark.parametrize('base', [{'momentum': 0.9}, {'base': 'adam'}], ids=['momentum', 'adam'])
def test_resumed_it_ends_as_uninterrupted(base, tmp_path):
    whole, resumed = training(3, optimizer_params=base), training(3, optimizer_params=base)
    expected = numbers(whole.fit())
    training(1, optimizer_params=base).fit(tmp_path / 'net', tmp_path / 'net.csv')
    found = numbers(resumed.fit(tmp_path / 'net', tmp_path / 'net.csv', begin_epoch=1))
    assert set(found) == set(expected) > {CENTERS, 'fc2_weight'}
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
    np.testing.assert_array_equal(resumed.centers, expected[CENTERS][:, :DIM])
    names = [f'net-0003.{CENTERS}.npy', 'net-0003.fc2_weight.npy', 'net-0003.params', 'net-0003.states']
    assert sorted(os.listdir(tmp_path)) == [*names, 'net-samples.npz', 'net-symbol.json', 'net.csv']


def test_its_centers_start_at_the_means_of_features():
    features = Features(RNG.randn(35, DIM), SAMPLES.labels, SAMPLES.class_names)
    one = training(start_centers=features, optimizer_params={'alpha': 0.0})
    one.fit()
    means = [features.features[SAMPLES.labels == j].mean(axis=0) for j in range(NUM_CLASS)]
    np.testing.assert_allclose(one.centers, means, rtol=1e-5)


def test_its_centers_start_at_the_class_means_of_the_first_batches():
    one = training(start_centers=True, optimizer_params={'alpha': 0.0, 'learning_rate': 0.0})
    module = one.fit()
    features, _ = one.predict(SAMPLES)
    means = [features[SAMPLES.labels == j].mean(axis=0) for j in range(NUM_CLASS)]
    np.testing.assert_allclose(one.centers, means, rtol=1e-4)
    assert abs(numbers(module)['fc2_weight']).max() < 0.1  # N(0, 0.01^2)

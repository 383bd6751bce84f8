"""`Training` in mixed precision: measured, saved and resumed."""

from __future__ import annotations

from centerloss_mx import dataset, model, model_zoo, symbol
from centerloss_mx.training import Training

import numpy as np
import pytest
from mxnet.contrib import amp


@pytest.fixture
def train():
    digits = dataset.load_samples('digits', 'train')
    return digits.take(np.arange(160))


@pytest.fixture(params=['embedding', 'losses'])
def network(request, bfloat16):
    """A network that is converted up to the embedding, or with its losses."""
    embedding = model_zoo.lenet(2)
    if request.param == 'embedding':
        embedding = amp.convert_symbol(embedding, 'bfloat16', data_names=['data'])
    options = {'batchsize': 20, 'use_ignore': True, 'ignore_label': -1}
    net = symbol.supervised(embedding, 10, 'center_loss', 2, scale=0.1, **options)
    if request.param == 'losses':
        net = amp.convert_symbol(net, 'bfloat16', data_names=['data', 'softmax_label', 'center_label'])
    return net


def params_of(prefix):
    _, *params = model.load_checkpoint(prefix)
    return {name: array.asnumpy() for kind in params for name, array in kind.items()}


@pytest.mark.slow
def test_a_resumed_training_goes_on_in_mixed_precision(train, network, tmp_path, caplog):
    def training(num_epoch):
        options = {'optimizer_params': {'learning_rate': 0.05, 'momentum': 0.9}, 'seed': 1}
        return Training(network, train, train, batch_size=20, num_epoch=num_epoch, **options)

    uninterrupted, first, resumed = training(2), training(1), training(2)
    uninterrupted.fit(tmp_path / 'whole')
    first.fit(tmp_path / 'parts')
    resumed.fit(tmp_path / 'parts', begin_epoch=1)
    assert 'another network' not in caplog.text
    whole, parts = params_of(tmp_path / 'whole'), params_of(tmp_path / 'parts')
    for name, array in whole.items():
        np.testing.assert_array_equal(parts[name], array)
    np.testing.assert_array_equal(resumed.test_features, uninterrupted.test_features)

    # Features are computed in float32, from the checkpoint as in the training.
    extractor = model.feature_extractor(tmp_path / 'parts')
    found = extractor.predict(train.images)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, uninterrupted.test_features)
    plain = model.FeatureExtractor(model_zoo.lenet(2), *model.load_checkpoint(tmp_path / 'parts')[1:])
    np.testing.assert_array_equal(plain.predict(train.images), found)


def test_another_capacity_leaves_the_casts_in_a_network(network, train, tmp_path):
    Training(network, train, batch_size=20).fit(tmp_path / 'digits')
    for batchsize in None, 50:
        loaded, _, _ = model.load_checkpoint(tmp_path / 'digits', batchsize=batchsize)
        assert 'amp_cast' in loaded.tojson(remove_amp_cast=False)

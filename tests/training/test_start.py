"""A training that is resumed goes on with the network of its checkpoint, and says so if it has another."""

from __future__ import annotations

import logging

from centerloss_mx.dataset import as_arrays
from centerloss_mx.model_zoo import lenet
from centerloss_mx.symbol import LOSSES, supervised
from centerloss_mx.training import IGNORE_LABEL, Training

import mxnet as mx
import numpy as np
import pytest
from makers import patterned_pictures

BATCH = 4


def training(loss, num_epoch, embedding=None, **options):
    if loss not in ('softmax', 'large_margin_gaussian_mixture'):
        options = {'scale': 0.01, 'use_ignore': True, 'ignore_label': IGNORE_LABEL, **options}
    if loss == 'center_loss':
        options['batchsize'] = BATCH
    net = supervised(lenet(2) if embedding is None else embedding, 3, loss, 2, **options)
    samples = as_arrays(*patterned_pictures(3, 4))
    params = {'learning_rate': 0.001}
    if loss == 'sync_center_loss':
        params['base'] = 'sgd'
    optimizer = 'centers' if loss == 'sync_center_loss' else 'sgd'
    return Training(
        net,
        samples,
        samples,
        batch_size=BATCH,
        num_epoch=num_epoch,
        optimizer=optimizer,
        optimizer_params=params,
    )


def warnings(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize('loss', LOSSES)
def test_the_same_network_made_again_is_no_other(loss, tmp_path, caplog):
    training(loss, 1).fit(tmp_path / 'net')
    training(loss, 2).fit(tmp_path / 'net', begin_epoch=1)
    assert warnings(caplog) == []


def embedding(slope):
    """A network whose parameters tell nothing of its slope."""
    net = mx.sym.FullyConnected(mx.sym.Flatten(mx.sym.Variable('data')), num_hidden=8)
    net = mx.sym.LeakyReLU(net, act_type='leaky', slope=slope)
    return mx.sym.FullyConnected(net, num_hidden=2, name='embedding')


@pytest.mark.parametrize('other', [{'scale': 0.5}, {'slope': 0.75}])
def test_another_network_is_said_and_that_of_the_checkpoint_is_measured(tmp_path, caplog, other):
    slope = other.get('slope', 0.25)
    with mx.name.NameManager():
        training('center_loss', 1, embedding(0.25)).fit(tmp_path / 'net')
    with mx.name.NameManager():
        again = training('center_loss', 2, embedding(slope), scale=other.get('scale', 0.01))
    again.fit(tmp_path / 'net', begin_epoch=1)
    sentence = f'{tmp_path / "net"} has another network than this training: that of the checkpoint goes on'
    assert warnings(caplog) == [sentence]
    images = again.train.images.reshape(12, -1)
    args = {name: value.asnumpy() for name, value in again.parameters()[0].items()}
    hidden = images @ args['fullyconnected0_weight'].T + args['fullyconnected0_bias']
    hidden = np.where(hidden > 0, hidden, 0.25 * hidden)
    expected = hidden @ args['embedding_weight'].T + args['embedding_bias']
    np.testing.assert_allclose(again.predict(again.train)[0], expected, rtol=1e-4, atol=1e-5)


def test_a_network_with_other_labels_is_refused(tmp_path):
    training('center_loss', 1).fit(tmp_path / 'net')
    with pytest.raises(ValueError) as refused:
        training('softmax', 2).fit(tmp_path / 'net', begin_epoch=1)
    found = (
        'softmax_label, center_label, but this training has one with softmax_label; expected the same network'
    )
    assert str(refused.value) == f'{tmp_path / "net"} has a network with the labels {found}'

"""A weight that is a Variable of the network, and networks without one, which stay as they were."""

from __future__ import annotations

import json
from pathlib import Path

from centerloss_mx.symbol import (
    center_loss,
    describe,
    joint_supervision,
    scale_variable,
    supervised,
    sync_center_loss,
)
from centerloss_mx.symbol.description import batchsizes, with_batchsize

import mxnet as mx
import pytest

NUM_CLASS, DIM = 10, 4
FILES = Path(__file__).parent / 'fixed_scale'
FACTORIES = {
    'center_loss': lambda **options: center_loss(batchsize=8, alpha=0.3, **options),
    'sync_center_loss': lambda **options: sync_center_loss(embedding_dim=DIM, **options),
}


def network(loss, scale):
    with mx.name.NameManager():
        data, label = mx.sym.Variable('data'), mx.sym.Variable('label')
        return FACTORIES[loss](
            data=data, label=label, num_class=NUM_CLASS, scale=scale, use_ignore=True, name='loss'
        )


@pytest.mark.parametrize('loss', FACTORIES)
def test_a_network_with_a_fixed_weight_is_node_for_node_what_it_was(loss):
    """The files were written before a weight could be an input."""
    assert json.loads(network(loss, 0.1).tojson()) == json.loads((FILES / f'{loss}.json').read_text())
    assert [info.scale for info in describe(network(loss, 0.1))] == [None]


@pytest.mark.parametrize('loss', FACTORIES)
def test_a_weight_adds_one_argument_and_nothing_else(loss):
    fixed, ours = network(loss, 0.1), network(loss, scale_variable(0.1))
    assert set(ours.list_arguments()) == {*fixed.list_arguments(), 'center_loss_scale'}
    assert ours.list_auxiliary_states() == fixed.list_auxiliary_states()
    assert ours.list_outputs() == fixed.list_outputs()
    assert describe(ours) == [info._replace(scale='center_loss_scale') for info in describe(fixed)]
    assert describe(mx.sym.load_json(ours.tojson())) == describe(ours)
    assert batchsizes(ours) == batchsizes(fixed)
    assert batchsizes(with_batchsize(ours, 16)) == batchsizes(with_batchsize(fixed, 16))


@pytest.mark.parametrize('loss', FACTORIES)
def test_a_weight_may_be_composed_later_or_computed(loss):
    later = network(loss, mx.sym.Variable('weight'))
    assert describe(later(weight=scale_variable(0.1, 'other')))[0].scale == 'other'
    half = mx.sym.broadcast_mul(scale_variable(0.1), scale_variable(0.5, 'factor'), name='product')
    assert describe(network(loss, half))[0].scale == 'product_output'


@pytest.mark.parametrize('centers', ['aux', 'kvstore'])
def test_joint_supervision_and_supervised_pass_a_weight_on(centers):
    embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=DIM, name='embedding')
    loss = 'center_loss' if centers == 'aux' else 'sync_center_loss'
    for net in (
        joint_supervision(embedding, NUM_CLASS, scale_variable(0.1), centers=centers, embedding_dim=DIM),
        supervised(embedding, NUM_CLASS, loss, DIM, scale=scale_variable(0.1)),
    ):
        assert describe(net)[0].scale == 'center_loss_scale'


@pytest.mark.parametrize('shape', [(2,), (1, 1)])
def test_a_weight_of_another_shape_is_refused(capfd, shape):
    weight = mx.sym.Variable('weight', shape=shape, dtype='float32')
    with pytest.raises(ValueError) as error:
        network('sync_center_loss', weight)
    assert str(error.value) == f'loss: scale has shape {shape}; expected (1,)'
    with pytest.raises(mx.MXNetError):  # by the operator, when it is bound
        network('center_loss', weight).infer_shape(data=(8, DIM))
    assert f'scale has shape {shape}; expected (1,)' in capfd.readouterr().out

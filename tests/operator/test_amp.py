"""`mx.contrib.amp`: what it casts around center losses, and that networks train as in float32."""

from __future__ import annotations

import json
from functools import lru_cache

import centerloss_mx as cl

import mxnet as mx
import numpy as np
import pytest
from mxnet.contrib import amp

NUM_CLASS, DIM, BATCH = 5, 4, 20
LOSSES = [loss for loss in cl.symbol.LOSSES if loss != 'softmax']
DATA_NAMES = ['data', 'softmax_label', 'center_label']

# The share by which parameters may differ of the largest way that one has gone. A value in bfloat16 has a
# relative error of up to 2^-8, one in float16 2^-11, and gradients go through a few of them in each layer.
TOLERANCE = {'bfloat16': 2**-5, 'float16': 2**-8}


@pytest.fixture(params=['bfloat16', 'float16'])
def dtype(request):
    """What the CPU computes: float16 in activations only, bfloat16 in all layers if the processor has it."""
    if request.param == 'bfloat16':
        request.getfixturevalue('bfloat16')
    return request.param


def embedding():
    hidden = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=16, name='fc1')
    hidden = mx.sym.FullyConnected(mx.sym.Activation(hidden, act_type='tanh'), num_hidden=DIM, name='fc')
    return mx.sym.Activation(hidden, act_type='tanh', name='embedding')


def with_losses(features, loss='center_loss'):
    options = {'batchsize': BATCH, 'use_ignore': True} if loss == 'center_loss' else {}
    return cl.symbol.supervised(features, NUM_CLASS, loss, DIM, scale=0.1, **options)


def lists(dtype):
    """What `amp` casts: all that it can, but on a CPU layers do not run in float16."""
    if dtype == 'bfloat16':
        return {}
    layers = amp.list_lp16_ops('float16')
    return {
        'target_dtype_ops': ['Activation'],
        'conditional_fp32_ops': [],
        'fp32_ops': amp.list_fp32_ops('float16') + layers,
    }


def names(net):
    return [name for name in DATA_NAMES if name in net.list_arguments()]


def samples():
    rng = np.random.RandomState(1)
    labels = rng.randint(NUM_CLASS, size=200)
    data = rng.randn(len(labels), 8) + 2 * np.eye(NUM_CLASS, 8)[labels]
    return cl.io.CenterLossIter(mx.io.NDArrayIter(data.astype('float32'), labels.astype('float32'), BATCH))


def values(module):
    return {name: array.asnumpy() for kind in module.get_params() for name, array in kind.items()}


def trained(net, loss='center_loss', num_epoch=5):
    np.random.seed(2)
    mx.random.seed(2)
    optimizer, options = 'sgd', {'learning_rate': 0.1}
    if loss == 'sync_center_loss':
        optimizer, options = 'centers', {'base': 'sgd', 'alpha': 0.5, **options}
    labels = names(net)[1:]
    data_iter = samples()
    module = cl.module.Module(net, label_names=labels)
    module.fit(
        data_iter if len(labels) == 2 else data_iter.data_iter,
        eval_metric=cl.metric.Accuracy(),
        num_epoch=num_epoch,
        initializer=mx.init.Xavier(),
        optimizer=optimizer,
        optimizer_params=options,
    )
    return module


@lru_cache(maxsize=None)
def in_float32(loss):
    """The parameters before and after a training."""
    net = with_losses(embedding(), loss)
    return values(trained(net, loss, num_epoch=0)), values(trained(net, loss))


def nodes_of(net):
    return json.loads(net.tojson(remove_amp_cast=False))['nodes']


@pytest.mark.parametrize('target', ['bfloat16', 'float16'])
def test_features_are_cast_in_front_of_the_operator_and_nothing_else_is(target):
    net = with_losses(embedding())
    low = amp.convert_symbol(net, target, data_names=DATA_NAMES)
    nodes = nodes_of(low)
    by_name = {node['name']: node for node in nodes}
    operator = by_name['center_loss_']
    cast, *others = (nodes[number] for number, *_ in operator['inputs'])
    assert (cast['op'], cast['attrs']['dtype']) == ('amp_cast', 'float32')
    assert nodes[cast['inputs'][0][0]] is by_name['embedding']
    assert [node['name'] for node in others] == ['center_label', *net.list_auxiliary_states()]
    assert nodes[by_name['center_loss']['inputs'][0][0]] is operator
    assert {node['op'] for node in others} == {'null'}
    for kind in 'arguments', 'auxiliary_states', 'outputs':
        assert getattr(low, f'list_{kind}')() == getattr(net, f'list_{kind}')()
    assert cl.symbol.describe(low) == cl.symbol.describe(net)


def assert_trains_as_in_float32(low, loss, dtype):
    casts = [node['attrs']['dtype'] for node in nodes_of(low) if node['op'] == 'amp_cast']
    assert dtype in casts and 'float32' in casts
    start, expected = in_float32(loss)
    found = values(trained(low, loss))
    assert {array.dtype for array in found.values()} == {np.dtype('float32')}  # the centers, too
    way = max(np.abs(expected[name] - start[name])[..., :DIM].max() for name in start)
    for name in expected:
        difference = np.abs(found[name] - expected[name]).max()
        assert 0 < difference <= TOLERANCE[dtype] * way, name


@pytest.mark.parametrize('loss', LOSSES)
def test_losses_behind_a_converted_network_train_as_in_float32(loss, dtype):
    low = amp.convert_symbol(embedding(), dtype, data_names=['data'], **lists(dtype))
    assert_trains_as_in_float32(with_losses(low, loss), loss, dtype)


@pytest.mark.parametrize(
    'loss, dtype',
    [('center_loss', 'float16'), *((loss, 'bfloat16') for loss in LOSSES)],
    indirect=['dtype'],
)
def test_a_network_that_is_converted_with_its_losses_trains_as_in_float32(loss, dtype):
    net = with_losses(embedding(), loss)
    low = amp.convert_symbol(net, dtype, data_names=names(net), **lists(dtype))
    assert_trains_as_in_float32(low, loss, dtype)


def test_a_converted_model_keeps_centers_and_scores_as_in_float32(dtype):
    net = with_losses(embedding())
    module, accuracy = trained(net), cl.metric.Accuracy
    expected = module.score(samples(), accuracy())
    for cast_params in False, True:
        options = {'cast_optional_params': cast_params, **lists(dtype)}
        low, arg_params, aux_params = amp.convert_model(net, *module.get_params(), dtype, **options)
        assert {array.dtype for array in aux_params.values()} == {np.float32}
        scoring = cl.module.Module(low, label_names=DATA_NAMES[1:])
        scoring.bind(samples().provide_data, samples().provide_label, for_training=False)
        scoring.set_params(arg_params, aux_params)
        assert scoring.score(samples(), accuracy())[0][1] == pytest.approx(expected[0][1], abs=0.02)

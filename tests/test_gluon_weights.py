"""`gluon.CenterLoss` as a `gluon.loss.Loss`: weights of samples, the estimator, and what it refuses."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import zlib
from base64 import b64decode

from centerloss_mx import reference
from centerloss_mx.dataset import load_samples
from centerloss_mx.gluon import CenterLoss

import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd, gluon
from mxnet.gluon.contrib.estimator import Estimator

SEED, DIM, NUM_CLASS, IGNORE = 20161008, 5, 6, -1
MODES = ['eager', 'hybridized', 'static']


def block_of(mode='eager', dtype='float32', ctx=None, **parameters):
    block = CenterLoss(NUM_CLASS, DIM, **parameters)
    block.initialize(ctx=ctx)
    block.cast(dtype)
    if mode != 'eager':
        block.hybridize(static_alloc=mode == 'static', static_shape=mode == 'static')
    block.center_bias.set_data(mx.nd.array(np.random.RandomState(SEED).randn(NUM_CLASS, DIM)))
    return block


def batch(n, dtype='float32'):
    rng = np.random.RandomState(SEED + n)
    return rng.randn(n, DIM).astype(dtype), rng.randint(0, NUM_CLASS, n), rng.rand(n) * 3


def step(block, x, y, weights=None, head=None):
    x, y = mx.nd.array(x, dtype=x.dtype), mx.nd.array(y)
    x.attach_grad()
    with autograd.record():
        losses = block(x, y) if weights is None else block(x, y, weights)
    losses.backward(head)
    return losses.asnumpy(), x.grad.asnumpy()


@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('dtype', ['float16', 'float64'])
@pytest.mark.parametrize('normalization', ['null', 'valid'])
def test_weights_are_those_of_losses_and_gradients_and_not_of_the_move(
    backend, mode, dtype, normalization, assert_close
):
    block = block_of(
        mode, dtype, alpha=0.3, scale=0.7, normalization=normalization, use_ignore=True, ignore_label=IGNORE
    )
    wide = np.promote_types(dtype, np.float32)
    for n, kind in (7, '(N,)'), (8, '(N, 1)'), (1, 'int64'), (30, 'float16'):
        x, y, w = batch(n, dtype)
        y[::4] = IGNORE
        before = block.center_bias.data().asnumpy()
        w = w.astype('int64' if kind == 'int64' else 'float16' if kind == 'float16' else 'float32')
        head = np.random.RandomState(n).randn(n).astype(wide)
        weights = mx.nd.array(w.reshape((-1, 1)) if kind == '(N, 1)' else w, dtype=w.dtype)
        losses, gradient = step(block, x, y, weights, mx.nd.array(head, dtype=wide))
        expected, to_x = reference.weighted_center_loss(x, y, before, w, IGNORE)
        factor = 0.7 / reference.normalizer(y, normalization, IGNORE)
        assert losses.shape == (n,) and losses.dtype == wide
        assert_close(losses, factor * expected)
        assert_close(gradient, factor * head[:, np.newaxis] * to_x)
        moved = reference.center_update(x, y, before, 0.3, ignored=IGNORE)
        assert_close(block.center_bias.data().asnumpy(), moved)


@pytest.mark.parametrize('mode', MODES)
def test_the_weighted_gradient_is_that_of_the_losses_by_finite_differences(mode):
    block, (x, y, w) = block_of(mode, 'float64', alpha=0.0, scale=0.6), batch(9, 'float64')
    weights = mx.nd.array(w, dtype='float64')
    _, gradient = step(block, x, y, weights)
    for row, column in (0, 0), (3, 4), (8, 2):
        ends = []
        for sign in 1, -1:
            moved = x.copy()
            moved[row, column] += sign * 1e-5
            ends.append(block(mx.nd.array(moved, dtype='float64'), mx.nd.array(y), weights).asnumpy().sum())
        assert gradient[row, column] == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-6)


def test_each_device_weighs_its_own_slice():
    devices = [mx.cpu(0), mx.cpu(1)]
    block, (x, y, w) = block_of(ctx=devices), batch(8)
    before = block.center_bias.data(devices[0]).asnumpy()
    slices = [mx.nd.array(x[:4], devices[0]), mx.nd.array(x[4:], devices[1])]
    for features in slices:
        features.attach_grad()
    with autograd.record():
        losses = [
            block(features, mx.nd.array(y[part], ctx), mx.nd.array(w[part], ctx))
            for features, ctx, part in zip(slices, devices, (slice(0, 4), slice(4, 8)))
        ]
    autograd.backward(losses)
    expected, _ = reference.weighted_center_loss(x, y, before, w)
    np.testing.assert_allclose(np.concatenate([loss.asnumpy() for loss in losses]), expected, rtol=1e-5)
    for ctx, part in zip(devices, (slice(0, 4), slice(4, 8))):
        moved = reference.center_update(x[part], y[part], before, 0.5)
        np.testing.assert_allclose(block.center_bias.data(ctx).asnumpy(), moved, rtol=1e-5, atol=1e-6)


class Weighted(gluon.HybridBlock):
    """A network whose third input weighs its center loss."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.embedding, self.center = gluon.nn.Dense(DIM, in_units=3), CenterLoss(NUM_CLASS, DIM)

    def hybrid_forward(self, F, x, y, w):
        return self.center(self.embedding(x), y, w)


def test_an_exported_network_with_weights_trains_on_in_a_symbol_block(tmp_path):
    net = Weighted(prefix='net_')
    net.initialize(mx.init.Xavier())
    net.hybridize()
    rng = np.random.RandomState(SEED)
    inputs = mx.nd.array(rng.randn(9, 3)), mx.nd.array(batch(9)[1]), mx.nd.array(batch(9)[2])
    net(*inputs)
    net.export(str(tmp_path / 'net'))
    files = [str(tmp_path / name) for name in ('net-symbol.json', 'net-0000.params')]
    with pytest.warns(UserWarning, match='Cannot decide type'):  # MXNet's, of any network with two inputs
        imported = gluon.SymbolBlock.imports(files[0], ['data0', 'data1', 'data2'], files[1])
    found = []
    for block in net, imported:
        with autograd.record():
            losses = block(*inputs)
        losses.backward()
        mx.nd.waitall()
        params = block.collect_params()
        found.append((losses.asnumpy(), params['net_centerloss0_center_bias'].data().asnumpy()))
    for ours, theirs in zip(*found):
        assert (ours == theirs).all() and ours.any()


def test_a_block_without_weights_is_the_same_symbol_as_before():
    block = CenterLoss(NUM_CLASS, DIM, prefix='c_')
    symbol = block(mx.sym.Variable('data'), mx.sym.Variable('label'))
    assert [node['op'] for node in json.loads(symbol.tojson())['nodes']] == ['null', 'null', 'null', 'Custom']
    assert list(CenterLoss(2, 3, prefix='x_').collect_params()) == ['x_center_bias']


# `save_parameters` of CenterLoss(2, 3) whose centers were 0..5, written before it was a `gluon.loss.Loss`.
SAVED = 'eNoTYmRAATDuyV+Tf4JoJigGAWY0NQjQYA8kHIAIiBuAeIEDTA03lE5OzStJLYpPykwsBgC+4gsW'


def test_parameters_saved_before_it_was_a_loss_are_loaded(tmp_path):
    path = tmp_path / 'block.params'
    path.write_bytes(zlib.decompress(b64decode(SAVED)))
    block = CenterLoss(2, 3)
    block.load_parameters(str(path))
    assert block.center_bias.data().asnumpy().tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize('devices', [1, 2])
def test_gluons_estimator_trains_with_it(devices):
    samples = load_samples('digits', 'train')
    x, y = samples.images[:48].astype('float32') / 255, samples.labels[:48].astype('float32')
    contexts = [mx.cpu(i) for i in range(devices)]
    mx.random.seed(1)
    net, loss = gluon.nn.Dense(2), CenterLoss(10, 2, scale=0.1)
    for block in net, loss:
        block.initialize(mx.init.Xavier(), ctx=contexts)
    assert isinstance(loss, gluon.loss.Loss)
    data = gluon.data.DataLoader(gluon.data.ArrayDataset(mx.nd.array(x), mx.nd.array(y)), 16)
    history = mx.metric.Loss('loss')
    trainer = gluon.Trainer(net.collect_params(), 'sgd', {'learning_rate': 0.1})
    estimator = Estimator(net, loss, train_metrics=[history], trainer=trainer, context=contexts)
    estimator.logger.setLevel(logging.ERROR)

    def total():
        return loss(net(mx.nd.array(x)), mx.nd.array(y)).asnumpy().mean()

    before = total()
    estimator.fit(data, epochs=2)
    assert loss.center_bias.data(contexts[-1]).asnumpy().any(axis=1).sum() >= 9  # classes of the first digits
    assert total() < before
    assert history.get()[1] > 0


@pytest.mark.parametrize('shape', [(3,), (4, 2), (1, 4), (4, 1, 1)])
def test_weights_of_another_shape_are_refused(shape):
    block, (x, y, _) = block_of(), batch(4)
    before = block.center_bias.data().asnumpy()
    with pytest.raises(ValueError, match=r'sample_weight has shape \(.*\); expected \(4,\) or \(4, 1\)'):
        step(block, x, y, mx.nd.ones(shape))
    assert (block.center_bias.data().asnumpy() == before).all()


@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('training', [False, True])
def test_bool_labels_are_refused(mode, training):
    block = block_of(mode)
    label = mx.nd.array([1, 0]).astype('bool')
    with autograd.record(train_mode=training), pytest.raises(
        ValueError, match='label is bool; expected class'
    ):
        block(mx.nd.ones((2, DIM)), label)


NUMPY_MODE = """
import sys
import centerloss_mx as cl
from centerloss_mx.gluon import CenterLoss
import mxnet as mx

embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=3, name='embedding')
net = cl.symbol.joint_supervision(embedding, 4, 0.1, batchsize=2)
names = ['softmax_label', 'center_label']
block, module = CenterLoss(4, 3), cl.module.Module(net, label_names=names)
block.initialize()

def told(call):
    try:
        call()
    except ValueError as error:
        print(error)

mx.npx.set_np()
told(lambda: CenterLoss(4, 3))
told(lambda: block(mx.np.ones((2, 3)), mx.np.zeros(2)))
told(lambda: cl.module.Module(net, label_names=names))
told(lambda: module.bind([('data', (2, 5))], [(name, (2,)) for name in names]))
try:
    mx.nd.Custom(mx.np.ones((2, 3)), mx.np.zeros(2), op_type='centerloss', num_class=4)
except TypeError as error:
    print('as_nd_ndarray' in str(error))  # MXNet's own sentence
mx.npx.reset_np()
block(mx.nd.ones((2, 3)), mx.nd.zeros(2))
module.bind([('data', (2, 5))], [(name, (2,)) for name in names])
print('again')
"""


def test_numpy_mode_is_refused_with_what_to_do():
    process = subprocess.run([sys.executable, '-c', NUMPY_MODE], capture_output=True, text=True, timeout=120)
    *told, own, again = process.stdout.splitlines()
    assert (len(told), own, again) == (4, 'True', 'again'), process.stderr[-2000:]
    for sentence in told:
        assert 'mx.npx.set_np() is on' in sentence and 'Call mx.npx.reset_np()' in sentence

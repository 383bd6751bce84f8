"""The Gluon block against the oracle and the symbol operator: eager, hybridized, and with static memory."""

from __future__ import annotations

import itertools
import threading
import time

from centerloss_mx import reference
from centerloss_mx.gluon import CenterLoss

import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd, gluon
from mxnet.gluon import nn

SEED = 20161008
IGNORE = -1
DIM, NUM_CLASS = 5, 6
MODES = ['eager', 'hybridized', 'static']


@pytest.fixture(params=MODES)
def mode(request):
    return request.param


def ready(block, mode, ctx=None):
    block.initialize(mx.init.Xavier(), ctx=ctx)
    if mode != 'eager':
        block.hybridize(static_alloc=mode == 'static', static_shape=mode == 'static')
    return block


def center_loss(mode='eager', dtype='float32', num_class=NUM_CLASS, dim=DIM, centers=None, **parameters):
    block = ready(CenterLoss(num_class, dim, **parameters), mode)
    block.cast(dtype)
    if centers is not None:
        block.center_bias.set_data(mx.nd.array(centers, dtype=block.center_bias.dtype))
    return block


def random_centers():
    return np.random.RandomState(SEED).randn(NUM_CLASS, DIM)


def centers_of(block, ctx=None):
    return block.center_bias.data(ctx).asnumpy()


def batch(n, dtype='float32', seed=SEED, ignore=False):
    """Features and labels, seeded; some labels ignored, their features NaN."""
    rng = np.random.RandomState(seed + n)
    x, y = rng.randn(n, DIM).astype(dtype), rng.randint(0, NUM_CLASS, n)
    if ignore:
        ignored = rng.rand(n) < 0.3
        x[ignored], y[ignored] = np.nan, IGNORE
    return mx.nd.array(x, dtype=dtype), mx.nd.array(y)


def step(block, x, y, head=None):
    """Losses and gradient of one recorded call."""
    x.attach_grad()
    with autograd.record():
        loss = block(x, y)
    loss.backward(head)
    return loss.asnumpy(), x.grad.asnumpy()


# --- what it computes ----------------------------------------------------------------------------------


@pytest.mark.parametrize('dtype', ['float16', 'float32', 'float64'])
@pytest.mark.parametrize('normalization', ['null', 'batch', 'valid'])
@pytest.mark.parametrize('ignore', [False, True])
def test_losses_gradients_and_centers_agree_with_the_oracle_at_any_batch_size(
    backend, mode, assert_close, dtype, normalization, ignore
):
    """The head gradient is random: each sample's gradient has its own weight, the centers' move has none."""
    scale, ignored = 0.7, IGNORE if ignore else None
    block = center_loss(
        mode,
        dtype,
        centers=random_centers(),
        alpha=0.3,
        scale=scale,
        normalization=normalization,
        use_ignore=ignore,
        ignore_label=IGNORE,
    )
    wide = np.promote_types(dtype, np.float32)
    for i, n in enumerate([7, 64, 1, 7, 30]):
        x, y = batch(n, dtype, SEED + i, ignore)
        head = np.random.RandomState(i).randn(n)
        before = centers_of(block)
        losses, gradient = step(block, x, y, mx.nd.array(head, dtype=wide))
        x, y = x.asnumpy(), y.asnumpy()
        factor = scale / reference.normalizer(y, normalization, ignored)
        _, difference = reference.center_loss(x, y, before, ignored)
        assert losses.shape == (n,) and losses.dtype == wide
        assert_close(losses, factor * 0.5 * (difference**2).sum(axis=1))
        assert_close(gradient, factor * head.astype(wide)[:, np.newaxis] * difference)
        assert_close(centers_of(block), reference.center_update(x, y, before, 0.3, ignored=ignored))


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
@pytest.mark.parametrize('update', ['paper', 'moving_average'])
def test_twenty_steps_give_the_centers_of_the_symbol_operator_to_the_last_bit(
    backend, mode, bound, dtype, update
):
    block = center_loss(mode, dtype, centers=random_centers(), alpha=0.3, scale=0.7, update=update)
    operator = bound(33, DIM, NUM_CLASS, dtype, alpha=0.3, scale=0.7, update=update, normalization='null')
    operator.centers = mx.nd.array(random_centers(), dtype=dtype)
    for i in range(20):
        x, y = batch(33, dtype, SEED + i)
        _, gradient = step(block, x, y)
        _, expected = operator.step(x, y.asnumpy())
        assert (gradient == expected).all()
        assert (centers_of(block) == operator.centers).all()
    assert (operator.centers != random_centers()).all()


def test_a_factor_behind_the_block_scales_the_gradient_and_not_the_move(backend, mode):
    gradients, centers = [], []
    for factor in 1, 0.001:
        block = center_loss(mode)
        x, y = batch(7)
        x.attach_grad()
        with autograd.record():
            loss = (block(x, y) * factor).sum()
        loss.backward()
        gradients.append(x.grad.asnumpy())
        centers.append(centers_of(block))
    np.testing.assert_allclose(gradients[1], 0.001 * gradients[0], rtol=1e-6)
    assert gradients[0].all() and (centers[0] == centers[1]).all() and centers[0].any()


def test_the_gradient_is_that_of_the_losses_by_finite_differences(backend, mode):
    block = center_loss(mode, 'float64', centers=random_centers(), alpha=0, scale=0.7)
    x, y = batch(7, 'float64')
    head = mx.nd.array(np.random.RandomState(SEED).randn(7), dtype='float64')
    _, gradient = step(block, x, y, head)
    x = x.asnumpy()
    for index in np.ndindex(x.shape):
        ends = []
        for sign in 1, -1:
            moved = x.copy()
            moved[index] += sign * 1e-4
            ends.append((block(mx.nd.array(moved, dtype='float64'), y) * head).sum().asscalar())
        assert abs((ends[0] - ends[1]) / 2e-4 - gradient[index]) < 1e-7


class Net(gluon.HybridBlock):
    """A layer, a classifier and both losses in one; its input's size is not told beforehand."""

    def __init__(self, scale=0.7, **keywords):
        super().__init__(**keywords)
        with self.name_scope():
            self.body, self.classes = nn.Dense(DIM), nn.Dense(NUM_CLASS)
            self.center = CenterLoss(NUM_CLASS, DIM, scale=scale)
            self.softmax = gluon.loss.SoftmaxCrossEntropyLoss()

    def hybrid_forward(self, F, x, y):
        embedding = self.body(x)
        logits = self.classes(embedding)
        return embedding, self.softmax(logits, y) + self.center(embedding, y)


def test_beside_gluons_softmax_loss_scale_is_the_papers_lambda(backend, mode):
    """One Trainer step takes the class layer and the layer below it down the slope of L_S + lambda L_C."""
    net, n, rate = ready(Net(scale=0.7), mode), 9, 0.1
    x, y = mx.nd.array(np.random.RandomState(SEED).randn(n, 3)), batch(n)[1]
    with autograd.pause():
        embedding = net(x, y)[0].asnumpy()
    before = {name: value.data().asnumpy() for name, value in net._collect_params_with_prefix().items()}
    trainer = gluon.Trainer(net.collect_params(), 'sgd', {'learning_rate': rate})
    with autograd.record():
        _, loss = net(x, y)
    loss.backward()
    trainer.step(n)
    to_x, to_w, to_b = reference.joint_supervision_gradients(
        embedding,
        y.asnumpy(),
        *(before[name] for name in ('classes.weight', 'classes.bias', 'center.center_bias')),
        0.7,
    )
    expected = {'classes.weight': to_w, 'classes.bias': to_b, 'body.weight': to_x.T @ x.asnumpy()}
    for name, gradient in expected.items():
        after = net._collect_params_with_prefix()[name].data().asnumpy()
        np.testing.assert_allclose(after, before[name] - rate / n * gradient, atol=1e-6)
    moved = reference.center_update(embedding, y.asnumpy(), before['center.center_bias'], 0.5)
    np.testing.assert_allclose(centers_of(net.center), moved, atol=1e-6)


def test_gradients_add_up_where_they_were_asked_to(backend, mode, assert_close):
    block = center_loss(mode, 'float64', centers=random_centers(), alpha=0)
    x, y = batch(7, 'float64')
    x.attach_grad('add')
    for _ in range(3):
        with autograd.record():
            loss = block(x, y)
        loss.backward()
    _, difference = reference.center_loss(x.asnumpy(), y.asnumpy(), random_centers())
    assert_close(x.grad.asnumpy(), 3 * difference)


def test_calls_before_one_backward_keep_their_gradients_and_add_their_moves(backend, mode, assert_close):
    block = center_loss(mode, 'float64', centers=random_centers())
    batches = [batch(n, 'float64') for n in (7, 30)]
    for x, _ in batches:
        x.attach_grad()
    with autograd.record():
        losses = [block(x, y) for x, y in batches]
    autograd.backward(losses)
    moved = random_centers()
    for x, y in ((x.asnumpy(), y.asnumpy()) for x, y in batches):
        moved += reference.center_update(x, y, random_centers(), 0.5) - random_centers()
    for x, y in batches:
        _, difference = reference.center_loss(x.asnumpy(), y.asnumpy(), random_centers())
        assert_close(x.grad.asnumpy(), difference)
    assert_close(centers_of(block), moved)


@pytest.mark.parametrize('backend', ['host', 'device'], indirect=True)
def test_moves_of_calls_that_share_their_centers_never_overlap(backend, mode, monkeypatch):
    """The engine takes both backward passes for readers, and does run them at the same time."""
    move, moving, entered = backend.move, threading.Lock(), []

    def watched(*arguments):
        entered.append(moving.acquire(blocking=False))
        time.sleep(0.05)
        move(*arguments)
        if entered[-1]:
            moving.release()

    monkeypatch.setattr(backend, 'move', staticmethod(watched))
    block = center_loss(mode)
    batches = [batch(n) for n in (7, 8, 9)]
    for x, _ in batches:
        x.attach_grad()
    with autograd.record():
        losses = [block(x, y) for x, y in batches]
    autograd.backward(losses)
    centers_of(block)
    assert entered == [True] * 3


def test_blocks_may_share_their_centers(mode):
    block = center_loss(mode)
    other = CenterLoss(NUM_CLASS, DIM, params=block.params)
    step(other, *batch(7))
    assert centers_of(block).any() and other.center_bias is block.center_bias


# --- when the centers move, and who may touch them -----------------------------------------------------


def test_without_backward_or_training_the_centers_stay(backend, mode):
    block = center_loss(mode, centers=random_centers())
    x, y = batch(7)
    x.attach_grad()
    before = centers_of(block)
    block(x, y).wait_to_read()
    with autograd.record():
        block(x, y).wait_to_read()
        with autograd.pause():
            block(x, y).wait_to_read()
    assert (centers_of(block) == before).all()


def test_recorded_in_predict_mode_the_gradient_is_true_and_the_centers_stay(backend, mode, assert_close):
    block = center_loss(mode, 'float64', centers=random_centers())
    x, y = batch(7, 'float64')
    x.attach_grad()
    with autograd.record(train_mode=False):
        loss = block(x, y)
    loss.backward()
    _, difference = reference.center_loss(x.asnumpy(), y.asnumpy(), random_centers())
    assert_close(x.grad.asnumpy(), difference)
    assert (centers_of(block) == random_centers()).all()


@pytest.mark.parametrize('label', [NUM_CLASS, -2, 0.5, np.nan])
def test_in_predict_mode_an_unknown_class_gives_nan_and_no_error(backend, mode, label):
    block = center_loss(mode)
    x, y = batch(7)
    assert np.isfinite(block(x, y).asnumpy()).all()
    y[3] = label
    assert np.isnan(block(x, y).asnumpy()).all()
    with autograd.record(train_mode=False):
        assert np.isnan(block(x, y).asnumpy()).all()


def test_no_trainer_touches_the_centers(mode):
    """Not its weight decay, and not after a `grad_req` for all parameters."""
    net = ready(Net(), mode)
    x, y = mx.nd.ones((9, 3)), batch(9)[1]
    net(x, y)
    net.center.center_bias.set_data(mx.nd.array(random_centers()))
    net.collect_params().setattr('grad_req', 'write')
    trainer = gluon.Trainer(net.collect_params(), 'sgd', {'learning_rate': 0.1, 'wd': 0.5, 'momentum': 0.9})
    for _ in range(3):
        with autograd.record():
            _, loss = net(x, y)
        loss.backward()
        moved = centers_of(net.center)
        weight = net.body.weight.data().asnumpy()
        trainer.step(9)
        assert (centers_of(net.center) == moved).all()
        assert (net.body.weight.data().asnumpy() != weight).any()


def test_an_initializer_for_all_parameters_zeroes_the_centers():
    block = CenterLoss(NUM_CLASS, DIM)
    block.initialize(mx.init.Normal(1))
    assert not centers_of(block).any()


def own_centers(block, path):
    return centers_of(block)


def listed_centers(block, path):
    return block.center_bias.list_data()[0].asnumpy()


def saved_centers(block, path):
    block.save_parameters(path)
    return mx.nd.load(path)['center_bias'].asnumpy()


def cast_centers(block, path):
    block.cast('float64')
    return centers_of(block)


def late(loss):
    """The loss behind a factor of 1 that is long in coming, and with it the head gradient."""
    with autograd.pause():
        matrix = mx.nd.ones((1000, 1000))
        for _ in range(4):
            matrix = mx.nd.dot(matrix, matrix) / 1000
    return loss * matrix[0, 0]


@pytest.mark.parametrize('read', [own_centers, listed_centers, saved_centers, cast_centers])
def test_reading_the_centers_waits_for_their_move(mode, tmp_path, read):
    """While the head gradient is under way, a reader that did not wait would see the old centers."""
    x, y = mx.nd.array(np.random.RandomState(SEED).randn(64, DIM)), mx.nd.zeros(64)
    x.attach_grad()
    for _ in range(3):
        block = center_loss(mode, num_class=1, alpha=1, update='moving_average')
        with autograd.record():
            loss = late(block(x, y))
        loss.backward()
        centers = read(block, str(tmp_path / 'block.params'))
        np.testing.assert_allclose(centers[0], x.asnumpy().mean(axis=0), atol=1e-6)


def test_what_is_loaded_after_a_backward_stays(mode, tmp_path):
    path = str(tmp_path / 'block.params')
    center_loss(centers=random_centers()).save_parameters(path)
    block = center_loss(mode)
    x, y = batch(7)
    x.attach_grad()
    with autograd.record():
        loss = late(block(x, y))
    loss.backward()
    block.load_parameters(path)
    mx.nd.waitall()
    assert (centers_of(block) == random_centers().astype('float32')).all()


# --- saved, cast, exported, on several devices ---------------------------------------------------------


def test_saved_parameters_hold_the_centers_and_nothing_else(mode, tmp_path):
    path = str(tmp_path / 'block.params')
    block = center_loss(mode)
    step(block, *batch(7))
    block.save_parameters(path)
    assert list(mx.nd.load(path)) == ['center_bias']
    loaded = ready(CenterLoss(NUM_CLASS, DIM), mode)
    loaded.load_parameters(path)
    for some in block, loaded:
        step(some, *batch(30))
    assert (centers_of(loaded) == centers_of(block)).all() and centers_of(block).any()


def test_the_centers_of_float16_features_are_float32():
    net = ready(Net(), 'eager')
    net.cast('float16')
    assert net.center.center_bias.dtype == 'float32' and net.body.weight.dtype == 'float16'
    block = center_loss(dtype='float16')
    losses, gradient = step(block, *batch(7, 'float16'))
    assert losses.dtype == centers_of(block).dtype == np.float32 and gradient.dtype == np.float16


def test_an_exported_network_trains_on_in_a_symbol_block(tmp_path):
    net = ready(Net(prefix='net_'), 'hybridized')
    x, y = mx.nd.array(np.random.RandomState(SEED).randn(9, 3)), batch(9)[1]
    trainer = gluon.Trainer(net.collect_params(), 'sgd', {'learning_rate': 0.1})
    with autograd.record():
        _, loss = net(x, y)
    loss.backward()
    trainer.step(9)
    net.export(str(tmp_path / 'net'))
    files = [str(tmp_path / name) for name in ('net-symbol.json', 'net-0000.params')]
    with pytest.warns(UserWarning, match='Cannot decide type'):  # MXNet's, of any network with two inputs
        imported = gluon.SymbolBlock.imports(files[0], ['data0', 'data1'], files[1])
    for block in net, imported:
        with autograd.record():
            _, loss = block(x, y)
        loss.backward()
    mx.nd.waitall()
    centers = imported.collect_params()['net_centerloss0_center_bias'].data().asnumpy()
    assert (centers == centers_of(net.center)).all() and centers.any()


def test_a_block_composes_into_a_symbol():
    symbol = CenterLoss(NUM_CLASS, DIM, prefix='c_')(mx.sym.Variable('data'), mx.sym.Variable('label'))
    assert symbol.list_arguments() == ['data', 'label']
    assert symbol.list_auxiliary_states() == ['c_center_bias'] and symbol.list_outputs() == ['c_fwd_output']
    assert symbol.infer_shape(data=(9, DIM))[1:] == ([(9,)], [(NUM_CLASS, DIM)])


def test_each_device_has_centers_of_its_own_and_the_mean_is_saved(mode, tmp_path):
    devices, path = [mx.cpu(0), mx.cpu(1)], str(tmp_path / 'block.params')
    block = ready(CenterLoss(NUM_CLASS, DIM), mode, devices)
    x, y = batch(30)
    slices = [gluon.utils.split_and_load(array, devices) for array in (x, y)]
    for part in slices[0]:
        part.attach_grad()
    with autograd.record():
        losses = [block(*part) for part in zip(*slices)]
    autograd.backward(losses)
    expected = [
        reference.center_update(a.asnumpy(), b.asnumpy(), np.zeros((NUM_CLASS, DIM)), 0.5)
        for a, b in zip(*slices)
    ]
    for device, centers in zip(devices, expected):
        np.testing.assert_allclose(centers_of(block, device), centers, atol=1e-6)
    np.testing.assert_allclose(saved_centers(block, path), np.mean(expected, axis=0), atol=1e-6)


def test_trainers_first_step_gives_all_devices_the_first_ones_centers(mode):
    devices = [mx.cpu(0), mx.cpu(1)]
    net = ready(Net(), mode, devices)
    x, y = mx.nd.array(np.random.RandomState(SEED).randn(30, 3)), batch(30)[1]
    slices = [gluon.utils.split_and_load(array, devices) for array in (x, y)]
    trainer = gluon.Trainer(net.collect_params(), 'sgd', {'learning_rate': 0.1})
    for same in True, False:
        with autograd.record():
            losses = [net(*part)[1] for part in zip(*slices)]
        autograd.backward(losses)
        first = centers_of(net.center, devices[0])
        trainer.step(30)
        assert (centers_of(net.center, devices[0]) == first).all()
        assert (centers_of(net.center, devices[1]) == first).all() == same


# --- several custom operators in one process -----------------------------------------------------------


class Tenfold(mx.operator.CustomOp):
    """Its gradient is 10, times the head gradient if it takes one."""

    def __init__(self, need_top_grad):
        super().__init__()
        self.need_top_grad = need_top_grad

    def forward(self, is_train, req, in_data, out_data, aux):
        self.assign(out_data[0], req[0], 10 * in_data[0])

    def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
        head = out_grad[0] if self.need_top_grad else mx.nd.ones(in_data[0].shape)
        self.assign(in_grad[0], req[0], 10 * head)


class TenfoldProp(mx.operator.CustomOpProp):
    def create_operator(self, ctx, in_shapes, in_dtypes):
        return Tenfold(self.need_top_grad_)


@mx.operator.register('tenfold_with_head')
class TenfoldWithHeadProp(TenfoldProp):
    def __init__(self):
        super().__init__(need_top_grad=True)


@mx.operator.register('tenfold_without_head')
class TenfoldWithoutHeadProp(TenfoldProp):
    def __init__(self):
        super().__init__(need_top_grad=False)


X, Y = 0.5 * np.ones((4, 2)), np.array([0, 1, 2, 2])
BLOCK, OPERATOR = 'block', 'operator'
GRADIENTS = {BLOCK: 0.5, OPERATOR: 0.5, 'tenfold_with_head': 10, 'tenfold_without_head': 10}
# Two operators of others, one with and one without a head gradient, MXNet itself lets fail.
ORDERS = [
    order
    for other in ('tenfold_with_head', 'tenfold_without_head')
    for order in itertools.permutations([BLOCK, OPERATOR, other])
]
TURNS = list(itertools.permutations(range(3)))


def call(name, F, data, label, block, states=()):
    if name == BLOCK:
        return block(data, label)
    if name == OPERATOR:
        return F.Custom(data, label, *states, op_type='centerloss', num_class=3, normalization='null')
    return F.Custom(data, op_type=name)


@pytest.mark.parametrize('order', ORDERS, ids='-'.join)
def test_custom_operators_live_together_imperatively(mode, order):
    """Called in every order, all before the first backward, and their backwards in every order."""
    for turn in TURNS:
        block = center_loss(mode, num_class=3, dim=2)
        x = [mx.nd.array(X) for _ in order]
        for array in x:
            array.attach_grad()
        with autograd.record():
            losses = [
                # labels of their own: MXNet forgets, after one backward, inputs that have no gradient
                call(name, mx.nd, array, mx.nd.array(Y), block, [mx.nd.zeros(s) for s in ((4, 2), (3, 2), 2)])
                for name, array in zip(order, x)
            ]
        for i in turn:
            losses[i].backward()
            assert (x[i].grad.asnumpy() == GRADIENTS[order[i]]).all(), order[i]


@pytest.mark.parametrize('order', ORDERS, ids='-'.join)
def test_custom_operators_live_together_as_symbols(order):
    """Built in every order and bound in every order; forwards first, then backwards."""
    for turn in TURNS:
        data, label, block = mx.sym.Variable('data'), mx.sym.Variable('label'), CenterLoss(3, 2)
        symbols = [mx.sym.MakeLoss(call(name, mx.sym, data, label, block)) for name in order]
        bound = {order[i]: symbols[i].simple_bind(mx.cpu(), data=X.shape) for i in turn}
        for executor in bound.values():
            for name, value in {'data': X, 'label': Y}.items():
                if name in executor.arg_dict:
                    executor.arg_dict[name][:] = value
            for state in executor.aux_arrays:
                state[:] = 0
            executor.forward(is_train=True)
        for name, executor in bound.items():
            executor.backward()
            assert (executor.grad_dict['data'].asnumpy() == GRADIENTS[name]).all(), name


# --- bad input -----------------------------------------------------------------------------------------


@pytest.mark.parametrize('keywords, message', [
    ({'num_class': 0}, 'num_class=0 is not a whole number > 0'),
    ({'embedding_dim': 0}, 'embedding_dim=0 is not a whole number > 0'),
    ({'embedding_dim': 2.5}, 'embedding_dim=2.5 is not a whole number > 0'),
    ({'alpha': 1.5}, r'alpha=1.5 is not a number in \[0, 1\]'),
    ({'scale': -1}, 'scale=-1 is not a finite number >= 0'),
    ({'normalization': 'mean'}, "normalization='mean' is not one of null, batch, valid"),
    ({'use_ignore': 'maybe'}, "use_ignore='maybe' is not True or False"),
    ({'ignore_label': 0.5}, 'ignore_label=0.5 is not a whole number'),
    ({'update': 'ema'}, "update='ema' is not one of paper, moving_average"),
])  # fmt: skip
def test_a_bad_parameter_is_told_when_the_block_is_built(keywords, message):
    with pytest.raises(ValueError, match=message):
        CenterLoss(**{'num_class': 3, 'embedding_dim': 2, **keywords})


@pytest.mark.parametrize('keywords', [
    {'num_class': 1}, {'embedding_dim': 1}, {'alpha': 0}, {'alpha': 1}, {'scale': 0},
])  # fmt: skip
def test_the_ends_of_the_ranges_are_parameters(keywords):
    options = {'num_class': 3, 'embedding_dim': 2, **keywords}
    block = ready(CenterLoss(**options), 'eager')
    assert block.center_bias.shape == (options['num_class'], options['embedding_dim'])


@pytest.mark.parametrize('embedding, label, message', [
    ((4, 3), (4,), r'embedding has shape \(4, 3\); expected \(N, 2\)'),
    ((4, 2, 1), (4,), r'embedding has shape \(4, 2, 1\); expected \(N, 2\)'),
    ((4,), (4,), r'embedding has shape \(4,\); expected \(N, 2\)'),
    ((4, 2), (5,), r'label has shape \(5,\); expected \(4,\)'),
    ((4, 2), (4, 1), r'label has shape \(4, 1\); expected \(4,\)'),
])  # fmt: skip
def test_bad_shapes_are_told_before_anything_runs(mode, embedding, label, message):
    block = center_loss(mode, num_class=3, dim=2)
    with pytest.raises(ValueError, match=f'^centerloss.*: {message}'):
        block(mx.nd.ones(embedding), mx.nd.zeros(label))


@pytest.mark.parametrize('dtype, centers', [
    ('float64', 'float32'), ('float32', 'float64'), ('float16', 'float64'), ('int32', 'float32'),
])  # fmt: skip
def test_features_that_do_not_go_with_the_centers_are_told(mode, dtype, centers):
    block = center_loss(mode, centers)
    with pytest.raises(
        ValueError, match=f'embedding is {dtype} and center_bias {centers}; expected the same'
    ):
        block(mx.nd.ones((4, DIM), dtype=dtype), mx.nd.zeros(4))


@pytest.mark.parametrize('label, message', [
    (NUM_CLASS, rf'label {NUM_CLASS} at row 3 is outside 0..{NUM_CLASS - 1} \(num_class={NUM_CLASS}\)'),
    (-1, 'label -1 at row 3 is outside'),
    (2.5, 'label 2.5 at row 3 is not a whole number'),
    (np.nan, 'label nan at row 3 is not a whole number'),
])  # fmt: skip
def test_a_bad_label_is_told_before_anything_runs_and_the_next_batch_trains(mode, label, message):
    block = center_loss(mode, centers=random_centers())
    x, y = batch(7)
    wrong = y.copy()
    wrong[3] = label
    with pytest.raises(ValueError, match=f'^centerloss.*: {message}'):
        step(block, x, wrong)
    assert (centers_of(block) == random_centers().astype('float32')).all()
    step(block, x, y)
    assert (centers_of(block) != random_centers().astype('float32')).any()


@pytest.mark.parametrize('mode', MODES[1:])
def test_inside_a_hybridized_network_the_operator_tells_a_bad_label(capfd, mode):
    net = ready(Net(), mode)
    x, y = mx.nd.ones((9, 3)), batch(9)[1]
    wrong = y.copy()
    wrong[3] = NUM_CLASS
    with pytest.raises(mx.MXNetError), autograd.record():
        net(x, wrong)[1].asnumpy()
    assert f'label {NUM_CLASS} at row 3 is outside' in capfd.readouterr().out
    assert not centers_of(net.center).any()
    with autograd.record():
        _, loss = net(x, y)
    loss.backward()
    assert np.isfinite(loss.asnumpy()).all() and centers_of(net.center).any()


def test_features_without_a_finite_loss_do_not_poison_the_centers(capfd, backend, mode):
    block = center_loss(mode, centers=random_centers())
    x, y = batch(7)
    x[2, 1] = np.nan
    with pytest.raises(mx.MXNetError):
        step(block, x, y)
    assert 'lower the scale or the learning rate' in capfd.readouterr().out
    assert (centers_of(block) == random_centers().astype('float32')).all()
    losses, _ = step(block, *batch(7))
    assert np.isfinite(losses).all()

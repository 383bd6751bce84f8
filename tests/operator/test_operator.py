"""The operator against the oracle, its types, its limits and its errors."""

from __future__ import annotations

import ctypes
import itertools
import os
import subprocess
import sys
import time

from centerloss_mx import reference
from centerloss_mx.operator import CenterLoss, CenterLossParam, CenterLossPerSampleProp, CenterLossProp

import mxnet as mx
import numpy as np
import pytest
from mxnet.base import _LIB, check_call

SEED = 20161008
IGNORE = -1
DIM, NUM_CLASS = 5, 6


def batches(n, dtype, ignore=False, steps=1, label_dtype='float32'):
    """Seeded random batches around class means; some labels ignored, their features NaN."""
    rng = np.random.RandomState(SEED + n)
    print(f'seed {SEED + n}')
    means = 3 * rng.randn(NUM_CLASS, DIM)
    for _ in range(steps):
        y = rng.randint(0, NUM_CLASS, n)
        x = (means[y] + rng.randn(n, DIM)).astype(dtype)
        if ignore:
            ignored = rng.rand(n) < 0.3
            y[ignored], x[ignored] = IGNORE, np.nan
        yield x, y.astype(label_dtype)


def in_memory(array):
    """What an array holds, as NumPy's view of its memory, which waits for nothing."""
    array.wait_to_read()
    pointer = ctypes.c_void_p()
    check_call(_LIB.MXNDArrayGetData(array.handle, ctypes.byref(pointer)))
    floats = ctypes.cast(pointer, ctypes.POINTER(ctypes.c_float))
    return np.ctypeslib.as_array(floats, array.shape)


def plain_step(x, y, c, factor, divisor, alpha, update):
    """The formulas as one would write them in the operator's own dtypes: the measure of rounding."""
    wide = c.dtype.type
    kept = y != IGNORE
    x, y = x[kept].astype(wide), y[kept].astype(int)
    diff = x - c[y]
    loss = wide(0.5) * np.square(diff).sum() / wide(divisor)
    gradient = np.zeros((len(kept), c.shape[1]), wide)
    gradient[kept] = diff * wide(factor)
    c = c.copy()
    for j in np.unique(y):
        n = (y == j).sum() + (update == 'paper')
        c[j] += wide(alpha / n) * diff[y == j].sum(axis=0)
    return loss, gradient, c


def compare(bound, assert_close, n, dtype, grad_req, update, normalization, ignore, steps):
    wide, alpha, scale = np.promote_types(dtype, np.float32), 0.3, 0.7
    op = bound(
        n,
        DIM,
        NUM_CLASS,
        dtype,
        grad_req=grad_req,
        alpha=alpha,
        scale=scale,
        update=update,
        normalization=normalization,
        use_ignore=ignore,
        ignore_label=IGNORE,
    )
    centers = np.random.RandomState(SEED).randn(NUM_CLASS, DIM)
    op.centers = centers.astype(wide)
    c = plain_c = op.centers
    total, plain_total = np.zeros((n, DIM)), np.zeros((n, DIM), dtype)
    for x, y in batches(n, dtype, ignore, steps):
        before = op.centers
        loss, gradient = op.step(x, y)
        divisor = reference.normalizer(y, normalization, IGNORE if ignore else None)
        expected, difference = reference.center_loss(x, y, c, IGNORE if ignore else None)
        factor = scale / divisor
        plain_loss, plain_gradient, plain_c = plain_step(x, y, plain_c, factor, divisor, alpha, update)
        assert_close(loss, expected / divisor, plain_loss)
        if grad_req == 'write':
            assert_close(gradient, factor * difference, plain_gradient.astype(dtype))
        elif grad_req == 'add':
            total += factor * difference
            plain_total = (plain_total + plain_gradient).astype(dtype)
            assert_close(gradient, total, plain_total)
        c = reference.center_update(x, y, c, alpha, update, IGNORE if ignore else None)
        assert_close(op.centers, c, plain_c)
        _, own = reference.center_loss(x, y, before, IGNORE if ignore else None)
        assert_close(op.states['c_diff_bias'], own)
        assert_close(op.states['c_sum_bias'], own.sum(axis=0), own.astype(wide).sum(axis=0))
    assert op.states['c_diff_bias'].dtype == op.centers.dtype == loss.dtype == wide


FACTORS = {
    'n': (1, 7, 64),
    'dtype': ('float16', 'float32', 'float64'),
    'grad_req': ('write', 'add', 'null'),
    'update': ('paper', 'moving_average'),
    'normalization': ('null', 'batch', 'valid'),
    'ignore': (False, True),
}
PRODUCT = list(itertools.product(*FACTORS.values()))


def triples(row):
    """The combinations of three factors' levels that a row of the product has."""
    return set(itertools.combinations(enumerate(row), 3))


def covering(rows):
    """Some of the rows, with all triples that all of them have: each time the one with most new ones."""
    found = {row: triples(row) for row in rows}
    missing, chosen = set.union(*found.values()), []
    while missing:
        chosen.append(max(rows, key=lambda row: len(found[row] & missing)))
        missing -= found[chosen[-1]]
    return chosen


COVERING = covering(PRODUCT)
LONG = [next(row for row in COVERING if dtype in row) for dtype in FACTORS['dtype']]


def test_every_combination_of_three_factors_is_compared_with_the_oracle():
    for first, second, third in itertools.combinations(range(len(FACTORS)), 3):
        levels = itertools.product(*(list(FACTORS.values())[i] for i in (first, second, third)))
        assert {(row[first], row[second], row[third]) for row in COVERING} == set(levels)
    assert len(COVERING) < 40


@pytest.mark.parametrize(tuple(FACTORS), COVERING)
def test_steps_agree_with_the_oracle(
    backend, bound, assert_close, n, dtype, grad_req, update, normalization, ignore
):
    steps = 50 if (n, dtype, grad_req, update, normalization, ignore) in LONG else 5
    compare(bound, assert_close, n, dtype, grad_req, update, normalization, ignore, steps)


@pytest.mark.slow
@pytest.mark.parametrize(tuple(FACTORS), PRODUCT)
def test_fifty_steps_of_every_combination_agree_with_the_oracle(
    backend, bound, assert_close, n, dtype, grad_req, update, normalization, ignore
):
    compare(bound, assert_close, n, dtype, grad_req, update, normalization, ignore, steps=50)


def test_the_labels_gradient_is_zero(backend, bound):
    op = bound(7, DIM, NUM_CLASS)
    op.step(*next(batches(7, 'float32')))
    assert (op.executor.grad_dict['label'].asnumpy() == 0).all()


@pytest.mark.parametrize('dtype', ['uint8', 'int8', 'int32', 'int64', 'float16', 'float32', 'float64'])
def test_labels_may_have_any_numeric_dtype(backend, bound, assert_close, dtype):
    ignore = dtype != 'uint8'
    op = bound(7, DIM, NUM_CLASS, 'float64', dtype, use_ignore=ignore, ignore_label=IGNORE)
    c = np.zeros((NUM_CLASS, DIM))
    for x, y in batches(7, 'float64', ignore, steps=5, label_dtype=dtype):
        op.step(x, y)
        c = reference.center_update(x, y, c, 0.5, ignored=IGNORE if ignore else None)
        assert_close(op.centers, c)
        assert op.executor.grad_dict['label'].dtype == np.dtype(dtype)


def test_the_gradient_is_that_of_the_loss_by_finite_differences(backend, bound):
    op = bound(7, DIM, NUM_CLASS, 'float64', alpha=0, scale=1, normalization='null')
    rng = np.random.RandomState(SEED)
    op.centers = rng.randn(NUM_CLASS, DIM)
    x, y = rng.randn(7, DIM), rng.randint(0, NUM_CLASS, 7)
    _, gradient = op.step(x, y)
    step = 1e-4
    for index in np.ndindex(x.shape):
        ahead, behind = x.copy(), x.copy()
        ahead[index] += step
        behind[index] -= step
        slope = (op.forward(ahead, y).asscalar() - op.forward(behind, y).asscalar()) / (2 * step)
        assert abs(slope - gradient[index]) < 1e-7


@pytest.mark.parametrize('prop_class', [CenterLossProp, CenterLossPerSampleProp])
def test_no_gradient_is_written_where_none_is_wanted(backend, prop_class):
    prop = prop_class(num_class=NUM_CLASS)
    op = prop.create_operator(mx.cpu(), [[7, DIM], [7]], [0, 0])
    _, (output_shape,), shapes = prop.infer_shape([[7, DIM], [7]])
    inputs, output = [mx.nd.ones((7, DIM)), mx.nd.zeros(7)], [mx.nd.zeros(output_shape)]
    states, gradients = [mx.nd.zeros(shape) for shape in shapes], [mx.nd.ones((7, DIM)), mx.nd.ones(7)]
    op.forward(True, ['null'], inputs, output, states)
    op.backward(['null', 'null'], [mx.nd.ones(output_shape)], inputs, output, gradients, states)
    assert not output[0].asnumpy().any()
    assert all((gradient.asnumpy() == 1).all() for gradient in gradients)


def test_absent_classes_do_not_move(backend, bound):
    op = bound(7, DIM, NUM_CLASS)
    centers = np.random.RandomState(SEED).randn(NUM_CLASS, DIM).astype('float32')
    op.centers = centers
    op.step(np.ones((7, DIM)), np.array([2, 2, 4, 4, 4, 2, 2]))
    moved = (op.centers != centers).any(axis=1)
    assert moved.tolist() == [False, False, True, False, True, False]


def test_many_classes_with_unequal_shares_move_exactly(backend, bound, assert_close):
    """The host adds rank by rank, and segment by segment where one class is large."""
    rng = np.random.RandomState(SEED)
    for y in (rng.randint(0, 40, 64), np.tile([3, 38], 32), np.r_[np.zeros(20), 1:40, 5, 5, 5, 9, 9]):
        x = rng.randn(64, DIM)
        op = bound(64, DIM, 40, 'float64')
        op.step(x, y)
        assert_close(op.centers, reference.center_update(x, y, np.zeros((40, DIM)), 0.5))


def test_a_batch_whose_labels_are_all_ignored_changes_nothing(backend, bound):
    op = bound(7, DIM, NUM_CLASS, use_ignore=True, normalization='valid')
    op.centers = np.ones((NUM_CLASS, DIM))
    loss, gradient = op.step(np.full((7, DIM), np.nan), np.full(7, IGNORE))
    assert loss == 0 and (gradient == 0).all() and (op.centers == 1).all()


def test_scoring_leaves_every_state_as_it_is(backend, bound):
    op = bound(7, DIM, NUM_CLASS)
    x, y = next(batches(7, 'float32'))
    op.step(x, y)
    before = op.states
    op.forward(x + 1, y, is_train=False).wait_to_read()
    assert all((before[name] == state).all() for name, state in op.states.items())


@pytest.mark.parametrize('label', [NUM_CLASS, -2, 0.5, np.nan, np.inf])
def test_scoring_an_unknown_class_gives_nan_and_no_error(backend, bound, label):
    op = bound(7, DIM, NUM_CLASS)
    x, y = next(batches(7, 'float32'))
    y[3] = label
    assert np.isnan(op.forward(x, y, is_train=False).asscalar())
    y[3] = 0
    assert np.isfinite(op.forward(x, y, is_train=False).asscalar())


def test_scale_weighs_the_gradient_and_not_the_loss(backend, bound):
    x, y = next(batches(7, 'float64'))
    (loss, gradient), (same, tripled) = (
        bound(7, DIM, NUM_CLASS, 'float64', scale=scale).step(x, y) for scale in (1, 3)
    )
    assert loss == same
    np.testing.assert_allclose(tripled, 3 * gradient, rtol=1e-15)


def test_a_factor_behind_the_operator_changes_nothing(bound):
    """The operator takes no head gradient; `scale` is the only weight."""
    x, y = next(batches(7, 'float32'))
    gradients = []
    for grad_scale in 1, 1000:
        data = mx.sym.Variable('data')
        loss = mx.sym.Custom(
            data, mx.sym.Variable('label'), op_type='centerloss', num_class=NUM_CLASS, name='c'
        )
        executor = mx.sym.MakeLoss(loss, grad_scale=grad_scale).simple_bind(mx.cpu(), data=(7, DIM))
        executor.forward(is_train=True, data=mx.nd.array(x), label=mx.nd.array(y))
        executor.backward()
        gradients.append(executor.grad_dict['data'].asnumpy())
    assert (gradients[0] == gradients[1]).all() and gradients[0].any()


# --- the contract: names, shapes, dtypes ---------------------------------------------------------------


def classic_symbol(num_class=10, batchsize=128):
    """The symbol code of the classic script."""
    embedding = mx.sym.Variable('data')
    center_label = mx.sym.Variable('center_label')
    fc2 = mx.symbol.FullyConnected(data=embedding, num_hidden=num_class, name='fc2')
    softmax = mx.symbol.SoftmaxOutput(data=fc2, label=mx.sym.Variable('softmax_label'), name='softmax')
    center_loss_ = mx.symbol.Custom(
        data=embedding,
        label=center_label,
        name='center_loss_',
        op_type='centerloss',
        num_class=num_class,
        alpha=0.5,
        scale=1.0,
        batchsize=batchsize,
    )
    center_loss = mx.symbol.MakeLoss(name='center_loss', data=center_loss_)
    return mx.symbol.Group([softmax, center_loss])


def test_the_classic_symbol_has_the_classic_names_and_shapes():
    symbol = classic_symbol()
    assert symbol.list_outputs() == ['softmax_output', 'center_loss_output']
    names = ['center_loss__diff_bias', 'center_loss__center_bias', 'center_loss__sum_bias']
    assert symbol.list_auxiliary_states() == names
    _, outputs, states = symbol.infer_shape(data=(64, 2))
    assert outputs == [(64, 10), (1,)] and states == [(128, 2), (10, 2), (2,)]


def test_a_classic_checkpoint_loads_and_trains_on(tmp_path):
    """A checkpoint as the classic operator left it: its symbol file, its names, its shapes."""
    rng = np.random.RandomState(SEED)
    prefix = str(tmp_path / 'classic')
    centers = mx.nd.array(rng.randn(10, 2))
    classic_symbol(batchsize=64).save(f'{prefix}-symbol.json')
    mx.nd.save(
        f'{prefix}-0001.params',
        {
            'arg:fc2_weight': mx.nd.array(rng.randn(10, 2)),
            'arg:fc2_bias': mx.nd.zeros(10),
            'aux:center_loss__diff_bias': mx.nd.zeros((64, 2)),
            'aux:center_loss__center_bias': centers,
            'aux:center_loss__sum_bias': mx.nd.zeros(2),
        },
    )
    module = mx.mod.Module.load(prefix, 1, label_names=['softmax_label', 'center_label'])
    shapes = [('softmax_label', (64,)), ('center_label', (64,))]
    module.bind(
        [('data', (64, 2))], shapes, inputs_need_grad=True
    )  # else backward, and the centers, stand still
    module.init_optimizer()
    x, y = rng.randn(64, 2), rng.randint(0, 10, 64)
    module.forward_backward(mx.io.DataBatch([mx.nd.array(x)], [mx.nd.array(y)] * 2))
    module.update()
    mx.nd.waitall()
    expected = reference.center_update(x.astype('float32'), y, centers.asnumpy(), 0.5)
    after = module.get_params()[1]['center_loss__center_bias'].asnumpy()
    np.testing.assert_allclose(after, expected, atol=1e-6)


@pytest.mark.parametrize(
    'dtype, wide', [('float16', 'float32'), ('float32', 'float32'), ('float64', 'float64')]
)
def test_output_and_states_are_float32_at_least_and_open_labels_float32(dtype, wide):
    symbol = mx.sym.Custom(
        mx.sym.Variable('data'), mx.sym.Variable('label'), op_type='centerloss', num_class=3
    )
    arguments, outputs, states = symbol.infer_type(data=dtype)
    assert arguments == [np.dtype(dtype), np.float32]
    assert outputs == [np.dtype(wide)] and states == [np.dtype(wide)] * 3


def test_any_batch_up_to_the_capacity_runs(backend, bound, assert_close):
    op = bound(7, DIM, NUM_CLASS, 'float64', batchsize=64)
    c = np.zeros((NUM_CLASS, DIM))
    for n in 7, 64, 1, 30:
        op.executor = op.executor.reshape(allow_up_sizing=True, data=(n, DIM), label=(n,))
        x, y = next(batches(n, 'float64'))
        loss, _ = op.step(x, y)
        assert_close(loss, reference.center_loss(x, y, c)[0] / n)
        c = reference.center_update(x, y, c, 0.5)
        assert_close(op.centers, c)


def test_module_runs_a_smaller_last_batch():
    module = mx.mod.Module(classic_symbol(batchsize=64), label_names=['softmax_label', 'center_label'])
    module.bind(
        [('data', (64, 2))], [('softmax_label', (64,)), ('center_label', (64,))], inputs_need_grad=True
    )
    module.init_params()
    module.init_optimizer()
    rng, c = np.random.RandomState(SEED), np.zeros((10, 2))
    for n in 64, 20, 64:
        x, y = rng.randn(n, 2).astype('float32'), rng.randint(0, 10, n)
        module.forward_backward(mx.io.DataBatch([mx.nd.array(x)], [mx.nd.array(y)] * 2))
        module.update()
        c = reference.center_update(x, y, c, 0.5)
    mx.nd.waitall()
    np.testing.assert_allclose(module.get_params()[1]['center_loss__center_bias'].asnumpy(), c, atol=1e-6)


def test_no_step_visits_all_classes(bound):
    """Centers of absent classes hold NaN: arithmetic on them would raise, a full copy would show them."""
    op = bound(7, DIM, 100000)
    centers = np.full((100000, DIM), np.nan, 'float32')
    centers[:NUM_CLASS] = 0
    op.centers = centers
    x, y = next(batches(7, 'float32'))
    loss, gradient = op.step(x, y)
    assert np.isfinite(loss) and np.isfinite(gradient).all()
    assert np.isfinite(op.centers[:NUM_CLASS]).all() and np.isnan(op.centers[NUM_CLASS:]).all()


# --- two custom operators in one program ---------------------------------------------------------------


class Doubler(mx.operator.CustomOp):
    def forward(self, is_train, req, in_data, out_data, aux):
        self.assign(out_data[0], req[0], 2 * in_data[0])

    def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
        self.assign(in_grad[0], req[0], 2 * out_grad[0])


@mx.operator.register('doubler')
class DoublerProp(mx.operator.CustomOpProp):
    def __init__(self):
        super().__init__(need_top_grad=True)

    def create_operator(self, ctx, in_shapes, in_dtypes):
        return Doubler()


def both_operators():
    def doubler():
        return mx.sym.MakeLoss(mx.sym.Custom(mx.sym.Variable('data'), op_type='doubler'))

    def center():
        label = mx.sym.Variable('label')
        return mx.sym.MakeLoss(
            mx.sym.Custom(mx.sym.Variable('data'), label, op_type='centerloss', num_class=9)
        )

    return doubler, center


@pytest.mark.parametrize('built_first, bound_first', list(itertools.product([0, 1], [0, 1])))
def test_two_custom_operators_work_in_either_order_of_building_and_binding(built_first, bound_first):
    factories = both_operators()
    symbols = dict(
        sorted(((i, factories[i]()) for i in (built_first, 1 - built_first)), key=lambda pair: pair[0])
    )
    executors = {i: symbols[i].simple_bind(mx.cpu(), data=(4, 2)) for i in (bound_first, 1 - bound_first)}
    for _ in range(3):
        for i in 0, 1:
            executors[i].forward(is_train=True, data=mx.nd.ones((4, 2)))
            executors[i].backward()
            executors[i].outputs[0].wait_to_read()
            assert executors[i].grad_dict['data'].asnumpy().shape == (4, 2)
    assert (executors[0].grad_dict['data'].asnumpy() == 2).all()


def test_another_operator_may_be_bound_while_a_step_is_under_way():
    doubler, center = both_operators()
    executor = center().simple_bind(mx.cpu(), data=(256, 512))
    c = 0
    for _ in range(40):
        executor.forward(is_train=True, data=mx.nd.ones((256, 512)), label=mx.nd.zeros(256))
        executor.backward()
        doubler().simple_bind(mx.cpu(), data=(4, 2))  # parsed between our forward and our backward
        np.testing.assert_allclose(executor.grad_dict['data'].asnumpy(), (1 - c) / 256, atol=1e-8)
        mx.nd.waitall()
        c += 0.5 * 256 * (1 - c) / (1 + 256)


def test_calls_that_share_their_states_keep_their_own_gradients(backend):
    """Imperatively, with another custom operator between forward and backward."""
    rng = np.random.RandomState(SEED)
    states = [mx.nd.zeros((4, 2)), mx.nd.array(rng.randn(9, 2)), mx.nd.zeros(2)]
    centers = states[1].asnumpy()
    x, y = (
        [mx.nd.array(rng.randn(4, 2)) for _ in range(2)],
        [mx.nd.array([0, 1, 1, 5]), mx.nd.array([8, 8, 2, 3])],
    )
    for array in x:
        array.attach_grad()
    with mx.autograd.record():
        losses = [
            mx.nd.Custom(a, b, *states, op_type='centerloss', num_class=9, alpha=0) for a, b in zip(x, y)
        ]
        losses.append(mx.nd.Custom(x[0], op_type='doubler').sum())
    mx.autograd.backward(losses)
    for a, b, doubled in zip(x, y, (2, 0)):
        expected = (a.asnumpy() - centers[b.asnumpy().astype(int)]) / 4 + doubled
        np.testing.assert_allclose(a.grad.asnumpy(), expected, atol=1e-6)


def test_two_custom_operators_work_in_one_symbol():
    data, label = mx.sym.Variable('data'), mx.sym.Variable('label')
    for order in 0, 1:
        doubled = mx.sym.Custom(data, op_type='doubler', name='d')
        loss = mx.sym.Custom(doubled, label, op_type='centerloss', num_class=9, normalization='null', alpha=0)
        symbol = (
            mx.sym.MakeLoss(loss)
            if order
            else mx.sym.Group([mx.sym.MakeLoss(loss), mx.sym.MakeLoss(doubled)])
        )
        executor = symbol.simple_bind(mx.cpu(), data=(4, 2))
        executor.forward(is_train=True, data=mx.nd.ones((4, 2)))
        executor.backward()
        assert (
            executor.grad_dict['data'].asnumpy() == (4 if order else 6)
        ).all()  # 2 (2x - c), and 2 of MakeLoss


# --- bad input -----------------------------------------------------------------------------------------


@pytest.mark.parametrize('keywords, message', [
    ({}, 'num_class is missing; expected the number of classes, > 0'),
    ({'num_class': 'ten'}, "num_class='ten' is not a whole number > 0"),
    ({'num_class': 0}, "num_class='0' is not a whole number > 0"),
    ({'num_class': -3}, "num_class='-3' is not a whole number > 0"),
    ({'num_class': 2**31}, "num_class='2147483648' is not a whole number > 0 and < 2^31"),
    ({'num_class': 2**31 + 1}, "num_class='2147483649' is not a whole number > 0 and < 2^31"),
    ({'num_class': 2.5}, "num_class='2.5' is not a whole number > 0"),
    ({'num_class': 3, 'alpha': 1.5}, "alpha='1.5' is not a number in [0, 1]"),
    ({'num_class': 3, 'alpha': -0.1}, "alpha='-0.1' is not a number in [0, 1]"),
    ({'num_class': 3, 'alpha': float('nan')}, "alpha='nan' is not a number in [0, 1]"),
    ({'num_class': 3, 'scale': -1}, "scale='-1' is not a finite number >= 0"),
    ({'num_class': 3, 'scale': float('nan')}, "scale='nan' is not a finite number >= 0"),
    ({'num_class': 3, 'scale': 'much'}, "scale='much' is not a finite number >= 0"),
    ({'num_class': 3, 'scale': float('inf')}, "scale='inf' is not a finite number >= 0"),
    ({'num_class': 3, 'batchsize': 0}, "batchsize='0' is not a whole number > 0"),
    ({'num_class': 3, 'normalization': 'mean'}, "normalization='mean' is not one of null, batch, valid"),
    ({'num_class': 3, 'update': 'ema'}, "update='ema' is not one of paper, moving_average"),
    ({'num_class': 3, 'use_ignore': 'maybe'}, "use_ignore='maybe' is not True or False"),
    ({'num_class': 3, 'ignore_label': 0.5}, "ignore_label='0.5' is not a whole number"),
    ({'num_class': 3, 'gamma': 1}, "unknown parameter 'gamma'; expected num_class, alpha, scale"),
    ({'num_class': 3, '__gamma': 1}, "unknown parameter '__gamma'"),
    ({'num_class': 3, 'gamma__': 1}, "unknown parameter 'gamma__'"),
])  # fmt: skip
def test_a_bad_parameter_is_told_when_the_symbol_is_built(capfd, keywords, message):
    with pytest.raises(mx.MXNetError):
        mx.sym.Custom(mx.sym.Variable('data'), mx.sym.Variable('label'), op_type='centerloss', **keywords)
    assert message in capfd.readouterr().out


def test_attributes_of_a_scope_are_no_parameters():
    with mx.AttrScope(__ctx_group__='one', __force_mirroring__='True'):
        symbol = mx.sym.Custom(
            mx.sym.Variable('data'), mx.sym.Variable('label'), op_type='centerloss', num_class=3, name='c'
        )
    assert symbol.list_outputs() == ['c_output']


@pytest.mark.parametrize('keywords', [
    {'num_class': 1}, {'num_class': 2**31 - 1}, {'alpha': 0}, {'alpha': 1}, {'scale': 0}, {'scale': 1e308},
    {'batchsize': 1}, {'batchsize': 2**31 - 1}, {'ignore_label': 0}, {'ignore_label': -1.0},
])  # fmt: skip
def test_the_ends_of_the_ranges_are_parameters(keywords):
    keywords = {'num_class': 3, **keywords}
    found = CenterLossParam.parse(**{name: str(value) for name, value in keywords.items()})
    assert found == CenterLossParam(**keywords)


@pytest.mark.parametrize('shapes, parameters, message', [
    ({'data': (4, 2, 2)}, {}, 'data has shape (4, 2, 2); expected 2-d features (N, D)'),
    ({'data': (4,)}, {}, 'data has shape (4,); expected 2-d features (N, D)'),
    ({'data': (9, 2)}, {'batchsize': 8}, 'got a batch of 9, more than the capacity batchsize=8'),
    ({'data': (4, 2), 'label': (5,)}, {}, 'label has shape (5,); expected (4,)'),
])  # fmt: skip
def test_bad_shapes_are_told_when_the_symbol_is_bound(capfd, shapes, parameters, message):
    symbol = mx.sym.Custom(
        mx.sym.Variable('data'), mx.sym.Variable('label'), op_type='centerloss', num_class=3, **parameters
    )
    with pytest.raises(RuntimeError, match='simple_bind error'):
        symbol.simple_bind(mx.cpu(), **shapes)
    assert message in capfd.readouterr().out


@pytest.mark.parametrize(
    'num_class, dtype', [(2049, 'float16'), (2**24 + 1, 'float32'), (129, 'int8'), (257, 'uint8')]
)
def test_more_classes_than_the_labels_can_tell_apart_is_an_error(capfd, num_class, dtype):
    symbol = mx.sym.Custom(
        mx.sym.Variable('data'), mx.sym.Variable('label'), op_type='centerloss', num_class=num_class
    )
    with pytest.raises(mx.MXNetError):
        symbol.infer_type(data='float32', label=dtype)
    assert f'num_class={num_class} is too large for {dtype}' in capfd.readouterr().out
    fits = mx.sym.Custom(
        mx.sym.Variable('data'), mx.sym.Variable('label'), op_type='centerloss', num_class=num_class - 1
    )
    assert fits.infer_type(data='float32', label=dtype)[0] == [np.float32, np.dtype(dtype)]


def test_without_batchsize_another_batch_is_an_error_that_says_what_to_pass(capfd):
    module = mx.mod.Module(
        mx.sym.MakeLoss(
            mx.sym.Custom(
                mx.sym.Variable('data'), mx.sym.Variable('label'), op_type='centerloss', num_class=3
            )
        ),
        label_names=['label'],
    )
    module.bind([('data', (8, 2))], [('label', (8,))])
    module.init_params()
    with pytest.raises(mx.MXNetError):
        module.forward(mx.io.DataBatch([mx.nd.ones((6, 2))], [mx.nd.zeros(6)]))
    assert 'got a batch of 6, but 8 was bound' in (out := capfd.readouterr().out) and 'Set batchsize=8' in out


@pytest.mark.parametrize('label, message', [
    (NUM_CLASS, f'label {NUM_CLASS} at row 3 is outside 0..{NUM_CLASS - 1} (num_class={NUM_CLASS})'),
    (-1, 'label -1 at row 3 is outside'),
    (np.nan, 'label nan at row 3 is not a whole number'),
    (np.inf, 'label inf at row 3 is not a whole number'),
    (-np.inf, 'label -inf at row 3 is not a whole number'),
    (2.5, 'label 2.5 at row 3 is not a whole number'),
    (1234567, 'label 1234567 at row 3 is outside'),
])  # fmt: skip
def test_a_bad_label_changes_nothing_and_the_next_batch_trains(
    capfd, backend, bound, assert_close, label, message
):
    op = bound(7, DIM, NUM_CLASS, 'float64')
    (x, y), (next_x, next_y) = batches(7, 'float64', steps=2)
    op.step(x, y)
    before = op.states
    wrong = y.copy()
    wrong[3] = label
    with pytest.raises(mx.MXNetError):
        op.step(x, wrong)
    assert message in capfd.readouterr().out
    assert all((before[name] == state).all() for name, state in op.states.items())
    op.step(next_x, next_y)
    assert_close(op.centers, reference.center_update(next_x, next_y, before['c_center_bias'], 0.5))


@pytest.mark.parametrize('value', [np.nan, np.inf, 1e30, 2.5e19])
def test_features_without_a_finite_loss_do_not_poison_the_centers(capfd, backend, bound, assert_close, value):
    op = bound(7, DIM, NUM_CLASS)
    (x, y), (next_x, next_y) = batches(7, 'float32', steps=2)
    op.step(x, y)
    before = op.states
    x[5, 1] = value
    with pytest.raises(mx.MXNetError):
        op.step(x, y)
    assert 'lower the scale or the learning rate' in capfd.readouterr().out
    assert all((before[name] == state).all() for name, state in op.states.items())
    op.step(next_x, next_y)
    expected = reference.center_update(next_x, next_y, before['c_center_bias'], 0.5)
    assert_close(op.centers, expected)


@pytest.mark.parametrize('normalization', ['null', 'batch'])
def test_a_loss_beyond_float32_is_refused_and_a_sum_beyond_it_that_is_divided_is_not(
    capfd, backend, bound, normalization
):
    """4 squares of 1.91e38: half their sum, 3.83e38, float32 does not hold; a fourth of it, it does."""
    op = bound(4, 1, NUM_CLASS, normalization=normalization, alpha=0.5)
    x, y = np.full((4, 1), 1.5 * 2.0**63), np.zeros(4)
    if normalization == 'batch':
        assert op.step(x, y)[0] == 0.5 * 1.5**2 * 2.0**126
        assert op.centers[0] > 0
    else:
        with pytest.raises(mx.MXNetError):
            op.step(x, y)
        assert 'the loss of this batch, 3.83e+38, is not finite in float32' in capfd.readouterr().out
        assert not op.centers.any()


def test_rows_beyond_what_float32_counts_are_the_ones_that_move(backend, bound):
    rows = 2**24 + np.array([1, 3])
    op = bound(2, 1, 2**24 + 4, label_dtype='int32', update='moving_average', alpha=1)
    op.step([[5], [7]], rows)
    centers = op.centers
    assert np.flatnonzero(centers).tolist() == rows.tolist()
    assert centers[rows].tolist() == [[5], [7]]


class Late(mx.operator.CustomOp):
    """The identity, half a second late."""

    def forward(self, is_train, req, in_data, out_data, aux):
        time.sleep(0.5)
        self.assign(out_data[0], req[0], in_data[0])


@mx.operator.register('late')
class LateProp(mx.operator.CustomOpProp):
    def create_operator(self, ctx, in_shapes, in_dtypes):
        return Late()


def test_the_centers_have_moved_when_backward_returns(backend):
    """Until then no other backward may move them, and the engine does not hold one back."""
    parameters = CenterLossParam(num_class=NUM_CLASS, alpha=1, update='moving_average')
    op = CenterLoss(parameters, mx.cpu())
    inputs, output = [mx.nd.ones((7, DIM)), mx.nd.zeros(7)], [mx.nd.zeros(1)]
    states = [mx.nd.zeros(shape) for shape in ((7, DIM), (NUM_CLASS, DIM), (DIM,))]
    memory = in_memory(states[1])
    op.forward(True, ['write'], inputs, output, states)
    late = mx.nd.Custom(mx.nd.ones((1, 1)), op_type='late')
    mx.nd.broadcast_mul(states[1], late, out=states[1])  # whatever writes the centers now comes after it
    op.backward(['write'] * 2, output, inputs, output, [mx.nd.zeros_like(array) for array in inputs], states)
    assert memory.tolist() == [[1] * DIM, *[[0] * DIM] * (NUM_CLASS - 1)]


@pytest.mark.parametrize('feature, label', [(np.nan, 0), (1, NUM_CLASS)])
@pytest.mark.parametrize('prop_class', [CenterLossProp, CenterLossPerSampleProp])
def test_a_backward_after_a_refused_forward_changes_nothing(backend, prop_class, feature, label):
    """Once the error has been read, MXNet runs what was pushed behind it."""
    prop = prop_class(num_class=NUM_CLASS)
    op = prop.create_operator(mx.cpu(), [[7, DIM], [7]], [0, 0])
    _, (output_shape,), shapes = prop.infer_shape([[7, DIM], [7]])
    rng = np.random.RandomState(SEED)
    states = [mx.nd.array(rng.randn(*shape)) for shape in shapes]
    inputs, output = [mx.nd.ones((7, DIM)), mx.nd.zeros(7)], [mx.nd.zeros(output_shape)]
    gradients = [mx.nd.ones((7, DIM)), mx.nd.ones(7)]
    op.forward(True, ['write'], inputs, output, states)
    before = [state.asnumpy() for state in states]
    bad = [feature * mx.nd.ones((7, DIM)), label * mx.nd.ones(7)]
    with pytest.raises(ValueError, match=r'at row 0 is outside|the loss of this batch, nan'):
        op.forward(True, ['write'], bad, output, states)
    op.backward(['write', 'write'], [mx.nd.ones(output_shape)], bad, output, gradients, states)
    assert all((gradient.asnumpy() == 0).all() for gradient in gradients)
    assert all((state.asnumpy() == old).all() for state, old in zip(states, before))


def test_a_program_lives_on_after_each_error_and_ends_after_its_work():
    """In a process of its own, as a user has it: an error in a constructor would end it.

    What its last line starts is still pending at its end; MXNet's own shutdown would hang or abort then.
    """
    program = """
import atexit, numpy
numpy.bool = bool  # or MXNet does not import first
import mxnet as mx
done = []
atexit.register(lambda: print('finished' if done else 'pending'))  # after what the package does at exit

import centerloss_mx
data, label = mx.sym.Variable('data'), mx.sym.Variable('label')
for keywords in {}, {'num_class': 'ten'}, {'num_class': 3, 'gamma': 1}, {'self': 1}, {'cls': 1}:
    try:
        mx.sym.Custom(data, label, op_type='centerloss', **keywords)
    except mx.MXNetError:
        print('caught')
executor = mx.sym.Custom(data, label, op_type='centerloss', num_class=3).simple_bind(mx.cpu(), data=(2, 2))
try:
    executor.forward(is_train=True, data=mx.nd.ones((2, 2)), label=mx.nd.array([0, 12]))[0].asscalar()
except mx.MXNetError:
    print('caught')
print('loss', executor.forward(is_train=True, label=mx.nd.array([0, 2]))[0].asscalar())

forward = centerloss_mx.operator.CenterLoss.forward
centerloss_mx.operator.CenterLoss.forward = lambda *args, **kwargs: (forward(*args, **kwargs), done.append(1))
late = mx.nd.ones((1500, 1500))
for _ in range(5):
    late = mx.nd.dot(late, late) / 1500
executor.forward(is_train=False, data=late[:2, :2])
"""
    done = subprocess.run(
        [sys.executable, '-c', program],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, 'CENTERLOSS_MX_KERNEL': '0'},  # the operator that waits for the GIL
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('caught') == 6 and 'loss 1.0' in done.stdout
    assert 'label 12 at row 1 is outside 0..2 (num_class=3)' in done.stdout
    assert done.stdout.splitlines()[-1] == 'finished'

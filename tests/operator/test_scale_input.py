"""The operator `centerloss` that reads its weight from a third input."""

from __future__ import annotations

from centerloss_mx import gluon
from centerloss_mx.operator import CenterLoss, CenterLossPerSampleProp, CenterLossProp, native

import mxnet as mx
import numpy as np
import pytest

SEED, N, DIM, NUM_CLASS = 20161008, 7, 3, 4
WEIGHTS = (0.1, 0.7, 0.0, 3e-3)


class Fed:
    """The operator bound alone, with a fixed weight or with one that is an input."""

    def __init__(
        self,
        scale='input',
        dtype='float32',
        scale_dtype='float64',
        scale_req='write',
        label_req='null',
        **parameters,
    ):
        inputs = [mx.sym.Variable('data'), mx.sym.Variable('label')]
        types = {'data': dtype}
        if scale == 'input':
            inputs.append(mx.sym.Variable('weight', dtype=scale_dtype))
        symbol = mx.sym.Custom(
            *inputs,
            name='c',
            op_type='centerloss',
            num_class=NUM_CLASS,
            batchsize=N,
            scale=scale,
            **parameters,
        )
        grad_req = {'data': 'write', 'label': label_req, 'weight': scale_req}
        self.executor = symbol.simple_bind(
            mx.cpu(), {name: grad_req[name] for name in symbol.list_arguments()}, types, data=(N, DIM)
        )
        self.executor.aux_dict['c_center_bias'][:] = np.random.RandomState(SEED).randn(NUM_CLASS, DIM)

    def forward(self, batch, weight=None, is_train=True):
        arguments = self.executor.arg_dict
        arguments['data'][:], arguments['label'][:] = batch
        if weight is not None:
            arguments['weight'][:] = weight
        return self.executor.forward(is_train=is_train)[0].asscalar()

    def step(self, batch, weight=None):
        """The loss, the gradient of the features, and the states."""
        loss = self.forward(batch, weight)
        self.executor.backward()
        return loss, self.gradient('data'), self.states()

    def gradient(self, name):
        return self.executor.grad_dict[name].asnumpy()

    def states(self):
        mx.nd.waitall()
        return [state.asnumpy() for state in self.executor.aux_arrays]


def batch(seed=SEED):
    rng = np.random.RandomState(seed)
    print(f'seed {seed}')
    return rng.randn(N, DIM), rng.randint(0, NUM_CLASS, N)


def assert_equal(actual, expected):
    for ours, wanted in zip(actual, expected):
        np.testing.assert_array_equal(ours, wanted)


@pytest.mark.parametrize('dtype', ['float16', 'float32', 'float64'])
@pytest.mark.parametrize('normalization', ['null', 'batch', 'valid'])
def test_a_weight_that_is_an_input_gives_the_numbers_of_a_fixed_one(backend, dtype, normalization):
    """Bit for bit, also where the gradient is divided by 7."""
    fed = Fed(dtype=dtype, normalization=normalization)
    fixed = {scale: Fed(scale, dtype, normalization=normalization) for scale in WEIGHTS}
    for number, scale in enumerate([*WEIGHTS, *WEIGHTS]):
        fixed[scale].executor.copy_params_from({}, fed.executor.aux_dict)
        actual = fed.step(batch(SEED + number), scale)
        assert_equal(actual[:2], fixed[scale].step(batch(SEED + number))[:2])
        assert_equal(actual[2], fixed[scale].states())
        assert actual[1].any() == (scale > 0)
        assert not fed.gradient('weight').any()


@pytest.mark.skipif(native.library is None, reason=f'the kernel {native.missing}')
def test_the_kernel_reads_the_weight_without_python(monkeypatch):
    fed = Fed()
    calls = []
    for name in 'forward', 'backward':
        monkeypatch.setattr(CenterLoss, name, lambda *args, **kwargs: calls.append(args))
    fed.step(batch(), 0.3)
    fed.forward(batch(), -1, is_train=False)
    assert calls == []


@pytest.mark.parametrize('dtype', ['float16', 'float32', 'uint8', 'int8', 'int32', 'int64'])
def test_the_weight_may_have_any_numeric_dtype(backend, dtype):
    weight = np.array(0.3 if 'float' in dtype else 3, dtype)
    assert_equal(Fed(scale_dtype=dtype).step(batch(), weight)[:2], Fed(float(weight)).step(batch())[:2])


@pytest.mark.parametrize('request_of_the_weight, expected', [('write', 0), ('add', 5), ('null', None)])
def test_the_gradient_of_the_weight_is_zero(backend, request_of_the_weight, expected):
    fed = Fed(scale_req=request_of_the_weight)
    if expected is None:
        assert fed.executor.grad_dict['weight'] is None
    else:
        fed.executor.grad_dict['weight'][:] = 5
    _, gradient, _ = fed.step(batch(), 0.5)
    assert gradient.any()
    if expected is not None:
        assert fed.gradient('weight').tolist() == [expected]


def test_backward_has_the_weight_of_its_forward(backend):
    """Scoring in between reads another one, which may be anything."""
    fed = Fed()
    expected = Fed(0.5).step(batch())
    fed.forward(batch(), 0.5)
    assert np.isfinite(fed.forward(batch(1), np.nan, is_train=False))
    fed.executor.backward()
    np.testing.assert_array_equal(fed.gradient('data'), expected[1])


@pytest.mark.parametrize(
    'weight, shown', [(-0.5, '-0.5'), (np.nan, 'nan'), (np.inf, 'inf'), (-np.inf, '-inf')]
)
def test_an_invalid_weight_changes_nothing_and_the_next_batch_trains(capfd, backend, weight, shown):
    fed, fixed = Fed(), Fed(0.25)
    before = fed.states()
    with pytest.raises(mx.MXNetError):
        fed.step(batch(), weight)
    sentence = f'centerloss: the input scale is {shown}; expected a finite number >= 0. No center moved'
    assert sentence in capfd.readouterr().out
    assert_equal(fed.states(), before)
    actual, expected = fed.step(batch(), 0.25), fixed.step(batch())
    assert_equal([*actual[:2], *actual[2]], [*expected[:2], *expected[2]])


def test_the_third_input_is_there_only_when_it_is_asked_for():
    data, label = mx.sym.Variable('data'), mx.sym.Variable('label')
    symbol = mx.sym.Custom(
        data, label, op_type='centerloss', num_class=2, batchsize=N, scale='input', name='c'
    )
    assert symbol.list_arguments() == ['data', 'label', 'c_scale']
    arguments, outputs, _ = symbol.infer_shape(data=(N, DIM))
    assert (arguments, outputs) == ([(N, DIM), (N,), (1,)], [(1,)])
    assert symbol.infer_type(data='float32')[0] == [np.float32, np.float32, np.float64]
    symbol = mx.sym.Custom(data, label, op_type='centerloss', num_class=2, scale=1, name='c')
    assert symbol.list_arguments() == ['data', 'label']


@pytest.mark.parametrize('shape', [(2,), (1, 1), (N,)])
def test_a_weight_of_another_shape_is_refused(shape):
    prop = CenterLossProp(num_class=NUM_CLASS, scale='input')
    with pytest.raises(ValueError) as error:
        prop.infer_shape([[N, DIM], [N], list(shape)])
    assert str(error.value) == f'centerloss: scale has shape {shape}; expected (1,)'


def test_losses_of_single_samples_take_a_factor_and_no_input():
    sentence = "centerloss: scale='input' is for one loss a batch; multiply these by the weight"
    with pytest.raises(ValueError, match=sentence):
        CenterLossPerSampleProp(num_class=NUM_CLASS, scale='input')
    with pytest.raises(ValueError, match=sentence):
        gluon.CenterLoss(NUM_CLASS, DIM, scale='input')


@pytest.mark.skipif(native.library is None, reason=f'the kernel {native.missing}')
@pytest.mark.parametrize('began', ['kernel', 'python'])
def test_a_step_may_begin_in_one_path_and_end_in_the_other(began):
    fed = Fed(label_req='write')
    operator = [op for op in mx.operator._registry.ref_holder.values() if isinstance(op, CenterLoss)][-1]
    executor = fed.executor
    arrays = {'in_data': executor.arg_arrays, 'out_data': executor.outputs, 'aux': executor.aux_arrays}
    if began == 'kernel':
        fed.forward(batch(), 0.3)
        mx.nd.waitall()
        operator.backward(['write'] * 3, [], in_grad=executor.grad_arrays, **arrays)
    else:
        fed.forward(batch(), 0.9)  # what the kernel keeps of it does not count
        executor.arg_dict['weight'][:] = 0.3
        operator.forward(True, ['write'], **arrays)
        executor.backward()
    np.testing.assert_array_equal(fed.gradient('data'), Fed(0.3).step(batch())[1])

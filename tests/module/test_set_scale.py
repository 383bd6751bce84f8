"""The weight of a center loss, set between two steps: the numbers, checkpoints, and what is refused."""

from __future__ import annotations

import centerloss_mx as cl
from centerloss_mx.module import Module
from centerloss_mx.operator import native
from centerloss_mx.symbol import center_loss, joint_supervision, learned_center_loss, scale_variable

import mxnet as mx
import numpy as np
import pytest

SEED, N, DIM, NUM_CLASS, STEPS = 20161008, 6, 3, 5, 5
FIRST, SECOND = 0.3, 0.07
HOMES = ('aux', 'kvstore')
LABELS = ('softmax_label', 'center_label')


def network(home, scale, batchsize=N):
    embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=DIM, name='embedding')
    return joint_supervision(
        embedding, NUM_CLASS, scale, centers=home, embedding_dim=DIM, batchsize=batchsize
    )


def start(symbol, params=None, devices=1, states=None, module_class=Module):
    """A module with an optimizer: SGD with momentum and weight decay, and the centers where they live."""
    module = module_class(symbol, label_names=LABELS, context=[mx.cpu(i) for i in range(devices)])
    module.bind([('data', (N, 4))], [(name, (N,)) for name in LABELS])
    arg_params, aux_params = params or (first_params(symbol), None)
    module.init_params(mx.init.Zero(), arg_params, aux_params, allow_missing=True, allow_extra=True)
    on_kvstore = 'center_loss_center_weight' in symbol.list_arguments()
    options = {'learning_rate': 0.1, 'momentum': 0.9, 'wd': 0.01}
    if on_kvstore:
        options['base'] = 'sgd'
    module.init_optimizer('device', 'centers' if on_kvstore else 'sgd', options)
    if states is not None:
        module.load_optimizer_states(str(states))
    return module


def first_params(symbol):
    rng = np.random.RandomState(SEED)
    shapes = {'embedding_weight': (DIM, 4), 'fc2_weight': (NUM_CLASS, DIM)}
    return {name: mx.nd.array(rng.randn(*shape)) for name, shape in shapes.items()}


def batch(number):
    rng = np.random.RandomState(SEED + number)
    labels = mx.nd.array(rng.randint(0, NUM_CLASS, N))
    return mx.io.DataBatch([mx.nd.array(rng.randn(N, 4))], [labels, labels])


def train(module, begin, end):
    for number in range(begin, end):
        module.forward_backward(batch(number))
        module.update()


def numbers(module):
    return {name: value.asnumpy() for params in module.get_params() for name, value in params.items()}


def assert_equal(actual, expected):
    for name, value in expected.items():
        np.testing.assert_array_equal(actual[name], value, err_msg=name)


@pytest.fixture(params=['kernel', 'numpy'])
def path(request, monkeypatch):
    """With the compiled kernel, and as CENTERLOSS_MX_KERNEL=0 has it."""
    if request.param == 'numpy':
        monkeypatch.setattr(native, 'library', None)
    elif native.library is None:
        pytest.skip(f'the kernel {native.missing}')


@pytest.mark.parametrize('home', HOMES)
@pytest.mark.parametrize('devices', [1, 2])
def test_a_weight_changed_in_training_gives_two_trainings_of_fixed_weights_joined(
    path, tmp_path, home, devices
):
    """Bit for bit, momentum included; a training that goes on with the first weight is another one."""
    first = start(network(home, FIRST), devices=devices)
    train(first, 0, STEPS)
    first.save_optimizer_states(str(tmp_path / 'first.states'))
    second = start(network(home, SECOND), first.get_params(), devices, tmp_path / 'first.states')
    train(second, STEPS, 2 * STEPS)

    ours = start(network(home, scale_variable(FIRST)), devices=devices)
    executors = list(ours._exec_group.execs)
    train(ours, 0, STEPS)
    assert_equal(numbers(ours), numbers(first))
    ours.set_params(*ours.get_params())  # devices share the centers at the join, as at the end of an epoch
    ours.set_scale(SECOND)
    train(ours, STEPS, 2 * STEPS)
    assert_equal(numbers(ours), numbers(second))
    assert all(one is other for one, other in zip(ours._exec_group.execs, executors))  # not bound again

    first.set_params(*first.get_params())
    train(first, STEPS, 2 * STEPS)
    assert (numbers(first)['embedding_weight'] != numbers(second)['embedding_weight']).any()


@pytest.mark.parametrize('home', HOMES)
def test_a_weight_that_is_never_set_trains_as_a_fixed_one_in_plain_module_too(home):
    plain = start(network(home, scale_variable(FIRST)), module_class=mx.mod.Module)
    ours, fixed = start(network(home, scale_variable(FIRST))), start(network(home, FIRST))
    for module in ours, fixed:
        train(module, 0, STEPS)
    for number in range(STEPS):
        if home == 'kvstore':
            plain.prepare(batch(number), cl.module.sparse_row_id_fn(plain))
        train(plain, number, number + 1)
    for module in ours, plain:
        assert_equal(numbers(module), numbers(fixed))
        assert numbers(module)['center_loss_scale'].tolist() == [FIRST]  # float64, and no decay


def test_the_raw_operator_and_a_batch_that_is_no_power_of_two_are_exact_too():
    """0.3 / 6 in float64 is another number than 0.3 rounded to float32, / 6."""
    data, label = mx.sym.Variable('data'), mx.sym.Variable('center_label')

    def trained(scale):
        embedding = mx.sym.FullyConnected(data, num_hidden=DIM, name='embedding')
        module = Module(center_loss(embedding, label, NUM_CLASS, scale=scale), label_names=['center_label'])
        module.bind([('data', (N, 4))], [('center_label', (N,))])
        module.init_params(mx.init.Zero(), first_params(module.symbol), allow_missing=True, allow_extra=True)
        module.init_optimizer()
        for number in range(STEPS):
            one = batch(number)
            module.forward_backward(mx.io.DataBatch(one.data, one.label[:1]))
            module.update()
        return numbers(module)

    assert_equal(trained(scale_variable(FIRST)), trained(FIRST))


@pytest.mark.parametrize('home', HOMES)
def test_a_weight_may_be_set_at_any_time_and_holds(home):
    """Before bind, before and after the optimizer, and against the parameters that `fit` sets."""
    module = Module(network(home, scale_variable(FIRST)), label_names=LABELS)
    module.set_scale(0.01)
    module.bind([('data', (N, 4))], [(name, (N,)) for name in LABELS])
    module.init_params(mx.init.Uniform(0.1))
    assert numbers(module)['center_loss_scale'].tolist() == [0.01]
    module.set_scale(0.02)
    options = {'base': 'sgd'} if home == 'kvstore' else {}
    module.init_optimizer('device', 'centers' if home == 'kvstore' else 'sgd', options)
    train(module, 0, 1)
    assert numbers(module)['center_loss_scale'].tolist() == [0.02]
    arg_params, aux_params = module.get_params()
    module.set_scale(0.03)
    for allow_missing in False, True:
        other = {**arg_params, 'center_loss_scale': mx.nd.array([9])}
        module.set_params(other, aux_params, allow_missing=allow_missing)
        assert numbers(module)['center_loss_scale'].tolist() == [0.03]


def test_of_several_losses_each_has_its_weight():
    embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=DIM, name='embedding')
    label = mx.sym.Variable('center_label')
    weights = {name: scale_variable(1, f'{name}_scale') for name in ('center_loss', 'other')}
    losses = [center_loss(embedding, label, NUM_CLASS, scale=weights[name], name=name) for name in weights]
    module = Module(mx.sym.Group(losses), label_names=['center_label'])
    module.set_scale(0.5)
    module.set_scale(0.25, 'other')
    module.bind([('data', (N, 4))], [('center_label', (N,))])
    module.init_params()
    params = numbers(module)
    assert (params['center_loss_scale'], params['other_scale']) == (0.5, 0.25)


@pytest.mark.parametrize('home', HOMES)
@pytest.mark.parametrize('value', [-0.1, float('nan'), float('inf'), True, 'much', None, [0.1]])
def test_an_invalid_weight_is_refused_before_anything_moves(home, value):
    module = start(network(home, scale_variable(FIRST)))
    before = numbers(module)
    with pytest.raises(ValueError) as error:
        module.set_scale(value)
    assert str(error.value) == f'center_loss_scale: value={value!r} is not a finite number >= 0'
    assert_equal(numbers(module), before)


def test_losses_whose_weight_cannot_be_set_say_so():
    fixed = Module(network('aux', FIRST), label_names=LABELS)
    with pytest.raises(ValueError, match='center_loss has a fixed weight; make the loss with scale=symbol'):
        fixed.set_scale(0.1)
    module = Module(network('aux', 2 * scale_variable(FIRST)), label_names=LABELS)
    with pytest.raises(ValueError, match=r'center_loss reads its weight from _mul.*, which is no parameter'):
        module.set_scale(0.1)
    with pytest.raises(ValueError, match='it has center_loss'):
        module.set_scale(0.1, 'other')
    softmax = mx.sym.SoftmaxOutput(mx.sym.Variable('data'), name='softmax')
    with pytest.raises(ValueError, match='it has none'):
        Module(softmax).set_scale(0.1)
    with pytest.raises(ValueError, match='center_loss_scale: value=-1 is not'):
        scale_variable(-1)
    with pytest.raises(ValueError, match=r'learned_center_loss: scale=<Symbol.* is not a finite number'):
        learned_center_loss(mx.sym.Variable('x'), mx.sym.Variable('y'), 2, 3, scale=scale_variable(1))


@pytest.mark.parametrize('home', HOMES)
@pytest.mark.parametrize('value', [-0.5, np.nan])
def test_parameters_with_an_invalid_weight_are_refused(home, value):
    symbol = network(home, scale_variable(FIRST))
    with pytest.raises(ValueError, match=f'center_loss_scale={value} is not a finite number >= 0'):
        start(symbol, ({**first_params(symbol), 'center_loss_scale': mx.nd.array([value])}, None))


@pytest.mark.parametrize('value', [-0.5, np.nan, np.inf])
def test_an_invalid_weight_on_the_kvstore_that_came_by_another_way_moves_nothing(value):
    """A symbol cannot raise: the loss is NaN, and nothing is pushed."""
    module = start(network('kvstore', scale_variable(FIRST)))
    train(module, 0, 1)
    before = numbers(module)
    module._exec_group.execs[0].arg_dict['center_loss_scale'][:] = value
    with pytest.raises(ValueError, match='center_loss_output is nan, expected a finite loss'):
        train(module, 1, 2)
    module.set_scale(FIRST)
    assert_equal(numbers(module), before)


@pytest.mark.parametrize('home', HOMES)
def test_a_checkpoint_has_the_weight_and_goes_on(tmp_path, home):
    module = start(network(home, scale_variable(FIRST)))
    train(module, 0, 2)
    module.set_scale(SECOND)
    train(module, 2, 3)
    prefix = str(tmp_path / 'net')
    cl.model.save_checkpoint(module, prefix, 1)
    centers = cl.model.find_centers(module.symbol, *module.get_params())
    assert centers.shape == (NUM_CLASS, DIM) and centers.any()

    symbol, arg_params, aux_params = cl.model.load_checkpoint(prefix, batchsize=2 * N)
    assert arg_params['center_loss_scale'].asnumpy().tolist() == [SECOND]
    assert [info.scale for info in cl.symbol.describe(symbol)] == ['center_loss_scale']
    np.testing.assert_array_equal(cl.model.find_centers(symbol, arg_params, aux_params), centers)
    features = cl.model.feature_extractor(prefix).predict(batch(0).data[0])
    assert features.shape == (N, DIM)

    again = start(symbol, (arg_params, aux_params), states=f'{prefix}-0001.states')
    for one in module, again:
        train(one, 3, 5)
    found, expected = numbers(again), numbers(module)
    for name in 'embedding_weight', 'fc2_weight', cl.symbol.describe(symbol)[0].centers:
        np.testing.assert_array_equal(found[name], expected[name])


def test_centers_move_between_their_homes_and_the_weight_stays():
    module = start(network('aux', scale_variable(FIRST)))
    train(module, 0, 2)
    moved, _ = cl.model.centers_to_kvstore(*module.get_params())
    synced = start(network('kvstore', scale_variable(SECOND)), (moved, None))
    assert numbers(synced)['center_loss_scale'].tolist() == [FIRST]
    train(synced, 2, 3)
    back = cl.model.centers_to_aux(*synced.get_params())
    train(start(network('aux', scale_variable(SECOND)), back), 3, 4)


def test_centers_start_at_the_class_means_of_a_network_with_such_a_weight():
    module = start(network('aux', scale_variable(FIRST)))
    rng = np.random.RandomState(SEED)
    arrays = rng.randn(4 * N, 4).astype('float32'), np.arange(4 * N) % NUM_CLASS
    data_iter = cl.io.CenterLossIter(mx.io.NDArrayIter(*arrays, N))
    assert cl.model.start_centers(module, data_iter).tolist() == list(range(NUM_CLASS))
    assert numbers(module)['center_loss_scale'].tolist() == [FIRST]

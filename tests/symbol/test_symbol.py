"""The factories: names, lambda, and what they refuse."""

from __future__ import annotations

from functools import lru_cache

from centerloss_mx import reference, symbol
from centerloss_mx.symbol import (
    center_loss,
    contrastive_center_loss,
    island_loss,
    joint_supervision,
    large_margin_gaussian_mixture,
    learned_center_loss,
    sync_center_loss,
)

import mxnet as mx
import numpy as np
import pytest

SEED, N, IN, DIM, NUM_CLASS = 20161008, 12, 7, 3, 4


def network(scale, **options):
    embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=DIM, name='embedding')
    return joint_supervision(embedding, NUM_CLASS, scale, batchsize=N, **options)


def one_step(contexts, net, learning_rate=0.1):
    """Parameters before and after one `Module` step with its default rescale_grad, and the batch."""
    rng = np.random.RandomState(SEED)
    x, y = rng.randn(N, IN).astype('float32'), rng.randint(0, NUM_CLASS, N)
    module = mx.mod.Module(net, label_names=['softmax_label', 'center_label'], context=contexts)
    module.bind([('data', (N, IN))], [('softmax_label', (N,)), ('center_label', (N,))])
    mx.random.seed(SEED)
    module.init_params(mx.init.Normal(0.5))
    centers = mx.nd.array(rng.randn(NUM_CLASS, DIM))
    args, aux = module.get_params()
    module.set_params(args, {**aux, 'center_loss__center_bias': centers})
    before = {name: value.asnumpy().astype(np.float64) for name, value in args.items()}
    module.init_optimizer(optimizer='sgd', optimizer_params={'learning_rate': learning_rate})
    module.forward_backward(mx.io.DataBatch([mx.nd.array(x)], [mx.nd.array(y)] * 2))
    module.update()
    mx.nd.waitall()
    after = {name: value.asnumpy() for name, value in module.get_params()[0].items()}
    return before, after, centers.asnumpy(), x, y


@pytest.mark.parametrize(
    'contexts', [[mx.cpu()], [mx.cpu(0), mx.cpu(1)], [mx.cpu(0), mx.cpu(1), mx.cpu(2)]], ids=len
)
@pytest.mark.parametrize('scale', [0.0, 0.3, 2.0])
def test_scale_is_the_papers_lambda_in_one_sgd_step_of_module(contexts, scale):
    """W <- W - lr / N * d(L_S + lambda L_C)/dW, Eq. 5, on any number of devices."""
    before, after, c, x, y = one_step(contexts, network(scale))
    features = x @ before['embedding_weight'].T + before['embedding_bias']
    to_x, to_w, to_b = reference.joint_supervision_gradients(
        features, y, before['fc2_weight'], before['fc2_bias'], c, scale
    )
    gradients = {
        'embedding_weight': to_x.T @ x,
        'embedding_bias': to_x.sum(axis=0),
        'fc2_weight': to_w,
        'fc2_bias': to_b,
    }
    for name, gradient in gradients.items():
        np.testing.assert_allclose(after[name], before[name] - 0.1 * gradient / N, atol=2e-6, err_msg=name)


def test_the_raw_operator_needs_n_times_the_scale_as_the_readme_says():
    """Its gradient is divided by N, and by Module's rescale_grad once more."""
    embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=DIM, name='embedding')
    logits = mx.sym.FullyConnected(embedding, num_hidden=NUM_CLASS, name='fc2')
    softmax = mx.sym.SoftmaxOutput(logits, mx.sym.Variable('softmax_label'), name='softmax')
    raw = center_loss(embedding, mx.sym.Variable('center_label'), NUM_CLASS, scale=0.3 * N, batchsize=N)
    _, classic, *_ = one_step([mx.cpu()], mx.sym.Group([softmax, raw]))
    _, joint, *_ = one_step([mx.cpu()], network(0.3))
    for name, value in joint.items():
        np.testing.assert_allclose(classic[name], value, atol=1e-6, err_msg=name)


@pytest.mark.parametrize('weights, scale', [((1, 0.05), 0.1), ((5, 1), 0.4)])
def test_keras_loss_weights_of_one_and_w_are_a_scale_of_2w(weights, scale):
    """There an `Embedding` holds the centers, and the mean of ||x - c||^2 has the weight w.

    Here the gradient sums over the batch, and Module divides it by N.
    """
    x, y, c, v = random_batch()
    data, label, centers = (mx.sym.Variable(name) for name in ('data', 'label', 'centers'))
    looked_up = mx.sym.Embedding(label, centers, input_dim=NUM_CLASS, output_dim=DIM, dtype='float64')
    squares = mx.sym.sum(mx.sym.square(data - looked_up), axis=1)
    keras = mx.sym.MakeLoss(mx.sym.mean(squares) * (weights[1] / weights[0]))
    arguments = {'data': x, 'label': y, 'centers': c}
    arguments = {name: mx.nd.array(value, dtype='float64') for name, value in arguments.items()}
    gradients = {name: mx.nd.zeros_like(arguments[name]) for name in ('data', 'centers')}
    executor = keras.bind(mx.cpu(), arguments, gradients)
    executor.forward(is_train=True)
    executor.backward()
    expected = BoundLoss('learned', x, y, c, v, scale=scale).gradients()
    for name, ours in ('data', 'data'), ('centers', 'loss_center_weight'):
        np.testing.assert_allclose(gradients[name].asnumpy(), expected[ours] / N, 1e-6, 1e-9)


def test_the_oracles_gradients_are_those_of_its_losses_by_finite_differences():
    rng = np.random.RandomState(SEED)
    x, w, b, c = rng.randn(N, DIM), rng.randn(NUM_CLASS, DIM), rng.randn(NUM_CLASS), rng.randn(NUM_CLASS, DIM)
    y, lambda_, step = rng.randint(0, NUM_CLASS, N), 0.7, 1e-5

    def loss():
        return reference.softmax_cross_entropy(x, y, w, b)[0] + lambda_ * reference.center_loss(x, y, c)[0]

    for array, gradient in zip((x, w, b), reference.joint_supervision_gradients(x, y, w, b, c, lambda_)):
        for index in np.ndindex(array.shape):
            middle = array[index]
            array[index] = middle + step
            ahead = loss()
            array[index] = middle - step
            behind = loss()
            array[index] = middle
            assert abs((ahead - behind) / (2 * step) - gradient[index]) < 1e-7


def test_joint_supervision_has_the_contracts_names():
    net = network(0.1)
    assert net.list_outputs() == ['softmax_output', 'center_loss_output']
    assert set(net.list_arguments()) == {
        'data', 'embedding_weight', 'embedding_bias', 'fc2_weight', 'fc2_bias', 'softmax_label',
        'center_label',
    }  # fmt: skip
    assert net.list_auxiliary_states() == [
        'center_loss__diff_bias', 'center_loss__center_bias', 'center_loss__sum_bias',
    ]  # fmt: skip


def test_joint_supervision_takes_labels_of_the_callers_own():
    label = mx.sym.Variable('label')
    net = network(0.1, softmax_label=label, center_label=label)
    assert 'label' in net.list_arguments() and 'center_label' not in net.list_arguments()


def test_ignored_rows_take_no_part_in_either_loss():
    net = network(0.5, use_ignore=True)
    rng = np.random.RandomState(SEED)
    executor = net.simple_bind(mx.cpu(), data=(N, IN))
    for array in executor.arg_dict.values():
        array[:] = rng.randn(*array.shape)
    y = rng.randint(0, NUM_CLASS, N)
    y[5] = -1
    labels = {'softmax_label': mx.nd.array(y), 'center_label': mx.nd.array(y)}
    gradients = []
    for row in 0, 1e3:
        executor.arg_dict['data'][5] = row
        executor.forward(is_train=True, **labels)
        executor.backward()
        gradients.append(executor.grad_dict['fc2_bias'].asnumpy())
        mx.nd.waitall()
        executor.aux_dict['center_loss__center_bias'][:] = 0
    assert (gradients[0] == gradients[1]).all() and gradients[0].any()


@pytest.mark.parametrize('keywords, message', [
    ({'num_class': 0}, 'num_class=0 is not a whole number > 0'),
    ({'alpha': 2}, r'alpha=2 is not a number in \[0, 1\]'),
    ({'scale': float('nan')}, 'scale=nan is not a finite number >= 0'),
    ({'update': 'ema'}, "update='ema' is not one of paper, moving_average"),
    ({'batchsize': -1}, 'batchsize=-1 is not a whole number > 0'),
])  # fmt: skip
def test_the_factories_refuse_bad_parameters_with_a_value_error(keywords, message):
    data, label = mx.sym.Variable('data'), mx.sym.Variable('label')
    with pytest.raises(ValueError, match=message):
        center_loss(data, label, **{'num_class': 3, **keywords})
    with pytest.raises(ValueError, match=message):
        joint_supervision(data, **{'num_class': 3, 'scale': 1.0, **keywords})


def test_center_loss_refuses_an_unknown_normalization_and_joint_supervision_another_home():
    data, label = mx.sym.Variable('data'), mx.sym.Variable('label')
    with pytest.raises(ValueError, match="normalization='mean' is not one of null, batch, valid"):
        center_loss(data, label, 3, normalization='mean')
    with pytest.raises(ValueError, match="centers='server' is not one of aux, kvstore"):
        joint_supervision(data, 3, 1.0, centers='server')


# The losses whose centers are a parameter. Each: the factory's own options, and the oracle's (values of the
# samples, gradients of `scale` times their sum by argument). A power of 2: MXNet keeps grad_scale in float32.
SCALE = 0.25


def learned_oracle(x, y, c, v):
    values, to_x, to_c = reference.learned_center_loss(x, y, c)
    return values, {'data': SCALE * to_x, 'loss_center_weight': SCALE * to_c}


def island_oracle(x, y, c, v):
    values, to_x, to_c = reference.island_loss(x, y, c, 0.7)
    return values, {'data': SCALE * to_x, 'loss_center_weight': SCALE * to_c}


def contrastive_oracle(x, y, c, v):
    values, to_x, to_c = reference.contrastive_center_loss(x, y, c, 0.5)
    return values, {'data': SCALE * to_x, 'loss_center_weight': SCALE * to_c}


def identity_oracle(x, y, c, v):
    values, _, to_x, to_c, _ = reference.large_margin_gaussian_mixture(x, y, c, 0 * v, SCALE, 0.4)
    return values, {'data': to_x, 'loss_center_weight': to_c}


def diagonal_oracle(x, y, c, v):
    values, _, to_x, to_c, to_v = reference.large_margin_gaussian_mixture(x, y, c, v, SCALE, 0.4)
    return values, {'data': to_x, 'loss_center_weight': to_c, 'loss_log_variance_bias': to_v}


LOSSES = {
    'learned': (learned_center_loss, {}, learned_oracle),
    'island': (island_loss, {'inter_scale': 0.7}, island_oracle),
    'contrastive': (contrastive_center_loss, {'delta': 0.5}, contrastive_oracle),
    'identity': (large_margin_gaussian_mixture, {'margin': 0.4}, identity_oracle),
    'diagonal': (large_margin_gaussian_mixture, {'margin': 0.4, 'covariance': 'diagonal'}, diagonal_oracle),
}
every_loss = pytest.mark.parametrize('loss', LOSSES)


def make(loss, dtype='float32', **options):
    factory, own_options, _ = LOSSES[loss]
    options = {'scale': SCALE, 'name': 'loss', **own_options, **options}
    if factory is learned_center_loss:
        options['dtype'] = dtype
    return factory(mx.sym.Variable('data'), mx.sym.Variable('label'), NUM_CLASS, DIM, **options)


def random_batch(dtype='float64'):
    """Features, labels, centers and logarithms of variances; class 3 is absent."""
    rng = np.random.RandomState(SEED)
    x, c = rng.randn(N, DIM), rng.randn(NUM_CLASS, DIM)
    v = 0.3 * rng.randn(NUM_CLASS, DIM)
    return x.astype(dtype), rng.randint(0, NUM_CLASS - 1, N), c.astype(dtype), v.astype(dtype)


class BoundLoss:
    """One of the losses bound alone, run by hand."""

    def __init__(self, loss, x, y, c, v, grad_req='write', **options):
        dtype = str(x.dtype)
        self.symbol = make(loss, dtype, **options)
        arguments = self.symbol.list_arguments()
        types = {name: 'float32' if name == 'label' else dtype for name in arguments}
        # the label never, as under Module
        grad_req = {name: 'null' if name == 'label' else grad_req for name in arguments}
        self.executor = self.symbol.simple_bind(
            mx.cpu(), grad_req=grad_req, type_dict=types, data=x.shape, label=y.shape
        )
        values = {'data': x, 'label': y, 'loss_center_weight': c, 'loss_log_variance_bias': v}
        for name, array in self.executor.arg_dict.items():
            array[:] = mx.nd.array(values[name], dtype=array.dtype)

    def forward(self, is_train=True):
        """The loss of each sample."""
        self.executor.forward(is_train=is_train)
        return self.executor.output_dict['loss_output'].asnumpy()

    def gradients(self):
        self.forward()
        self.executor.backward()
        return {name: array.asnumpy() for name, array in self.executor.grad_dict.items() if array is not None}


@every_loss
@pytest.mark.parametrize('dtype', ['float32', 'float64'])
def test_every_loss_equals_its_oracle(loss, dtype):
    x, y, c, v = random_batch(dtype)
    expected, gradients = LOSSES[loss][2](*(array.astype(float) for array in (x, y, c, v)))
    bound = BoundLoss(loss, x, y, c, v)
    actual = bound.gradients()
    tolerance = 64 * np.finfo(dtype).eps
    np.testing.assert_allclose(bound.forward(), expected, tolerance, tolerance)
    assert set(actual) == set(gradients)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(
            actual[name], gradient, tolerance, tolerance * abs(gradient).max(), err_msg=name
        )
        assert gradient.any()


@every_loss
@pytest.mark.parametrize('offset', [100, 1000])
def test_every_loss_keeps_its_digits_far_from_the_origin(loss, offset):
    if loss == 'island':
        pytest.skip('the cosines of its centers depend on the origin')
    x, y, c, v = random_batch()
    # multiples of 1/256: the shift rounds nothing
    x, c = (np.round(256 * array) / 256 for array in (x, c))
    expected, gradients = LOSSES[loss][2](x, y, c, v.astype('float32').astype(float))
    far_x, far_c = ((array + offset).astype('float32') for array in (x, c))
    bound = BoundLoss(loss, far_x, y, far_c, v)
    np.testing.assert_allclose(bound.forward(), expected, 1e-4, 1e-4)
    actual = bound.gradients()
    for name, gradient in gradients.items():
        np.testing.assert_allclose(actual[name], gradient, 1e-4, 1e-4 * abs(gradient).max(), err_msg=name)


@every_loss
def test_every_gradient_passes_finite_differences(loss):
    bound, step = BoundLoss(loss, *random_batch()), 1e-6
    gradients = bound.gradients()
    # of what is put out: scale weighs the whole loss, or half of ||x - c||^2, or only one term of L-GM
    weight = {'learned': SCALE / 2, 'identity': 1, 'diagonal': 1}.get(loss, SCALE)
    for name, gradient in gradients.items():
        argument = bound.executor.arg_dict[name]
        value = argument.asnumpy()
        for index in np.ndindex(value.shape):
            losses = []
            for side in 1, -1:
                moved = value.copy()
                moved[index] += side * step
                argument[:] = mx.nd.array(moved, dtype='float64')
                losses.append(bound.forward().sum())
            argument[:] = mx.nd.array(value, dtype='float64')
            difference = weight * (losses[0] - losses[1]) / (2 * step)
            assert abs(difference - gradient[index]) < 1e-7 * max(1, abs(gradient).max()), (name, index)


@every_loss
def test_gradients_are_added_where_grad_req_says_so(loss):
    options = {'sparse_grad': False} if loss == 'learned' else {}
    batch = random_batch()
    once = BoundLoss(loss, *batch, **options).gradients()
    bound = BoundLoss(loss, *batch, grad_req='add', **options)
    bound.gradients()
    twice = bound.gradients()
    assert set(twice) == set(once)
    for name, gradient in once.items():
        np.testing.assert_allclose(twice[name], 2 * gradient, 1e-12, 1e-15, err_msg=name)


def test_a_sparse_gradient_has_the_rows_of_the_batch_and_cannot_be_added():
    batch = random_batch()
    bound = BoundLoss('learned', *batch)
    bound.gradients()
    gradient = bound.executor.grad_dict['loss_center_weight']
    assert gradient.stype == 'row_sparse'
    assert gradient.indices.asnumpy().tolist() == sorted(set(batch[1].tolist()))
    with pytest.raises(mx.MXNetError, match='req != write'):
        BoundLoss('learned', *batch, grad_req='add').gradients()


def module_step(loss, contexts, kvstore='device', steps=1, lr_mult=1, **optimizer_params):
    """Parameters before and after steps of `Module` on random batches, and the batches."""
    rng = np.random.RandomState(SEED)
    _, y, c, v = random_batch('float32')
    embedding = mx.sym.FullyConnected(mx.sym.Variable('input'), num_hidden=DIM, name='embedding')
    net = make(loss, lr_mult=lr_mult)(data=embedding)
    module = mx.mod.Module(net, ['input'], ['label'], context=contexts)
    inputs = rng.randn(N, IN).astype('float32')
    module.bind([('input', (N, IN))], [('label', (N,))])
    module.init_params(mx.init.Normal(0.5))
    values = {'loss_center_weight': c, 'loss_log_variance_bias': v, 'embedding_weight': rng.randn(DIM, IN)}
    args = {name: mx.nd.array(values[name]) for name in module.get_params()[0] if name in values}
    module.set_params(args, {}, allow_missing=True)
    before = {name: array.asnumpy() for name, array in module.get_params()[0].items()}
    optimizer_params = {'learning_rate': 0.1, **optimizer_params}
    module.init_optimizer(kvstore=kvstore, optimizer='sgd', optimizer_params=optimizer_params)
    for _ in range(steps):
        module.forward_backward(mx.io.DataBatch([mx.nd.array(inputs)], [mx.nd.array(y)]))
        module.update()
    after = {name: array.asnumpy() for name, array in module.get_params()[0].items()}
    return before, after, inputs, y


@every_loss
@pytest.mark.parametrize('contexts', [1, 2, 5], ids='{} devices'.format)
@pytest.mark.parametrize('kvstore', ['device', 'local'])
def test_a_step_of_module_is_the_oracles_on_any_number_of_devices(loss, contexts, kvstore):
    """Also with slices of unequal size, 12 = 3 + 3 + 2 + 2 + 2."""
    before, after, inputs, y = module_step(loss, [mx.cpu(i) for i in range(contexts)], kvstore)
    wide = {name: array.astype(float) for name, array in before.items()}
    x = inputs @ wide['embedding_weight'].T + wide['embedding_bias']
    c = wide['loss_center_weight']
    _, gradients = LOSSES[loss][2](x, y, c, wide.get('loss_log_variance_bias', np.zeros_like(c)))
    gradients['embedding_weight'] = gradients['data'].T @ inputs
    gradients['embedding_bias'] = gradients.pop('data').sum(axis=0)
    assert set(gradients) == set(before)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(after[name], wide[name] - 0.1 * gradient / N, atol=2e-6, err_msg=name)
        assert abs(after[name] - before[name]).max() > 1e-4


def test_a_learned_center_moves_as_far_as_the_docstring_says():
    before, after, inputs, y = module_step('learned', mx.cpu())
    x = inputs @ before['embedding_weight'].T + before['embedding_bias']
    c = before['loss_center_weight']
    for j in range(NUM_CLASS):
        moved = 0.1 * 1.0 * SCALE / N * (x[y == j] - c[j]).sum(axis=0)
        np.testing.assert_allclose(after['loss_center_weight'][j], c[j] + moved, atol=1e-6)


@every_loss
def test_lr_mult_multiplies_the_way_of_centers_and_covariances_only(loss):
    before, once, *_ = module_step(loss, mx.cpu())
    _, ten_times, *_ = module_step(loss, mx.cpu(), lr_mult=10)
    for name in before:
        factor = 1 if name.startswith('embedding') else 10
        way = factor * (once[name] - before[name])
        np.testing.assert_allclose(ten_times[name] - before[name], way, 1e-3, 1e-6, err_msg=name)


@every_loss
def test_weight_decay_leaves_centers_alone(loss):
    plain = module_step(loss, mx.cpu(), steps=3)[1]
    decayed = module_step(loss, mx.cpu(), steps=3, wd=0.01)[1]
    assert (decayed['embedding_weight'] != plain['embedding_weight']).any()
    first_plain, first_decayed = (module_step(loss, mx.cpu(), wd=wd)[1] for wd in (0, 0.5))
    for name in set(plain) - {'embedding_weight', 'embedding_bias'}:
        np.testing.assert_array_equal(first_decayed[name], first_plain[name], err_msg=name)


def test_absent_learned_centers_do_not_move_even_with_momentum():
    before, after, _, y = module_step('learned', mx.cpu(), steps=3, momentum=0.9)
    absent = sorted(set(range(NUM_CLASS)) - set(y.tolist()))
    assert absent
    moved = (after['loss_center_weight'] != before['loss_center_weight']).any(axis=1)
    assert moved.tolist() == [j not in absent for j in range(NUM_CLASS)]


@every_loss
def test_a_row_that_is_ignored_or_of_no_class_takes_no_part(loss):
    x, y, c, v = random_batch()
    kept = np.ones(N, bool)
    kept[[2, 5]] = False
    expected = BoundLoss(loss, x[kept], y[kept], c, v)
    values, gradients = expected.forward(), expected.gradients()

    labels = y.astype(float)
    x[2], labels[2], labels[5] = np.nan, -1, np.nan
    for wrong in np.nan, NUM_CLASS, -2, 0.5, np.inf:
        labels[5] = wrong
        bound = BoundLoss(loss, x, labels, c, v, use_ignore=True)
        actual = bound.forward()
        np.testing.assert_allclose(actual[kept], values, 1e-12)
        assert actual[2] == 0 and np.isnan(actual[5])
        actual = bound.gradients()
        for name, gradient in gradients.items():
            if name == 'data':
                assert not actual[name][~kept].any()
                actual[name] = actual[name][kept]
            np.testing.assert_allclose(actual[name], gradient, 1e-12, 1e-12, err_msg=name)


MANY_LABELS = np.array([0, 44, 127, 200, 255])


@lru_cache(maxsize=None)
def many_classes(loss):
    """Features, centers of 300 classes, and the losses of the labels above: the island loss's are slow."""
    rng = np.random.RandomState(SEED)
    x, c = rng.randn(len(MANY_LABELS), DIM), rng.randn(300, DIM)
    return x, c, LOSSES[loss][2](x, MANY_LABELS, c, 0 * c)[0]


@every_loss
@pytest.mark.parametrize('dtype', ['uint8', 'int8', 'int32', 'int64', 'float16', 'float64'])
def test_labels_of_every_dtype_are_told_apart(loss, dtype):
    """MXNet compares in the label's dtype, in which -1, the ignored one, may be 255, and 300 be 44."""
    x, c, expected = many_classes(loss)
    largest = 127 if dtype == 'int8' else 255
    held = largest >= MANY_LABELS
    x, labels, expected = x[held], MANY_LABELS[held], expected[held]
    factory, options, _ = LOSSES[loss]
    dtypes = {'dtype': 'float64'} if factory is learned_center_loss else {}
    data, label = mx.sym.Variable('data'), mx.sym.Variable('label')
    net = factory(
        data, label, len(c), DIM, SCALE, name='loss', use_ignore=True, ignore_label=-1, **options, **dtypes
    )
    types = {name: dtype if name == 'label' else 'float64' for name in net.list_arguments()}
    executor = net.simple_bind(mx.cpu(), grad_req='null', type_dict=types, data=x.shape, label=labels.shape)
    values = {'data': x, 'label': labels, 'loss_center_weight': c, 'loss_log_variance_bias': 0 * c}
    for name, array in executor.arg_dict.items():
        array[:] = mx.nd.array(values[name], dtype=array.dtype)
    executor.forward()
    np.testing.assert_allclose(executor.output_dict['loss_output'].asnumpy(), expected, 1e-9)


def test_a_center_shorter_than_a_millionth_has_no_direction():
    x, y, c, v = random_batch()
    for length, directed in (1e-7, False), (1e-5, True):
        c[1] = length * np.array([0.6, 0.8, 0])
        gradient = BoundLoss('island', x, y, c, v).gradients()['loss_center_weight']
        _, _, expected = reference.island_loss(x, y, c, 0.7)
        np.testing.assert_allclose(gradient, SCALE * expected, 1e-6, 1e-9)
        assert (abs(gradient[1]).max() > 1e3) == directed


def test_rounding_never_takes_the_distance_to_others_below_zero():
    """Samples on a foreign center: the sum over the others is 0, and a difference leaves rounding."""
    rng = np.random.RandomState(SEED)
    centers = (100 * rng.randn(200, 2, DIM)).astype('float32')
    for c in centers:
        x, y = c[[1, 0]], np.array([0, 1])
        net = contrastive_center_loss(
            mx.sym.Variable('x'), mx.sym.Variable('y'), 2, DIM, delta=1e-9, name='loss'
        )
        arguments = {'x': x, 'y': y, 'loss_center_weight': c}
        executor = net.bind(mx.cpu(), {name: mx.nd.array(value) for name, value in arguments.items()})
        assert (executor.forward()[0].asnumpy() > 0).all()


@every_loss
@pytest.mark.parametrize('place', [0.0, 1e-30, 1e-8, 1.5], ids='centers at {}'.format)
@pytest.mark.parametrize('dtype', ['float32', 'float64'])
def test_centers_that_coincide_give_finite_losses_and_gradients(loss, place, dtype):
    x, y, c, v = random_batch(dtype)
    c[:] = place
    x[:3] = c[0]  # at no distance from any center
    bound = BoundLoss(loss, x, y, c, v)
    assert np.isfinite(bound.forward()).all()
    for gradient in bound.gradients().values():
        assert np.isfinite(gradient).all()


def test_one_center_at_zero_does_not_stop_the_others_from_parting():
    x, y, c, v = random_batch()
    c[1] = 0
    bound = BoundLoss('island', x, y, c, v)
    values, _, to_c = reference.island_loss(x, y, c, 0.7)
    np.testing.assert_allclose(bound.forward(), values, 1e-12)
    np.testing.assert_allclose(bound.gradients()['loss_center_weight'], SCALE * to_c, 1e-12)


def test_no_inter_class_term_is_idle():
    """Each loss differs from center loss, and moves the centers of classes that no sample has."""
    x, y, c, v = random_batch()
    absent = NUM_CLASS - 1
    assert absent not in y
    alone = BoundLoss('learned', x, y, c, v)
    assert not alone.gradients()['loss_center_weight'][absent].any()
    for loss in set(LOSSES) - {'learned'}:
        bound = BoundLoss(loss, x, y, c, v)
        assert abs(bound.gradients()['loss_center_weight'][absent]).max() > 1e-3, loss
        assert abs(bound.forward() - 0.5 * alone.forward()).min() > 1e-3, loss
    without, with_margin = (BoundLoss('identity', x, y, c, v, margin=margin) for margin in (0, 2))
    assert (with_margin.forward() > without.forward()).all()
    near, far = (BoundLoss('island', x, y, c, v, inter_scale=weight) for weight in (0, 2))
    pairs = sum(
        1 + c[j] @ c[k] / np.linalg.norm(c[j]) / np.linalg.norm(c[k])
        for j in range(NUM_CLASS) for k in range(NUM_CLASS) if j != k
    )  # fmt: skip
    np.testing.assert_allclose(far.forward() - near.forward(), 2 * pairs, 1e-12)


@pytest.mark.parametrize('loss', ['identity', 'diagonal'])
def test_the_mixtures_probabilities_are_the_posterior_whatever_the_label(loss):
    x, y, c, v = random_batch()
    variance = v if loss == 'diagonal' else 0 * v
    _, posterior, *_ = reference.large_margin_gaussian_mixture(x, y, c, variance, SCALE, 0.4)
    for labels in y, np.roll(y, 1), np.full(N, -1.0), np.full(N, np.nan):
        bound = BoundLoss(loss, x, labels, c, v, use_ignore=True)
        bound.forward(is_train=False)
        actual = bound.executor.output_dict['softmax_output'].asnumpy()
        np.testing.assert_allclose(actual, posterior, 1e-12)


@pytest.mark.parametrize('loss', ['learned', 'island', 'contrastive'])
def test_no_array_of_samples_by_classes_or_classes_by_classes_is_made(loss):
    internals = make(loss).get_internals()
    batch, dim, num_class = N, DIM, NUM_CLASS
    _, shapes, _ = internals.infer_shape(data=(batch, dim), label=(batch,))
    assert not {(batch, num_class), (num_class, num_class), (batch, num_class, dim)} & set(shapes)


@every_loss
def test_every_loss_survives_a_json_file(loss, tmp_path):
    batch = random_batch('float32')
    bound = BoundLoss(loss, *batch)
    bound.symbol.save(str(tmp_path / 'loss.json'))
    loaded = mx.sym.load(str(tmp_path / 'loss.json'))
    again = loaded.bind(mx.cpu(), dict(bound.executor.arg_dict))
    again.forward(is_train=True)
    np.testing.assert_array_equal(again.output_dict['loss_output'].asnumpy(), bound.forward())


@every_loss
def test_numbers_may_be_numpys(loss):
    factory, own_options, _ = LOSSES[loss]
    options = {'scale': np.float32(SCALE), 'ignore_label': np.int64(-1), 'lr_mult': np.float64(1)}
    own = {
        name: np.float64(value) if isinstance(value, float) else value for name, value in own_options.items()
    }
    sizes = np.int64(NUM_CLASS), np.int32(DIM)
    data, label = mx.sym.Variable('data'), mx.sym.Variable('label')
    net = factory(data, label, *sizes, **options, **own, use_ignore=np.bool_(True), name='loss')
    x, y, c, v = random_batch('float32')
    values = {'data': x, 'label': y, 'loss_center_weight': c, 'loss_log_variance_bias': v}
    executor = net.bind(mx.cpu(), {name: mx.nd.array(values[name]) for name in net.list_arguments()})
    executor.forward()
    expected = BoundLoss(loss, x, y, c, v, use_ignore=True).forward()
    np.testing.assert_array_equal(executor.output_dict['loss_output'].asnumpy(), expected)


@pytest.mark.parametrize('keywords, message', [
    ({'num_class': 0}, 'loss: num_class=0 is not a whole number'),
    ({'num_class': 2.5}, 'loss: num_class=2.5 is not a whole number'),
    ({'num_class': True}, 'loss: num_class=True is not a whole number'),
    ({'scale': True}, 'loss: scale=True is not a finite number >= 0'),
    ({'num_class': 2**31}, 'loss: num_class=2147483648 is not a whole number >=? . and < 2'),
    ({'embedding_dim': 0}, 'loss: embedding_dim=0 is not a whole number > 0'),
    ({'scale': -1}, 'loss: scale=-1 is not a finite number >= 0'),
    ({'scale': float('inf')}, 'loss: scale=inf is not a finite number >= 0'),
    ({'lr_mult': 'fast'}, "loss: lr_mult='fast' is not a finite number >= 0"),
    ({'use_ignore': 2}, 'loss: use_ignore=2 is not True or False'),
    ({'ignore_label': 0.5}, 'loss: ignore_label=0.5 is not a whole number'),
])  # fmt: skip
@pytest.mark.parametrize('factory', [entry[0] for entry in LOSSES.values()][:4])
def test_every_loss_refuses_bad_parameters(factory, keywords, message):
    arguments = {'num_class': 3, 'embedding_dim': 2, 'name': 'loss', **keywords}
    with pytest.raises(ValueError, match=message):
        factory(mx.sym.Variable('data'), mx.sym.Variable('label'), **arguments)


@pytest.mark.parametrize('factory, keywords, message', [
    (learned_center_loss, {'dtype': 'float16'}, "dtype='float16' is not one of float32, float64"),
    (island_loss, {'inter_scale': -1}, 'inter_scale=-1 is not a finite number >= 0'),
    (contrastive_center_loss, {'delta': 0}, 'delta=0 is not a finite number > 0'),
    (contrastive_center_loss, {'num_class': 1}, 'num_class=1 is not a whole number >= 2'),
    (large_margin_gaussian_mixture, {'margin': -0.1}, 'margin=-0.1 is not a finite number >= 0'),
    (large_margin_gaussian_mixture, {'covariance': 'full'}, "covariance='full' is not one of identity, diag"),
])  # fmt: skip
def test_a_loss_refuses_what_only_it_has(factory, keywords, message):
    with pytest.raises(ValueError, match=message):
        factory(
            mx.sym.Variable('data'),
            mx.sym.Variable('label'),
            **{'num_class': 3, 'embedding_dim': 2, **keywords},
        )


@pytest.mark.parametrize('factory, keywords', [
    *[(factory, {'num_class': least}) for factory, least in (
        (learned_center_loss, 1), (island_loss, 1), (contrastive_center_loss, 2),
        (large_margin_gaussian_mixture, 1), (sync_center_loss, 1),
    )],
    (learned_center_loss, {'num_class': 2**31 - 1, 'embedding_dim': 1, 'scale': 0, 'lr_mult': 0}),
    (island_loss, {'inter_scale': 0}),
    (contrastive_center_loss, {'delta': 1e-300}),
    (large_margin_gaussian_mixture, {'scale': 0, 'margin': 0}),
    (sync_center_loss, {'scale': 0, 'embedding_dim': 1}),
])  # fmt: skip
def test_the_ends_of_the_ranges_are_parameters(factory, keywords):
    arguments = {'num_class': 3, 'embedding_dim': 2, 'name': 'loss', **keywords}
    net = factory(mx.sym.Variable('data'), mx.sym.Variable('label'), **arguments)
    assert net.list_outputs()[-1] == 'loss_output'


# Centers on the KVStore


class Synced:
    """`sync_center_loss` bound alone; its centers, and how many samples of each class it has seen."""

    def __init__(self, x, y, c, label_dtype='float32', scale=SCALE, **options):
        dtype = str(c.dtype)
        self.symbol = sync_center_loss(
            mx.sym.Variable('data'),
            mx.sym.Variable('label'),
            NUM_CLASS,
            DIM,
            scale,
            dtype=dtype,
            name='loss',
            **options,
        )
        self.executor = self.symbol.simple_bind(
            mx.cpu(),
            grad_req={'data': 'write', 'label': 'null', 'loss_center_weight': 'write'},
            type_dict={'data': str(x.dtype), 'label': label_dtype, 'loss_center_weight': dtype},
            data=x.shape,
            label=y.shape,
        )
        self.executor.arg_dict['data'][:] = mx.nd.array(x, dtype=x.dtype)
        self.executor.arg_dict['label'][:] = mx.nd.array(y, dtype=label_dtype)
        weight = np.hstack([c, np.arange(NUM_CLASS)[:, np.newaxis]]).astype(dtype)
        self.executor.arg_dict['loss_center_weight'][:] = mx.nd.array(weight, dtype=dtype).tostype(
            'row_sparse'
        )

    def run(self, is_train=True):
        return self.executor.forward(is_train=is_train)[0].asnumpy()

    def gradients(self):
        self.run()
        self.executor.backward()
        return self.executor.grad_dict['data'].asnumpy(), self.executor.grad_dict['loss_center_weight']


@pytest.mark.parametrize('normalization', ['null', 'batch', 'valid'])
@pytest.mark.parametrize('dtype', ['float32', 'float64'])
@pytest.mark.parametrize('use_ignore', [False, True])
def test_sync_center_loss_equals_its_oracle_and_the_operator(normalization, dtype, use_ignore, bound):
    x, y, c, _ = random_batch(dtype)
    y = y.astype(float)
    if use_ignore:
        y[[1, 5, 6]] = -1
    ignored = -1 if use_ignore else None
    expected, to_x = reference.center_loss(x, y, c, ignored)
    divisor = reference.normalizer(y, normalization, ignored)
    pull = c - reference.center_update(x, y, c, 1, 'moving_average', ignored)  # the mean of c - x
    counts = np.array([(y == j).sum() for j in range(NUM_CLASS)])
    if use_ignore:
        x[[1, 5]] = [[np.nan] * DIM, [np.inf] * DIM]  # what is ignored may hold anything

    loss = Synced(x, y, c, normalization=normalization, use_ignore=use_ignore)
    tolerance = 16 * np.finfo(dtype).eps
    np.testing.assert_allclose(loss.run(), [expected / divisor], tolerance)
    to_features, to_centers = loss.gradients()
    np.testing.assert_allclose(to_features, SCALE * to_x / divisor, tolerance, tolerance)
    assert to_centers.stype == 'row_sparse'
    dense = to_centers.asnumpy()
    np.testing.assert_allclose(dense[:, :DIM], counts[:, np.newaxis] * pull, 4 * tolerance, 4 * tolerance)
    np.testing.assert_array_equal(dense[:, DIM], -counts)
    assert set(to_centers.indices.asnumpy()) == set(
        np.where(y < 0, 0, y)
    )  # an ignored row adds zeros to class 0

    operator = bound(
        N, DIM, NUM_CLASS, dtype, scale=SCALE, normalization=normalization, use_ignore=use_ignore
    )
    operator.centers = mx.nd.array(c, dtype=dtype)
    value, gradient = operator.step(mx.nd.array(x, dtype=dtype), y)
    np.testing.assert_allclose(loss.run(), [value], tolerance)
    np.testing.assert_allclose(to_features, gradient, tolerance, tolerance)


def test_the_feature_gradient_of_sync_center_loss_passes_finite_differences():
    x, y, c, _ = random_batch()
    loss, step = Synced(x, y, c, normalization='batch'), 1e-6
    gradient, _ = loss.gradients()
    for index in np.ndindex(x.shape):
        losses = []
        for side in 1, -1:
            moved = x.copy()
            moved[index] += side * step
            loss.executor.arg_dict['data'][:] = mx.nd.array(moved, dtype='float64')
            losses.append(loss.run()[0])
        assert abs(SCALE * (losses[0] - losses[1]) / (2 * step) - gradient[index]) < 1e-8


def test_the_centers_gradient_of_sync_center_loss_knows_no_scale():
    x, y, c, _ = random_batch()
    to_features, to_centers = Synced(x, y, c, scale=0.0).gradients()
    assert not to_features.any()
    np.testing.assert_array_equal(to_centers.asnumpy(), Synced(x, y, c).gradients()[1].asnumpy())


@pytest.mark.parametrize('normalization', ['null', 'batch', 'valid'])
def test_a_batch_whose_labels_are_all_ignored_has_no_sync_center_loss_and_no_gradient(normalization):
    x, _, c, _ = random_batch()
    loss = Synced(np.full_like(x, np.nan), np.full(N, -1.0), c, normalization=normalization, use_ignore=True)
    assert loss.run().tolist() == [0]
    to_features, to_centers = loss.gradients()
    assert not to_features.any() and not to_centers.asnumpy().any()


@pytest.mark.parametrize('unknown', [-1, 4, 1.5, np.nan])
def test_a_label_that_is_no_class_makes_sync_center_loss_nan_and_takes_no_part(unknown):
    x, y, c, _ = random_batch()
    y = y.astype(float)
    kept = np.arange(N) != 3
    y[3] = unknown
    loss = Synced(x, y, c)
    assert np.isnan(loss.run()).all() and np.isnan(loss.run(is_train=False)).all()
    to_features, to_centers = loss.gradients()
    assert not to_features[3].any()
    np.testing.assert_array_equal(to_features[kept], Synced(x[kept], y[kept], c).gradients()[0])
    np.testing.assert_allclose(
        to_centers.asnumpy(), Synced(x[kept], y[kept], c).gradients()[1].asnumpy(), 1e-12, 1e-12
    )


@pytest.mark.parametrize('label_dtype', ['uint8', 'int8', 'int32', 'int64', 'float16', 'float64'])
def test_sync_center_loss_takes_labels_of_any_dtype(label_dtype):
    x, y, c, _ = random_batch()
    to_features, to_centers = Synced(x, y, c).gradients()
    actual = Synced(x, y, c, label_dtype, use_ignore=True).gradients()
    np.testing.assert_array_equal(actual[0], to_features)
    np.testing.assert_array_equal(actual[1].asnumpy(), to_centers.asnumpy())


def test_sync_center_loss_casts_float16_features_and_its_centers_stay_float32():
    x, y, c, _ = random_batch('float32')
    half = x.astype('float16')
    to_features, to_centers = Synced(half, y, c).gradients()
    assert to_features.dtype == np.float16 and to_centers.dtype == np.float32
    exact, pull = Synced(half.astype('float32'), y, c).gradients()
    np.testing.assert_array_equal(to_features, exact.astype('float16'))
    np.testing.assert_array_equal(to_centers.asnumpy(), pull.asnumpy())


def test_sync_center_loss_is_of_stock_operators_and_has_one_output():
    loss = sync_center_loss(mx.sym.Variable('data'), mx.sym.Variable('label'), NUM_CLASS, DIM)
    assert '"Custom"' not in loss.tojson()
    assert loss.list_outputs() == ['center_loss_output']
    assert loss.infer_shape(data=(N, DIM), label=(N,))[1] == [(1,)]
    assert loss.list_auxiliary_states() == []


@pytest.mark.parametrize('options, message', [
    ({'num_class': 0}, 'center_loss: num_class=0 is not a whole number > 0'),
    ({'embedding_dim': 2.0}, 'center_loss: embedding_dim=2.0 is not a whole number'),
    ({'scale': -1}, 'center_loss: scale=-1 is not a finite number >= 0'),
    ({'normalization': 'mean'}, "center_loss: normalization='mean' is not one of null, batch, valid"),
    ({'dtype': 'float16'}, "center_loss: dtype='float16' is not one of float32, float64"),
    ({'use_ignore': 'yes'}, "use_ignore='yes' is not True or False"),
    ({'ignore_label': 0.5}, 'ignore_label=0.5 is not a whole number'),
])  # fmt: skip
def test_sync_center_loss_refuses_what_it_cannot_use(options, message):
    options = {'num_class': NUM_CLASS, 'embedding_dim': DIM, **options}
    with pytest.raises(ValueError, match=message):
        sync_center_loss(mx.sym.Variable('data'), mx.sym.Variable('label'), **options)


@pytest.mark.parametrize('options, message', [
    ({}, "centers='kvstore' needs embedding_dim, the length of a feature"),
    ({'embedding_dim': DIM, 'alpha': 0.5}, "alpha=0.5 is not for centers='kvstore'; give it"),
    ({'embedding_dim': DIM, 'update': 'paper'}, "update='paper' is not for centers='kvstore'"),
])  # fmt: skip
def test_joint_supervision_says_what_belongs_to_the_optimizer(options, message):
    with pytest.raises(ValueError, match=message):
        joint_supervision(mx.sym.Variable('data'), NUM_CLASS, 0.1, centers='kvstore', **options)


def test_both_homes_of_centers_train_the_same_numbers():
    trained = []
    for centers in 'aux', 'kvstore':
        embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=DIM, name='embedding')
        options = {'centers': 'kvstore', 'embedding_dim': DIM} if centers == 'kvstore' else {}
        net = joint_supervision(embedding, NUM_CLASS, 0.3, batchsize=N, use_ignore=True, **options)
        module = mx.mod.Module(net, label_names=['softmax_label', 'center_label'])
        module.bind([('data', (N, IN))], [('softmax_label', (N,)), ('center_label', (N,))])
        mx.random.seed(SEED)
        module.init_params(mx.init.Normal(0.5))
        params = {'learning_rate': 0.1, 'momentum': 0.9, 'wd': 0.01}
        module.init_optimizer(optimizer='centers' if centers == 'kvstore' else 'sgd', optimizer_params=params)
        rng = np.random.RandomState(SEED)
        for _ in range(10):
            x, y = rng.randn(N, IN), rng.randint(-1, NUM_CLASS, N)
            module.forward_backward(mx.io.DataBatch([mx.nd.array(x)], [mx.nd.array(y)] * 2))
            module.update()
            mx.nd.waitall()
        args, aux = module.get_params()
        found = aux['center_loss__center_bias'] if centers == 'aux' else args['center_loss_center_weight']
        trained.append({
            'centers': found.asnumpy()[:, :DIM],
            **{name: value.asnumpy() for name, value in args.items() if not name.startswith('center')},
        })  # fmt: skip
    aux, kvstore = trained
    for name, value in aux.items():
        np.testing.assert_allclose(kvstore[name], value, 1e-6, 1e-6, err_msg=name)


ALONE = {
    'center_loss': lambda x, y: symbol.joint_supervision(x, 5, 0.3, 0.2, y, y, batchsize=8),
    'sync_center_loss': lambda x, y: symbol.joint_supervision(
        x, 5, 0.3, softmax_label=y, center_label=y, centers='kvstore', embedding_dim=3
    ),
    'learned_center_loss': lambda x, y: with_softmax(x, y, symbol.learned_center_loss(x, y, 5, 3, 0.3, 7.0)),
    'island_loss': lambda x, y: with_softmax(x, y, symbol.island_loss(x, y, 5, 3, 0.3, 2.0)),
    'contrastive_center_loss': lambda x, y: with_softmax(
        x, y, symbol.contrastive_center_loss(x, y, 5, 3, 0.3, 0.5)
    ),
    'large_margin_gaussian_mixture': lambda x, y: symbol.large_margin_gaussian_mixture(x, y, 5, 3, 0.3, 0.7),
    'softmax': lambda x, y: with_softmax(x, y),
}
OPTIONS = {
    'center_loss': {'scale': 0.3, 'alpha': 0.2, 'batchsize': 8},
    'sync_center_loss': {'scale': 0.3},
    'learned_center_loss': {'scale': 0.3, 'lr_mult': 7.0},
    'island_loss': {'scale': 0.3, 'inter_scale': 2.0},
    'contrastive_center_loss': {'scale': 0.3, 'delta': 0.5},
    'large_margin_gaussian_mixture': {'scale': 0.3, 'margin': 0.7},
    'softmax': {},
}


def with_softmax(x, y, *losses):
    logits = mx.sym.FullyConnected(x, num_hidden=5, name='fc2')
    return mx.sym.Group([mx.sym.SoftmaxOutput(logits, y, name='softmax'), *losses])


def stepped(net):
    """All outputs and gradients of one step on seeded values."""
    rng = np.random.RandomState(20161008)
    executor = net.simple_bind(mx.cpu(), data=(8, 3), label=(8,))
    for name, array in sorted({**executor.arg_dict, **executor.aux_dict}.items()):
        array[:] = rng.randint(0, 5, 8) if name == 'label' else rng.randn(*array.shape)
    outputs = executor.forward(is_train=True)
    executor.backward()
    mx.nd.waitall()
    gradients = {name: g.asnumpy() for name, g in executor.grad_dict.items() if name != 'label'}
    return [output.asnumpy() for output in outputs], gradients


@pytest.mark.parametrize('loss', symbol.LOSSES)
def test_a_loss_by_its_name_is_that_of_its_factory(loss):
    x, y = mx.sym.Variable('data'), mx.sym.Variable('label')
    expected = stepped(ALONE[loss](x, y))
    found = stepped(symbol.supervised(x, 5, loss, 3, y, y, **OPTIONS[loss]))
    assert [a.tolist() for a in found[0]] == [a.tolist() for a in expected[0]]
    assert {k: a.tolist() for k, a in found[1].items()} == {k: a.tolist() for k, a in expected[1].items()}
    assert set(OPTIONS[loss]) <= set(symbol.loss_options(loss))


@pytest.mark.parametrize('loss', ['center_loss', 'sync_center_loss'])
def test_a_center_loss_by_its_name_weighs_as_much_as_softmax(loss):
    """`joint_supervision`, which makes it, has no default scale."""
    x, y = mx.sym.Variable('data'), mx.sym.Variable('label')
    found, expected = (
        stepped(symbol.supervised(x, 5, loss, 3, y, y, **options))[1] for options in ({}, {'scale': 1.0})
    )
    assert found['data'].tolist() == expected['data'].tolist()


def test_the_labels_of_a_loss_by_its_name_are_those_of_joint_supervision():
    x = mx.sym.Variable('data')
    for loss in symbol.LOSSES:
        arguments = symbol.supervised(x, 5, loss, 3).list_arguments()
        labels = [name for name in arguments if name.endswith('_label')]
        alone = loss in ('softmax', 'large_margin_gaussian_mixture')
        assert labels == ['softmax_label'] if alone else labels == ['softmax_label', 'center_label']


IGNORED = ('use_ignore', 'ignore_label')


@pytest.mark.parametrize('loss, options', [
    ('softmax', ()),
    ('center_loss', ('alpha', 'scale', 'batchsize', *IGNORED, 'update')),
    ('sync_center_loss', ('scale', *IGNORED)),
    ('learned_center_loss', ('scale', 'lr_mult', 'sparse_grad', *IGNORED)),
    ('island_loss', ('scale', 'inter_scale', 'lr_mult', *IGNORED)),
    ('contrastive_center_loss', ('scale', 'delta', 'lr_mult', *IGNORED)),
    ('large_margin_gaussian_mixture', ('scale', 'margin', 'covariance', 'lr_mult', *IGNORED)),
])  # fmt: skip
def test_a_loss_by_its_name_has_these_options_and_no_other(loss, options):
    assert symbol.loss_options(loss) == options
    expected = f'{loss} has no option dtype; it has {", ".join(options) or "none"}'
    with pytest.raises(ValueError, match=f'^{expected}$'):
        symbol.supervised(mx.sym.Variable('data'), 5, loss, 3, dtype='float64')


@pytest.mark.parametrize('loss, options, message', [
    ('triplet_loss', {}, "loss='triplet_loss' is not one of softmax, center_loss"),
    ('softmax', {'scale': 1}, 'softmax has no option scale; it has none'),
    ('island_loss', {'margin': 1}, 'island_loss has no option margin; it has scale, inter_scale, lr_mult'),
    ('sync_center_loss', {'alpha': 0.5}, 'sync_center_loss has no option alpha; it has scale, '),
    ('center_loss', {'normalization': 'batch'}, 'center_loss has no option normalization'),
    ('island_loss', {'scale': -1}, 'scale=-1 is not a finite number >= 0'),
])  # fmt: skip
def test_options_that_a_loss_does_not_have_are_named(loss, options, message):
    with pytest.raises(ValueError, match=message):
        symbol.supervised(mx.sym.Variable('data'), 5, loss, 3, **options)

"""The losses whose centers are a parameter, against their oracles."""

from __future__ import annotations

from functools import lru_cache

from centerloss_mx import reference
from centerloss_mx.symbol import (
    contrastive_center_loss,
    island_loss,
    large_margin_gaussian_mixture,
    learned_center_loss,
    sync_center_loss,
)

import mxnet as mx
import numpy as np
import pytest
from bound_loss import DIM, IN, LOSSES, NUM_CLASS, SCALE, SEED, BoundLoss, N, make, random_batch

# The losses whose centers are a parameter. Each: the factory's own options, and the oracle's (values of the
# samples, gradients of `scale` times their sum by argument). A power of 2: MXNet keeps grad_scale in float32.


every_loss = pytest.mark.parametrize('loss', LOSSES)


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

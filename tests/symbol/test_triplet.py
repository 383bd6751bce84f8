"""Batch-hard triplet loss, against its oracle."""

from __future__ import annotations

from centerloss_mx import reference
from centerloss_mx.module import Module
from centerloss_mx.symbol import triplet_loss

import mxnet as mx
import numpy as np
import pytest

SEED, N, DIM, SCALE = 20161008, 12, 3, 0.25
MARGINS = [None, 0.3, 2.0]
every_margin = pytest.mark.parametrize('margin', MARGINS)


def batch(dtype='float64'):
    """Features, and labels: classes 0 to 3; class 4 has one sample."""
    rng = np.random.RandomState(SEED)
    y = rng.randint(0, 4, N)
    y[7] = 4
    return rng.randn(N, DIM).astype(dtype), y


def make(**options):
    return triplet_loss(mx.sym.Variable('data'), mx.sym.Variable('label'), name='loss', **options)


def run(x, y, label_dtype='float64', grad_req='write', **options):
    """The losses, and the gradient; with grad_req='add' that of two steps."""
    options = {'scale': SCALE, **options}
    types = {'data': str(x.dtype), 'label': label_dtype}
    requests = {'data': grad_req, 'label': 'null'}
    shapes = {'data': x.shape, 'label': (len(y),)}
    executor = make(**options).simple_bind(mx.cpu(), grad_req=requests, type_dict=types, **shapes)
    for name, value in {'data': x, 'label': y}.items():
        executor.arg_dict[name][:] = mx.nd.array(value, dtype=types[name])
    for _ in range(2 if grad_req == 'add' else 1):
        executor.forward(is_train=True)
        executor.backward()
    return executor.outputs[0].asnumpy(), executor.grad_dict['data'].asnumpy()


@every_margin
@pytest.mark.parametrize('dtype', ['float32', 'float64'])
def test_the_loss_equals_its_oracle(margin, dtype):
    x, y = batch(dtype)
    expected, gradient = reference.triplet_loss(x.astype(float), y, margin)
    assert expected[7] == 0 and gradient.any()
    values, actual = run(x, y, margin=margin)
    tolerance = 64 * np.finfo(dtype).eps
    np.testing.assert_allclose(values, expected, tolerance, tolerance)
    np.testing.assert_allclose(actual, SCALE * gradient, tolerance, tolerance * abs(gradient).max())


@every_margin
def test_the_gradient_passes_finite_differences(margin):
    x, y = batch()
    _, gradient = run(x, y, margin=margin)
    for index in np.ndindex(x.shape):
        losses = []
        for side in 1, -1:
            moved = x.copy()
            moved[index] += side * 1e-6
            losses.append(run(moved, y, margin=margin)[0].sum())
        assert abs(SCALE * (losses[0] - losses[1]) / 2e-6 - gradient[index]) < 1e-8


@pytest.mark.parametrize('offset', [1000, 100000])
def test_the_loss_keeps_its_digits_far_from_the_origin(offset):
    x, y = batch()
    x = np.round(64 * x) / 64  # the shift rounds nothing
    y[[1, 4, 8]] = -1  # ignored rows do not count for the shift back
    expected, gradient = reference.triplet_loss(x, y, None, -1)
    values, actual = run((x + offset).astype('float32'), y, use_ignore=True)
    np.testing.assert_allclose(values, expected, 1e-5, 1e-5)
    np.testing.assert_allclose(actual, SCALE * gradient, 1e-5, 1e-5)


@every_margin
def test_samples_at_one_place_have_finite_gradients(margin):
    x, y = batch()
    x[y == 0] = x[y == 0][0]  # the farthest of the class is at distance 0
    values, actual = run(x, y, margin=margin)
    expected, gradient = reference.triplet_loss(x, y, margin)
    np.testing.assert_allclose(values, expected, 1e-9, 1e-9)
    np.testing.assert_allclose(actual.sum(axis=0), 0, atol=1e-12)  # a shift changes no distance
    own = y != 0  # of equal distances any may be taken
    np.testing.assert_allclose(actual[own], SCALE * gradient[own], 1e-9, 1e-9)
    for same in (np.zeros((N, DIM)), np.ones((N, DIM), 'float32')):
        values, actual = run(same, y, margin=margin)
        alone = np.bincount(y)[y] == 1
        np.testing.assert_allclose(values, np.where(alone, 0, np.log(2) if margin is None else margin), 1e-6)
        assert not actual.any()


def test_a_sample_alone_in_its_class_or_without_another_class_has_no_loss():
    x, _ = batch()
    for labels in np.zeros(N), np.arange(N):
        values, gradient = run(x, labels)
        assert not values.any() and not gradient.any()
    values, gradient = run(x[:1], np.zeros(1))
    assert not values.any() and not gradient.any()


def test_the_farthest_of_the_class_and_the_nearest_of_the_others_count():
    """On a line: 0 has 1 and 3 of its class, and 10 and 14 of another."""
    x = np.array([[0.0], [1], [3], [10], [14]])
    values, gradient = run(x, np.array([0, 0, 0, 1, 1]), margin=10, scale=1)
    assert values.tolist() == [10 + 3 - 10, 10 + 2 - 9, 10 + 3 - 7, 10 + 4 - 7, 10 + 4 - 11]
    # each distance pulls its two ends together, or apart
    pulls = [(0, 2, 1), (0, 3, -1), (1, 2, 1), (1, 3, -1), (2, 0, 1), (2, 3, -1), (3, 4, 1), (3, 2, -1),
             (4, 3, 1), (4, 2, -1)]  # fmt: skip
    expected = np.zeros((5, 1))
    for i, j, sign in pulls:
        expected[i] += sign * np.sign(x[i] - x[j])
        expected[j] -= sign * np.sign(x[i] - x[j])
    assert gradient.tolist() == expected.tolist()


@every_margin
def test_a_row_that_is_ignored_or_of_no_class_takes_no_part_in_triplets(margin):
    x, y = batch()
    kept = np.ones(N, bool)
    kept[[2, 5]] = False
    expected, gradient = run(x[kept], y[kept], margin=margin)
    labels = y.astype(float)
    x[2], labels[2] = np.nan, -1
    for wrong in np.nan, -2, 0.5, np.inf, -np.inf:
        labels[5] = wrong
        values, actual = run(x, labels, margin=margin, use_ignore=True)
        np.testing.assert_allclose(values[kept], expected, 1e-12)
        assert values[2] == 0 and np.isnan(values[5])
        assert not actual[~kept].any()
        np.testing.assert_allclose(actual[kept], gradient, 1e-12, 1e-12)


def test_a_label_below_0_is_of_no_class_where_nothing_is_ignored():
    x, y = batch()
    y[5] = -1
    values, gradient = run(x, y)
    assert np.isnan(values).nonzero()[0].tolist() == [5]
    assert not gradient[5].any()


@every_margin
def test_features_that_are_not_finite_make_their_loss_nan(margin):
    x, y = batch()
    x[3] = np.nan
    assert np.isnan(run(x, y, margin=margin)[0][3])


def test_scale_weighs_the_gradient_and_not_the_output():
    x, y = batch()
    once, gradient = run(x, y, scale=1)
    twice, doubled = run(x, y, scale=2)
    np.testing.assert_array_equal(twice, once)
    np.testing.assert_array_equal(doubled, 2 * gradient)
    np.testing.assert_allclose(run(x, y, scale=1, grad_req='add')[1], 2 * gradient, 1e-12)


@pytest.mark.parametrize('dtype', ['uint8', 'int32', 'int64', 'float16', 'float32'])
def test_labels_of_every_dtype_are_told_apart_in_triplets(dtype):
    x, y = batch()
    labels = np.array([0, 44, 255, 200, 43])[y]
    expected, gradient = run(x, y)
    values, actual = run(x, labels, dtype, use_ignore=True)
    np.testing.assert_array_equal(values, expected)
    np.testing.assert_array_equal(actual, gradient)


def test_no_array_of_pairs_by_features_is_made():
    _, shapes, _ = make().get_internals().infer_shape(data=(N, DIM), label=(N,))
    assert max(map(len, shapes)) == 2


@pytest.mark.parametrize('contexts', [1, 2, 3], ids='{} devices'.format)
@every_margin
def test_a_step_of_module_is_the_oracles_of_each_device(contexts, margin):
    x, y = batch('float32')
    embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=DIM, no_bias=True, name='embedding')
    net = triplet_loss(embedding, mx.sym.Variable('label'), SCALE, margin)
    module = Module(net, label_names=['label'], context=[mx.cpu(i) for i in range(contexts)])
    module.bind([('data', x.shape)], [('label', (N,))])
    module.init_params(mx.init.Normal(1))
    before = module.get_params()[0]['embedding_weight'].asnumpy().astype(float)
    module.init_optimizer(optimizer_params={'learning_rate': 0.1})
    module.forward_backward(mx.io.DataBatch([mx.nd.array(x)], [mx.nd.array(y)]))
    module.update()
    gradient = np.concatenate([
        reference.triplet_loss(part @ before.T, labels, margin)[1]
        for part, labels in zip(np.split(x, contexts), np.split(y, contexts))
    ])  # fmt: skip
    expected = before - 0.1 * SCALE * gradient.T @ x / N
    np.testing.assert_allclose(module.get_params()[0]['embedding_weight'].asnumpy(), expected, 1e-5, 1e-6)


def test_fit_tells_classes_apart():
    rng = np.random.RandomState(SEED)
    y = np.arange(24) // 2 % 3  # two of each class in each half batch
    x = np.eye(3, 6)[y] + 0.3 * rng.randn(24, 6)
    embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=2, name='embedding')
    module = Module(
        triplet_loss(embedding, mx.sym.Variable('label'), margin=1),
        label_names=['label'],
        context=[mx.cpu(0), mx.cpu(1)],
    )
    losses = []
    module.fit(
        mx.io.NDArrayIter(x, y, 24, label_name='label'),
        eval_metric=mx.metric.Loss(output_names=['triplet_loss_output'], label_names=[]),
        num_epoch=20,
        optimizer_params={'learning_rate': 0.2},
        initializer=mx.init.Xavier(),
        batch_end_callback=lambda param: losses.append(param.eval_metric.get()[1]),
    )
    assert losses[-1] < 0.5 * losses[0]


def test_the_loss_survives_a_json_file(tmp_path):
    net = make(
        margin=np.float32(0.5), scale=np.float64(0.5), use_ignore=np.bool_(True), ignore_label=np.int64(-1)
    )
    net.save(str(tmp_path / 'net.json'))
    loaded = mx.sym.load(str(tmp_path / 'net.json'))
    assert loaded.tojson() == net.tojson()
    loaded.simple_bind(mx.cpu(), data=(2, 3), label=(2,)).forward(is_train=True)


@pytest.mark.parametrize('options, message', [
    ({'scale': -1}, 'loss: scale=-1 is not a finite number >= 0'),
    ({'margin': -0.1}, 'loss: margin=-0.1 is not a finite number >= 0'),
    ({'margin': 'soft'}, "loss: margin='soft' is not a finite number >= 0"),
    ({'use_ignore': 2}, 'loss: use_ignore=2 is not True or False'),
    ({'ignore_label': 0.5}, 'loss: ignore_label=0.5 is not a whole number'),
])  # fmt: skip
def test_the_loss_refuses_what_is_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)

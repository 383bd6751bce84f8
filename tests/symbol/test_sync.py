"""Center loss with centers on the KVStore, as a symbol."""

from __future__ import annotations

from centerloss_mx import reference
from centerloss_mx.symbol import (
    sync_center_loss,
)

import mxnet as mx
import numpy as np
import pytest
from bound_loss import DIM, NUM_CLASS, SCALE, N, random_batch

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

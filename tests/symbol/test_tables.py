"""Centers in a row table under a network, against centers in a parameter."""

from __future__ import annotations

from centerloss_mx.symbol import describe, joint_supervision, supervised, sync_center_loss
from centerloss_mx.symbol.description import kvstore_centers
from centerloss_mx.symbol.tables import RowTableInfo, row_tables

import mxnet as mx
import numpy as np
import pytest
from bound_loss import DIM, NUM_CLASS, SCALE, N, random_batch

ROWS, INDEX = 'loss_center_weight_rows', 'loss_center_weight_index'


def make(num_class=NUM_CLASS, **options):
    return sync_center_loss(
        mx.sym.Variable('data'), mx.sym.Variable('label'), num_class, DIM, SCALE, name='loss', **options
    )


def with_counts(c):
    return np.hstack([c, np.arange(len(c))[:, np.newaxis]]).astype(c.dtype)


def step(net, grad_req, types, values):
    """The loss of one training step, and its gradients, dense."""
    shapes = {name: np.shape(value) for name, value in values.items() if name not in (INDEX,)}
    executor = net.simple_bind(mx.cpu(), grad_req=grad_req, type_dict=types, **shapes)
    for name, value in values.items():
        array = executor.arg_dict[name]
        dense = mx.nd.array(value, dtype=array.dtype)
        array[:] = dense.tostype('row_sparse') if array.stype == 'row_sparse' else dense
    loss = executor.forward(is_train=True)[0].asnumpy()
    executor.backward()
    return loss, {name: g.asnumpy() for name, g in executor.grad_dict.items() if g is not None}


def from_parameter(x, y, c, label_dtype='float64', **options):
    net = make(dtype=str(c.dtype), **options)
    grad_req = {'data': 'write', 'label': 'null', 'loss_center_weight': 'write'}
    types = {'data': str(x.dtype), 'label': label_dtype, 'loss_center_weight': str(c.dtype)}
    return step(net, grad_req, types, {'data': x, 'label': y, 'loss_center_weight': with_counts(c)})


def from_table(x, y, c, rows, label_dtype='float64', index=None, **options):
    """One step that is fed with the centers of the classes `rows`; NaN stands behind them."""
    net = make(dtype=str(c.dtype), centers='table', **options)
    grad_req = {'data': 'write', 'label': 'null', ROWS: 'write', INDEX: 'null'}
    fed = np.vstack([with_counts(c)[rows], np.full((2, DIM + 1), np.nan)])
    place = {row: position for position, row in enumerate(rows)}
    index = [place.get(label, -1) for label in y] if index is None else index
    types = {'data': str(x.dtype), 'label': label_dtype}
    return step(net, grad_req, types, {'data': x, 'label': y, ROWS: fed, INDEX: index})


@pytest.mark.parametrize('normalization', ['null', 'batch', 'valid'])
@pytest.mark.parametrize('dtype', ['float32', 'float64'])
@pytest.mark.parametrize('use_ignore', [False, True])
def test_centers_in_a_table_have_the_numbers_of_centers_in_a_parameter(normalization, dtype, use_ignore):
    x, y, c, _ = random_batch(dtype)
    y = y.astype(float)
    if use_ignore:
        y[[1, 5, 6]] = -1
        x[[1, 5]] = [[np.nan] * DIM, [np.inf] * DIM]  # what is ignored may hold anything
    options = {'normalization': normalization, 'use_ignore': use_ignore}
    loss, gradients = from_parameter(x, y, c, **options)
    rows = [2, 0, 1]
    found, of_table = from_table(x, y, c, rows, **options)
    np.testing.assert_array_equal(found, loss)
    np.testing.assert_array_equal(of_table['data'], gradients['data'])
    tolerance = 16 * np.finfo(dtype).eps
    assert gradients['loss_center_weight'][rows].all()
    np.testing.assert_allclose(
        of_table[ROWS][:3], gradients['loss_center_weight'][rows], tolerance, tolerance
    )
    assert not of_table[ROWS][3:].any()


@pytest.mark.parametrize('unknown', [-1, NUM_CLASS, 1.5, np.nan])
@pytest.mark.parametrize('index', [-1, 1, 3, 100])
def test_a_label_that_is_no_class_makes_the_loss_nan_and_takes_no_part_whatever_its_position(unknown, index):
    x, y, c, _ = random_batch()
    y, kept = y.astype(float), np.arange(N) != 3
    y[3] = unknown
    loss, gradients = from_table(x, y, c, [0, 1, 2], index=np.where(kept, y, index))
    assert np.isnan(loss).all() and not gradients['data'][3].any()
    _, expected = from_table(x[kept], y[kept], c, [0, 1, 2])
    np.testing.assert_array_equal(gradients['data'][kept], expected['data'])
    np.testing.assert_allclose(gradients[ROWS], expected[ROWS], 1e-12, 1e-12)


def test_a_class_whose_row_is_not_fed_is_as_good_as_unknown():
    x, y, c, _ = random_batch()
    index, kept = np.where(y == 1, -1, y), y != 1
    loss, gradients = from_table(x, y, c, [0, 1, 2], index=index)
    assert np.isnan(loss).all() and not gradients['data'][~kept].any() and not gradients[ROWS][1].any()
    _, expected = from_table(x[kept], y[kept], c, [0, 1, 2])
    np.testing.assert_array_equal(gradients['data'][kept], expected['data'])


def test_a_batch_whose_labels_are_all_ignored_needs_no_row():
    x, _, c, _ = random_batch()
    x[:] = np.nan
    loss, gradients = from_table(x, np.full(N, -1.0), c, [], use_ignore=True)
    assert loss == 0 and not gradients['data'].any() and not gradients[ROWS].any()


@pytest.mark.parametrize('label_dtype', ['int32', 'int64', 'float64'])
def test_centers_of_classes_beyond_what_float32_represents_are_found(label_dtype):
    x, y, c, _ = random_batch('float32')
    expected = from_table(x, y, c, [0, 1, 2])
    classes = 2**24 + np.array([0, 1, 2])
    found = from_table(x, classes[y], c, [0, 1, 2], label_dtype, index=y, num_class=20_000_000)
    assert found[0] == expected[0]
    for name, gradient in expected[1].items():
        np.testing.assert_array_equal(found[1][name], gradient)
    over = classes[y]
    over[4] = 20_000_000
    loss, _ = from_table(x, over, c, [0, 1, 2], label_dtype, index=y, num_class=20_000_000)
    assert np.isnan(loss).all()


def test_a_table_of_centers_is_described():
    net = mx.sym.load_json(make(np.int64(NUM_CLASS), centers='table', use_ignore=True).tojson())
    assert row_tables(net) == [
        RowTableInfo('loss_center_weight', 'centers', NUM_CLASS, DIM + 1, 'float32', 'label', -1.0)
    ]
    (info,) = describe(net)
    assert (info.storage, info.centers, info.label, info.feature) == (
        'table', 'loss_center_weight', 'label', 'data',
    )  # fmt: skip
    assert info.columns == slice(-1) and kvstore_centers(net) == set()
    assert set(net.list_arguments()) == {'label', 'data', ROWS, INDEX}
    by_name = supervised(mx.sym.Variable('data'), 5, 'sync_center_loss', DIM, centers='table')
    assert [table.name for table in row_tables(by_name)] == ['center_loss_center_weight']
    assert row_tables(make()) == []


def test_a_description_that_is_none_is_refused():
    text = make(centers='table').tojson().replace('num_class', 'number')
    with pytest.raises(ValueError, match=r'^attribute __row_table__=.* does not describe a row table$'):
        row_tables(mx.sym.load_json(text))


@pytest.mark.parametrize('options, message', [
    ({}, "^joint_supervision: centers='table' needs embedding_dim, the length of a feature$"),
    ({'embedding_dim': DIM, 'alpha': 0.5}, "alpha=0.5 is not for centers='table'; give it to the optimizer"),
])  # fmt: skip
def test_joint_supervision_says_what_a_table_needs(options, message):
    with pytest.raises(ValueError, match=message):
        joint_supervision(mx.sym.Variable('data'), NUM_CLASS, 0.1, centers='table', **options)


def test_sync_center_loss_refuses_centers_elsewhere():
    with pytest.raises(ValueError, match=r"^loss: centers='aux' is not one of kvstore, table$"):
        make(centers='aux')


@pytest.mark.parametrize('options, name', [
    ({'centers': 'table'}, 'center_loss_center_weight_index'),
    ({'centers': 'table', 'classifier': {'num_sampled': 3}}, 'center_loss_center_weight_index'),
    ({'classifier': {'num_sampled': 3, 'kind': 'margin'}}, 'fc2_weight_index'),
    ({'classifier': {'num_sampled': 3}}, 'fc2_weight_index'),
])  # fmt: skip
def test_mxnets_own_module_is_refused_by_a_network_with_row_tables(options, name):
    embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=DIM, name='embedding')
    net = joint_supervision(embedding, 5, 0.1, embedding_dim=DIM, **options)
    module = mx.mod.Module(net, label_names=['softmax_label', 'center_label'])
    module.bind([('data', (N, 7))], [('softmax_label', (N,)), ('center_label', (N,))])
    with pytest.raises(ValueError) as refusal:
        module.init_params()
    assert str(refusal.value) == (
        f'{name} is no parameter: it is fed from a row table. Train and score this network with '
        'centerloss_mx.module.Module in place of mx.mod.Module'
    )

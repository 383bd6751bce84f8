"""Centers are found and moved wherever they are stored."""

from __future__ import annotations

from centerloss_mx.model import (
    centers_to_aux,
    centers_to_kvstore,
    find_centers,
    save_checkpoint,
    with_all_rows,
)
from centerloss_mx.module import Module
from centerloss_mx.symbol import center_loss, island_loss, sync_center_loss

import mxnet as mx
import numpy as np
import pytest

N = 4
STORED = 'center_loss_center_weight'


def test_a_row_of_zeros_is_there():
    array = np.array([[0, 0], [1, 2], [0, 0]], 'float64')
    for given in (
        mx.nd.array(array, dtype='float64'),
        mx.nd.array(array, dtype='float64').tostype('row_sparse'),
    ):
        whole = with_all_rows(given)
        assert (whole.stype, whole.dtype) == ('row_sparse', np.float64)
        np.testing.assert_array_equal(whole.indices.asnumpy(), [0, 1, 2])
        np.testing.assert_array_equal(whole.asnumpy(), array)
        assert with_all_rows(whole) is whole


@pytest.mark.parametrize('module_class', [mx.mod.Module, Module])
@pytest.mark.parametrize('route', [('aux', 'kvstore'), ('kvstore', 'aux'), ('aux', 'kvstore', 'aux')])
def test_moved_centers_are_trained_on_from_where_they_were(
    bound_with, init_optimizer, train, module_class, route, tmp_path
):
    """By way of files, beside a network whose centers stay."""
    stays = bound_with('aux')
    mx.random.seed(1)
    stays.init_params(mx.init.Normal(0.5))
    params = stays.get_params()
    if route[0] == 'kvstore':
        params = centers_to_kvstore(*params)
    init_optimizer(stays)
    for i, storage in enumerate(route):
        moves = bound_with(storage, module_class)
        moves.init_params(arg_params=params[0], aux_params=params[1], allow_missing=True)
        init_optimizer(moves)
        for module in stays, moves:
            train(module)
        save_checkpoint(moves, tmp_path / storage, i)
        _, *params = mx.model.load_checkpoint(str(tmp_path / storage), i)
        if i + 1 < len(route):
            params = (centers_to_kvstore if storage == 'aux' else centers_to_aux)(*params)
    args, aux = stays.get_params()
    found = params[0][STORED] if route[-1] == 'kvstore' else params[1]['center_loss__center_bias']
    np.testing.assert_allclose(found.asnumpy()[:, :3], aux['center_loss__center_bias'].asnumpy(), 1e-5, 1e-6)
    np.testing.assert_allclose(params[0]['fc2_weight'].asnumpy(), args['fc2_weight'].asnumpy(), 1e-5, 1e-6)
    if route[-1] == 'kvstore':
        assert params[0][STORED].asnumpy()[:, 3].sum() == 3 * N  # counted since


def test_missing_centers_are_named():
    with pytest.raises(
        ValueError, match='there is no state other__center_bias; there are center_loss__center_bias'
    ):
        centers_to_kvstore({}, {'center_loss__center_bias': mx.nd.ones((2, 2))}, 'other')
    with pytest.raises(ValueError, match='there is no parameter center_loss_center_weight; there are none'):
        centers_to_aux({}, {})


@pytest.mark.parametrize('num_class', [1, 3])
@pytest.mark.parametrize('stype', ['default', 'row_sparse'])
def test_moved_centers_are_copies(num_class, stype):
    aux = {'center_loss__center_bias': mx.nd.ones((num_class, 2))}
    moved, _ = centers_to_kvstore({}, aux)
    moved[STORED].data[:] = 7
    assert (aux['center_loss__center_bias'].asnumpy() == 1).all()
    args = {STORED: mx.nd.ones((num_class, 3)).tostype(stype)}
    _, moved = centers_to_aux(args, {})
    moved['center_loss__center_bias'][:] = 7
    assert (args[STORED].asnumpy() == 1).all()


ROWS = np.arange(6.0).reshape(2, 3)
FEATURES, LABEL = mx.sym.Variable('data'), mx.sym.Variable('label')


@pytest.mark.parametrize('net, arg_params, aux_params', [
    (center_loss(FEATURES, LABEL, 2), {}, {'center_loss__center_bias': ROWS}),
    (island_loss(FEATURES, LABEL, 2, 3), {'island_loss_center_weight': ROWS}, {}),
    (sync_center_loss(FEATURES, LABEL, 2, 3), {STORED: np.hstack([ROWS, [[5], [6]]])}, {}),
], ids=['auxiliary state', 'parameter', 'KVStore'])  # fmt: skip
def test_the_centers_are_found_wherever_they_are_stored(net, arg_params, aux_params):
    face_center = {'face_center_weight': mx.nd.ones((2, 3)), 'face_center_bias': mx.nd.ones((2, 3))}
    arg_params, aux_params = (
        {**face_center, **{name: with_all_rows(mx.nd.array(value)) for name, value in params.items()}}
        for params in (arg_params, aux_params)
    )
    np.testing.assert_array_equal(find_centers(net, arg_params, aux_params), ROWS)
    assert find_centers(net, face_center, face_center) is None


def test_among_several_losses_the_name_finds_the_centers():
    assert find_centers(mx.sym.SoftmaxOutput(FEATURES, LABEL), {}, {}) is None
    net = mx.sym.Group([center_loss(FEATURES, LABEL, 2, name='first'), island_loss(FEATURES, LABEL, 2, 3)])
    arg_params = {'island_loss_center_weight': mx.nd.array(ROWS)}
    np.testing.assert_array_equal(find_centers(net, arg_params, {}, 'island_loss'), ROWS)
    for name in None, 'other':
        with pytest.raises(ValueError, match=rf'name={name!r}: .* it has first, island_loss'):
            find_centers(net, arg_params, {}, name)


def test_centers_of_another_shape_than_the_loss_has_are_refused():
    net = center_loss(FEATURES, LABEL, 2)
    for shape in (3, 2), (2,), (2, 1, 1):
        with pytest.raises(ValueError, match=r'center_loss__center_bias of shape .*; expected \(2, D\)'):
            find_centers(net, {}, {'center_loss__center_bias': mx.nd.ones(shape)})


def test_moving_centers_leaves_all_other_parameters():
    others = {
        name: mx.nd.ones(1) for name in ('a_weight', 'center_loss', 'center_loss_center_weights', 'z_bias')
    }
    weight = mx.nd.arange(6).reshape((2, 3))
    args, aux = centers_to_aux({**others, STORED: weight}, others)
    assert args == others and aux == {**others, 'center_loss__center_bias': aux['center_loss__center_bias']}
    buffers = {f'center_loss__{name}_bias': mx.nd.ones(1) for name in ('diff', 'sum')}
    args, aux = centers_to_kvstore(others, {**aux, **buffers})
    assert aux == others and args == {**others, STORED: args[STORED]}
    np.testing.assert_array_equal(args[STORED].asnumpy(), [[0, 1, 0], [3, 4, 0]])

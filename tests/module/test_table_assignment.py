"""Rows of tables are set with the parameters, all or nothing; optimizers know tables by their names."""

from __future__ import annotations

import centerloss_mx as cl

import mxnet as mx
import numpy as np
import pytest

NUM_CLASS, DIM, BATCH = 6, 3, 4


def made(optimizer='sgd', **options):
    embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=DIM, name='embedding')
    label = mx.sym.Variable('softmax_label')
    module = cl.module.Module(
        cl.symbol.sampled_classifier(embedding, label, NUM_CLASS, DIM, num_sampled=NUM_CLASS), block_rows=2
    )
    module.bind([('data', (BATCH, 5))], [('softmax_label', (BATCH,))])
    module.init_params(mx.init.Normal(1))
    module.init_optimizer('local', optimizer, options or {'learning_rate': 0.1})
    return module


def step(module):
    rng = np.random.RandomState(0)
    module.forward_backward(mx.io.DataBatch([mx.nd.array(rng.randn(BATCH, 5))], [mx.nd.arange(BATCH)]))
    module.update()


def rows(module):
    return np.concatenate(list(module.row_tables['fc2_weight'].pieces()))


@pytest.mark.parametrize('assign', ['set_params', 'init_params'])
def test_parameters_that_are_refused_leave_the_rows(assign):
    module = made()
    step(module)
    before = rows(module)
    options = {'force_init': True} if assign == 'set_params' else {'force_init': True, 'initializer': None}
    with pytest.raises(RuntimeError, match=r'embedding_.* is not presented'):
        getattr(module, assign)(
            arg_params={'fc2_weight': np.zeros((NUM_CLASS, DIM))}, aux_params={}, **options
        )
    np.testing.assert_array_equal(rows(module), before)


@pytest.mark.parametrize('allow_missing', [False, True])
def test_rows_are_set_with_the_parameters(allow_missing):
    module = made()
    step(module)
    new = np.random.RandomState(1).randn(NUM_CLASS, DIM).astype('float32')
    module.set_params({**module.get_params()[0], 'fc2_weight': new}, {}, allow_missing=allow_missing)
    np.testing.assert_array_equal(rows(module), new)


def test_rows_start_again_where_parameters_do():
    module = made()
    start = rows(module)
    step(module)
    assert (rows(module) != start).any()
    module.init_params(mx.init.Normal(1), force_init=True)
    np.testing.assert_array_equal(rows(module), start)


def test_an_optimizer_object_has_its_factors_for_tables_by_their_name():
    optimizer = mx.optimizer.SGD(learning_rate=0.1, rescale_grad=1 / BATCH)
    optimizer.set_lr_mult({'fc2_weight': 0})
    module, moves = made(optimizer), made()
    start = rows(module)
    step(module)
    step(moves)
    np.testing.assert_array_equal(rows(module), start)
    assert (rows(moves) != start).any()


def test_servers_get_the_factors_by_the_numbers_of_their_keys():
    optimizer = mx.optimizer.SGD()
    optimizer.set_lr_mult({'fc2_weight': 2, 'centers': 3})
    give_multipliers = cl.module.tables.give_multipliers
    give_multipliers(optimizer, {'fc2_weight': ['fc2_weight.0', 'fc2_weight.1'], 'centers': ['centers.0']}, 7)
    assert [optimizer.lr_mult[number] for number in (7, 8, 9)] == [2, 2, 3]


def test_an_update_without_a_gradient_is_refused():
    with pytest.raises(ValueError, match='update: there is no gradient yet'):
        made().update()


def test_two_tables_of_one_name_are_refused():
    embedding, label = mx.sym.Variable('data'), mx.sym.Variable('softmax_label')
    layers = [cl.symbol.sampled_classifier(embedding, label, 9, 2, num_sampled=4, name=n) for n in ('a', 'b')]
    with pytest.raises(ValueError, match='2 row tables have the name fc2_weight; expected different names'):
        cl.symbol.row_tables(mx.sym.Group(layers))

"""Optimizers of row tables: those that move the rows of a gradient only."""

from __future__ import annotations

import contextlib

from centerloss_mx.optimizer import Centers
from centerloss_mx.row_table import check_lazy

import mxnet as mx
import numpy as np
import pytest

CENTERS = mx.sym.Variable('center_loss_center_weight', attr={'__centers__': 'center_loss'})


@pytest.mark.parametrize('base, options, refused', [
    ('sgd', {}, ''),
    ('sgd', {'momentum': 0.9, 'wd': 0.1}, ''),
    ('sgd', {'wd': 0.1, 'lazy_update': False}, 'with lazy_update=False moves all rows'),
    ('adam', {'wd': 0.1}, ''),
    ('adam', {'wd': 0.1, 'lazy_update': False}, 'with lazy_update=False moves all rows'),
    ('adagrad', {}, ''),
    ('adagrad', {'wd': 0.1}, 'AdaGrad with wd=0.1 cannot move rows of a row table'),
    ('ftrl', {'wd': 0.1}, ''),
    ('nag', {'momentum': 0.9}, "NAG moves all rows of a row table in each step; expected 'sgd', 'adam', "),
    ('rmsprop', {'wd': 0.1}, 'moves all rows'),
    ('signum', {'wd': 0.1}, 'moves all rows'),
])  # fmt: skip
def test_an_optimizer_of_a_row_table_moves_the_rows_that_a_gradient_has(base, options, refused):
    optimizer = mx.optimizer.create(base, learning_rate=0.1, **options)
    with pytest.raises(ValueError, match=refused) if refused else contextlib.nullcontext():
        check_lazy(optimizer)
    with pytest.raises(ValueError, match=refused) if refused else contextlib.nullcontext():
        check_lazy(Centers(base, sym=CENTERS, **options))
    weight = mx.nd.ones((4, 2)).tostype('row_sparse')
    state = optimizer.create_state('weight', weight)
    gradient = mx.nd.sparse.row_sparse_array((np.ones((1, 2)), [2]), (4, 2), dtype='float32')

    def moved():
        for _ in range(2):
            optimizer.update('weight', weight, gradient, state)
        return np.flatnonzero((weight.asnumpy() != 1).any(axis=1)).tolist()

    if base == 'adagrad' and refused:
        with pytest.raises(mx.MXNetError):
            moved()
    elif base != 'nag':  # which copies the whole array, and moves no other rows
        assert moved() == ([0, 1, 2, 3] if refused else [2])

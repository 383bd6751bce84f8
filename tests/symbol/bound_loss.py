"""A loss with learned centers bound alone, and the batch that its tests share."""

from __future__ import annotations

from centerloss_mx import reference
from centerloss_mx.symbol import (
    contrastive_center_loss,
    island_loss,
    large_margin_gaussian_mixture,
    learned_center_loss,
)

import mxnet as mx
import numpy as np

SEED, N, IN, DIM, NUM_CLASS = 20161008, 12, 7, 3, 4
SCALE = 0.25


def random_batch(dtype='float64'):
    """Features, labels, centers and logarithms of variances; class 3 is absent."""
    rng = np.random.RandomState(SEED)
    x, c = rng.randn(N, DIM), rng.randn(NUM_CLASS, DIM)
    v = 0.3 * rng.randn(NUM_CLASS, DIM)
    return x.astype(dtype), rng.randint(0, NUM_CLASS - 1, N), c.astype(dtype), v.astype(dtype)


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


def make(loss, dtype='float32', **options):
    factory, own_options, _ = LOSSES[loss]
    options = {'scale': SCALE, 'name': 'loss', **own_options, **options}
    if factory is learned_center_loss:
        options['dtype'] = dtype
    return factory(mx.sym.Variable('data'), mx.sym.Variable('label'), NUM_CLASS, DIM, **options)


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

"""`Module.fit` loses no center update: with the metric, with the callback, with our Module."""

from __future__ import annotations

import logging

from centerloss_mx import reference
from centerloss_mx.callback import wait_for_centers
from centerloss_mx.io import CenterLossIter
from centerloss_mx.metric import Accuracy, CenterLossMetric
from centerloss_mx.module import Module
from centerloss_mx.symbol import joint_supervision

import mxnet as mx
import numpy as np
import pytest

FITS, BATCHES, N, DIM, NUM_CLASS, ALPHA = 30, 4, 256, 512, 200, 0.5

WAYS = {
    'the metric alone': (mx.mod.Module, lambda: CenterLossMetric('null'), None),
    'the metric in a composite': (
        mx.mod.Module, lambda: mx.metric.CompositeEvalMetric([Accuracy(), CenterLossMetric('null')]), None,
    ),
    'the callback': (mx.mod.Module, Accuracy, wait_for_centers),
    'our Module': (Module, Accuracy, None),
}  # fmt: skip


def lost_updates(way, fits=FITS, num_epoch=1):
    """How many fits end with centers that are not the oracle's."""
    module_class, metric, callback = WAYS.get(way, (mx.mod.Module, Accuracy, None))
    rng = np.random.RandomState(20161008)
    lost = 0
    for _ in range(fits):
        x = rng.randn(BATCHES * N, DIM).astype('float32')
        y = rng.randint(0, NUM_CLASS, BATCHES * N)
        embedding = mx.sym.FullyConnected(
            mx.sym.Variable('data'), num_hidden=DIM, no_bias=True, name='embedding'
        )
        module = module_class(
            joint_supervision(embedding, NUM_CLASS, 0.1, ALPHA, batchsize=N),
            label_names=['softmax_label', 'center_label'],
            logger=logging.getLogger('quiet'),
        )
        module.fit(
            CenterLossIter(mx.io.NDArrayIter(x, y, N)),
            eval_metric=metric(),
            batch_end_callback=callback,
            optimizer_params={'learning_rate': 0.0},
            initializer=mx.init.Zero(),
            arg_params={'embedding_weight': mx.nd.array(np.eye(DIM))},
            allow_missing=True,
            num_epoch=num_epoch,
        )
        centers = np.zeros((NUM_CLASS, DIM))
        for _ in range(num_epoch):
            for i in range(BATCHES):
                rows = slice(i * N, (i + 1) * N)
                centers = reference.center_update(x[rows], y[rows], centers, ALPHA)
        trained = module.get_params()[1]['center_loss__center_bias'].asnumpy()
        lost += np.abs(trained - centers).max() > 1e-4
    return lost


@pytest.mark.parametrize('way', WAYS)
def test_thirty_fits_of_four_batches_lose_no_update(way):
    assert lost_updates(way) == 0

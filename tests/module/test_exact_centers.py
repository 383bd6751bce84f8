"""`Module.fit` loses no center update: with the metric, with the callback, with our Module."""

from __future__ import annotations

import time

from centerloss_mx import reference
from centerloss_mx.callback import wait_for_centers
from centerloss_mx.io import CenterLossIter
from centerloss_mx.metric import Accuracy, CenterLossMetric
from centerloss_mx.module import Module
from centerloss_mx.symbol import joint_supervision

import mxnet as mx
import numpy as np
import pytest

BATCHES, N, DIM, NUM_CLASS, ALPHA = 3, 8, 4, 5, 0.5

WAYS = {
    'the metric alone': (mx.mod.Module, lambda: CenterLossMetric('null'), None),
    'the metric in a composite': (
        mx.mod.Module, lambda: mx.metric.CompositeEvalMetric([Accuracy(), CenterLossMetric('null')]), None,
    ),
    'the callback': (mx.mod.Module, Accuracy, wait_for_centers),
    'our Module': (Module, Accuracy, None),
}  # fmt: skip


def fitted(module_class, metric, callback, batches=BATCHES, num_epoch=2, **fit):
    """The centers after a fit, and the oracle's."""
    rng = np.random.RandomState(20161008)
    x = rng.randn(batches * N, DIM).astype('float32')
    y = rng.randint(0, NUM_CLASS, batches * N)
    embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=DIM, no_bias=True, name='embedding')
    module = module_class(
        joint_supervision(embedding, NUM_CLASS, 0.1, ALPHA, batchsize=N),
        label_names=['softmax_label', 'center_label'],
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
        **fit,
    )
    centers = np.zeros((NUM_CLASS, DIM))
    for i in list(range(batches)) * num_epoch:
        rows = slice(i * N, (i + 1) * N)
        centers = reference.center_update(x[rows], y[rows], centers, ALPHA)
    return module.get_params()[1]['center_loss__center_bias'].asnumpy(), centers


@pytest.mark.parametrize('way', WAYS)
def test_two_epochs_lose_no_update_however_late_the_centers_move(way, late_moves):
    trained, centers = fitted(*WAYS[way])
    np.testing.assert_allclose(trained, centers, atol=1e-5)


def test_plain_module_with_another_metric_does_lose_them(late_moves):
    """Else the test above would prove nothing."""
    late_moves.seconds = 60

    def released(*_):  # called when `fit` has copied the centers, or has begun to
        time.sleep(0.3)
        late_moves.released.set()

    trained, centers = fitted(
        mx.mod.Module, Accuracy, None, batches=1, num_epoch=1, epoch_end_callback=released
    )
    assert centers.any() and not trained.any()

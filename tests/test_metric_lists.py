"""Metrics that get lists without names, as `mx.model.FeedForward` hands them over."""

from __future__ import annotations

import warnings

from centerloss_mx.io import CenterLossIter
from centerloss_mx.metric import Accuracy, CenterLossMetric, for_network
from centerloss_mx.symbol import joint_supervision

import mxnet as mx
import numpy as np
import pytest

COUNT, NUM_CLASS = 24, 3


def feed_forward(batch_size, devices=1, **options):
    rng = np.random.RandomState(20161008)
    x, y = rng.randn(COUNT, 4).astype('float32'), rng.randint(0, NUM_CLASS, COUNT).astype('float32')
    embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=2, name='embedding')
    net = joint_supervision(embedding, NUM_CLASS, 0.1, batchsize=batch_size, **options)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        model = mx.model.FeedForward(
            net, [mx.cpu(i) for i in range(devices)], num_epoch=1, learning_rate=0.0,
            initializer=mx.init.Normal(1),
        )  # fmt: skip
    return model, CenterLossIter(mx.io.NDArrayIter(x, y, batch_size)), x, y


def by_hand(model, x, y):
    values = {name: array.asnumpy() for name, array in model.arg_params.items()}
    features = x @ values['embedding_weight'].T + values['embedding_bias']
    scores = features @ values['fc2_weight'].T + values['fc2_bias']
    return (scores.argmax(axis=1) == y).mean(), (features**2).sum(axis=1).mean() / 2


@pytest.mark.parametrize('batch_size, devices', [(24, 1), (8, 1), (8, 2), (1, 1)])
def test_the_classic_training_measures_accuracy_and_center_loss(batch_size, devices):
    model, data_iter, x, y = feed_forward(batch_size, devices, alpha=0.0)  # the centers stay at 0
    metric = mx.metric.CompositeEvalMetric([Accuracy(), CenterLossMetric(normalization='null')])
    model.fit(data_iter, eval_metric=metric)
    accuracy, loss = by_hand(model, x, y)
    names, values = metric.get()
    assert names == ['accuracy', 'center_loss']
    assert values == [pytest.approx(accuracy), pytest.approx(loss, rel=1e-5)]
    scored = Accuracy()
    assert model.score(data_iter, scored) == pytest.approx(accuracy)


def test_one_label_for_both_losses_is_enough():
    label = mx.nd.array([1, 0])
    probabilities, loss = mx.nd.array([[0.1, 0.9], [0.2, 0.8]]), mx.nd.array([6])
    for outputs in [probabilities, loss], [loss, probabilities]:
        accuracy, center_loss = Accuracy(), CenterLossMetric('null')
        for metric in accuracy, center_loss:
            metric.update([label], outputs)
        assert (accuracy.get()[1], center_loss.get()[1]) == (0.5, 3.0)


def test_the_label_of_a_loss_is_that_at_its_place():
    labels = [mx.nd.array([1, 0]), mx.nd.array([1, -1])]
    outputs = [mx.nd.array([[0.1, 0.9], [0.2, 0.8]]), mx.nd.array([6])]
    metric = CenterLossMetric('null', ignore_label=-1)
    metric.update(labels, outputs)
    assert metric.get() == ('center_loss', 6.0)


def test_outputs_that_cannot_be_told_apart_are_refused():
    label, many = mx.nd.array([1, 0]), mx.nd.zeros((2, 5))
    for metric, outputs, shapes in (
        (Accuracy(), [many, mx.nd.zeros((2, 3)), mx.nd.zeros(1)], r'\(2, 5\), \(2, 3\), \(1,\)'),
        (Accuracy(), [mx.nd.zeros(1), mx.nd.zeros(1)], r'\(1,\), \(1,\)'),
        (CenterLossMetric(), [mx.nd.zeros(1), mx.nd.zeros(1), many], r'\(1,\), \(1,\), \(2, 5\)'),
    ):
        with pytest.raises(
            ValueError, match=f'{metric.name}.: 1 labels and outputs of shapes {shapes}: expected'
        ):
            metric.update([label], outputs)
        metric.get()


def test_the_metrics_of_a_network_take_lists():
    net = joint_supervision(mx.sym.Variable('data'), 2, 0.1, batchsize=2)
    metric = for_network(net)
    metric.update([mx.nd.array([1, 0])] * 2, [mx.nd.array([[0.1, 0.9], [0.2, 0.8]]), mx.nd.array([6])])
    assert metric.get() == (['accuracy', 'center_loss'], [0.5, 3.0])


def test_outputs_without_labels_are_refused():
    for metric in Accuracy(), CenterLossMetric():
        with pytest.raises(ValueError, match='0 labels and outputs of shapes'):
            metric.update([], [mx.nd.zeros((2, 3)), mx.nd.zeros(1)])

"""Rows that pad a batch are no samples: in scores, predictions and the metrics of a training."""

from __future__ import annotations

from centerloss_mx import reference
from centerloss_mx.dataset import Arrays
from centerloss_mx.io import CenterLossIter
from centerloss_mx.metric import Accuracy, CenterLossMetric, for_network
from centerloss_mx.model_zoo import lenet
from centerloss_mx.module import Module
from centerloss_mx.module.padding import for_metrics
from centerloss_mx.symbol import center_loss, describe, joint_supervision
from centerloss_mx.training import Training

import mxnet as mx
import numpy as np
import pytest

COUNT, DIM, NUM_CLASS = 131, 3, 5
LABELS = ['softmax_label', 'center_label']


def network(batchsize, kvstore=False, **options):
    embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=DIM, name='embedding')
    if kvstore:
        options.update(centers='kvstore', embedding_dim=DIM)
    elif batchsize:
        options['batchsize'] = batchsize
    return joint_supervision(embedding, NUM_CLASS, 0.1, **options)


def samples(seed=20161008):
    rng = np.random.RandomState(seed)
    return rng.randn(COUNT, 4).astype('float32'), rng.randint(0, NUM_CLASS, COUNT).astype('float32')


def served(batch_size, ignore_label=None, **options):
    return CenterLossIter(mx.io.NDArrayIter(*samples(), batch_size, **options), ignore_label=ignore_label)


def bound(net, data_iter, devices=1, for_training=True):
    module = Module(net, label_names=LABELS, context=[mx.cpu(i) for i in range(devices)])
    module.bind(data_iter.provide_data, data_iter.provide_label, for_training)
    mx.random.seed(7)
    module.init_params(mx.init.Normal(1))
    args, aux = module.get_params()
    rng = np.random.RandomState(3)
    for params, name, width in (
        (aux, 'center_loss__center_bias', DIM),
        (args, 'center_loss_center_weight', DIM + 1),
    ):
        if name in params:
            params[name] = mx.nd.array(rng.randn(NUM_CLASS, width))
    module.set_params(args, aux)
    return module


def by_hand(module):
    """Probabilities, accuracy, and the center loss per sample, in float64."""
    args, aux = ({name: value.asnumpy().astype('f8') for name, value in params.items()}
                 for params in module.get_params())  # fmt: skip
    x, y = samples()
    features = x @ args['embedding_weight'].T + args['embedding_bias']
    scores = features @ args['fc2_weight'].T + args['fc2_bias']
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    centers = aux.get('center_loss__center_bias', args.get('center_loss_center_weight'))[:, :DIM]
    losses = ((features - centers[y.astype(int)]) ** 2).sum(axis=1) / 2
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    return probabilities, (scores.argmax(axis=1) == y).mean(), losses.mean()


@pytest.mark.parametrize('kvstore', [False, True], ids=['state', 'kvstore'])
@pytest.mark.parametrize('devices', [1, 2])
@pytest.mark.parametrize('batch_size', [50, 36])  # a rest of 31, and of 23
@pytest.mark.parametrize('ignore_label', [None, -1])
@pytest.mark.parametrize('handle', ['pad', 'roll_over'])
def test_a_score_is_that_of_the_samples(kvstore, devices, batch_size, ignore_label, handle):
    options = {} if ignore_label is None else {'use_ignore': True, 'ignore_label': ignore_label}
    net = network(batch_size, kvstore, **options)
    data_iter = served(batch_size, ignore_label, last_batch_handle=handle)
    module = bound(net, data_iter, devices)
    probabilities, accuracy, loss = by_hand(module)
    for _ in range(2):
        metric = for_network(net)
        found = dict(module.score(data_iter, metric))
        assert found['accuracy'] == pytest.approx(accuracy, abs=1e-12)
        assert found['center_loss'] == pytest.approx(loss, rel=1e-5)
        assert [each.global_num_inst for each in metric.metrics] == [COUNT, COUNT]
        predicted = module.predict(data_iter)[0].asnumpy()
        np.testing.assert_allclose(predicted, probabilities, atol=1e-5)
        pieces = [outputs[0].asnumpy() for outputs, _, _ in module.iter_predict(data_iter)]
        np.testing.assert_allclose(np.concatenate(pieces), probabilities, atol=1e-5)


@pytest.mark.parametrize('net, batch_size, devices', [
    (network(None), 50, 1),  # without `batchsize` the operator takes the bound batch only
    (network(26), 26, 2),  # the last batch has one sample, for two devices
    (network(13), 26, 2),
], ids=['bound', 'few', 'capacity of a device'])  # fmt: skip
def test_a_network_that_cannot_run_the_rest_alone_counts_and_predicts_its_samples(net, batch_size, devices):
    data_iter = served(batch_size)
    module = bound(net, data_iter, devices)
    probabilities, accuracy, _ = by_hand(module)
    metric = Accuracy()
    assert dict(module.score(data_iter, metric))['accuracy'] == pytest.approx(accuracy, abs=1e-12)
    assert metric.num_inst == COUNT
    np.testing.assert_allclose(module.predict(data_iter)[0].asnumpy(), probabilities, atol=1e-5)
    assert sum(len(outputs[0]) for outputs, _, _ in module.iter_predict(data_iter)) == COUNT


def test_a_loss_that_ignores_padding_is_exact_where_the_padded_batch_runs():
    net, data_iter = network(None, use_ignore=True, ignore_label=-1), served(50, -1)
    module = bound(net, data_iter)
    found = dict(module.score(data_iter, for_network(net)))
    assert found['center_loss'] == pytest.approx(by_hand(module)[2], rel=1e-5)


def test_an_own_loop_counts_what_it_hands_over():
    data_iter = served(50)
    module, metric = bound(network(50), data_iter), Accuracy()
    for batch in data_iter:
        module.forward(batch, is_train=False)
        module.update_metric(metric, batch.label)
    metric.get()
    assert metric.num_inst == 150


@pytest.mark.parametrize('devices', [1, 2])
@pytest.mark.parametrize('handle, counts', [('pad', [131, 131]), ('roll_over', [100, 150])])
def test_fit_counts_the_samples_it_trains_with(devices, handle, counts):
    net = network(50, use_ignore=True, ignore_label=-1)
    trained = served(50, -1, last_batch_handle=handle)
    module = Module(net, label_names=LABELS, context=[mx.cpu(i) for i in range(devices)])
    metric, validation, seen = for_network(net), for_network(net), []
    own = mx.metric.CrossEntropy(output_names=['softmax_output'], label_names=LABELS[:1])
    module.fit(
        trained,
        eval_metric=mx.metric.CompositeEvalMetric([metric, own]),
        eval_data=served(50),
        validation_metric=validation,
        epoch_end_callback=lambda *_: seen.append(
            [metric.metrics[0].global_num_inst, metric.metrics[1].global_num_inst, own.global_num_inst]
        ),
        num_epoch=2,
    )
    assert seen == [[count] * 3 for count in counts]
    assert [each.global_num_inst for each in validation.metrics] == [COUNT, COUNT]
    _, accuracy, loss = by_hand(module)
    values = dict(validation.get_name_value())
    assert values['accuracy'] == pytest.approx(accuracy, abs=1e-12)
    assert values['center_loss'] == pytest.approx(loss, rel=1e-5)


def test_the_accuracy_of_training_in_the_history_is_that_of_the_samples():
    rng = np.random.RandomState(5)
    x, y = rng.randint(0, 256, (7, 1, 28, 28)).astype('uint8'), np.arange(7) % 3
    net = joint_supervision(lenet(2), 3, 0.1, batchsize=5, use_ignore=True)
    training = Training(
        net, Arrays(x, y, ['a', 'b', 'c']), None, batch_size=5, optimizer_params={'learning_rate': 0.0}
    )
    training.fit()
    _, predicted = training.predict(training.train)
    assert training.history[0]['train_accuracy'] == (predicted == y).mean()
    assert training.metric.metrics[0].global_num_inst == 7


@pytest.mark.parametrize('for_training', [False, True])
def test_a_batch_beyond_the_capacity_is_refused_with_the_sentence(for_training):
    module = bound(network(50), served(50), for_training=for_training)
    message = r'center_loss has batchsize=50, and the batch has 77 on a device. Set batchsize=77 or more'
    for call in (
        lambda: module.score(served(77), Accuracy()),
        lambda: module.predict(served(77)),
        lambda: next(module.iter_predict(served(77))),
        lambda: module.predict(samples()[0][:77]),
        lambda: bound(network(50), served(77), for_training=for_training),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    assert module.predict(served(50))[0].shape == (COUNT, NUM_CLASS)  # nothing has changed
    assert bound(network(50), served(77), devices=2).score(served(77), Accuracy())


def test_without_batchsize_another_batch_is_refused_with_the_sentence():
    module = bound(network(None), served(50))
    with pytest.raises(
        ValueError, match=r'center_loss is bound to 50 rows, .* 20 on a device\. Set batchsize=50'
    ):
        module.predict(served(20))


def test_a_convolutional_network_bound_for_scoring_predicts_as_one_bound_for_training():
    x = np.random.RandomState(2).rand(21, 1, 28, 28).astype('float32')
    net = joint_supervision(lenet(2), 10, 0.1, batchsize=8)
    data_iter = CenterLossIter(mx.io.NDArrayIter(x, np.zeros(21), 8))
    training, scoring = Module(net, label_names=LABELS), Module(net, label_names=LABELS)
    training.bind(data_iter.provide_data, data_iter.provide_label)
    training.init_params(mx.init.Xavier())
    scoring.bind(data_iter.provide_data, for_training=False)
    scoring.set_params(*training.get_params())
    whole = training.predict(mx.nd.array(x[:8])).asnumpy()
    for module in training, scoring:
        found = module.predict(data_iter)[0].asnumpy()
        assert found.shape == (21, 10)
        np.testing.assert_allclose(found[:8], whole, atol=1e-5)
        np.testing.assert_allclose(found, training.predict(data_iter)[0].asnumpy(), atol=1e-5)


def test_a_network_with_several_rows_a_sample_is_counted_as_mxnet_does_in_training():
    rows = mx.sym.FullyConnected(mx.sym.Reshape(mx.sym.Variable('data'), shape=(-1, 2)), num_hidden=3)
    net = mx.sym.SoftmaxOutput(rows, mx.sym.Reshape(mx.sym.Variable('softmax_label'), shape=(-1,)))
    seen = []
    for module in Module(net), mx.mod.Module(net):
        sizes = mx.metric.np(lambda label, pred: len(pred), name='rows', allow_extra_outputs=True)
        module.fit(
            mx.io.NDArrayIter(np.zeros((5, 3, 2)), np.zeros((5, 3)), 4), eval_metric=sizes, num_epoch=1
        )
        seen.append(sizes.get())
    assert seen[0] == seen[1] == ('rows', 12)


@pytest.mark.parametrize(
    'labels, ignored', [([1, 2, 0, 1, 2], None), ([1, -1, 0, -1, -1], -1), ([1, -1, 0, 2, 1], -1)]
)
@pytest.mark.parametrize('normalization', ['null', 'batch', 'valid'])
def test_of_a_loss_over_padding_the_samples_get_the_mean_of_the_rows_that_count(
    labels, ignored, normalization
):
    options = {} if ignored is None else {'use_ignore': True, 'ignore_label': ignored}
    net = center_loss(
        mx.sym.Variable('data'), mx.sym.Variable('label'), 3, normalization=normalization, **options
    )
    kept = [label for label in labels if label != ignored]
    loss = 6.0 * len(kept) / reference.normalizer(np.array(labels), normalization, ignored)  # 6 a row
    own, outputs = for_metrics(
        describe(net), {'label': mx.nd.array(labels)}, {'center_loss_output': mx.nd.array([loss])}, 5, 3
    )
    metric = CenterLossMetric(normalization, label_names=['label'], ignore_label=ignored)
    metric.update_dict(own, outputs)
    assert metric.get()[1] == pytest.approx(6.0)
    assert metric.num_inst == sum(label != ignored for label in labels[:3])

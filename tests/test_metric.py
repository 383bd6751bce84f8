"""The metrics: by name, per sample, over devices and epochs."""

from __future__ import annotations

import copy
import pickle

from centerloss_mx import reference
from centerloss_mx.metric import Accuracy, CenterLossMetric, for_network
from centerloss_mx.symbol import center_loss, learned_center_loss

import mxnet as mx
import numpy as np
import pytest

SEED, N, DIM, NUM_CLASS = 20161008, 12, 3, 4


def network(normalization, use_ignore=False):
    data = mx.sym.Variable('data')
    embedding = mx.sym.FullyConnected(data, num_hidden=DIM, no_bias=True, name='embedding')
    loss = center_loss(
        embedding, mx.sym.Variable('center_label'), NUM_CLASS, alpha=0, batchsize=N,
        normalization=normalization, use_ignore=use_ignore,
    )  # fmt: skip
    logits = mx.sym.FullyConnected(embedding, num_hidden=NUM_CLASS, name='fc2')
    softmax = mx.sym.SoftmaxOutput(logits, mx.sym.Variable('softmax_label'), name='softmax')
    return mx.sym.Group(
        [loss, mx.sym.BlockGrad(embedding, name='extra'), softmax]
    )  # softmax is not the first


def digits(n=5 * N, ignored=False):
    rng = np.random.RandomState(SEED)
    x, y = rng.randn(n, DIM).astype('float32'), rng.randint(0, NUM_CLASS, n).astype('float32')
    center_y = y.copy()
    if ignored:
        center_y[rng.rand(n) < 0.3] = -1
    return x, y, center_y


def fitted_metric(metric, contexts, normalization, ignored=False, **fit):
    """Train one epoch with learning rate 0 on features that are the data; return module and data."""
    x, y, center_y = digits(ignored=ignored)
    iterator = mx.io.NDArrayIter({'data': x}, {'softmax_label': y, 'center_label': center_y}, N)
    module = mx.mod.Module(
        network(normalization, ignored), label_names=['center_label', 'softmax_label'], context=contexts
    )
    module.fit(
        iterator, eval_metric=metric, num_epoch=1, optimizer_params={'learning_rate': 0},
        arg_params={'embedding_weight': mx.nd.array(np.eye(DIM))}, allow_missing=True, **fit,
    )  # fmt: skip
    return module, x, y, center_y


CONTEXTS = [[mx.cpu()], [mx.cpu(0), mx.cpu(1)], [mx.cpu(i) for i in range(5)]]


@pytest.mark.parametrize('contexts', CONTEXTS, ids=len)
@pytest.mark.parametrize('normalization', ['null', 'batch', 'valid'])
@pytest.mark.parametrize('ignored', [False, True])
def test_the_center_loss_is_per_sample_whatever_divides_it_and_on_any_number_of_devices(
    contexts, normalization, ignored
):
    metric = mx.metric.create(
        'center_loss', normalization=normalization, ignore_label=-1 if ignored else None
    )
    _, x, _, y = fitted_metric(metric, contexts, normalization, ignored)
    loss, _ = reference.center_loss(x, y, np.zeros((NUM_CLASS, DIM)), ignored=-1)
    name, value = metric.get()
    assert name == 'center_loss'
    np.testing.assert_allclose(value, loss / (y != -1).sum(), rtol=1e-6)


def test_losses_of_several_devices_in_one_array_count_each_its_slice():
    """As `Module.get_outputs` merges them: one number a device."""
    metric = CenterLossMetric('batch')
    metric.update([mx.nd.zeros(7)], [mx.nd.array([2.0, 4.0])])  # slices of 4 and 3
    assert metric.get()[1] == pytest.approx((4 * 2 + 3 * 4) / 7)


def test_accuracy_finds_output_and_label_by_name():
    metric = mx.metric.create('centerloss_accuracy')
    module, x, y, _ = fitted_metric(metric, [mx.cpu()], 'batch')
    args = {name: value.asnumpy() for name, value in module.get_params()[0].items()}
    right = (x @ args['fc2_weight'].T + args['fc2_bias']).argmax(axis=1) == y
    assert metric.get() == ('accuracy', right.mean())


def test_accuracy_does_not_count_ignored_samples():
    metric = Accuracy(ignore_label=-1)
    metric.update([mx.nd.array([0, -1, 1, 1])], [mx.nd.array([[1, 0], [1, 0], [1, 0], [0, 1]])])
    assert metric.get()[1] == pytest.approx(2 / 3) and metric.num_inst == 3


def test_lists_of_devices_and_bare_arrays_count_alike():
    labels, preds = [mx.nd.array([-1, -1]), mx.nd.array([0, 1])], [mx.nd.array([[1, 0], [1, 0]])] * 2
    accuracy, loss = Accuracy(ignore_label=-1), CenterLossMetric('batch')
    accuracy.update(labels, preds)
    assert accuracy.get()[1] == 0.5 and accuracy.num_inst == 2
    accuracy.reset()
    accuracy.update(mx.nd.array([0, -1]), preds[0])
    assert accuracy.get()[1] == 1 and accuracy.num_inst == 1
    loss.update(labels, [mx.nd.array([1]), mx.nd.array([3])])
    assert loss.get()[1] == 2
    loss.update(labels[0], mx.nd.array([8]))
    assert loss.get()[1] == 4


def test_both_work_by_name_inside_a_composite():
    composite = mx.metric.create(['centerloss_accuracy', 'center_loss'])
    fitted_metric(composite, [mx.cpu(0), mx.cpu(1)], 'batch')
    names, values = composite.get()
    assert names == ['accuracy', 'center_loss'] and np.isfinite(values).all()
    assert isinstance(mx.metric.create('accuracy'), mx.metric.Accuracy)
    assert not isinstance(mx.metric.create('accuracy'), Accuracy)  # MXNet's own name stays MXNet's


def test_the_epochs_value_is_not_cut_by_speedometer():
    whole, cut = (mx.metric.CompositeEvalMetric([Accuracy(), CenterLossMetric('batch')]) for _ in range(2))
    mx.random.seed(SEED)
    fitted_metric(whole, [mx.cpu()], 'batch')
    mx.random.seed(SEED)
    fitted_metric(cut, [mx.cpu()], 'batch', batch_end_callback=mx.callback.Speedometer(N, 2))
    assert whole.get_global() == cut.get_global() == whole.get()
    assert cut.metrics[0].num_inst < cut.metrics[0].global_num_inst  # it did reset


@pytest.mark.parametrize('metric, batch', [
    (
        Accuracy(-1, 'right', ['a_output'], ['a_label'], ignore_label=-1),
        ({'a_label': [0, -1, 1, 1]}, {'a_output': [[1, 0], [1, 0], [1, 0], [0, 1]]}),
    ),
    (
        CenterLossMetric('valid', 'tightness', ['a_output'], ['a_label'], ignore_label=-1),
        ({'a_label': [0, -1, 1, 1]}, {'a_output': [2]}),
    ),
], ids=['accuracy', 'center_loss'])  # fmt: skip
def test_a_metric_is_made_again_from_its_config(metric, batch):
    again = mx.metric.create(metric.get_config())
    assert type(again) is type(metric) and vars(again) == vars(metric)
    labels, outputs = ({name: mx.nd.array(value) for name, value in each.items()} for each in batch)
    for each in metric, again:
        each.update_dict(labels, outputs)
    assert again.get() == metric.get() and again.num_inst == 3


@pytest.mark.parametrize('read', [CenterLossMetric.get, CenterLossMetric.get_global])
def test_who_has_read_the_metric_finds_the_centers_moved(read, late_moves, bound):
    """The engine does not know that backward writes the centers: a copy alone does not wait for it."""
    op, metric = bound(4, DIM, NUM_CLASS, update='moving_average', alpha=1), CenterLossMetric()

    def copied_after(reading):
        loss = op.forward(np.ones((4, DIM)), np.zeros(4))
        op.executor.backward()
        metric.update([mx.nd.zeros(4)], [loss])
        reading()
        return op.executor.aux_dict['c_center_bias'].asnumpy()[0].tolist()

    late_moves.seconds = 60
    assert copied_after(lambda: None) == [0] * DIM
    late_moves.released.set()
    mx.nd.waitall()
    op.centers = np.zeros((NUM_CLASS, DIM))
    late_moves.released.clear()
    late_moves.seconds = 0.05
    assert copied_after(lambda: read(metric)) == [1] * DIM


@pytest.mark.parametrize('metric, numbers', [
    (CenterLossMetric(), lambda gradient: gradient.sum()), (Accuracy(), mx.nd.identity),
], ids=['center_loss', 'accuracy'])  # fmt: skip
def test_a_batch_is_counted_without_a_wait_for_the_device(metric, numbers, late_moves, bound):
    late_moves.seconds = 5
    op = bound(4, DIM, NUM_CLASS, update='moving_average', alpha=1)
    op.forward(np.ones((4, DIM)), np.zeros(4))
    op.executor.backward()
    metric.update([mx.nd.zeros(4)], [numbers(op.executor.grad_dict['data'])])
    assert not op.executor.aux_dict['c_center_bias'].asnumpy().any()  # backward has not moved them yet
    late_moves.released.set()
    assert metric.get()[1] == {'center_loss': 4 * DIM / 4, 'accuracy': 1}[metric.name]


@pytest.mark.parametrize('contexts', CONTEXTS[:2], ids=len)
def test_the_next_forward_does_not_change_what_is_counted(contexts):
    rng = np.random.RandomState(SEED)
    batches = [
        mx.io.DataBatch([mx.nd.array(rng.randn(N, DIM))], [mx.nd.array(rng.randint(0, NUM_CLASS, N))] * 2)
        for _ in range(100)
    ]
    module = mx.mod.Module(network('batch'), label_names=['center_label', 'softmax_label'], context=contexts)
    module.bind([('data', (N, DIM))], [(name, (N,)) for name in module.label_names])
    mx.random.seed(SEED)
    module.init_params()
    metrics = mx.metric.CompositeEvalMetric([Accuracy(), CenterLossMetric()])
    for batch in batches:
        module.forward(batch, is_train=True)
        module.update_metric(metrics, batch.label)
    right, loss = 0, 0.0
    for batch in batches:
        module.forward(batch, is_train=True)
        losses, _, softmax = (
            [array.asnumpy() for array in arrays] for arrays in module.get_outputs(merge_multi_context=False)
        )
        right += (np.concatenate(softmax).argmax(axis=1) == batch.label[0].asnumpy()).sum()
        for number in losses:
            loss += float(number[0]) * (N // len(contexts))
    count = N * len(batches)
    assert metrics.get() == (['accuracy', 'center_loss'], [right / count, loss / count])


def test_one_batch_of_each_device_is_not_counted_yet():
    metric = CenterLossMetric()
    for _ in range(3):
        for ctx in mx.cpu(0), mx.cpu(1):
            metric.update([mx.nd.zeros(2)], [mx.nd.ones(1, ctx)])
    assert metric.num_inst == 2 * 2 * 2
    metric.reset_local()
    assert np.isnan(metric.get()[1]) and metric.global_num_inst == 3 * 2 * 2


@pytest.mark.parametrize(
    'copied', [copy.copy, copy.deepcopy, lambda metric: pickle.loads(pickle.dumps(metric))]
)
@pytest.mark.parametrize('metric, prediction', [(Accuracy(), [[1, 0], [1, 0]]), (CenterLossMetric(), [5])])
def test_a_copy_counts_the_same_batches(copied, metric, prediction):
    metric.reset()
    metric.update([mx.nd.array([0, 1])], [mx.nd.array(prediction)])
    other = copied(metric)
    value = {'accuracy': 0.5, 'center_loss': 5}[metric.name]
    for each in metric, other:
        assert each.get()[1] == value and each.num_inst == 2


def test_a_failed_batch_raises_once_and_is_not_counted(bound):
    op, metric = bound(2, DIM, NUM_CLASS, alpha=0), CenterLossMetric()
    metric.update([mx.nd.zeros(2)], [op.forward(np.ones((2, DIM)), [0, NUM_CLASS])])
    with pytest.raises(mx.MXNetError):
        metric.get()
    assert np.isnan(metric.get()[1])
    metric.update([mx.nd.zeros(2)], [op.forward(np.ones((2, DIM)), [0, 0])])
    assert metric.get()[1] == DIM / 2


def test_a_count_of_labels_other_than_that_of_predictions_is_refused():
    with pytest.raises(ValueError, match="metric 'accuracy': 3 labels, but 2 predictions"):
        Accuracy().update([mx.nd.zeros(3)], [mx.nd.zeros((2, 4))])


def test_reset_forgets_and_no_sample_is_nan():
    metric = CenterLossMetric()
    metric.update([mx.nd.zeros(2)], [mx.nd.array([3.0])])
    metric.reset()
    assert np.isnan(metric.get()[1]) and np.isnan(metric.get_global()[1])


@pytest.mark.parametrize('name, kind', [('centerloss_accuracy', 'softmax'), ('center_loss', 'center')])
def test_a_missing_output_or_label_is_named_with_those_there_are(name, kind):
    metric = mx.metric.create(name)
    with pytest.raises(ValueError, match=f"the module has no label '{kind}_label'; it has other_label"):
        metric.update_dict({'other_label': mx.nd.zeros(2)}, {})
    with pytest.raises(ValueError, match=r"the module has no output '.*_output'; it has fc_output"):
        metric.update_dict({f'{kind}_label': mx.nd.zeros(2)}, {'fc_output': mx.nd.zeros(2)})


def test_an_unknown_normalization_is_refused():
    with pytest.raises(ValueError, match="normalization='mean' is not one of null, batch, valid"):
        CenterLossMetric('mean')


@pytest.mark.parametrize('normalization', ['null', 'batch', 'valid'])
def test_the_metrics_of_a_network_have_its_names_normalization_and_ignored_label(normalization):
    """Of two samples, one is ignored; the other is at distance 5 of its center at 0."""
    label, data = mx.sym.Variable('other_label'), mx.sym.Variable('data')
    options = {'use_ignore': True, 'ignore_label': -1, 'normalization': normalization}
    loss = center_loss(data, label, 3, batchsize=2, name='far', **options)
    softmax = mx.sym.SoftmaxOutput(data, mx.sym.Variable('softmax_label'), name='softmax')
    learned = learned_center_loss(data, label, 3, 2, name='learned')
    net = mx.sym.Group([softmax, loss, learned, mx.sym.MakeLoss(mx.sym.sum(data), name='sum')])
    metrics = for_network(net)
    assert [metric.name for metric in metrics.metrics] == ['accuracy', 'far', 'learned', 'sum']
    module = mx.mod.Module(net, label_names=['softmax_label', 'other_label'])
    module.bind([('data', (2, 2))], [('softmax_label', (2,)), ('other_label', (2,))])
    module.init_params(mx.init.Zero())
    batch = mx.io.DataBatch([mx.nd.array([[3, 4], [7, 8]])], [mx.nd.array([1, 0]), mx.nd.array([2, -1])])
    module.forward(batch, is_train=True)
    module.update_metric(metrics, batch.label)
    found = dict(metrics.get_name_value())
    assert (found['accuracy'], found['far'], found['sum']) == (0.5, 12.5, 22)


@pytest.mark.parametrize('shape', [(7,), (4, 6)])
def test_accuracy_takes_classes_and_scores_alike(shape):
    """Classes have the labels' shape; scores have the classes on axis 1."""
    rng = np.random.RandomState(20161008)
    scores, labels = rng.rand(shape[0], 3, *shape[1:]), rng.randint(0, 3, shape)
    expected = (scores.argmax(axis=1) == labels).mean()
    for prediction in scores, scores.argmax(axis=1):
        metric = Accuracy()
        metric.update([mx.nd.array(labels)], [mx.nd.array(prediction)])
        assert metric.get()[1] == expected


@pytest.mark.parametrize('size, slices', [(9, [4, 5]), (10, [3, 3, 4]), (13, [3, 3, 3, 4])])
def test_slices_are_counted_as_module_cuts_them(size, slices):
    losses = np.arange(2.0, 2 + len(slices))
    metric = CenterLossMetric('batch')
    metric.update([mx.nd.zeros(size)], [mx.nd.array(losses)])
    assert metric.get()[1] == pytest.approx(losses @ slices / size)

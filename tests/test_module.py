"""Our Module: labels are looked at before anything is pushed; a softmax checkpoint is fine-tuned."""

from __future__ import annotations

from centerloss_mx import reference
from centerloss_mx.gluon import CenterLoss
from centerloss_mx.io import CenterLossIter
from centerloss_mx.metric import CenterLossMetric
from centerloss_mx.module import Module
from centerloss_mx.symbol import (
    contrastive_center_loss,
    island_loss,
    joint_supervision,
    large_margin_gaussian_mixture,
    learned_center_loss,
)

import mxnet as mx
import numpy as np
import pytest

N, DIM, NUM_CLASS = 4, 3, 5


def make(use_ignore=False, contexts=None):
    embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=DIM, name='embedding')
    net = joint_supervision(embedding, NUM_CLASS, 0.1, batchsize=N, use_ignore=use_ignore)
    module = Module(net, label_names=['softmax_label', 'center_label'], context=contexts or mx.cpu())
    module.bind([('data', (N, 2))], [('softmax_label', (N,)), ('center_label', (N,))])
    module.init_params(mx.init.Normal(1))
    module.init_optimizer(optimizer_params={'learning_rate': 0.1})
    return module


def batch(labels, center_labels=None):
    x = np.random.RandomState(20161008).randn(N, 2)
    return mx.io.DataBatch([mx.nd.array(x)], [mx.nd.array(labels), mx.nd.array(center_labels or labels)])


def numbers(module):
    return {name: value.asnumpy() for params in module.get_params() for name, value in params.items()}


@pytest.mark.parametrize('contexts', [None, [mx.cpu(0), mx.cpu(1)]])
@pytest.mark.parametrize(
    'label, message', [(5, 'label 5 at row 2 is outside 0..4'), (-1, 'label -1 at row 2')]
)
def test_a_bad_label_is_a_value_error_before_anything_moves(contexts, label, message):
    module = make(contexts=contexts)
    module.forward_backward(batch([0, 1, 2, 3]))
    module.update()
    before = numbers(module)
    with pytest.raises(ValueError, match=f'center_label: {message}'):
        module.forward_backward(batch([0, 1, label, 3]))
    assert all((before[name] == value).all() for name, value in numbers(module).items())
    module.forward_backward(batch([0, 1, 2, 3]))
    module.update()
    assert (numbers(module)['center_loss__center_bias'] != before['center_loss__center_bias']).any()


def test_an_ignored_label_passes_and_scoring_takes_any():
    module = make(use_ignore=True)
    module.forward_backward(batch([0, 1, -1, 3]))
    module.forward(batch([0, 1, 77, 3]), is_train=False)
    assert np.isnan(module.get_outputs()[1].asscalar())


@pytest.mark.parametrize(
    'factory', [learned_center_loss, island_loss, contrastive_center_loss, large_margin_gaussian_mixture]
)
@pytest.mark.parametrize('use_ignore', [False, True])
def test_the_labels_of_every_loss_are_looked_at(factory, use_ignore):
    embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=DIM, name='embedding')
    net = factory(embedding, mx.sym.Variable('label'), NUM_CLASS, DIM, use_ignore=use_ignore)
    module = Module(net, label_names=['label'])
    module.bind([('data', (N, 2))], [('label', (N,))])
    module.init_params(mx.init.Normal(1))
    module.init_optimizer()
    data = batch([0, 1, 5, 3])
    data.label = data.label[:1]
    with pytest.raises(ValueError, match=r'label: label 5 at row 2 is outside 0\.\.4'):
        module.forward_backward(data)
    data.label = [mx.nd.array([0, 1, -1, 3])]
    if use_ignore:
        module.forward_backward(data)
    else:
        with pytest.raises(ValueError, match=r'label: label -1 at row 2 is outside 0\.\.4'):
            module.forward_backward(data)
    module.forward(data, is_train=False)  # scoring takes any


def test_the_labels_of_a_composed_gluon_block_are_looked_at():
    block = CenterLoss(NUM_CLASS, DIM, prefix='c_')
    embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=DIM, name='embedding')
    net = mx.sym.MakeLoss(block(embedding, mx.sym.Variable('label')))
    module = Module(net, label_names=['label'])
    module.bind([('data', (N, 2))], [('label', (N,))])
    module.init_params(mx.init.Normal(1))
    module.init_optimizer()
    data = batch([0, 1, 5, 3])
    data.label = data.label[:1]
    with pytest.raises(ValueError, match=r'label: label 5 at row 2 is outside 0\.\.4'):
        module.forward_backward(data)


def test_parameters_read_right_after_backward_hold_the_update():
    module = make()
    data = batch([0, 1, 1, 3])
    for _ in range(30):
        before = numbers(module)
        module.forward_backward(data)
        module.update()
        features = data.data[0].asnumpy() @ before['embedding_weight'].T + before['embedding_bias']
        expected = reference.center_update(
            features, data.label[1].asnumpy(), before['center_loss__center_bias'], 0.5
        )
        np.testing.assert_allclose(numbers(module)['center_loss__center_bias'], expected, atol=1e-5)


def test_under_plain_fit_the_sentence_is_on_standard_output(capfd):
    embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=DIM, name='embedding')
    net = joint_supervision(embedding, NUM_CLASS, 0.1, batchsize=N)
    module = mx.mod.Module(net, label_names=['softmax_label', 'center_label'])
    labels = np.array([0, 1, 2, 3, 0, 12, 2, 3])
    iterator = CenterLossIter(mx.io.NDArrayIter(np.ones((8, 2)), labels, N))
    with pytest.raises(mx.MXNetError, match='Check failed'):
        module.fit(iterator, eval_metric=CenterLossMetric('null'), num_epoch=1)
    assert 'label 12 at row 1 is outside 0..4 (num_class=5)' in capfd.readouterr().out
    ours = Module(net, label_names=['softmax_label', 'center_label'])
    with pytest.raises(ValueError, match=r'center_label: label 12 at row 1 is outside 0..4 \(num_class=5\)'):
        iterator.reset()
        ours.fit(iterator, eval_metric=CenterLossMetric('null'), num_epoch=1)


def test_a_softmax_checkpoint_is_fine_tuned_and_its_centers_start_at_zero(tmp_path):
    rng = np.random.RandomState(20161008)
    embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=DIM, name='embedding')
    logits = mx.sym.FullyConnected(embedding, num_hidden=NUM_CLASS, name='fc2')
    x, y = rng.randn(2 * N, 2).astype('float32'), rng.randint(0, NUM_CLASS, 2 * N)
    iterator = CenterLossIter(mx.io.NDArrayIter(x, y, N))
    softmax = mx.mod.Module(mx.sym.SoftmaxOutput(logits, name='softmax'))
    softmax.fit(iterator.data_iter, num_epoch=1, initializer=mx.init.Normal(1))
    softmax.save_checkpoint(str(tmp_path / 'softmax'), 1)

    _, arg_params, aux_params = mx.model.load_checkpoint(str(tmp_path / 'softmax'), 1)
    module = Module(
        joint_supervision(embedding, NUM_CLASS, 0.1, batchsize=N),
        label_names=['softmax_label', 'center_label'],
    )
    iterator.reset()
    module.fit(
        iterator, eval_metric=CenterLossMetric('null'), num_epoch=1, optimizer_params={'learning_rate': 0},
        arg_params=arg_params, aux_params=aux_params, allow_missing=True,
    )  # fmt: skip
    features = x @ arg_params['embedding_weight'].asnumpy().T + arg_params['embedding_bias'].asnumpy()
    centers = np.zeros((NUM_CLASS, DIM))
    for rows in slice(0, N), slice(N, 2 * N):
        centers = reference.center_update(features[rows], y[rows], centers, 0.5)
    np.testing.assert_allclose(numbers(module)['center_loss__center_bias'], centers, atol=1e-5)


def test_a_loaded_module_keeps_its_promises_and_its_optimizer_states(tmp_path):
    module = make()
    module.forward_backward(batch([0, 1, 2, 3]))
    module.update()
    module.save_checkpoint(str(tmp_path / 'net'), 1, save_optimizer_states=True)
    loaded = Module.load(str(tmp_path / 'net'), 1, True, label_names=['softmax_label', 'center_label'])
    loaded.bind(module.data_shapes, module.label_shapes)
    loaded.init_optimizer(optimizer_params={'learning_rate': 0.1})
    assert type(loaded) is Module
    with pytest.raises(ValueError, match='center_label: label 5 at row 2'):
        loaded.forward_backward(batch([0, 1, 5, 3]))
    for one in module, loaded:
        one.forward_backward(batch([0, 1, 1, 3]))
        one.update()
    ours, theirs = numbers(loaded), numbers(module)
    assert all((ours[name] == value).all() for name, value in theirs.items())


def test_a_list_of_batches_is_looked_at_batch_by_batch():
    module = make(contexts=[mx.cpu(0), mx.cpu(1)])
    half = mx.io.DataBatch([mx.nd.ones((N // 2, 2))], [mx.nd.array([0, 5])] * 2)
    with pytest.raises(ValueError, match='center_label: label 5 at row 1'):
        module.forward([half, half], is_train=True)

"""Centers start at the class means of the first batches."""

from __future__ import annotations

from centerloss_mx.evaluation import class_means
from centerloss_mx.io import CenterLossIter
from centerloss_mx.model import FeatureExtractor, start_centers
from centerloss_mx.module import Module
from centerloss_mx.symbol import center_loss, joint_supervision, learned_center_loss

import mxnet as mx
import numpy as np
import pytest

N = 4


def features_of(module, x, data_name='data'):
    return FeatureExtractor(module.symbol, *module.get_params(), data_name=data_name).predict(x)


@pytest.mark.parametrize('contexts', [1, 2], ids='{} devices'.format)
@pytest.mark.parametrize('num_batches, count', [(2, 8), (3, 10), (99, 10)])
def test_centers_start_at_the_class_means_of_the_first_batches(samples, contexts, num_batches, count):
    x, y, data_iter = samples()
    data = mx.sym.Variable('data')
    embedding = mx.sym.FullyConnected(mx.sym.Flatten(data), num_hidden=3, name='embedding')
    module = mx.mod.Module(
        joint_supervision(embedding, 5, 0.1, batchsize=N),
        label_names=['softmax_label', 'center_label'],
        context=[mx.cpu(i) for i in range(contexts)],
    )
    module.bind(data_iter.provide_data, data_iter.provide_label)
    module.init_params(mx.init.Xavier())
    args, aux = module.get_params()
    aux['center_loss__center_bias'][4] = 7
    module.set_params(args, aux)
    next(data_iter)  # a used iterator is reset before
    assert start_centers(module, data_iter, num_batches).tolist() == [0, 1, 2, 3]

    _, means = class_means(features_of(module, x)[:count], y[:count])
    centers = module.get_params()[1]['center_loss__center_bias'].asnumpy()
    np.testing.assert_allclose(centers[:4], means, 1e-5, 1e-6)
    assert (centers[4] == 7).all(), 'an absent class has moved'
    assert (next(data_iter).data[0].asnumpy() == x[:N]).all(), 'the iterator is not at its beginning'
    for executor in module._exec_group.execs:  # on every device
        np.testing.assert_array_equal(executor.aux_dict['center_loss__center_bias'].asnumpy(), centers)


def test_learned_centers_start_there_too(samples):
    x, y, _ = samples()
    data_iter = mx.io.NDArrayIter(x, y.astype('float32'), N, data_name='image', label_name='label')
    embedding = mx.sym.FullyConnected(mx.sym.Variable('image'), num_hidden=3, name='embedding')
    net = learned_center_loss(embedding, mx.sym.Variable('label'), 5, 3, name='learned')
    module = mx.mod.Module(net, ['image'], ['label'])
    module.bind(data_iter.provide_data, data_iter.provide_label)
    module.init_params(mx.init.Xavier())
    start_centers(module, data_iter)
    centers = module.get_params()[0]['learned_center_weight'].asnumpy()
    _, means = class_means(features_of(module, x, 'image'), y)
    np.testing.assert_allclose(centers[:4], means, 1e-5, 1e-6)


def test_samples_that_the_loss_ignores_are_left_out(samples):
    x, y, data_iter = samples(wrong=-7)
    embedding = mx.sym.FullyConnected(mx.sym.Flatten(mx.sym.Variable('data')), num_hidden=3, name='embedding')
    options = {'batchsize': N, 'use_ignore': True, 'ignore_label': -7, 'name': 'ignoring'}
    net = center_loss(embedding, mx.sym.Variable('softmax_label'), 5, **options)
    module = mx.mod.Module(net, label_names=['softmax_label'])
    module.bind(data_iter.provide_data, data_iter.provide_label[:1])
    module.init_params(mx.init.Xavier())
    start_centers(module, data_iter)
    centers = module.get_params()[1]['ignoring__center_bias'].asnumpy()
    np.testing.assert_allclose(centers[:4], class_means(features_of(module, x)[:-1], y[:-1])[1], 1e-5, 1e-6)


def test_of_several_losses_one_is_named(samples):
    """The two share a label; each has its own feature."""
    x, y, data_iter = samples()
    data, label = mx.sym.Flatten(mx.sym.Variable('data')), mx.sym.Variable('softmax_label')
    features = [mx.sym.FullyConnected(data, num_hidden=3, name=f'layer{i}') for i in range(2)]
    losses = [
        center_loss(feature, label, 5, batchsize=N, name=f'loss{i}') for i, feature in enumerate(features)
    ]
    module = mx.mod.Module(mx.sym.Group(losses), label_names=['softmax_label'])
    module.bind(data_iter.provide_data, data_iter.provide_label[:1])
    module.init_params(mx.init.Xavier())
    with pytest.raises(ValueError, match=r'name=None: .* it has loss0, loss1'):
        start_centers(module, data_iter)
    for options, layer in ({}, 'layer1_output'), ({'output': 'layer0_output'}, 'layer0_output'):
        start_centers(module, data_iter, name='loss1', **options)
        aux_params = module.get_params()[1]
        extractor = FeatureExtractor(module.symbol, *module.get_params(), layer=layer)
        _, means = class_means(extractor.predict(x), y)
        np.testing.assert_allclose(aux_params['loss1__center_bias'].asnumpy()[:4], means, 1e-5, 1e-6)
        assert not aux_params['loss0__center_bias'].asnumpy().any()


def test_samples_to_be_ignored_start_no_center(module, samples):
    x, y, data_iter = samples(wrong=-7)
    with pytest.raises(ValueError, match='label -7 at row 1'):
        start_centers(module, data_iter)
    start_centers(module, data_iter, ignore_label=-7)
    centers = module.get_params()[1]['center_loss__center_bias'].asnumpy()
    np.testing.assert_allclose(centers[:4], class_means(features_of(module, x)[:-1], y[:-1])[1], 1e-5, 1e-6)


def test_learned_centers_that_a_kvstore_updates_are_not_started(samples):
    """The next step would pull the old ones."""
    data_iter = mx.io.NDArrayIter(*samples()[:2], N, label_name='label')
    embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=3, name='embedding')
    net = learned_center_loss(embedding, mx.sym.Variable('label'), 5, 3, name='learned')
    module = mx.mod.Module(net, label_names=['label'], context=[mx.cpu(0), mx.cpu(1)])
    module.bind(data_iter.provide_data, data_iter.provide_label)
    module.init_params(mx.init.Xavier())
    start_centers(module, data_iter)
    module.init_optimizer(kvstore='device')
    before = module.get_params()[0]['learned_center_weight'].asnumpy()
    with pytest.raises(
        ValueError, match='updates learned_center_weight already; call start_centers before init_optimizer'
    ):
        start_centers(module, data_iter)
    np.testing.assert_array_equal(module.get_params()[0]['learned_center_weight'].asnumpy(), before)


@pytest.mark.parametrize('batch_size', [2, 5])
def test_an_iterator_of_another_batch_size_is_refused(module, samples, batch_size):
    x, y, _ = samples()
    data_iter = CenterLossIter(mx.io.NDArrayIter(x, y.astype('float32'), batch_size))
    with pytest.raises(ValueError, match=rf'serves data of shapes \[\({batch_size}, 1, 8, 8\)\], and'):
        start_centers(module, data_iter)


@pytest.mark.parametrize('options, wrong, message', [
    ({'num_batches': 2.5}, None, 'num_batches=2.5 is not a whole number > 0'),
    ({'num_batches': 0}, None, 'num_batches=0 is not a whole number > 0'),
    ({'name': 'other'}, None, "name='other': .*; it has center_loss"),
    ({'label_name': 'y'}, None, "no label 'y'; it has softmax_label, center_label"),
    ({'output': 'fc9_output'}, None, "no output 'fc9_output'; it has conv_output"),
    ({}, 9, 'label 9 at row 1 is outside 0..4'),
])  # fmt: skip
def test_centers_stay_where_they_are_when_they_cannot_be_started(module, samples, options, wrong, message):
    with pytest.raises(ValueError, match=message):
        start_centers(module, samples(wrong=wrong)[2], **options)
    assert not module.get_params()[1]['center_loss__center_bias'].asnumpy().any()


def test_features_that_are_not_finite_start_no_center(module, samples):
    args, aux = module.get_params()
    args['embedding_bias'][:] = np.nan
    module.set_params(args, aux)
    with pytest.raises(ValueError, match="the output 'embedding_output' is not finite"):
        start_centers(module, samples()[2])
    assert not module.get_params()[1]['center_loss__center_bias'].asnumpy().any()


def test_a_module_without_parameters_has_no_centers_to_start(module, samples):
    with pytest.raises(ValueError, match='call bind and init_params first'):
        start_centers(mx.mod.Module(module.symbol), samples()[2])


@pytest.mark.parametrize('module_class', [mx.mod.Module, Module])
def test_centers_for_the_kvstore_start_at_the_class_means_too(
    bound_with, init_optimizer, train, samples, module_class
):
    x, y, data_iter = samples()
    module = bound_with('kvstore', module_class, contexts=2)
    module.init_params(mx.init.Xavier())
    assert start_centers(module, data_iter).tolist() == [0, 1, 2, 3]
    init_optimizer(module, 'device')
    weight = module.get_params()[0]['center_loss_center_weight'].asnumpy()
    np.testing.assert_allclose(weight[:4, :3], class_means(features_of(module, x), y)[1], 1e-5, 1e-6)
    assert not weight[4].any() and not weight[:, 3].any()  # they have not been counted
    if module_class is Module:
        train(module)
        assert module.get_params()[0]['center_loss_center_weight'].asnumpy()[:, 3].sum() == 3 * N
    with pytest.raises(ValueError, match='call start_centers before init_optimizer'):
        start_centers(module, data_iter)


@pytest.mark.parametrize('epochs_before', [0, 1, 2])
def test_an_iterator_that_rolls_over_starts_centers_at_the_means_of_all_samples(
    module, samples, epochs_before
):
    x, y, _ = samples()
    rolling = CenterLossIter(mx.io.NDArrayIter(x, y, N, last_batch_handle='roll_over'))
    for _ in range(epochs_before):
        list(rolling)
        rolling.reset()
    features = features_of(module, x)
    assert start_centers(module, rolling).tolist() == [0, 1, 2, 3]
    expected = [features[y == label].mean(axis=0) for label in range(4)]
    found = module.get_params()[1]['center_loss__center_bias'].asnumpy()
    np.testing.assert_allclose(found[:4], expected, rtol=1e-4, atol=1e-6)

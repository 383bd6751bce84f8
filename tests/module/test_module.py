"""Our Module: labels are looked at before anything is pushed; a softmax checkpoint is fine-tuned."""

from __future__ import annotations

from types import SimpleNamespace

from centerloss_mx import reference
from centerloss_mx.gluon import CenterLoss
from centerloss_mx.io import CenterLossIter
from centerloss_mx.metric import CenterLossMetric
from centerloss_mx.module import Module, sparse_row_id_fn
from centerloss_mx.symbol import (
    contrastive_center_loss,
    island_loss,
    joint_supervision,
    large_margin_gaussian_mixture,
    learned_center_loss,
    sync_center_loss,
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


def refused_with_label_5(net):
    """A module of a network with one label, and the batch whose label 5 it has refused."""
    module = Module(net, label_names=['label'])
    module.bind([('data', (N, 2))], [('label', (N,))])
    module.init_params(mx.init.Normal(1))
    module.init_optimizer()
    data = batch([0, 1, 5, 3])
    data.label = data.label[:1]
    with pytest.raises(ValueError, match=r'label: label 5 at row 2 is outside 0\.\.4'):
        module.forward_backward(data)
    return module, data


@pytest.mark.parametrize(
    'factory', [learned_center_loss, island_loss, contrastive_center_loss, large_margin_gaussian_mixture]
)
@pytest.mark.parametrize('use_ignore', [False, True])
def test_the_labels_of_every_loss_are_looked_at(factory, use_ignore):
    embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=DIM, name='embedding')
    net = factory(embedding, mx.sym.Variable('label'), NUM_CLASS, DIM, use_ignore=use_ignore)
    module, data = refused_with_label_5(net)
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
    refused_with_label_5(net)


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


class OnKVStore:
    """Centers on the KVStore, on two CPU contexts unless told otherwise, stepped by hand."""

    name = 'center_loss_center_weight'

    def __init__(self, contexts=2, kvstore='device', module_class=Module, compression_params=None, **options):
        embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=DIM, name='embedding')
        net = joint_supervision(embedding, NUM_CLASS, 0.1, centers='kvstore', embedding_dim=DIM, **options)
        context = [mx.cpu(i) for i in range(contexts)]
        self.module = module_class(
            net,
            label_names=['softmax_label', 'center_label'],
            context=context,
            compression_params=compression_params,
        )
        self.module.bind([('data', (N, 2))], [('softmax_label', (N,)), ('center_label', (N,))])
        self.module.init_params(mx.init.Normal(1))
        self.kvstore = kvstore

    def init_optimizer(self, optimizer='centers', **params):
        self.module.init_optimizer(self.kvstore, optimizer, {'learning_rate': 0.1, **params})
        return self

    def step(self, data):
        self.module.forward_backward(data)
        self.module.update()


def features(module, x):
    arg_params, _ = module.get_params()
    return x @ arg_params['embedding_weight'].asnumpy().T + arg_params['embedding_bias'].asnumpy()


@pytest.mark.parametrize('contexts, kvstore', [(1, None), (1, 'local'), (2, 'local'), (2, 'device')])
@pytest.mark.parametrize('bad', ['label', 'features'])
def test_what_is_bad_leaves_centers_on_the_kvstore_as_they_were_and_training_goes_on(contexts, kvstore, bad):
    net = OnKVStore(contexts, kvstore).init_optimizer()
    net.step(batch([0, 1, 2, 3]))
    before = numbers(net.module)
    data = batch([0, 1, 2, 5 if bad == 'label' else 3])
    message = 'center_label: label 5 at row 3 is outside 0..4'
    if bad == 'features':
        data.data[0][3, 1] = np.nan
        message = 'center_loss_output is nan, expected a finite loss'
    with pytest.raises(ValueError, match=message):
        net.step(data)
    assert all((before[name] == value).all() for name, value in numbers(net.module).items())
    net.step(batch([0, 1, 2, 3]))
    np.testing.assert_array_equal(numbers(net.module)[net.name][:, DIM], [2, 2, 2, 2, 0])


def test_plain_module_leaves_the_centers_of_features_that_are_not_finite_as_they_were():
    net = OnKVStore(1, None, mx.mod.Module).init_optimizer()
    net.step(batch([0, 1, 2, 3]))
    before = numbers(net.module)[net.name]
    data = batch([0, 1, 2, 3])
    data.data[0][3, 1] = np.inf
    with pytest.raises(ValueError, match=r'gradient of center_loss_center_weight is not finite at class 3'):
        net.step(data)
    np.testing.assert_array_equal(numbers(net.module)[net.name], before)


def test_scoring_sees_the_centers_of_its_own_batch():
    """Devices hold the rows of the last batch only; others have to be pulled, in scoring too."""
    net = OnKVStore().init_optimizer()
    net.step(batch([0, 1, 2, 3]))
    net.step(batch([4, 4, 4, 4]))
    data = batch([0, 1, 2, 3])
    net.module.forward(data, is_train=False)
    centers = numbers(net.module)[net.name][:, :DIM]
    expected, _ = reference.center_loss(features(net.module, data.data[0].asnumpy()), np.arange(4), centers)
    np.testing.assert_allclose(net.module.get_outputs()[1].asnumpy().sum(), expected, rtol=1e-5)
    net.module.forward(batch([0, 1, 77, 3]), is_train=False)
    assert np.isnan(net.module.get_outputs()[1].asnumpy()).any()
    net.module.forward(mx.io.DataBatch(data.data), is_train=False)  # without labels, as predict may


def test_fit_gathers_the_centers_and_leaves_devices_their_rows():
    net = OnKVStore().init_optimizer()
    net.step(batch([0, 1, 1, 3]))
    arg_params, aux_params = net.module.get_params()
    net.module.set_params(arg_params, aux_params)  # as `fit` does
    device = net.module._exec_group.execs[0].arg_dict[net.name]
    np.testing.assert_array_equal(device.indices.asnumpy(), [0, 1, 3])
    np.testing.assert_array_equal(arg_params[net.name].asnumpy()[:, DIM], [1, 2, 0, 1, 0])


@pytest.mark.parametrize('kvstore', [None, 'local', 'device'])
def test_dense_centers_may_have_rows_of_zeros(kvstore):
    net = OnKVStore(1, kvstore)
    arg_params, aux_params = net.module.get_params()
    arg_params[net.name] = mx.nd.zeros((NUM_CLASS, DIM + 1))
    net.module.init_params(arg_params=arg_params, aux_params=aux_params, force_init=True)
    net.init_optimizer().step(batch([0, 1, 1, 3]))
    np.testing.assert_array_equal(numbers(net.module)[net.name][:, DIM], [1, 2, 0, 1, 0])


@pytest.mark.parametrize('kvstore', [None, 'local', 'device'])
def test_centers_may_come_by_any_way_before_the_optimizer(kvstore, tmp_path):
    """MXNet's own servers end, or give garbage, where a row is not there."""
    net = OnKVStore(1, kvstore)
    dense = {net.name: mx.nd.zeros((NUM_CLASS, DIM + 1))}
    net.module.set_params(dense, {}, allow_missing=True)
    net.init_optimizer().step(batch([0, 1, 1, 3]))
    np.testing.assert_array_equal(numbers(net.module)[net.name][:, DIM], [1, 2, 0, 1, 0])

    arg_params, aux_params = net.module.get_params()
    mx.model.save_checkpoint(str(tmp_path / 'net'), 1, net.module.symbol, {**arg_params, **dense}, aux_params)
    net.module = Module.load(str(tmp_path / 'net'), 1, label_names=['softmax_label', 'center_label'])
    net.module.bind([('data', (N, 2))], [('softmax_label', (N,)), ('center_label', (N,))])
    net.init_optimizer().step(batch([0, 1, 1, 3]))
    np.testing.assert_array_equal(numbers(net.module)[net.name][:, DIM], [1, 2, 0, 1, 0])


def test_scoring_between_backward_and_update_is_no_error():
    net = OnKVStore().init_optimizer()
    net.module.forward_backward(batch([0, 1, 2, 3]))
    net.module.forward(batch([0, 1, 77, 3]), is_train=False)
    net.module.update()
    np.testing.assert_array_equal(numbers(net.module)[net.name][:, DIM], [1, 1, 1, 1, 0])


def test_the_loss_is_looked_at_under_any_name():
    with mx.name.Prefix('net_'):
        net = OnKVStore()
    net.init_optimizer()
    data = batch([0, 1, 2, 3])
    data.data[0][3, 1] = np.nan
    with pytest.raises(ValueError, match='net_center_loss_output is nan, expected a finite loss'):
        net.step(data)


def test_a_loss_that_is_no_output_is_refused():
    loss = sync_center_loss(mx.sym.Variable('data'), mx.sym.Variable('center_label'), NUM_CLASS, DIM)
    with pytest.raises(
        ValueError,
        match=r'must be an output of the network: center_loss_output is not in .* without a factor or func',
    ):
        Module(loss * 2, label_names=['center_label'])


def test_gradients_that_mxnet_cannot_add_up_or_compress_are_refused():
    net = OnKVStore()
    shapes = net.module.data_shapes, net.module.label_shapes
    net.module.bind(*shapes, grad_req='add', force_rebind=True)
    with pytest.raises(ValueError, match="grad_req='add' is not supported for center_loss_center_weight"):
        net.init_optimizer()
    net = OnKVStore(compression_params={'type': '2bit', 'threshold': 0.5})
    with pytest.raises(
        ValueError,
        match='MXNet cannot compress the row_sparse gradients of center_loss_center_weight',
    ):
        net.init_optimizer()


def test_fixed_centers_stay_where_they_are():
    net = OnKVStore()
    fixed = Module(
        net.module.symbol, label_names=['softmax_label', 'center_label'], fixed_param_names=[net.name]
    )
    fixed.bind(net.module.data_shapes, net.module.label_shapes)
    fixed.init_params(mx.init.Normal(1))
    net.module = fixed
    net.init_optimizer()
    before = numbers(fixed)
    net.step(batch([0, 1, 1, 3]))
    after = numbers(fixed)
    np.testing.assert_array_equal(after[net.name], before[net.name])
    assert (after['embedding_weight'] != before['embedding_weight']).any()


def test_an_ignored_sample_is_not_expected_to_be_counted():
    net = OnKVStore(use_ignore=True).init_optimizer()
    net.step(batch([0, 1, 2, 3], [0, -1, 0, 3]))
    np.testing.assert_array_equal(numbers(net.module)[net.name][:, DIM], [2, 0, 0, 1, 0])


def test_an_ignored_batch_moves_no_center():
    net = OnKVStore(use_ignore=True).init_optimizer()
    net.step(batch([0, 1, 2, 3]))
    before = numbers(net.module)[net.name]
    net.step(batch([0, 1, 2, 3], [-1, -1, -1, -1]))
    np.testing.assert_array_equal(numbers(net.module)[net.name], before)


@pytest.mark.parametrize('optimizer', ['sgd', mx.optimizer.Adam()])
def test_centers_on_the_kvstore_with_another_optimizer_are_refused(optimizer):
    with pytest.raises(
        ValueError, match="would move center_loss_center_weight by its gradient: use optimizer='centers'"
    ):
        OnKVStore().init_optimizer(optimizer)


@pytest.mark.parametrize('module_class', [Module, mx.mod.Module])
def test_devices_that_would_each_move_centers_of_their_own_are_refused(module_class):
    with pytest.raises(ValueError, match='each of 2 devices would move its own copy of center_loss_center_w'):
        OnKVStore(2, None, module_class).init_optimizer()


def test_a_kvstore_that_only_sums_is_refused(monkeypatch):
    monkeypatch.setenv('MXNET_UPDATE_ON_KVSTORE', '0')
    net = OnKVStore(1, mx.kv.create('local'))
    with pytest.raises(
        ValueError, match="unset MXNET_UPDATE_ON_KVSTORE: KVStore 'local' would only sum gradients"
    ):
        net.init_optimizer()
    assert not net.module.optimizer_initialized


@pytest.mark.parametrize('num_class, error, message', [
    (2**27, ValueError, '134217728 classes of 16 bytes each; a dist KVStore holds at most 134217727 such'),
    (2**27 - 1, TypeError, 'kvstore must be'),  # of MXNet, which is asked then
])  # fmt: skip
def test_two_to_the_31_bytes_are_more_than_the_servers_of_dist_hold(num_class, error, message):
    """There the first push would end them."""
    rows = SimpleNamespace(shape=(num_class,))
    centers = SimpleNamespace(stype='row_sparse', shape=(num_class, DIM + 1), dtype='float32', indices=rows)
    net = OnKVStore(1, SimpleNamespace(type='dist_sync', num_workers=1))
    net.module._arg_params[net.name] = centers  # what an array of this size says of itself
    with pytest.raises(error, match=message):
        net.init_optimizer()


def test_centers_of_each_workers_own_are_refused(monkeypatch):
    """Auxiliary states are never exchanged."""
    monkeypatch.setenv('DMLC_NUM_WORKER', '2')
    module = make()
    with pytest.raises(
        ValueError, match='center_loss__center_bias: each of 2 workers would move centers of its own'
    ):
        module.init_optimizer('dist_sync', force_init=True)


def test_a_kvstore_that_does_not_move_the_centers_is_noticed_in_the_first_step():
    net = OnKVStore().init_optimizer()
    net.module._kvstore._set_updater(lambda index, gradient, weight: None)
    with pytest.raises(
        RuntimeError, match='has counted 0 samples of class 0 after a step, expected 1 or more'
    ):
        net.step(batch([0, 1, 2, 3]))


def test_the_label_of_centers_on_the_kvstore_is_one_of_the_modules():
    label = mx.sym.Variable('center_label') + 1
    net = sync_center_loss(mx.sym.Variable('data'), label, NUM_CLASS, DIM)
    with pytest.raises(
        ValueError,
        match=r"label_names=\['center_label'\] lack '.*': Module needs this label to pull the rows of cent",
    ):
        Module(net, label_names=['center_label'])


def test_only_labels_that_are_classes_name_rows():
    """A server has no other row to give."""
    net = OnKVStore(1, None, mx.mod.Module)
    rows = sparse_row_id_fn(net.module)(batch([0, NUM_CLASS, -1, NUM_CLASS - 1]))
    assert {name: array.asnumpy().tolist() for name, array in rows.items()} == {net.name: [0, NUM_CLASS - 1]}


def test_plain_module_with_the_row_id_function_trains_the_same_numbers():
    modules = []
    for module_class in Module, mx.mod.Module:
        mx.random.seed(1)
        net = OnKVStore(2, 'device', module_class).init_optimizer(momentum=0.9)
        for labels in [0, 1, 2, 3], [4, 4, 4, 0], [1, 2, 2, 0]:
            data = batch(labels)
            if module_class is mx.mod.Module:
                net.module.prepare(data, sparse_row_id_fn(net.module))
            net.step(data)
        modules.append(numbers(net.module))
    ours, plain = modules
    assert all((plain[name] == value).all() for name, value in ours.items())


@pytest.mark.parametrize('centers', ['aux', 'kvstore'])
def test_a_label_that_the_iterator_does_not_serve_is_refused_before_training(centers):
    """MXNet warns and leaves the label at 0: every sample would pull the center of class 0."""
    net = joint_supervision(mx.sym.Variable('data'), NUM_CLASS, 0.1, centers=centers, embedding_dim=DIM)
    plain = mx.io.NDArrayIter(np.zeros((4, DIM)), np.zeros(4), 4)
    mod = Module(net, label_names=['softmax_label', 'center_label'])
    with pytest.raises(
        ValueError, match="the iterator serves no 'center_label', which center_loss reads; it s"
    ):
        mod.fit(plain, num_epoch=1)
    assert not mod.binded


def test_a_label_that_module_would_take_for_a_parameter_is_refused():
    net = joint_supervision(mx.sym.Variable('data'), NUM_CLASS, 0.1)
    samples = CenterLossIter(mx.io.NDArrayIter(np.zeros((4, DIM)), np.zeros(4), 4))
    with pytest.raises(
        ValueError, match=r"label_names lack 'center_label', .*\['softmax_label', 'center_label'\]"
    ):
        Module(net).fit(samples, num_epoch=1)


def test_labels_may_come_as_data_and_scoring_needs_none():
    net = joint_supervision(mx.sym.Variable('data'), NUM_CLASS, 0.1)
    shapes = [('data', (4, DIM)), ('center_label', (4,))]
    Module(net, ['data', 'center_label']).bind(shapes, [('softmax_label', (4,))])  # must not raise
    Module(net, label_names=None).bind([('data', (4, DIM))], for_training=False)  # must not raise


def test_bool_labels_are_refused_before_anything_moves():
    module = make()
    data = batch([0, 1, 1, 0])
    data.label = [label.astype('bool') for label in data.label]
    before = numbers(module)
    with pytest.raises(ValueError, match=r'center_label: labels are bool; expected class numbers in 0\.\.4'):
        module.forward_backward(data)
    assert all((before[name] == value).all() for name, value in numbers(module).items())


@pytest.mark.parametrize('factory', [
    None, learned_center_loss, island_loss, contrastive_center_loss, large_margin_gaussian_mixture
], ids=lambda factory: getattr(factory, '__name__', 'joint'))  # fmt: skip
@pytest.mark.parametrize('unfed', ['softmax_label', 'center_label'])
def test_a_plain_iterator_that_serves_one_label_of_two_is_refused_by_fit(factory, unfed):
    embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=DIM, name='embedding')
    if factory is None:
        net = joint_supervision(embedding, NUM_CLASS, 0.1, batchsize=N)
    else:
        scores = mx.sym.FullyConnected(embedding, num_hidden=NUM_CLASS)
        loss = factory(embedding, mx.sym.Variable('center_label'), NUM_CLASS, DIM)
        net = mx.sym.Group([mx.sym.SoftmaxOutput(scores, name='softmax'), loss])
    served = next(name for name in ('softmax_label', 'center_label') if name != unfed)
    plain = mx.io.NDArrayIter(np.zeros((7, 2)), np.zeros(7), N, label_name=served)
    module = Module(net, label_names=['softmax_label', 'center_label'])
    with pytest.raises(
        ValueError, match=f"serves no '{unfed}', .*; it serves data, {served}. Wrap .*CenterLossIter"
    ):
        module.fit(plain, num_epoch=1)
    assert not module.binded
    if factory is None:  # MXNet binds the others with all labels only
        module.bind(plain.provide_data, plain.provide_label, for_training=False)


@pytest.mark.parametrize('served', [0, 1])
def test_a_batch_without_its_labels_trains_nothing(served):
    module = make()
    module.forward_backward(batch([0, 1, 2, 3]))
    module.update()
    before = numbers(module)
    data = batch([3, 3, 3, 3])
    data.label = data.label[:served]
    with pytest.raises(
        ValueError, match="the batch has no 'center_label', which center_loss reads; its `label` "
    ):
        module.forward_backward(data)
    module.forward(data, is_train=True)  # without backward it is no step
    assert all((before[name] == value).all() for name, value in numbers(module).items())
    module.forward_backward(batch([0, 1, 2, 3]))

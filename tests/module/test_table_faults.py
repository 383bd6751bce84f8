"""What is wrong with labels, features, batches or options leaves row tables and parameters as they were."""

from __future__ import annotations

import re

from centerloss_mx import reference
from centerloss_mx.io import CenterLossIter
from centerloss_mx.metric import for_network
from centerloss_mx.model import load_checkpoint, start_centers
from centerloss_mx.module import Module
from centerloss_mx.optimizer import Centers
from centerloss_mx.symbol import joint_supervision, sampled_classifier

import mxnet as mx
import numpy as np
import pytest

N, DIM, NUM_CLASS, NUM_SAMPLED = 8, 3, 20, 6
LABELS = ['softmax_label', 'center_label']
X, Y = np.random.RandomState(20161008).randn(N, 2), np.arange(N) % 5
DEVICES = (1, None), (1, 'local'), (2, 'device')


def embedded():
    return mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=DIM, name='embedding')


def joint(**options):
    classifier = {'num_sampled': NUM_SAMPLED, 'seed': 1}
    return joint_supervision(
        embedded(), NUM_CLASS, 0.1, centers='table', embedding_dim=DIM, classifier=classifier, **options
    )


def sampled():
    return sampled_classifier(embedded(), mx.sym.Variable('softmax_label'), NUM_CLASS, DIM, NUM_SAMPLED)


def bound(net=None, contexts=1, grad_req='write', **options):
    net = joint() if net is None else net
    labels = [name for name in LABELS if name in net.list_arguments()]
    context = [mx.cpu(i) for i in range(contexts)]
    module = Module(net, label_names=labels, context=context, block_rows=7, **options)
    module.bind([('data', (N, 2))], [(name, (N,)) for name in labels], grad_req=grad_req)
    module.init_params(mx.init.Normal(1))
    return module


def ready(net=None, contexts=1, kvstore=None, optimizer='centers', **options):
    module = bound(net, contexts)
    params = {'learning_rate': 0.1, 'momentum': 0.9, **options}
    module.init_optimizer(kvstore, optimizer, params)
    return module


def batch(y=Y, x=X, labels=2):
    return mx.io.DataBatch([mx.nd.array(x)], [mx.nd.array(y)] * labels)


def step(module, data):
    module.forward_backward(data)
    module.update()


def numbers(module):
    trained = {name: value.asnumpy() for name, value in module.get_params()[0].items()}
    return {**trained, **{name: np.concatenate([*t.pieces()]) for name, t in module.row_tables.items()}}


def with_third(values, value):
    values = np.array(values, float)
    values[3] = value
    return values


BAD_BATCHES = {
    'num_class': (with_third(Y, 20), X, 'center_label: label 20 at row 3 is outside 0..19 (num_class=20)'),
    'negative': (with_third(Y, -1), X, 'center_label: label -1 at row 3 is outside 0..19 (num_class=20)'),
    'NaN': (with_third(Y, np.nan), X, 'center_label: label nan at row 3 is not a whole number in 0..19'),
    'fraction': (with_third(Y, 0.5), X, 'center_label: label 0.5 at row 3 is not a whole number in 0..19'),
    'features': (Y, with_third(X, np.nan), 'center_loss_output is nan, expected a finite loss; nothing was'),
    'classes': (
        np.arange(N),
        X,
        'softmax_label: the batch has 8 classes, but the class layer samples 6; give it num_sampled=8',
    ),
}


@pytest.mark.parametrize('contexts, kvstore', DEVICES)
@pytest.mark.parametrize('bad', BAD_BATCHES)
def test_a_bad_batch_leaves_all_as_it_was_and_training_goes_on(bad, contexts, kvstore):
    module = ready(contexts=contexts, kvstore=kvstore)
    step(module, batch())
    before = numbers(module)
    y, x, message = BAD_BATCHES[bad]
    with pytest.raises(ValueError, match=re.escape(message)):
        step(module, batch(y, x))
    assert all((before[name] == value).all() for name, value in numbers(module).items())
    step(module, batch())
    np.testing.assert_array_equal(numbers(module)['center_loss_center_weight'][:6, DIM], [4, 4, 4, 2, 2, 0])


@pytest.mark.parametrize('contexts, kvstore', DEVICES)
def test_a_gradient_of_the_class_layer_that_is_not_finite_moves_nothing(contexts, kvstore):
    module = ready(sampled(), contexts, kvstore, 'sgd')
    step(module, batch(labels=1))
    before = numbers(module)
    with pytest.raises(
        ValueError, match=r'the gradient of fc2_weight is not finite at class \d+; nothing was'
    ):
        step(module, batch(x=with_third(X, np.inf), labels=1))
    assert all((before[name] == value).all() for name, value in numbers(module).items())
    step(module, batch(labels=1))
    assert not (before['fc2_weight'] == numbers(module)['fc2_weight']).all()


def test_a_batch_without_labels_scores_and_does_not_train():
    module = ready()
    unlabelled = mx.io.DataBatch([mx.nd.array(X)])
    module.forward(unlabelled, is_train=False)
    assert [output.shape for output in module.get_outputs()] == [(N, NUM_SAMPLED), (1,)]
    before = numbers(module)
    with pytest.raises(ValueError, match="the batch has no 'center_label', which center_loss reads"):
        step(module, unlabelled)
    assert all((before[name] == value).all() for name, value in numbers(module).items())


def test_a_batch_of_another_size_trains_and_scores():
    module = ready()
    for size in 5, 8, 12, 8:
        step(module, batch(np.arange(size) % 5, np.ones((size, 2))))
    np.testing.assert_array_equal(numbers(module)['center_loss_center_weight'][:6, DIM], [8, 8, 7, 5, 5, 0])
    module.reshape([('data', (3, 2))], [(name, (3,)) for name in LABELS])
    step(module, batch(Y[:3], X[:3]))
    assert module.data_shapes == [('data', (3, 2))]


REFUSED = {
    'not lazy': (
        'rmsprop',
        {},
        "optimizer RMSProp moves all rows of a row table in each step; expected 'sgd', 'adam', 'adagrad' or",
    ),
    'told not to be lazy': (
        'adam',
        {'lazy_update': False},
        'optimizer Adam with lazy_update=False moves all',
    ),
    'decay': ('adagrad', {'wd': 0.1}, 'optimizer AdaGrad with wd=0.1 cannot move rows of a row table'),
}


@pytest.mark.parametrize('kvstore', [None, 'local'])
@pytest.mark.parametrize('case', REFUSED)
@pytest.mark.parametrize('centers', [False, True])
def test_an_optimizer_that_cannot_move_rows_is_refused(centers, case, kvstore):
    base, options, message = REFUSED[case]
    module = bound(joint() if centers else sampled())
    optimizer, params = ('centers', {'base': base, **options}) if centers else (base, options)
    with pytest.raises(ValueError, match=re.escape(message)):
        module.init_optimizer(kvstore, optimizer, params)
    assert not module.optimizer_initialized
    module.init_optimizer(kvstore, 'centers' if centers else 'sgd')
    step(module, batch(labels=1 + centers))


@pytest.mark.parametrize('optimizer, options', [
    ('adam', {}), ('adagrad', {}), ('ftrl', {'wd': 0.1}),
    ('sgd', {'multi_precision': True, 'clip_gradient': 1.0}),
])  # fmt: skip
def test_any_lazy_optimizer_moves_the_rows_of_a_step(optimizer, options):
    module = bound(sampled())
    module.init_optimizer(None, optimizer, {'learning_rate': 0.1, **options})
    before = numbers(module)['fc2_weight']
    step(module, batch(labels=1))
    moved = np.flatnonzero((numbers(module)['fc2_weight'] != before).any(axis=1))
    assert len(moved) == NUM_SAMPLED and set(range(5)).issubset(moved)


def test_an_optimizer_object_moves_what_its_name_does():
    by_name, by_object = ready(momentum=0.9), bound()
    by_object.set_params({**by_name.get_params()[0], **numbers(by_name)}, {})
    optimizer = Centers(sym=joint(), learning_rate=0.1, momentum=0.9, rescale_grad=1 / N)
    by_object.init_optimizer(None, optimizer)
    for module in by_name, by_object:
        step(module, batch())
    expected = numbers(by_name)
    assert all((value == expected[name]).all() for name, value in numbers(by_object).items())


def test_an_error_of_the_optimizer_is_raised(monkeypatch):
    """MXNet would go on: its KVStore loses the error."""

    module = ready(sampled(), kvstore=None, optimizer='sgd')
    create = module._optimizer.create_state_multi_precision

    def fail(key, weight):
        if str(key).startswith('fc2_weight'):
            raise RuntimeError('no room for a state')
        return create(key, weight)

    monkeypatch.setattr(module._optimizer, 'create_state_multi_precision', fail)
    module.forward_backward(batch(labels=1))
    with pytest.raises(RuntimeError, match='no room for a state'):
        module.update()


def test_an_optimizer_that_does_not_move_the_centers_is_noticed_in_the_first_step(monkeypatch):
    module = ready()
    monkeypatch.setattr(Centers, '_move', lambda *arguments: None)
    with pytest.raises(
        RuntimeError,
        match=r'the KVStore does not move the centers: center_loss_center_weight '
        r'has counted 0 samples of class 0 after a step, expected 2 or more',
    ):
        step(module, batch())  # fmt: skip


def test_accumulated_and_compressed_gradients_are_refused():
    with pytest.raises(
        ValueError, match=r"grad_req='add' is not supported with the row table fc2_weight.*'write'"
    ):
        bound(grad_req='add')
    module = bound(sampled(), contexts=2, compression_params={'type': '2bit', 'threshold': 0.5})
    with pytest.raises(ValueError, match='compression_params is not supported with the row table fc2_weight'):
        module.init_optimizer('device', 'sgd')


def test_devices_that_would_train_by_themselves_are_refused():
    module = bound(sampled(), contexts=2)
    with pytest.raises(ValueError, match=r"without a KVStore each of 2 devices trains.*Use kvstore='device'"):
        module.init_optimizer(None, 'sgd')
    module.init_optimizer('device', 'sgd')


def test_a_module_that_shares_arrays_is_refused():
    module = Module(joint(), label_names=LABELS)
    with pytest.raises(ValueError, match='shared_module is not supported with the row table fc2_weight'):
        module.bind([('data', (N, 2))], [(name, (N,)) for name in LABELS], shared_module=ready())


def test_gradients_of_the_data_do_not_include_those_of_rows():
    module = Module(joint(), label_names=LABELS)
    module.bind([('data', (N, 2))], [(name, (N,)) for name in LABELS], inputs_need_grad=True)
    module.init_params(mx.init.Normal(1))
    module.forward_backward(batch())
    assert [gradient.shape for gradient in module.get_input_grads()] == [(N, 2)]


FIXED = {
    'by name': {'fixed_param_names': ['fc2_weight', 'embedding_bias']},
    'by request': {'grad_req': {'fc2_weight': 'null', 'embedding_bias': 'null'}},
}


@pytest.mark.parametrize('kvstore', [None, 'local'])
@pytest.mark.parametrize('how', FIXED)
def test_a_fixed_table_stays_where_it_is(how, kvstore):
    module = bound(**FIXED[how])
    module.init_optimizer(kvstore, 'centers', {'learning_rate': 0.1, 'wd': 0.1})
    before = numbers(module)
    step(module, batch())
    after = numbers(module)
    moved = [name for name in before if not (before[name] == after[name]).all()]
    assert moved == ['embedding_weight', 'center_loss_center_weight']


@pytest.mark.parametrize('kvstore', [None, 'local'])
def test_rows_may_be_set_before_and_after_the_optimizer(kvstore):
    module = bound()
    module.set_params(*module.get_params())  # as `fit` does
    first = numbers(module)
    ones = {'fc2_weight': mx.nd.ones((NUM_CLASS, DIM))}
    module.set_params(ones, {}, allow_missing=True)
    np.testing.assert_array_equal(numbers(module)['fc2_weight'], 1)
    module.set_params(*module.get_params())
    np.testing.assert_array_equal(numbers(module)['fc2_weight'], 1)
    module.init_params(mx.init.Normal(1), force_init=True)
    np.testing.assert_array_equal(numbers(module)['fc2_weight'], first['fc2_weight'])
    module.init_optimizer(kvstore, 'centers', {'learning_rate': 0.1})
    step(module, batch())
    centers = numbers(module)['center_loss_center_weight']
    module.set_params(ones, {}, allow_missing=True)
    np.testing.assert_array_equal(numbers(module)['fc2_weight'], 1)
    np.testing.assert_array_equal(numbers(module)['center_loss_center_weight'], centers)
    step(module, batch())
    assert (numbers(module)['fc2_weight'] != 1).any(axis=1).sum() == NUM_SAMPLED


def test_parameters_that_lack_a_table_are_refused_as_any_that_lack_a_parameter():
    module = bound()
    module.params_initialized = False
    with pytest.raises(RuntimeError, match=r'fc2_weight is not among .* `model\.load_checkpoint` reads'):
        module.init_params(arg_params=module._arg_params, aux_params={})


def test_a_label_that_names_rows_is_one_of_the_modules():
    """With another one, no sample would find its row."""
    for names in {'data_names': ['data', 'softmax_label'], 'label_names': None}, {'label_names': []}:
        with pytest.raises(
            ValueError, match=r"label_names=\[.*\] lack 'softmax_label': Module needs this label"
        ):
            Module(sampled(), **names)


def test_a_callback_that_would_lose_the_tables_is_refused(tmp_path):
    module = Module(joint(), label_names=LABELS)
    samples = CenterLossIter(mx.io.NDArrayIter(X, Y, N))
    callback = mx.callback.do_checkpoint(str(tmp_path / 'run'))
    with pytest.raises(ValueError, match=r'does not save the row table fc2_weight; use mx\.callback\.m'):
        module.fit(samples, optimizer='centers', num_epoch=1, epoch_end_callback=[callback])
    callback = mx.callback.module_checkpoint(module, str(tmp_path / 'run'))
    module.fit(samples, optimizer='centers', num_epoch=1, epoch_end_callback=callback)
    assert load_checkpoint(tmp_path / 'run')[1]['fc2_weight'].shape == (20, DIM)


def test_plain_module_names_the_module_that_can():
    samples = mx.io.NDArrayIter(X, dict.fromkeys(LABELS, Y), N)
    with pytest.raises(
        ValueError,
        match=r'_index is no parameter: it is fed from a row table\. Train and score '
        r'this network with centerloss_mx\.module\.Module in place of mx\.mod\.Module',
    ):
        mx.mod.Module(joint(), label_names=LABELS).fit(samples, num_epoch=1)  # fmt: skip


def test_a_list_of_batches_is_refused():
    with pytest.raises(ValueError, match='the row table fc2_weight needs one batch, not a list of batches'):
        bound(contexts=2).forward([batch(), batch()])


def test_an_accuracy_among_sampled_classes_is_refused_and_left_out_by_default():
    samples = CenterLossIter(mx.io.NDArrayIter(X, Y, N))
    module = Module(joint(), label_names=LABELS)
    with pytest.raises(ValueError, match=r"metric 'accuracy' reads softmax_output.*measure features"):
        module.fit(samples, eval_metric='acc', optimizer='centers', num_epoch=1)
    module.fit(samples, optimizer='centers', num_epoch=1)
    with pytest.raises(ValueError, match="metric 'accuracy' reads softmax_output"):
        module.score(samples, 'acc')
    for metric in 'center_loss', ['center_loss'], for_network(module.symbol):
        module = Module(joint(), label_names=LABELS)
        samples.reset()
        module.fit(samples, eval_metric=metric, optimizer='centers', num_epoch=1)
        assert [name for name, _ in module.score(samples, metric)] == ['center_loss']


def test_a_metric_that_is_given_is_the_one_of_the_training():
    metric, samples = mx.metric.create('center_loss'), CenterLossIter(mx.io.NDArrayIter(X, Y, N))
    Module(joint(), label_names=LABELS).fit(samples, eval_metric=metric, optimizer='centers', num_epoch=1)
    assert metric.num_inst == N


def test_each_label_is_checked_where_another_is_missing():
    module = ready()
    with pytest.raises(ValueError, match='softmax_label: label 20 at row 3 is outside 0'):
        module.forward(batch(with_third(Y, 20), labels=1))


def test_centers_in_a_table_start_at_class_means():
    module = bound()
    first = numbers(module)
    samples = CenterLossIter(mx.io.NDArrayIter(X, Y, N))
    np.testing.assert_array_equal(start_centers(module, samples), np.arange(5))
    found = numbers(module)
    features = X @ found['embedding_weight'].T + found['embedding_bias']
    means = [features[j == Y].mean(axis=0) for j in range(5)]
    np.testing.assert_allclose(found['center_loss_center_weight'][:5, :DIM], means, rtol=1e-5, atol=1e-6)
    assert not found['center_loss_center_weight'][5:].any()
    np.testing.assert_array_equal(found['fc2_weight'], first['fc2_weight'])
    module.init_optimizer('local', 'centers')
    start_centers(module, samples)
    np.testing.assert_array_equal(
        numbers(module)['center_loss_center_weight'], found['center_loss_center_weight']
    )


MANY = 20_000_000


def of_many_classes(dtype):
    net = joint_supervision(
        mx.sym.Variable('data'), MANY, 0.1, centers='table', embedding_dim=1, classifier={'num_sampled': N}
    )
    module = Module(net, label_names=LABELS)
    labels = [mx.io.DataDesc(name, (2,), dtype, 'N') for name in LABELS]
    module.bind([('data', (2, 1))], labels)
    module.init_params()
    return module


def test_a_float32_label_that_may_be_rounded_is_refused():
    module = of_many_classes('float32')
    label = mx.nd.array([3, 2**24 + 1])
    message = 'label 16777216 at row 1 may be rounded: float32 holds every whole number below 16777216'
    with pytest.raises(ValueError, match=message):
        module.forward_backward(mx.io.DataBatch([mx.nd.ones((2, 1))], [label, label]))


@pytest.mark.slow
@pytest.mark.parametrize('dtype', ['int32', 'float64'])
def test_labels_of_other_dtypes_name_every_class(dtype):
    """One table of 160 MB, and one of 80."""
    module = of_many_classes(dtype)
    module.init_optimizer(None, 'centers', {'learning_rate': 0.1})
    label = mx.nd.array([2**24 + 1, MANY - 1], dtype=dtype)
    before = module.row_tables['fc2_weight'].pull(np.array([2**24, 2**24 + 1, MANY - 1])).asnumpy()
    step(module, mx.io.DataBatch([mx.nd.array([[2.0], [3.0]])], [label, label]))
    rows = module.row_tables['center_loss_center_weight'].pull(np.array([2**24, 2**24 + 1, MANY - 1]))
    moved = reference.center_update(np.array([[2.0], [3.0]]), np.arange(2), np.zeros((2, 1)), 0.5)
    np.testing.assert_allclose(rows.asnumpy(), [[0, 0], [moved[0, 0], 1], [moved[1, 0], 1]])
    after = module.row_tables['fc2_weight'].pull(np.array([2**24, 2**24 + 1, MANY - 1])).asnumpy()
    np.testing.assert_array_equal(before[:, 0] == after[:, 0], [True, False, False])

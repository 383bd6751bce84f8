"""Classifiers beside the center loss: margins, label smoothing and the neck, against their oracles."""

from __future__ import annotations

import json

from centerloss_mx import reference
from centerloss_mx.module import Module
from centerloss_mx.symbol import classifier
from centerloss_mx.symbol.margin import margin_logits

import mxnet as mx
import numpy as np
import pytest

SEED, N, DIM, NUM_CLASS = 20161008, 12, 5, 4
MARGINS = {
    'none': {'margins': (1, 0, 0), 's': 4},
    'arcface': {'margins': (1, 0.5, 0), 's': 4},
    'cosface': {'margins': (1, 0, 0.35), 's': 4},
    'sphereface': {'margins': (4, 0, 0), 's': 1, 'normalize_features': False},
    'combined': {'margins': (1.3, 0.4, 0.2), 's': 4, 'smooth_alpha': 0.1},
    'smoothed': {'margins': (1, 0.5, 0), 's': 4, 'smooth_alpha': 0.3, 'normalize_features': False},
}
PLAIN = {
    'plain': {},
    'smoothed': {'smooth_alpha': 0.2},
    'neck': {'neck': 'bn'},
    'smoothed behind a neck': {'neck': 'bn', 'smooth_alpha': 0.2},
}
every_margin = pytest.mark.parametrize('margin', MARGINS)


def batch(dtype='float64'):
    rng = np.random.RandomState(SEED)
    x, w = rng.randn(N, DIM), rng.randn(NUM_CLASS, DIM)
    return x.astype(dtype), rng.randint(0, NUM_CLASS - 1, N), w.astype(dtype)


def make(**options):
    return classifier(mx.sym.Variable('data'), mx.sym.Variable('label'), NUM_CLASS, **options)


class BoundClassifier:
    """A classifier bound alone, run by hand."""

    def __init__(self, x, y, label_dtype=None, grad_req='write', values=(), **options):
        self.symbol = make(**options)
        dtype = str(x.dtype)
        arguments = self.symbol.list_arguments()
        types = {name: label_dtype or dtype if name == 'label' else dtype for name in arguments}
        self.executor = self.symbol.simple_bind(
            mx.cpu(),
            grad_req={name: 'null' if name == 'label' else grad_req for name in arguments},
            type_dict=types,
            data=x.shape,
            label=y.shape,
        )
        for name, value in {'data': x, 'label': y, **dict(values)}.items():
            self[name] = value

    def __setitem__(self, name, value):
        array = self.executor.arg_dict[name]
        array[:] = mx.nd.array(value, dtype=array.dtype)

    def forward(self, is_train=True):
        self.executor.forward(is_train=is_train)
        return {name: array.asnumpy() for name, array in self.executor.output_dict.items()}

    def loss(self):
        return self.forward()['margin_softmax_output']

    def gradients(self):
        self.executor.forward(is_train=True)
        self.executor.backward()
        return {name: array.asnumpy() for name, array in self.executor.grad_dict.items() if array is not None}


def with_margin(x, y, w, **options):
    return BoundClassifier(x, y, values={'fc2_weight': w}, kind='margin', **options)


def oracle(x, y, w, s, margins, smooth_alpha=0.0, normalize_features=True):
    values, posterior, to_x, to_w = reference.margin_softmax(
        x.astype(float), y, w.astype(float), s, margins, smooth_alpha, normalize_features
    )
    return values, posterior, {'data': to_x, 'fc2_weight': to_w}


def assert_gradients(bound, expected, tolerance):
    actual = bound.gradients()
    assert set(actual) == set(expected)
    for name, gradient in expected.items():
        assert gradient.any()
        largest = abs(gradient).max()
        np.testing.assert_allclose(actual[name], gradient, tolerance, tolerance * largest, err_msg=name)


@every_margin
@pytest.mark.parametrize('dtype', ['float32', 'float64'])
def test_a_margin_equals_its_oracle(margin, dtype):
    x, y, w = batch(dtype)
    values, posterior, gradients = oracle(x, y, w, **MARGINS[margin])
    bound = with_margin(x, y, w, **MARGINS[margin])
    tolerance = 256 * np.finfo(dtype).eps
    outputs = bound.forward()
    np.testing.assert_allclose(outputs['margin_softmax_output'], values, tolerance, tolerance)
    np.testing.assert_allclose(outputs['softmax_output'], posterior, tolerance, tolerance)
    assert_gradients(bound, gradients, tolerance)


def test_only_a_margin_on_the_angle_has_an_angle():
    for margin, options in MARGINS.items():
        assert ('arccos' in make(kind='margin', **options).tojson()) == (margin not in ('none', 'cosface'))


def test_the_angles_of_these_tests_go_beyond_pi():
    x, y, w = batch()
    u, v = (array / np.linalg.norm(array, axis=1, keepdims=True) for array in (x, w))
    turns = np.floor(4 * np.arccos((u * v[y]).sum(axis=1)) / np.pi)
    assert {1, 2} <= set(turns)


@pytest.mark.parametrize('margins', [(4, 0, 0), (1, 0.5, 0), (1.3, 0.4, 0.2), (1, 0, 0.35)])
def test_psi_falls_with_the_angle_without_a_step(margins):
    theta = np.linspace(0.01, np.pi - 0.01, 400)
    cos = np.stack([np.cos(theta), 0 * theta], axis=1)
    logits = margin_logits(mx.sym.Variable('cos'), mx.sym.Variable('label'), 2, 3, margins)
    values = {'cos': mx.nd.array(cos, dtype='float64'), 'label': mx.nd.zeros(400)}
    found = logits.bind(mx.cpu(), values).forward()[0].asnumpy()
    assert not found[:, 1].any()
    np.testing.assert_allclose(
        found[:, 0], [3 * reference.psi(value, *margins)[0] for value in cos[:, 0]], 1e-12
    )
    assert (np.diff(found[:, 0]) < 0).all() and np.diff(found[:, 0]).min() > -0.1 * margins[0]


@every_margin
def test_gradients_of_a_margin_pass_finite_differences(margin):
    x, y, w = batch()
    bound, step = with_margin(x, y, w, **MARGINS[margin]), 1e-6
    gradients = bound.gradients()
    for name, value in {'data': x, 'fc2_weight': w}.items():
        for index in np.ndindex(value.shape):
            losses = []
            for side in 1, -1:
                moved = value.copy()
                moved[index] += side * step
                bound[name] = moved
                losses.append(bound.loss().sum())
            bound[name] = value
            difference = (losses[0] - losses[1]) / (2 * step)
            assert abs(difference - gradients[name][index]) < 1e-6 * abs(gradients[name]).max(), (name, index)


@pytest.mark.parametrize('use_ignore', [False, True])
def test_no_margin_on_unnormalized_features_and_weights_of_unit_length_is_softmax(use_ignore):
    x, y, w = batch()
    w /= np.linalg.norm(w, axis=1, keepdims=True)
    options = {'use_ignore': use_ignore, 'name': 'softmax'}
    bound = with_margin(x, y, w, margins=(1, 0, 0), s=1, normalize_features=False, **options)
    logits = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=NUM_CLASS, no_bias=True, name='fc2')
    softmax = mx.sym.SoftmaxOutput(logits, mx.sym.Variable('label'), name='softmax')
    values = {'data': x, 'fc2_weight': w, 'label': y}
    values = {name: mx.nd.array(value, dtype='float64') for name, value in values.items()}
    gradients = {name: mx.nd.zeros_like(values[name]) for name in ('data', 'fc2_weight')}
    executor = softmax.bind(mx.cpu(), values, gradients)
    expected = executor.forward(is_train=True)[0].asnumpy()
    executor.backward()
    to_w = gradients['fc2_weight'].asnumpy()
    outputs = bound.forward()
    np.testing.assert_allclose(outputs['softmax_output'], expected, 1e-12)
    np.testing.assert_allclose(outputs['margin_softmax_output'], -np.log(expected[np.arange(N), y]), 1e-12)
    along = (to_w * w).sum(axis=1, keepdims=True) * w  # the length of a weight counts no more
    assert_gradients(bound, {'data': gradients['data'].asnumpy(), 'fc2_weight': to_w - along}, 1e-12)


@every_margin
def test_features_on_their_weight_and_opposite_have_finite_gradients(margin):
    x, y, w = batch('float32')
    x[0], x[1], x[2] = w[y[0]], -3 * w[y[1]], 0
    w[NUM_CLASS - 1] = 0
    values, posterior, gradients = oracle(x, y, w, **MARGINS[margin])
    bound = with_margin(x, y, w, **MARGINS[margin])
    outputs = bound.forward()
    np.testing.assert_allclose(outputs['margin_softmax_output'], values, 1e-3)
    np.testing.assert_allclose(outputs['softmax_output'], posterior, 1e-5)
    actual = bound.gradients()
    for name, gradient in gradients.items():
        assert np.isfinite(actual[name]).all(), name
        np.testing.assert_allclose(actual[name], gradient, 1e-3, 1e-3 * abs(gradient).max(), err_msg=name)


def test_lengths_do_not_count_down_to_a_millionth():
    x, y, w = batch()
    expected = with_margin(x, y, w).loss()
    for shorter in 1e-3, 1e-5:
        np.testing.assert_allclose(with_margin(shorter * x, y, shorter * w).loss(), expected, 1e-9)
    np.testing.assert_allclose(with_margin(0 * x, y, w, margins=(1, 0, 0)).loss(), np.log(NUM_CLASS), 1e-12)


@every_margin
def test_a_row_that_is_ignored_or_of_no_class_takes_no_part_in_a_margin(margin):
    x, y, w = batch()
    kept = np.ones(N, bool)
    kept[[2, 5]] = False
    expected = with_margin(x[kept], y[kept], w, **MARGINS[margin])
    values, gradients = expected.loss(), expected.gradients()
    labels = y.astype(float)
    x[2], labels[2] = 1e6, -1
    for wrong in np.nan, NUM_CLASS, -2, 0.5, np.inf:
        labels[5] = wrong
        bound = with_margin(x, labels, w, use_ignore=True, **MARGINS[margin])
        actual = bound.loss()
        np.testing.assert_allclose(actual[kept], values, 1e-12)
        assert actual[2] == 0 and np.isnan(actual[5])
        actual = bound.gradients()
        assert not actual['data'][~kept].any()
        np.testing.assert_allclose(actual['data'][kept], gradients['data'], 1e-12, 1e-12)
        np.testing.assert_allclose(actual['fc2_weight'], gradients['fc2_weight'], 1e-12, 1e-12)


def test_a_row_of_no_class_has_no_gradient_where_nothing_is_ignored():
    x, y, w = batch()
    labels = y.astype(float)
    labels[5] = -1
    bound = with_margin(x, labels, w)
    assert np.isnan(bound.loss()).nonzero()[0].tolist() == [5]
    gradients = bound.gradients()
    kept = np.arange(N) != 5
    expected = with_margin(x[kept], y[kept], w).gradients()
    assert not gradients['data'][5].any()
    np.testing.assert_allclose(gradients['fc2_weight'], expected['fc2_weight'], 1e-12, 1e-12)


@every_margin
def test_features_that_are_not_finite_make_the_loss_nan(margin):
    x, y, w = batch()
    x[3] = np.nan
    outputs = with_margin(x, y, w, **MARGINS[margin]).forward()
    assert np.isnan(outputs['margin_softmax_output']).nonzero()[0].tolist() == [3]
    assert np.isnan(outputs['softmax_output']).any(axis=1).nonzero()[0].tolist() == [3]


@pytest.mark.parametrize('use_ignore', [False, True])
def test_the_probabilities_are_the_posterior_whatever_the_label(use_ignore):
    x, y, w = batch()
    _, posterior, _ = oracle(x, y, w, 4, (1, 0.5, 0))
    for labels in y, np.roll(y, 1), np.full(N, -1.0), np.full(N, np.nan):
        bound = with_margin(x, labels, w, s=4, use_ignore=use_ignore)
        np.testing.assert_allclose(bound.forward(is_train=False)['softmax_output'], posterior, 1e-12)


@pytest.mark.parametrize('dtype', ['uint8', 'int32', 'int64', 'float16', 'float64'])
def test_labels_of_every_dtype_are_told_apart_under_a_margin(dtype):
    rng = np.random.RandomState(SEED)
    x, w, y = rng.randn(4, DIM), rng.randn(300, DIM), np.array([0, 44, 200, 255])
    expected = reference.margin_softmax(x, y, w, 4, (1, 0.5, 0))[0]
    net = classifier(
        mx.sym.Variable('data'), mx.sym.Variable('label'), len(w), 'margin', s=4, use_ignore=True
    )
    values = {'data': x, 'fc2_weight': w}
    values = {name: mx.nd.array(value, dtype='float64') for name, value in values.items()}
    executor = net.bind(mx.cpu(), {**values, 'label': mx.nd.array(y, dtype=dtype)})
    executor.forward(is_train=True)
    np.testing.assert_allclose(executor.output_dict['margin_softmax_output'].asnumpy(), expected, 1e-9)


def test_gradients_of_a_margin_are_added_where_grad_req_says_so():
    once = with_margin(*batch()).gradients()
    bound = with_margin(*batch(), grad_req='add')
    bound.gradients()
    for name, gradient in bound.gradients().items():
        np.testing.assert_allclose(gradient, 2 * once[name], 1e-12, 1e-15, err_msg=name)


def plain_oracle(x, y, w, b, gamma, neck=None, smooth_alpha=0.0):
    """The loss of a `SoftmaxOutput`, and its gradients."""
    features = x if neck is None else reference.batch_norm(x, gamma, x)[0]
    loss, to_logits = reference.softmax_cross_entropy(features, y, w, b * (neck is None), smooth_alpha)
    gradients = {'data': to_logits @ w, 'fc2_weight': to_logits.T @ features}
    if neck is None:
        return loss, {**gradients, 'fc2_bias': to_logits.sum(axis=0)}
    _, gradients['data'], gradients['neck_gamma'] = reference.batch_norm(x, gamma, gradients['data'])
    return loss, gradients


def plain_batch():
    x, y, w = batch()
    rng = np.random.RandomState(1)
    return x, y, {'fc2_weight': w, 'fc2_bias': rng.randn(NUM_CLASS), 'neck_gamma': 1 + rng.rand(DIM)}


@pytest.mark.parametrize('kind', PLAIN)
def test_a_plain_softmax_equals_its_oracle(kind):
    x, y, values = plain_batch()
    loss, gradients = plain_oracle(x, y, *values.values(), **PLAIN[kind])
    bound = BoundClassifier(
        x, y, values={name: values[name] for name in gradients if name != 'data'}, **PLAIN[kind]
    )
    actual = bound.gradients()
    actual.pop('neck_beta', None)
    for name, gradient in gradients.items():  # SoftmaxOutput smooths in float32
        np.testing.assert_allclose(actual[name], gradient, 1e-6, 1e-6 * abs(gradient).max(), err_msg=name)
    log_p, alpha = np.log(bound.forward()['softmax_output']), PLAIN[kind].get('smooth_alpha', 0)
    own = log_p[np.arange(N), y]
    found = -((1 - alpha) * own + alpha / (NUM_CLASS - 1) * (log_p.sum(axis=1) - own)).sum()
    assert found == pytest.approx(loss, rel=1e-12)


@pytest.mark.parametrize('kind', PLAIN)
def test_the_gradients_of_the_plain_oracle_pass_finite_differences(kind):
    x, y, values = plain_batch()
    _, gradients = plain_oracle(x, y, *values.values(), **PLAIN[kind])
    for name, gradient in gradients.items():
        array = {'data': x, **values}[name]
        for index in np.ndindex(array.shape):
            middle, losses = array[index], []
            for side in 1, -1:
                array[index] = middle + side * 1e-6
                losses.append(plain_oracle(x, y, *values.values(), **PLAIN[kind])[0])
            array[index] = middle
            assert abs((losses[0] - losses[1]) / 2e-6 - gradient[index]) < 1e-6, (name, index)


def test_szegedys_smoothing_is_a_smaller_share_for_the_others():
    epsilon = 0.1
    targets = np.full(NUM_CLASS, epsilon / NUM_CLASS)
    targets[2] += 1 - epsilon
    smooth_alpha = epsilon * (NUM_CLASS - 1) / NUM_CLASS
    zero = np.zeros((1, 1))
    _, to_logits = reference.softmax_cross_entropy(
        zero, np.array([2]), zero.repeat(NUM_CLASS, 0), 0, smooth_alpha
    )
    np.testing.assert_allclose(1 / NUM_CLASS - to_logits[0], targets, 1e-12)


def test_the_default_is_the_class_layer_and_the_softmax_of_before():
    x, y = mx.sym.Variable('data'), mx.sym.Variable('label')
    logits = mx.sym.FullyConnected(x, num_hidden=NUM_CLASS, name='fc2')
    expected = mx.sym.SoftmaxOutput(logits, y, name='softmax')
    assert json.loads(make().tojson()) == json.loads(expected.tojson())
    expected = mx.sym.SoftmaxOutput(logits, y, name='softmax', use_ignore=True, ignore_label=-1)
    assert json.loads(make(use_ignore=True).tojson()) == json.loads(expected.tojson())


def fitted(net, contexts=1, optimizer='sgd', num_epoch=1, **params):
    """`Module.fit` on 24 seeded samples of three classes."""
    rng = np.random.RandomState(SEED)
    y = np.arange(24) % 3
    x = 3 * np.eye(3, DIM)[y] + 0.1 * rng.randn(24, DIM)
    module = Module(net, label_names=['label'], context=[mx.cpu(i) for i in range(contexts)])
    mx.random.seed(SEED)
    module.fit(
        mx.io.NDArrayIter(x, y, 12, label_name='label'),
        eval_metric=mx.metric.create('centerloss_accuracy', label_names=['label']),
        num_epoch=num_epoch,
        optimizer=optimizer,
        optimizer_params={'learning_rate': 0.05, **params},
        initializer=mx.init.Xavier(),
    )
    score = module.score(
        mx.io.NDArrayIter(x, y, 12, label_name='label'),
        mx.metric.create('centerloss_accuracy', label_names=['label']),
    )
    return module.get_params(), score[0][1]


@pytest.mark.parametrize(
    'options',
    [*({'kind': 'margin', **options} for options in MARGINS.values()), {}, {'smooth_alpha': 0.2}],
    ids=str,
)
def test_a_classifier_without_neck_trains_the_same_on_two_devices(options):
    embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=DIM, name='embedding')
    net = classifier(embedding, mx.sym.Variable('label'), NUM_CLASS, **options)
    (one, _), accuracy = fitted(net, num_epoch=12, momentum=0.9)
    (two, _), _ = fitted(net, contexts=2, num_epoch=12, momentum=0.9)
    assert accuracy == 1
    for name, value in one.items():
        np.testing.assert_allclose(two[name].asnumpy(), value.asnumpy(), 1e-3, 1e-4, err_msg=name)


def test_the_neck_has_no_shift_under_an_optimizer_without_a_learning_rate():
    net = classifier(mx.sym.Variable('data'), mx.sym.Variable('label'), NUM_CLASS, neck='bn')
    (trained, _), _ = fitted(net, optimizer='adadelta', num_epoch=3)
    assert not trained['neck_beta'].asnumpy().any()


@pytest.mark.parametrize('optimizer, params', [
    ('sgd', {'momentum': 0.9, 'wd': 0.01}),
    ('adam', {'wd': 0.01}),
])  # fmt: skip
@pytest.mark.parametrize('kind', ['softmax', 'margin'])
def test_the_neck_has_a_scale_and_no_shift(kind, optimizer, params):
    net = classifier(mx.sym.Variable('data'), mx.sym.Variable('label'), NUM_CLASS, kind, s=4, neck='bn')
    (trained, states), accuracy = fitted(net, optimizer=optimizer, num_epoch=12, **params)
    assert accuracy == 1
    assert set(trained) == {'fc2_weight', 'neck_gamma', 'neck_beta'}
    assert set(states) == {'neck_moving_mean', 'neck_moving_var'}
    assert not trained['neck_beta'].asnumpy().any()
    assert (trained['neck_gamma'].asnumpy() != 1).all()
    assert 'neck_output' in net.get_internals().list_outputs()


@pytest.mark.parametrize('options', [{'kind': 'margin'}, {'neck': 'bn', 'smooth_alpha': 0.1}], ids=str)
def test_a_classifier_survives_a_json_file(options, tmp_path):
    net = make(**options)
    net.save(str(tmp_path / 'net.json'))
    assert mx.sym.load(str(tmp_path / 'net.json')).tojson() == net.tojson()


def test_numbers_of_a_classifier_may_be_numpys():
    options = {
        's': np.float32(4), 'margins': (np.int64(1), np.float64(0.5), np.float32(0)),
        'smooth_alpha': np.float64(0.1), 'use_ignore': np.bool_(True), 'ignore_label': np.int64(-1),
    }  # fmt: skip
    net = classifier(mx.sym.Variable('x'), mx.sym.Variable('y'), np.int64(3), 'margin', **options)
    mx.sym.load_json(net.tojson()).simple_bind(mx.cpu(), x=(2, 3), y=(2,)).forward(is_train=True)


@pytest.mark.parametrize('options, message', [
    ({'kind': 'arcface'}, "classifier: kind='arcface' is not one of softmax, margin"),
    ({'s': 0}, 'classifier: s=0 is not a finite number > 0'),
    ({'margins': (1, 0.5)}, r'classifier: margins=\(1, 0.5\): expected three numbers, \(m1, m2, m3\)'),
    ({'margins': 0.5}, 'classifier: margins=0.5: expected three numbers'),
    ({'margins': (0, 0.5, 0)}, r'classifier: margins=\(0, 0.5, 0\): m1=0 is not a finite number > 0'),
    ({'margins': (1, -0.5, 0)}, r'margins=\(1, -0.5, 0\): m2=-0.5 is not a finite number >= 0'),
    ({'margins': (1, 0, 'a')}, r"margins=\(1, 0, 'a'\): m3='a' is not a finite number >= 0"),
    ({'smooth_alpha': 1}, r'classifier: smooth_alpha=1 is not a number in \[0, 1\)'),
    ({'smooth_alpha': -0.1}, 'classifier: smooth_alpha=-0.1 is not a finite number >= 0'),
    ({'smooth_alpha': 0.1, 'num_class': 1}, 'classifier: num_class=1 is not a whole number >= 2'),
    ({'neck': 'ln'}, "classifier: neck='ln' is not one of bn"),
    ({'num_class': 0}, 'classifier: num_class=0 is not a whole number > 0'),
    ({'use_ignore': 2}, 'classifier: use_ignore=2 is not True or False'),
    ({'ignore_label': 0.5}, 'classifier: ignore_label=0.5 is not a whole number'),
    ({'normalize_features': None}, 'classifier: normalize_features=None is not True or False'),
])  # fmt: skip
def test_a_classifier_refuses_what_is_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        classifier(mx.sym.Variable('x'), mx.sym.Variable('y'), **{'num_class': 3, **options})

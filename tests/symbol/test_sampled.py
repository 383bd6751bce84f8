"""The sampled class layer against its oracle, and with all classes against the dense one."""

from __future__ import annotations

from centerloss_mx import reference
from centerloss_mx.symbol import classifier, joint_supervision, sampled_classifier, supervised
from centerloss_mx.symbol.tables import RowTableInfo, row_tables

import mxnet as mx
import numpy as np
import pytest

SEED, N, DIM, NUM_CLASS = 20161008, 12, 5, 30
SAMPLED = np.array([0, 1, 2, 3, 7, 11, 28, 29])  # the classes of the batch, 0..3, and others
MARGINS = {
    'arcface': {'margins': (1, 0.5, 0), 's': 4},
    'cosface': {'margins': (1, 0, 0.35), 's': 4},
    'sphereface': {'margins': (4, 0, 0), 's': 1, 'normalize_features': False},
}
OPTIONS = {
    'plain': {},
    'smoothed': {'smooth_alpha': 0.2},
    **{name: {'kind': 'margin', **options} for name, options in MARGINS.items()},
    'smoothed margin': {'kind': 'margin', 'smooth_alpha': 0.2, **MARGINS['arcface']},
}
every_kind = pytest.mark.parametrize('kind', OPTIONS)


def batch(dtype='float64'):
    rng = np.random.RandomState(SEED)
    x, w = rng.randn(N, DIM), rng.randn(NUM_CLASS, DIM)
    return x.astype(dtype), rng.randint(0, 4, N), w.astype(dtype)


def make(num_class=NUM_CLASS, embedding_dim=DIM, **options):
    return sampled_classifier(
        mx.sym.Variable('data'), mx.sym.Variable('label'), num_class, embedding_dim, **options
    )


class BoundSampled:
    """A sampled class layer bound alone, and fed with the rows and positions of its batch by hand."""

    def __init__(self, x, y, w, sampled=SAMPLED, label_dtype='float64', **options):
        self.net = make(num_sampled=len(sampled), dtype=str(w.dtype), **options)
        self.executor = self.net.simple_bind(
            mx.cpu(),
            grad_req={
                name: 'write' if name in ('data', 'fc2_weight_rows') else 'null'
                for name in self.net.list_arguments()
            },
            type_dict={'data': str(x.dtype), 'label': label_dtype},
            data=x.shape,
            label=y.shape,
        )
        place = {row: position for position, row in enumerate(sampled)}
        self['data'], self['label'], self['fc2_weight_rows'] = x, y, w[sampled]
        self['fc2_weight_index'] = [place.get(label, -1) for label in y]

    def __setitem__(self, name, value):
        array = self.executor.arg_dict[name]
        array[:] = mx.nd.array(value, dtype=array.dtype)

    def forward(self, is_train=True):
        self.executor.forward(is_train=is_train)
        return {name: array.asnumpy() for name, array in self.executor.output_dict.items()}

    def loss(self):
        outputs = self.forward()
        if 'margin_softmax_output' in outputs:
            return outputs['margin_softmax_output'].sum()
        log_p, own = np.log(outputs['softmax_output']), self.executor.arg_dict['fc2_weight_index'].asnumpy()
        return -log_p[np.arange(N), own.astype(int)][own >= 0].sum()

    def gradients(self):
        self.executor.forward(is_train=True)
        self.executor.backward()
        found = self.executor.grad_dict
        return {name: found[name].asnumpy() for name in ('data', 'fc2_weight_rows')}


def oracle(x, y, w, ignored=None, sampled=SAMPLED, **options):
    options = {key: value for key, value in options.items() if key != 'kind'}
    loss, *gradients = reference.sampled_softmax(x, y, w, sampled, ignored, **options)
    return loss, dict(zip(('data', 'fc2_weight_rows'), gradients))


def assert_gradients(found, expected, tolerance):
    for name, gradient in expected.items():
        assert gradient.any()
        np.testing.assert_allclose(found[name], gradient, 0, tolerance * abs(gradient).max(), err_msg=name)


@every_kind
@pytest.mark.parametrize('dtype', ['float32', 'float64'])
@pytest.mark.parametrize('ignored', [None, -1])
def test_a_sampled_softmax_equals_its_oracle(kind, dtype, ignored):
    x, y, w = batch(dtype)
    options = OPTIONS[kind]
    if ignored is not None:
        y[[2, 5]] = ignored
    loss, gradients = oracle(x.astype(float), y, w.astype(float), ignored, **options)
    bound = BoundSampled(x, y, w, use_ignore=ignored is not None, **options)
    tolerance = 256 * np.finfo(dtype).eps
    if kind != 'smoothed':  # SoftmaxOutput has no loss, and the loss of `BoundSampled` is not smoothed
        np.testing.assert_allclose(bound.loss(), loss, tolerance)
    # SoftmaxOutput smooths in float32
    assert_gradients(bound.gradients(), gradients, 1e-6 if kind == 'smoothed' else tolerance)


@pytest.mark.parametrize('kind', [kind for kind in OPTIONS if kind != 'smoothed'])
def test_gradients_of_a_sampled_softmax_pass_finite_differences(kind):
    x, y, w = batch()
    bound, step = BoundSampled(x, y, w, **OPTIONS[kind]), 1e-6
    gradients = bound.gradients()
    for name, value in {'data': x, 'fc2_weight_rows': w[SAMPLED]}.items():
        for index in np.ndindex(value.shape):
            losses = []
            for side in 1, -1:
                moved = value.copy()
                moved[index] += side * step
                bound[name] = moved
                losses.append(bound.loss())
            bound[name] = value
            difference = (losses[0] - losses[1]) / (2 * step)
            assert abs(difference - gradients[name][index]) < 1e-6 * abs(gradients[name]).max(), (name, index)


@every_kind
@pytest.mark.parametrize('use_ignore', [False, True])
def test_with_all_classes_sampled_it_is_the_dense_class_layer_behind_its_neck(kind, use_ignore):
    x, y, w = batch('float32')
    if use_ignore:
        y[[2, 5]] = -1
    options = {**OPTIONS[kind], 'neck': 'bn', 'use_ignore': use_ignore}
    sampled = BoundSampled(x, y, w, np.arange(NUM_CLASS), label_dtype='float32', **options)
    dense = classifier(mx.sym.Variable('data'), mx.sym.Variable('label'), NUM_CLASS, **options)
    executor = dense.simple_bind(mx.cpu(), data=x.shape, label=y.shape)
    gamma = 1 + np.random.RandomState(1).rand(DIM)
    sampled['neck_gamma'], executor.arg_dict['neck_gamma'][:] = gamma, gamma
    for name, value in {'data': x, 'label': y, 'fc2_weight': w}.items():
        executor.arg_dict[name][:] = value
    outputs = [output.asnumpy() for output in executor.forward(is_train=True)]
    executor.backward()
    found = sampled.forward()
    assert list(found) == dense.list_outputs()
    for name, output in zip(found, outputs):
        np.testing.assert_allclose(found[name], output, 1e-5, 1e-6)
    expected = {ours: executor.grad_dict[theirs].asnumpy() for ours, theirs in
                (('data', 'data'), ('fc2_weight_rows', 'fc2_weight'))}  # fmt: skip
    assert_gradients(sampled.gradients(), expected, 1e-5)
    assert sampled.net.list_auxiliary_states() == dense.list_auxiliary_states()


@every_kind
@pytest.mark.parametrize(
    'unknown, index', [(-1, -1), (-1, 3), (NUM_CLASS, -1), (NUM_CLASS, 3), (0.5, -1), (np.nan, 3), (5, -1)]
)
def test_a_row_of_no_class_or_of_one_that_is_not_sampled_takes_no_part(kind, unknown, index):
    x, y, w = batch()
    labels, kept = y.astype(float), np.arange(N) != 3
    labels[3] = unknown
    bound = BoundSampled(x, labels, w, **OPTIONS[kind])
    bound['fc2_weight_index'] = np.where(kept, [list(SAMPLED).index(j) for j in y], index)
    _, expected = oracle(x[kept], y[kept], w, **OPTIONS[kind])
    found = bound.gradients()
    assert not found['data'][3].any()
    expected['data'] = np.insert(expected['data'], 3, 0, axis=0)
    assert_gradients(found, expected, 1e-6)
    outputs = bound.forward()
    assert np.isfinite(outputs['softmax_output']).all()
    if 'margin_softmax_output' in outputs:
        assert np.isnan(outputs['margin_softmax_output']).nonzero()[0].tolist() == [3]


@pytest.mark.parametrize('label_dtype', ['int32', 'int64', 'float64'])
@pytest.mark.parametrize('kind', ['plain', 'arcface'])
def test_labels_beyond_what_float32_represents_are_told_apart(label_dtype, kind):
    x, y, w = batch('float32')
    classes = 2**24 + np.array([0, 1, 2, 3, 7, 11, 28, 29])
    net = BoundSampled(x, y, w, label_dtype='float32', **OPTIONS[kind])
    many = BoundSampled(x, y, w, label_dtype=label_dtype, num_class=20_000_000, **OPTIONS[kind])
    many['label'] = classes[y]
    many['fc2_weight_index'] = net.executor.arg_dict['fc2_weight_index'].asnumpy()
    assert many.executor.arg_dict['label'].asnumpy().tolist() == classes[y].tolist()
    for name, gradient in net.gradients().items():
        assert gradient.any()
        np.testing.assert_array_equal(many.gradients()[name], gradient)


def test_float16_features_are_cast_to_the_dtype_of_the_weights():
    x, y, w = batch('float32')
    half = BoundSampled(x.astype('float16'), y, w)
    whole = BoundSampled(x.astype('float16').astype('float32'), y, w)
    np.testing.assert_array_equal(half.forward()['softmax_output'], whole.forward()['softmax_output'])
    np.testing.assert_array_equal(half.gradients()['data'], whole.gradients()['data'].astype('float16'))


@pytest.mark.parametrize('options, num_sampled', [
    ({'num_sampled': 7}, 7),
    ({'num_sampled': np.int64(30)}, 30),
    ({'sample_rate': 0.1}, 3),
    ({'sample_rate': 1}, 30),
    ({'sample_rate': 0.001}, 1),
])  # fmt: skip
def test_the_table_of_a_class_layer_is_described(options, num_sampled):
    net = make(use_ignore=True, seed=5, num_class=np.int64(NUM_CLASS), **options)
    net = mx.sym.load_json(net.tojson())
    expected = RowTableInfo(
        'fc2_weight', 'classes', NUM_CLASS, DIM, 'float32', 'label', -1.0, num_sampled, 5, 'softmax_output'
    )
    assert row_tables(net) == [expected]
    assert {'fc2_weight_rows', 'fc2_weight_index'} <= set(net.list_arguments())
    assert 'fc2_weight' not in net.list_arguments() and 'fc2_bias' not in net.list_arguments()
    _, outputs, _ = net.infer_shape(data=(N, DIM), label=(N,))
    assert outputs == [(N, num_sampled)]


@pytest.mark.parametrize('options, message', [
    ({}, 'num_sampled=None and sample_rate=None: expected one of them'),
    ({'num_sampled': 2, 'sample_rate': 0.1}, 'num_sampled=2 and sample_rate=0.1: expected one of them'),
    ({'num_sampled': 0}, 'num_sampled=0 is not a whole number > 0'),
    ({'num_sampled': 31}, 'num_sampled=31 is more than num_class=30'),
    ({'num_sampled': 1, 'smooth_alpha': 0.1}, 'num_sampled=1 is not a whole number >= 2'),
    ({'sample_rate': 0}, 'sample_rate=0 is not a finite number > 0'),
    ({'sample_rate': 1.5}, r'sample_rate=1.5 is not a number in \(0, 1\]'),
    ({'num_sampled': 2, 'seed': -1}, 'seed=-1 is not a whole number >= 0'),
    ({'num_sampled': 2, 'dtype': 'float16'}, "dtype='float16' is not one of float32, float64"),
    ({'num_sampled': 2, 'embedding_dim': 0}, 'embedding_dim=0 is not a whole number > 0'),
    ({'num_sampled': 2, 's': 0}, 's=0 is not a finite number > 0'),
])  # fmt: skip
def test_a_sampled_class_layer_refuses_what_it_cannot_use(options, message):
    with pytest.raises(ValueError, match=f'^sampled_classifier: {message}'):
        make(**options)


def test_a_classifier_with_a_sample_is_a_sampled_one_beside_any_loss():
    x = mx.sym.Variable('data')
    joint = joint_supervision(
        x, NUM_CLASS, 0.1, embedding_dim=DIM, centers='table', use_ignore=True,
        classifier={'sample_rate': 0.5, 'kind': 'margin'},
    )  # fmt: skip
    assert joint.list_outputs() == ['softmax_output', 'margin_softmax_output', 'center_loss_output']
    assert [(table.name, table.label, table.ignored, table.num_sampled) for table in row_tables(joint)] == [
        ('fc2_weight', 'softmax_label', -1, 15),
        ('center_loss_center_weight', 'center_label', -1, None),
    ]
    alone = supervised(x, NUM_CLASS, 'softmax', DIM, classifier={'num_sampled': 4, 'seed': 3})
    assert [(table.name, table.num_sampled, table.seed) for table in row_tables(alone)] == [
        ('fc2_weight', 4, 3)
    ]


@pytest.mark.parametrize('options, message', [
    ({'num_sampled': 4}, r"classifier={'num_sampled': 4}: a sampled class layer needs embedding_dim"),
    ({'num_sampled': 4, 'bias': True}, 'sampled_classifier has no option bias; it has num_sampled, sample_r'),
    ({'seed': 4}, 'classifier has no option seed; it has kind'),
])  # fmt: skip
def test_a_classifier_by_its_options_says_what_it_needs(options, message):
    with pytest.raises(ValueError, match=message):
        joint_supervision(mx.sym.Variable('data'), NUM_CLASS, 0.1, classifier=options)

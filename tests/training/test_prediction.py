"""The classes and features that a network in training predicts, against the arithmetic by hand."""

from __future__ import annotations

from centerloss_mx.dataset import load_samples
from centerloss_mx.model import FeatureExtractor, export_onnx, save_checkpoint
from centerloss_mx.symbol import supervised
from centerloss_mx.training import Training
from centerloss_mx.training.prediction import predict

import mxnet as mx
import numpy as np
import pytest

DIM, NUM_CLASS = 4, 10


@pytest.fixture(scope='module')
def samples():
    train, test = load_samples('digits', 'train'), load_samples('digits', 'test')
    return train.take(np.arange(330)), test.take(np.arange(101))


def trained(samples, loss='center_loss', **options):
    """A network trained for an epoch, of which the last batch is padded."""
    hidden = mx.sym.Activation(mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=32), act_type='tanh')
    embedding = mx.sym.FullyConnected(hidden, num_hidden=DIM, name='embedding')
    ignored = {} if loss == 'softmax' else {'use_ignore': True, 'scale': 0.01}
    net = supervised(embedding, NUM_CLASS, loss, DIM, **ignored, **options)
    one = Training(net, *samples, batch_size=32, num_epoch=2, optimizer_params={'learning_rate': 0.1})
    one.fit()
    return one


def by_hand(one, samples):
    """Features of embedding and neck, and scores."""
    args, aux = ({name: value.asnumpy() for name, value in params.items()} for params in one.parameters())
    names = [name for name in args if name.startswith('fullyconnected')]
    weight, bias = (next(args[name] for name in names if name.endswith(end)) for end in ('weight', 'bias'))
    hidden = np.tanh(samples.images.reshape(len(samples.images), -1) @ weight.T + bias)
    embedding = neck = hidden @ args['embedding_weight'].T + args['embedding_bias']
    if 'neck_gamma' in args:
        deviation = np.sqrt(aux['neck_moving_var'] + 1e-5)
        neck = args['neck_gamma'] * (embedding - aux['neck_moving_mean']) / deviation
    w = args['fc2_weight']
    if 'fc2_bias' in args:
        return embedding, neck, neck @ w.T + args['fc2_bias']
    if 'margin_softmax_output' in one.symbol.list_outputs():
        w = w / np.linalg.norm(w, axis=1, keepdims=True)
    return embedding, neck, neck @ w.T


@pytest.mark.parametrize('options', [
    {},
    {'loss': 'softmax'},
    {'classifier': {'smooth_alpha': 0.1}},
    {'classifier': {'kind': 'margin', 's': 16, 'margins': (1, 0.3, 0)}, 'normalize': True},
    {'classifier': {'neck': 'bn'}, 'triplet': {'scale': 0.1}},
    {
        'loss': 'softmax', 'classifier': {'kind': 'margin', 's': 8, 'neck': 'bn'},
        'triplet': {'use_ignore': True},
    },
], ids=str)  # fmt: skip
def test_the_accuracy_is_that_of_the_class_layer_by_hand(samples, options):
    one = trained(samples, **options)
    _, test = samples
    embedding, neck, scores = by_hand(one, test)
    features, predicted = one.predict(test)
    np.testing.assert_allclose(features, embedding, 1e-4, 1e-4)
    assert predicted.dtype == int and predicted.tolist() == scores.argmax(axis=1).tolist()
    assert one.history[-1]['test_accuracy'] == (predicted == test.labels).mean() > 0.3
    layers = {'embedding_output': embedding, 'neck_output': neck}
    if options.get('normalize'):
        layers['normalized_output'] = embedding / np.linalg.norm(embedding, axis=1, keepdims=True)
    for layer, expected in layers.items():
        if layer in one.symbol.get_internals().list_outputs():
            found, classes = predict(one.symbol, *one.parameters(), test, 50, None, mx.cpu(), layer)
            np.testing.assert_allclose(found, expected, 1e-3, 1e-3)
            assert classes.tolist() == predicted.tolist()
            extracted = FeatureExtractor(one.symbol, *one.parameters(), layer).predict(test.images, 50)
            np.testing.assert_array_equal(found, extracted)


def test_a_mixture_predicts_its_posterior(samples):
    one = trained(samples, 'large_margin_gaussian_mixture')
    features, predicted = one.predict(samples[1])
    squares = ((features[:, None] - one.centers) ** 2).sum(axis=2)
    assert predicted.tolist() == squares.argmin(axis=1).tolist()


@pytest.mark.parametrize('layer', ['neck_output', 'normalized_output', 'softmax_output'])
def test_each_of_the_features_can_be_exported(samples, tmp_path, layer):
    """`export_onnx` compares with MXNet before it writes the file."""
    pytest.importorskip('onnxruntime', reason='the extra onnx is not installed')
    options = {'classifier': {'kind': 'margin', 's': 8, 'neck': 'bn'}, 'normalize': True}
    one = trained(samples, **options)
    save_checkpoint(one.module, tmp_path / 'net', 1)
    export_onnx(tmp_path / 'net', 1, tmp_path / 'net.onnx', layer)
    assert (tmp_path / 'net.onnx').exists()


def test_training_accuracy_counts_the_samples_under_a_margin(samples):
    """A network that does not move has the training accuracy of its predictions."""
    train, test = samples
    net = supervised(
        mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=DIM, name='embedding'),
        NUM_CLASS, 'softmax', DIM, classifier={'kind': 'margin', 's': 8},
    )  # fmt: skip
    one = Training(net, train, test, batch_size=32, optimizer_params={'learning_rate': 0}, seed=3)
    one.fit()
    _, predicted = one.predict(train)
    assert one.history[-1]['train_accuracy'] == pytest.approx((predicted == train.labels).mean())

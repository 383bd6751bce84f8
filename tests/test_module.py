"""Our Module: labels are looked at before anything is pushed; a softmax checkpoint is fine-tuned."""

from __future__ import annotations

from centerloss_mx import reference
from centerloss_mx.module import Module
from centerloss_mx.symbol import joint_supervision

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

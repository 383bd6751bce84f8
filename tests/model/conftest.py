"""Networks, training steps and samples for the tests of checkpoints, centers and features."""

from __future__ import annotations

from centerloss_mx.io import CenterLossIter
from centerloss_mx.symbol import joint_supervision

import mxnet as mx
import numpy as np
import pytest

N = 4  # samples in a batch
LABELS = ['softmax_label', 'center_label']
SHAPES = [('data', (N, 1, 8, 8))], [(name, (N,)) for name in LABELS]


@pytest.fixture
def module():
    """A small convolutional network with center loss, 5 classes, ready to be trained."""
    data = mx.sym.Variable('data')
    net = mx.sym.Convolution(data, kernel=(3, 3), num_filter=8, name='conv')
    net = mx.sym.FullyConnected(mx.sym.Activation(net, act_type='relu'), num_hidden=3, name='embedding')
    module = mx.mod.Module(joint_supervision(net, 5, 0.1, batchsize=N), label_names=LABELS)
    module.bind(*SHAPES)
    module.init_params(mx.init.Xavier())
    module.init_optimizer(optimizer_params={'momentum': 0.9, 'learning_rate': 0.1})
    return module


@pytest.fixture
def bound_with():
    """A function that binds a network of one layer, with centers in an auxiliary state or on the KVStore."""

    def bind(storage, module_class=mx.mod.Module, contexts=1):
        data = mx.sym.Flatten(mx.sym.Variable('data'))
        embedding = mx.sym.FullyConnected(data, num_hidden=3, name='embedding')
        options = {'centers': 'kvstore', 'embedding_dim': 3} if storage == 'kvstore' else {}
        net = joint_supervision(embedding, 5, 0.1, batchsize=N, use_ignore=True, **options)
        context = [mx.cpu(i) for i in range(contexts)]
        module = module_class(net, label_names=LABELS, context=context)
        module.bind(*SHAPES)
        return module

    return bind


@pytest.fixture
def init_optimizer():
    def init(module, kvstore=None):
        on_kvstore = 'center_loss_center_weight' in module.symbol.list_arguments()
        module.init_optimizer(kvstore, 'centers' if on_kvstore else 'sgd', {'learning_rate': 0.1})

    return init


@pytest.fixture
def train():
    """A function that trains a module for three steps, always on the same batches."""

    def steps(module):
        rng = np.random.RandomState(20161008)
        for _ in range(3):
            y = mx.nd.array(rng.randint(0, 5, N))
            module.forward_backward(mx.io.DataBatch([mx.nd.array(rng.randn(N, 1, 8, 8))], [y, y]))
            module.update()
        mx.nd.waitall()

    return steps


@pytest.fixture
def samples():
    """A function that makes 10 samples of classes 0 to 3, and their iterator, which pads the last batch."""

    def make(wrong=None):
        rng = np.random.RandomState(20161008)
        x, y = rng.randn(10, 1, 8, 8).astype('float32'), np.arange(10) % 4
        if wrong is not None:
            y[-1] = wrong
        return x, y, CenterLossIter(mx.io.NDArrayIter(x, y.astype('float32'), N), ignore_label=-1)

    return make

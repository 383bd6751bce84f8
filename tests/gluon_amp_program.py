"""A training with Gluon in float32, then those under `amp.init('bfloat16')`; the results as JSON.

`amp.init` replaces the operators of the whole process, so it needs one of its own.
"""

from __future__ import annotations

import json
import sys

import centerloss_mx as cl

import mxnet as mx
import numpy as np
from mxnet import autograd, gluon
from mxnet.contrib import amp

BATCH = 20


class Network(gluon.HybridBlock):
    """Embedding and class layer; `with_loss`: also the center loss."""

    def __init__(self, with_loss):
        super().__init__(prefix='net_')
        with self.name_scope():
            self.embed = gluon.nn.Dense(4, in_units=8, prefix='embedding_')
            self.classify = gluon.nn.Dense(5, in_units=4, prefix='classes_')
            self.center_loss = cl.gluon.CenterLoss(5, 4, scale=0.1, prefix='center_loss_')
        self.with_loss = with_loss

    def hybrid_forward(self, F, x, y):
        embedding = self.embed(x)
        loss = self.center_loss(embedding, y) if self.with_loss else embedding
        return self.classify(embedding), loss


def trained(hybridize=False, with_loss=False, scaled=False):
    """The parameters after 20 steps, and the dtype of the embedding where it is seen."""
    mx.random.seed(1)
    rng = np.random.RandomState(1)
    net, softmax_loss = Network(with_loss), gluon.loss.SoftmaxCrossEntropyLoss()
    net.initialize(mx.init.Xavier())
    if hybridize:
        net.hybridize()
        softmax_loss.hybridize()
    trainer = gluon.Trainer(net.collect_params(), 'sgd', {'learning_rate': 0.1})
    if scaled:
        amp.init_trainer(trainer)
    for _ in range(20):
        labels = rng.randint(5, size=BATCH)
        x = mx.nd.array(rng.randn(BATCH, 8) + 2 * np.eye(5, 8)[labels])
        y = mx.nd.array(labels)
        with autograd.record():
            scores, last = net(x, y)
            loss = softmax_loss(scores, y) + (last if with_loss else net.center_loss(last, y))
            if scaled:
                with amp.scale_loss(loss, trainer) as scaled_loss:
                    scaled_loss.backward()
        if not scaled:
            loss.backward()
        trainer.step(BATCH)
    params = {name: param.data().asnumpy() for name, param in net.collect_params().items()}
    assert {array.dtype for array in params.values()} == {np.dtype('float32')}
    return {'embedding': str(last.dtype), **{name: array.tolist() for name, array in params.items()}}


def overflowing():
    """Whether weights and centers move in a step that the loss scaling skips."""
    net = Network(with_loss=True)
    net.initialize(mx.init.Xavier())
    trainer = gluon.Trainer(net.collect_params(), 'sgd', {'learning_rate': 0.1})
    amp.init_trainer(trainer)
    params = net.embed.weight, net.center_loss.center_bias
    before = [param.data().asnumpy() for param in params]
    with autograd.record():
        _, loss = net(mx.nd.ones((6, 8)), mx.nd.zeros(6))
        with amp.scale_loss(loss * 1e38, trainer) as scaled_loss:
            scaled_loss.backward()
    trainer.step(6)
    return [bool((param.data().asnumpy() != old).any()) for param, old in zip(params, before)]


def gradients_of_the_operator():
    """The gradient of features under the operator `centerloss`, which takes no head gradient, per scale."""
    found = []
    for factor in 1, 65536:
        states = mx.nd.zeros((6, 4)), mx.nd.zeros((5, 4)), mx.nd.zeros(4)
        x = mx.nd.ones((6, 4))
        x.attach_grad()
        with autograd.record():
            loss = mx.nd.Custom(x, mx.nd.zeros(6), *states, op_type='centerloss', num_class=5) * factor
        loss.backward()
        found.append(x.grad.asnumpy().tolist())
    return found


def symbol():
    """Casts, names and description of a network, and the error of `bind`."""
    embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=4, name='embedding')
    net = cl.symbol.joint_supervision(embedding, 5, scale=0.1)
    nodes = json.loads(net.tojson(remove_amp_cast=False))['nodes']
    (operator,) = (node for node in nodes if node['op'] == 'Custom')
    module, bind_error = mx.mod.Module(net, label_names=['softmax_label', 'center_label']), ''
    try:
        module.bind([('data', (6, 8))], [('softmax_label', (6,)), ('center_label', (6,))])
    except RuntimeError as error:
        bind_error = str(error)
    return {
        'bind_error': bind_error,
        'inputs': [nodes[number]['op'] for number, *_ in operator['inputs']],
        'names': [net.list_arguments(), net.list_auxiliary_states(), net.list_outputs()],
        'description': repr(cl.symbol.describe(net)),
    }


if __name__ == '__main__':
    with mx.name.NameManager():
        result = {'float32': trained(), 'plain_symbol': symbol()}
    amp.init('bfloat16')
    result.update(
        eager=trained(),
        hybridized=trained(hybridize=True),
        inside=trained(hybridize=True, with_loss=True),
        scaled=trained(scaled=True),
        overflowing=overflowing(),
        gradients=gradients_of_the_operator(),
        symbol=symbol(),
    )
    json.dump(result, sys.stdout)

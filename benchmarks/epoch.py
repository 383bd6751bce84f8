"""What center loss adds to an epoch of training: joint supervision against softmax only.

    python -m benchmarks.epoch                       # about 4 minutes
    python -m benchmarks.epoch --num-epochs 101      # a narrower interval

Three networks train side by side. Each has its own iterator over the same digits, and its own accuracy. Each
does what `fit` does: forward, backward, update, metric. They take turns every few batches, so that
short epochs are enough.
"""

from __future__ import annotations

import argparse
import os
from typing import Callable, Iterator, NamedTuple

# MXNet uses half of the processors unless this is set before it is imported.
os.environ.setdefault('OMP_NUM_THREADS', str(os.cpu_count()))

import centerloss_mx as cl
from centerloss_mx import reference

import mxnet as mx
import numpy as np
from mxnet.gluon.model_zoo import vision

from .machine import describe
from .rounds import median_interval, take_turns

NUM_CLASS, SCALE = 10, 0.1


def mlp() -> mx.sym.Symbol:
    """A network so small that a step takes about 1 ms."""
    hidden = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=64)
    return mx.sym.FullyConnected(mx.sym.Activation(hidden, act_type='relu'), num_hidden=16)


def resnet() -> mx.sym.Symbol:
    """Three blocks of 16, 32 and 64 channels."""
    net = vision.ResNetV2(vision.BasicBlockV2, [1, 1, 1], [16, 16, 32, 64], thumbnail=True)
    return mx.sym.FullyConnected(mx.sym.Flatten(net.features(mx.sym.Variable('data'))), num_hidden=64)


class Network(NamedTuple):
    embedding: Callable[[], mx.sym.Symbol]
    batch_size: int
    turn: int  # batches that one trains before the next
    turns: int  # in an epoch


NETWORKS = {
    'LeNet': Network(lambda: cl.model_zoo.lenet(2), 32, turn=5, turns=4),
    'ResNet': Network(resnet, 32, turn=2, turns=5),
    'MLP': Network(mlp, 128, turn=20, turns=10),
}


def softmax_only(embedding: mx.sym.Symbol, batch_size: int) -> mx.sym.Symbol:
    logits = mx.sym.FullyConnected(embedding, num_hidden=NUM_CLASS, name='fc2')
    return mx.sym.SoftmaxOutput(logits, name='softmax')


def joint(embedding: mx.sym.Symbol, batch_size: int, scale: float = SCALE) -> mx.sym.Symbol:
    return cl.symbol.joint_supervision(embedding, NUM_CLASS, scale, batchsize=batch_size)


SIDES = {
    'softmax only': (softmax_only, mx.mod.Module),
    'center loss': (joint, mx.mod.Module),
    'center loss, module.Module': (joint, cl.module.Module),
}


def module(net: mx.sym.Symbol, kind: type, data: mx.io.DataIter) -> mx.mod.Module:
    labels = [desc for desc in data.provide_label if desc.name in net.list_arguments()]
    made = kind(net, label_names=[desc.name for desc in labels])
    made.bind(data.provide_data, labels)
    mx.random.seed(1)
    made.init_params(mx.init.Xavier())
    made.init_optimizer(optimizer_params={'learning_rate': 0.01, 'momentum': 0.9})
    return made


class Training:
    """One network with its iterator and its metric."""

    def __init__(self, net: mx.sym.Symbol, kind: type, data: mx.io.DataIter) -> None:
        self.module = module(net, kind, data)
        self.metric = cl.metric.Accuracy()
        self.batches = self.endless(data)

    @staticmethod
    def endless(data: mx.io.DataIter) -> Iterator[mx.io.DataBatch]:
        while True:
            yield from data
            data.reset()

    def train(self, number: int) -> None:
        for _ in range(number):
            batch = next(self.batches)
            self.module.forward_backward(batch)
            self.module.update()
            self.module.update_metric(self.metric, batch.label)
        mx.nd.waitall()


def check_agreement(network: Network, data: mx.io.DataIter) -> None:
    """Loss and centers are the oracle's, and with a scale of 0 the weights are those of softmax only."""
    embedding, batch = network.embedding(), next(data)
    data.reset()
    net = mx.sym.Group([joint(embedding, network.batch_size), mx.sym.BlockGrad(embedding)])
    both = module(net, mx.mod.Module, data)
    both.forward_backward(batch)
    both.update()
    mx.nd.waitall()
    _, loss, x = (output.asnumpy() for output in both.get_outputs())
    y = batch.label[1].asnumpy()
    zeros = np.zeros((NUM_CLASS, x.shape[1]))
    centers = reference.center_update(x, y, zeros, alpha=0.5)
    found = both.get_params()[1]['center_loss__center_bias'].asnumpy()
    np.testing.assert_allclose(loss[0], reference.center_loss(x, y, zeros)[0], rtol=1e-5)
    np.testing.assert_allclose(found, centers, atol=1e-5 * np.abs(centers).max())

    trained = []
    for net in softmax_only(embedding, network.batch_size), joint(embedding, network.batch_size, scale=0):
        alone = module(net, mx.mod.Module, data)
        alone.forward_backward(batch)
        alone.update()
        trained.append(alone.get_params()[0])
    for name, value in trained[0].items():
        np.testing.assert_allclose(trained[1][name].asnumpy(), value.asnumpy(), atol=1e-6, err_msg=name)


def time_epochs(network: Network, digits: tuple, num_epochs: int) -> dict[str, np.ndarray]:
    """Seconds of each epoch, shape (num_epochs,)."""
    turns = {}
    for name, (supervise, kind) in SIDES.items():
        data = cl.io.mnist_iter(*digits, network.batch_size)
        training = Training(supervise(network.embedding(), network.batch_size), kind, data)
        training.train(network.turn)  # warm-up
        turns[name] = lambda training=training: training.train(network.turn)
    seconds = take_turns(turns, num_epochs * network.turns)
    return {name: one.reshape(num_epochs, -1).sum(axis=1) for name, one in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description='Time epochs with center loss and with softmax only.')
    parser.add_argument('--num-epochs', type=int, default=31, help='6 or more; default: 31')
    args = parser.parse_args()
    if args.num_epochs < 6:
        parser.error(f'--num-epochs is {args.num_epochs}; an interval of 95 % takes 6')
    digits = cl.io.load_mnist()[:2]
    print(describe('numpy', 'mxnet'))
    print(f'{args.num_epochs} epochs; / softmax only: median of their ratios, and its interval of 95 %')
    for title, network in NETWORKS.items():
        check_agreement(network, cl.io.mnist_iter(*digits, network.batch_size))
        seconds = time_epochs(network, digits, args.num_epochs)
        batches = network.turn * network.turns
        print(f'\n{title}, {batches} batches of {network.batch_size} an epoch; ms a batch')
        print(f'{"":28}{"p20":>8}{"p50":>8}{"p80":>8}  / softmax only')
        for name, times in seconds.items():
            p20, p50, p80 = np.percentile(times, [20, 50, 80]) * 1e3 / batches
            print(f'{name:28}{p20:8.3f}{p50:8.3f}{p80:8.3f}', end='')
            ratio, low, high = median_interval(times / seconds['softmax only'])
            print(f'  {ratio:.3f} ({low:.3f} to {high:.3f})')


if __name__ == '__main__':
    main()

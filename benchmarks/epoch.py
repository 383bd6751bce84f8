"""What center loss adds to an epoch of LeNet on MNIST.

    python -m benchmarks.epoch                    # the 10,000 training digits of the package
    python -m benchmarks.epoch --data-dir mnist   # all of MNIST

Three networks train side by side on the same batches: softmax only, with a custom operator that does nothing,
and with center loss. They take turns every few batches, so that a busy machine slows all three alike.
"""

from __future__ import annotations

import argparse
import os
import time

# MXNet uses half of the processors unless this is set before it is imported.
os.environ.setdefault('OMP_NUM_THREADS', str(os.cpu_count()))

from centerloss_mx import reference
from centerloss_mx.io import load_mnist, mnist_iter
from centerloss_mx.model import FeatureExtractor
from centerloss_mx.model_zoo import lenet
from centerloss_mx.symbol import joint_supervision

import mxnet as mx
import numpy as np
from tqdm import tqdm

from . import nothing  # noqa: F401  registers the operator

NUM_CLASS = 10
SCALE = 0.1
NETWORKS = ['softmax only', 'nothing', 'center loss']


def symbol(name: str, batch_size: int) -> mx.sym.Symbol:
    embedding = lenet(2)
    if name == 'center loss':
        return joint_supervision(embedding, NUM_CLASS, SCALE, batchsize=batch_size)
    logits = mx.sym.FullyConnected(embedding, num_hidden=NUM_CLASS, name='fc2')
    softmax = mx.sym.SoftmaxOutput(logits, name='softmax')
    if name == 'softmax only':
        return softmax
    loss = mx.sym.Custom(embedding, mx.sym.Variable('center_label'), op_type='nothing')
    return mx.sym.Group([softmax, mx.sym.MakeLoss(loss, name='center_loss')])


def module(name: str, batch_size: int) -> mx.mod.Module:
    net = symbol(name, batch_size)
    labels = [label for label in ('softmax_label', 'center_label') if label in net.list_arguments()]
    trained = mx.mod.Module(net, label_names=labels)
    trained.bind([('data', (batch_size, 1, 28, 28))], [(label, (batch_size,)) for label in labels])
    mx.random.seed(1)
    trained.init_params(mx.init.Xavier())
    trained.init_optimizer(optimizer_params={'learning_rate': 0.05, 'momentum': 0.9})
    return trained


def step(trained: mx.mod.Module, batch: mx.io.DataBatch) -> None:
    labels = batch.label[: len(trained.label_shapes)]
    trained.forward_backward(mx.io.DataBatch(batch.data, labels))
    trained.update()


def check_agreement(batch_size: int, batch: mx.io.DataBatch) -> None:
    """Nothing changes nothing, and center loss moves its centers as the oracle does."""
    modules = {name: module(name, batch_size) for name in NETWORKS}
    joint = modules['center loss']
    x = FeatureExtractor(joint.symbol, *joint.get_params()).predict(batch.data[0])
    y = batch.label[1].asnumpy()
    for trained in modules.values():
        step(trained, batch)
    mx.nd.waitall()
    centers = joint.get_params()[1]['center_loss__center_bias'].asnumpy()
    expected = reference.center_update(x, y, np.zeros_like(centers), alpha=0.5)
    np.testing.assert_allclose(centers, expected, atol=1e-5 * np.abs(expected).max())
    alone, beside = (modules[name].get_params()[0] for name in NETWORKS[:2])
    for name, value in alone.items():
        np.testing.assert_array_equal(value.asnumpy(), beside[name].asnumpy(), err_msg=name)


def time_epochs(batches: list[mx.io.DataBatch], batch_size: int, num_epochs: int, turn: int) -> np.ndarray:
    """Seconds, shape (num_epochs, networks), after an epoch's warm-up turn."""
    modules = [module(name, batch_size) for name in NETWORKS]
    for trained in modules:
        for batch in batches[:turn]:
            step(trained, batch)
    mx.nd.waitall()
    seconds = np.zeros((num_epochs, len(modules)))
    for epoch in tqdm(range(num_epochs), unit='epoch', disable=None):
        for number, begin in enumerate(range(0, len(batches), turn)):
            for k in range(len(modules)):
                i = (k + number) % len(modules)  # no network always comes first
                start = time.perf_counter()
                for batch in batches[begin : begin + turn]:
                    step(modules[i], batch)
                mx.nd.waitall()
                seconds[epoch, i] += time.perf_counter() - start
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--data-dir', help='folder of the four MNIST idx files')
    parser.add_argument('--batch-size', type=int, default=128)
    parser.add_argument('--num-epochs', type=int, default=7)
    parser.add_argument('--turn', type=int, default=5, help='batches that a network trains before the next')
    args = parser.parse_args()
    images, labels, _, _ = load_mnist(args.data_dir)
    batches = list(mnist_iter(images, labels, args.batch_size))
    check_agreement(args.batch_size, batches[0])
    seconds = time_epochs(batches, args.batch_size, args.num_epochs, args.turn)
    print(
        f'LeNet, {len(images):,} digits, batches of {args.batch_size}: seconds an epoch, of {args.num_epochs}'
    )
    print(f'{"":14}    p20    p50    p80   / softmax only   / nothing')
    for i, name in enumerate(NETWORKS):
        p20, p50, p80 = np.percentile(seconds[:, i], [20, 50, 80])
        to_softmax, to_nothing = (np.median(seconds[:, i] / seconds[:, j]) for j in (0, 1))
        print(f'{name:14} {p20:6.2f} {p50:6.2f} {p80:6.2f} {to_softmax:16.3f} {to_nothing:11.3f}')


if __name__ == '__main__':
    main()

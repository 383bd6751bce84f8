"""Train LeNet on MNIST in Gluon, with softmax and center loss.

    python examples/gluon_mnist.py                # 10,000 digits that come with the package
    python examples/gluon_mnist.py --scale 0      # softmax only: the centers follow, the features do not

Prints the accuracy and the cluster ratio of 2,000 test digits after every epoch, and leaves the parameters
of the network and the centers in `runs/gluon`.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

# MXNet uses half of the processors unless this is set before it is imported.
os.environ.setdefault('OMP_NUM_THREADS', str(os.cpu_count()))

from centerloss_mx import cli
from centerloss_mx.gluon import CenterLoss
from centerloss_mx.model import save_whole
from centerloss_mx.training import sgd

import mxnet as mx
import numpy as np
from common import NUM_CLASS, accuracy_and_ratio, load_digits
from mxnet import autograd, gluon
from mxnet.gluon import nn
from tqdm import tqdm

EMBEDDING_DIM = 2


class LeNet(gluon.HybridBlock):
    """LeNet as in the classic script: images (N, 1, 28, 28) to embeddings (N, 2) and logits (N, 10)."""

    def __init__(self) -> None:
        super().__init__(prefix='lenet_')
        with self.name_scope():
            self.body = nn.HybridSequential()
            for channels in 20, 50:
                self.body.add(nn.Conv2D(channels, kernel_size=5, activation='tanh'), nn.MaxPool2D())
            self.body.add(nn.Dense(500, activation='tanh'), nn.Dense(EMBEDDING_DIM))
            self.classes = nn.Dense(NUM_CLASS)

    def hybrid_forward(self, F, images):
        embedding = self.body(images)
        return embedding, self.classes(embedding)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Train LeNet on MNIST in Gluon, with softmax and center loss.',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument('--num-digits', type=int, default=10_000, help='training digits, up to 10,000')
    parser.add_argument('--num-epochs', type=int, default=12, help='epochs')
    parser.add_argument('--batch-size', type=int, default=32, help='samples a batch')
    parser.add_argument('--scale', type=float, default=0.1, help="the paper's lambda")
    parser.add_argument('--alpha', type=float, default=0.5, help='step of the centers, 0 to 1')
    parser.add_argument('--lr', type=float, default=0.05, help='after a warm-up; it falls to 0 by a cosine')
    parser.add_argument('--seed', type=int, default=1, help='of the initial weights and the order of digits')
    parser.add_argument('--no-hybridize', action='store_true', help='run layer by layer')
    parser.add_argument('--output', type=Path, default=Path('runs/gluon'), help='folder of the parameters')
    return parser.parse_args()


def batches(images: np.ndarray, labels: np.ndarray, batch_size: int, shuffle: bool) -> gluon.data.DataLoader:
    images = images[:, np.newaxis].astype('float32') / 255
    dataset = gluon.data.ArrayDataset(images, labels.astype('float32'))
    return gluon.data.DataLoader(dataset, batch_size, shuffle=shuffle)  # the last batch may be smaller


def main() -> None:
    args = parse_args()
    mx.random.seed(args.seed)
    np.random.seed(args.seed)  # DataLoader shuffles with it
    digits = load_digits(num_train=args.num_digits)
    train = batches(digits.train_images, digits.train_labels, args.batch_size, True)
    test = batches(digits.test_images, digits.test_labels, args.batch_size, False)

    net, softmax_loss = LeNet(), gluon.loss.SoftmaxCrossEntropyLoss()
    center_loss = CenterLoss(NUM_CLASS, EMBEDDING_DIM, args.alpha, args.scale)
    for block in net, softmax_loss, center_loss:
        block.initialize(mx.init.Xavier())
        block.hybridize(not args.no_hybridize)
    trainer = gluon.Trainer(net.collect_params(), 'sgd', sgd(args.lr, len(train), args.num_epochs))

    for epoch in range(1, args.num_epochs + 1):
        for images, labels in tqdm(train, f'epoch {epoch}', unit='batch', leave=False, disable=None):
            with autograd.record():
                embedding, logits = net(images)
                loss = softmax_loss(logits, labels) + center_loss(embedding, labels)
            loss.backward()
            trainer.step(len(labels))

        outputs = [[array.asnumpy() for array in net(images)] for images, _ in test]
        features, logits = (np.concatenate(arrays) for arrays in zip(*outputs))
        print(f'epoch {epoch}: {accuracy_and_ratio(features, logits, digits.test_labels)}', flush=True)

    args.output.mkdir(parents=True, exist_ok=True)
    save_whole(args.output / 'lenet.params', net.save_parameters)
    save_whole(args.output / 'centers.params', center_loss.save_parameters)
    print(f'saved lenet.params and centers.params in {args.output}')


if __name__ == '__main__':
    cli.run(main)

"""Train a network on MNIST without and with center loss, and look at its features.

    python examples/train_mnist.py                               # 12,000 digits that come with the package
    python examples/train_mnist.py --data-dir mnist --num-epochs 20   # all of MNIST, from its idx files
    python -m centerloss_mx.launch -n 2 -- python examples/train_mnist.py --kv-store dist_sync   # two workers

Trains softmax only, then joint supervision (softmax + lambda * center loss) from the same seed through
`Module.fit`, prints a table, and writes pictures, histories, logs and checkpoints to `runs/mnist`. On several
workers it trains one of the two; the worker of rank 0 prints and writes.
"""

from __future__ import annotations

import argparse
import logging
import os
from pathlib import Path
from typing import NamedTuple

# MXNet takes half of the processors unless it is told.
os.environ.setdefault('OMP_NUM_THREADS', str(os.cpu_count()))

from centerloss_mx.cli import Help, run
from centerloss_mx.dataset import as_arrays
from centerloss_mx.io import load_mnist
from centerloss_mx.model import latest_checkpoint
from centerloss_mx.model_zoo import NETWORKS
from centerloss_mx.symbol import supervised
from centerloss_mx.training import (
    IGNORE_LABEL,
    KV_STORES,
    Training,
    check_workers,
    contexts,
    keep_options,
    num_batches,
    sgd,
)
from centerloss_mx.visualization import Panel, embedding_figure, save_animation, save_figure

import mxnet as mx
import numpy as np
from sklearn.datasets import fetch_openml

NUM_CLASS = 10
LEARNING_RATES = {'lenet': 0.05, 'lenet++': 0.01}  # LeNet++ was seen to diverge at 0.045


class Digits(NamedTuple):
    """MNIST as `load_mnist` returns it."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Train on MNIST without and with center loss, and compare the features.',
        formatter_class=Help,
    )
    parser.add_argument(
        '--data-dir',
        help='folder of the four MNIST idx files, gzipped or not; '
        'without it, 10,000 training and 2,000 test digits that come with the package',
    )
    parser.add_argument(
        '--full',
        action='store_true',
        help='all of MNIST by way of scikit-learn, which downloads and keeps it',
    )
    parser.add_argument(
        '--network', choices=NETWORKS, default='lenet', help="the classic script's, or the paper's"
    )
    parser.add_argument('--embedding-dim', type=int, default=2, help='length of a feature, 2 at least')
    parser.add_argument('--scale', type=float, default=0.1, help="the paper's lambda")
    parser.add_argument('--alpha', type=float, default=0.5, help='step of the centers, 0 to 1')
    parser.add_argument(
        '--batch-size', type=int, default=32, help='samples a batch, over all devices and workers'
    )
    parser.add_argument('--num-epochs', type=int, default=12, help='epochs of each of the two runs')
    parser.add_argument(
        '--lr',
        type=float,
        help='learning rate after a warm-up; it falls to 0 by a cosine (default: 0.05, for lenet++ 0.01)',
    )
    parser.add_argument('--momentum', type=float, default=0.9, help='of SGD, 0 to 1')
    parser.add_argument(
        '--seed', type=int, default=1, help='of the initial weights and the order of the digits'
    )
    parser.add_argument('--ctx', default='cpu', help='devices: cpu, gpu:0, cpu:0,cpu:1, ...')
    parser.add_argument(
        '--kv-store',
        choices=KV_STORES,
        default='local',
        help='dist_*: on several workers, see centerloss_mx.launch',
    )
    parser.add_argument(
        '--centers',
        choices=['aux', 'kvstore'],
        help='where they live: with each device, or on the KVStore (default: aux; kvstore with dist_*)',
    )
    parser.add_argument(
        '--only', choices=['softmax', 'center_loss'], help='train one of the two (with dist_*: center_loss)'
    )
    parser.add_argument(
        '--output',
        type=Path,
        default=Path('runs/mnist'),
        help='folder of the results; an earlier run in it is replaced',
    )
    parser.add_argument('--resume', action='store_true', help='go on after the last whole epoch in --output')
    args = parser.parse_args()
    args.lr = LEARNING_RATES[args.network] if args.lr is None else args.lr
    if args.full and args.data_dir:
        parser.error(f'--full: the digits are in --data-dir {args.data_dir} already')
    for name in 'embedding_dim', 'batch_size', 'num_epochs':
        least = 2 if name == 'embedding_dim' else 1
        if getattr(args, name) < least:
            parser.error(f'--{name.replace("_", "-")} {getattr(args, name)}: expected {least} or more')
    if not 0 < args.lr < float('inf'):
        parser.error(f'--lr {args.lr}: expected a number > 0')
    if not 0 <= args.seed < 2**32:
        parser.error(f'--seed {args.seed}: expected 0 to 2^32 - 1')
    if not 0 <= args.momentum < 1:
        parser.error(f'--momentum {args.momentum}: expected 0 or more, and less than 1')
    if args.kv_store.startswith('dist'):
        if args.centers == 'aux':
            # Every worker would move centers of its own: auxiliary states are never exchanged.
            parser.error(f'--centers aux: they live in one process, and --kv-store is {args.kv_store}')
        # A process has one such KVStore, and its keys are those of one network.
        args.only = args.only or 'center_loss'
        args.centers = 'kvstore'
    args.centers = args.centers or 'aux'
    try:
        args.contexts = contexts(args.ctx)
    except ValueError as error:
        parser.error(f'--ctx {args.ctx}: {error}')
    try:
        workers = check_workers(args.kv_store)
    except ValueError as error:
        parser.error(str(error))
    if args.batch_size % workers:
        parser.error(f'--batch-size {args.batch_size}: expected a multiple of the {workers} workers')
    if args.batch_size < workers * len(args.contexts):
        parser.error(f'--batch-size {args.batch_size}: expected one sample or more for each of the devices')
    return args


def full_mnist() -> Digits:
    """MNIST from OpenML, 60,000 digits to train with and 10,000 to test with."""
    found = fetch_openml('mnist_784', version=1, as_frame=False, parser='liac-arff')
    images, labels = found.data.reshape(-1, 28, 28).astype(np.uint8), found.target.astype(np.int64)
    return Digits(images[:60000], labels[:60000], images[60000:], labels[60000:])


class Run:
    """One training: softmax only (`scale` None) or joint supervision, in a folder of its own."""

    def __init__(
        self,
        args: argparse.Namespace,
        kvstore: str | mx.kv.KVStore,
        digits: Digits,
        title: str,
        folder: str,
        scale: float | None,
    ) -> None:
        self.args, self.title, self.scale = args, title, scale
        self.folder = args.output / folder
        self.prefix = self.folder / args.network
        self.training = Training(
            self._symbol(),
            as_arrays(digits.train_images, digits.train_labels),
            as_arrays(digits.test_images, digits.test_labels),
            title,
            args.batch_size,
            args.num_epochs,
            seed=args.seed,
            context=args.contexts,
            kvstore=kvstore,
        )

    def _symbol(self) -> mx.sym.Symbol:
        args = self.args
        loss, options = 'softmax', {}
        if self.scale is not None:
            options = {'scale': self.scale, 'use_ignore': True, 'ignore_label': IGNORE_LABEL}
            loss = {'aux': 'center_loss', 'kvstore': 'sync_center_loss'}[args.centers]
        if loss == 'center_loss':
            options.update(alpha=args.alpha, batchsize=args.batch_size)
        embedding = NETWORKS[args.network](args.embedding_dim)
        return supervised(embedding, NUM_CLASS, loss, args.embedding_dim, **options)

    def train(self) -> None:
        """Fit the network, from the beginning or from the last checkpoint."""
        args, training = self.args, self.training
        begin_epoch = self._begin()
        batches = num_batches(training.train, args.batch_size)
        training.optimizer_params = sgd(args.lr, batches, args.num_epochs, begin_epoch, args.momentum)
        if self.scale is not None and args.centers == 'kvstore':
            training.optimizer = 'centers'
            training.optimizer_params.update(base='sgd', alpha=args.alpha)
        training.logger = self._logger()
        training.fit(self.prefix, self.folder / 'history.csv', begin_epoch, self._draw)
        if training.leads:
            pictures = [self.folder / f'epoch-{row["epoch"]:03}.png' for row in training.history]
            save_animation(pictures, self.folder / 'epochs.gif')

    def _begin(self) -> int:
        """Find the epoch to go on from, or clear away what an earlier run left."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.args.resume:
            epoch = latest_checkpoint(self.prefix) or 0
            if self.training.leads:
                print(f'{self.title}: going on after epoch {epoch}', flush=True)
            return epoch
        if self.training.leads:
            for pattern in 'epoch-*.png', 'epochs.gif', 'history.csv', 'train.log', f'{self.args.network}-*':
                for stale in self.folder.glob(pattern):
                    stale.unlink()
        return 0

    def _logger(self) -> logging.Logger:
        logger = logging.getLogger(f'{__name__}.{self.folder.name}')
        logger.setLevel(logging.INFO)
        logger.propagate = False
        if self.training.leads:
            handler = logging.FileHandler(self.folder / 'train.log')
            handler.setFormatter(logging.Formatter('%(asctime)s %(message)s'))
            logger.addHandler(handler)
        return logger

    def _draw(self, training: Training, test_features: np.ndarray) -> None:
        """Draw training and test features after an epoch, with centers where there are some."""
        last, labels = training.history[-1], training.test.labels
        some = training.train.take(np.arange(min(len(labels), len(training.train.labels))))
        when = f'{self.title}, epoch {last["epoch"]}'
        panels = [
            Panel(f'{when}: train features', training.predict(some)[0], some.labels, training.centers),
            Panel(
                f'{when}: test features, ratio {last["ratio"]:.3f}', test_features, labels, training.centers
            ),
        ]
        picture = self.folder / f'epoch-{last["epoch"]:03}.png'
        save_figure(embedding_figure(panels, limit=1.5), picture)

    def final_panel(self) -> Panel:
        """The test features after the last epoch, also where there was nothing left to train."""
        training, last = self.training, self.training.history[-1]
        title = f'{self.title}\ntest accuracy {last["test_accuracy"]:.2%}, ratio {last["ratio"]:.3f}'
        features, _ = training.predict(training.test)
        return Panel(title, features, training.test.labels, training.centers)


def table(trainings: list[Training]) -> str:
    lines = [f'{"":24} test accuracy       own   between   ratio   s/epoch']
    for training in trainings:
        last = training.history[-1]
        seconds = np.median([row['seconds'] for row in training.history])
        lines.append(
            f'{training.title:24} {last["test_accuracy"]:13.2%} {last["own"]:9.3f} {last["between"]:9.3f} '
            f'{last["ratio"]:7.3f} {seconds:9.1f}'
        )
    return '\n'.join(lines)


# What decides the numbers: nobody may resume with others.
OPTIONS = [
    'data_dir', 'full', 'network', 'embedding_dim', 'scale', 'alpha', 'batch_size', 'num_epochs', 'lr',
    'momentum', 'seed', 'ctx', 'kv_store', 'centers', 'only',
]  # fmt: skip


def main() -> None:
    args = parse_args()
    digits = full_mnist() if args.full else Digits(*load_mnist(args.data_dir))
    kvstore = mx.kv.create(args.kv_store) if args.kv_store.startswith('dist') else args.kv_store
    runs = [
        Run(args, kvstore, digits, 'softmax only', 'softmax', None),
        Run(args, kvstore, digits, f'center loss, λ = {args.scale:g}', 'center_loss', args.scale),
    ]
    runs = [each for each in runs if args.only in (None, each.folder.name)]
    leads = runs[0].training.leads
    args.output.mkdir(parents=True, exist_ok=True)
    options = {name: getattr(args, name) for name in OPTIONS}
    keep_options(args.output / 'options.json', options, args.resume, leads)
    for each in runs:
        each.train()
    if not leads:
        return
    save_figure(embedding_figure([each.final_panel() for each in runs]), args.output / 'comparison.png')
    print(table([each.training for each in runs]))
    print(f'Look at {args.output / "comparison.png"}')


if __name__ == '__main__':
    run(main, 'interrupted; --resume with the same options goes on after the last whole epoch')

"""Train a network on MNIST without and with center loss, and look at its features.

    python examples/train_mnist.py                               # 12,000 digits that come with the package
    python examples/train_mnist.py --data-dir mnist --num-epochs 20   # all of MNIST, from its idx files
    python -m centerloss_mx.launch -n 2 -- python examples/train_mnist.py --kv-store dist_sync   # two workers

Trains softmax only and joint supervision (softmax + lambda * center loss) from the same seed through
`Module.fit`, prints a table, and writes pictures, histories, logs and checkpoints to `runs/mnist`. On a CPU
the two train at the same time, each in a process with half of the processors, which takes less time than one
after the other on all of them. On several workers it trains one of the two; rank 0 prints and writes.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing.connection
import os
import signal
import sys
import threading
from contextlib import nullcontext
from pathlib import Path

# MXNet uses half of the processors unless this is set before it is imported.
os.environ.setdefault('OMP_NUM_THREADS', str(os.cpu_count()))
# Its threads wait in loops for each other; beside another program, long loops cost several times the step.
os.environ.setdefault('GOMP_SPINCOUNT', '1000')

from centerloss_mx.cli import Help, number, random_seed, run, save_options, whole_number
from centerloss_mx.dataset import as_arrays
from centerloss_mx.model import Features, load_features, save_features
from centerloss_mx.model_zoo import NETWORKS
from centerloss_mx.symbol import supervised
from centerloss_mx.training import (
    IGNORE_LABEL,
    KV_STORES,
    Training,
    check_workers,
    contexts,
    num_batches,
    only_training,
    read_history,
    resumable_epoch,
    sgd,
)
from centerloss_mx.visualization import Panel, embedding_figure, save_animation, save_figure

import mxnet as mx
import numpy as np
from common import NUM_CLASS, Digits, load_digits, table
from sklearn.datasets import fetch_openml

# Learning rate and momentum; with center loss, LeNet was seen to diverge at 0.05, LeNet++ at 0.045.
SGD = {'lenet': (0.03, 0.95), 'lenet++': (0.01, 0.9)}


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Train on MNIST without and with center loss, and compare the features.',
        formatter_class=Help,
    )
    add = parser.add_argument
    some = whole_number(1)
    add(
        '--data-dir',
        help='folder of the four MNIST idx files, gzipped or not; '
        'without it, 10,000 training and 2,000 test digits that come with the package',
    )
    add('--full', action='store_true', help="all of MNIST by scikit-learn's loader, which downloads it once")
    add('--network', choices=NETWORKS, default='lenet', help="the classic script's, or the paper's")
    add('--embedding-dim', type=whole_number(2), default=2, help='length of a feature')
    add('--scale', type=float, default=0.1, help="the paper's lambda")
    add('--alpha', type=float, default=0.5, help='step of the centers, 0 to 1')
    add('--batch-size', type=some, default=32, help='samples a batch, over all devices and workers')
    add('--num-epochs', type=some, default=10, help='epochs of each of the two runs')
    add(
        '--lr',
        type=number(0, above=True),
        help='learning rate after a warm-up; it falls to 0 by a cosine (default: 0.03, for lenet++ 0.01)',
    )
    add('--momentum', type=number(0, 1), help='of SGD (default: 0.95, for lenet++ 0.9)')
    add('--seed', type=random_seed, default=1, help='of the initial weights and the order of the digits')
    add('--ctx', default='cpu', help='devices: cpu, gpu:0, cpu:0,cpu:1, ...')
    add('--kv-store', choices=KV_STORES, default='local', help='dist_*: see centerloss_mx.launch')
    add(
        '--centers',
        choices=['aux', 'kvstore'],
        help='where they are stored: on each device, or on the KVStore (default: aux; kvstore with dist_*)',
    )
    add('--only', choices=['softmax', 'center_loss'], help='train one of the two (with dist_*: center_loss)')
    add(
        '--output',
        type=Path,
        default=Path('runs/mnist'),
        help='folder of the results; an earlier run in it is replaced',
    )
    add('--resume', action='store_true', help='go on after the last complete epoch in --output')
    args = parser.parse_args()
    try:
        check(args)
    except ValueError as error:
        parser.error(str(error))
    return with_defaults(args)


def check(args: argparse.Namespace) -> None:
    """Raise ValueError for options that do not go together."""
    if args.full and args.data_dir:
        raise ValueError(f'--full: the digits are in --data-dir {args.data_dir} already')
    if args.kv_store.startswith('dist') and args.centers == 'aux':
        # Every worker would move centers of its own: auxiliary states are never exchanged.
        raise ValueError(f'--centers aux: each process has its own, and --kv-store is {args.kv_store}')
    try:
        num_devices = len(contexts(args.ctx))
    except ValueError as error:
        raise ValueError(f'--ctx {args.ctx}: {error}') from None
    workers = check_workers(args.kv_store)
    if args.batch_size % workers:
        raise ValueError(f'--batch-size {args.batch_size}: expected a multiple of the {workers} workers')
    if args.batch_size < workers * num_devices:
        raise ValueError(
            f'--batch-size {args.batch_size}: expected one sample or more for each of the devices'
        )


def with_defaults(args: argparse.Namespace) -> argparse.Namespace:
    """The options with those that depend on others."""
    distributed = args.kv_store.startswith('dist')
    lr, momentum = SGD[args.network]
    settled = {
        'lr': lr if args.lr is None else args.lr,
        'momentum': momentum if args.momentum is None else args.momentum,
        # A process has one distributed KVStore, and its keys are those of one network.
        'only': args.only or ('center_loss' if distributed else None),
        'centers': 'kvstore' if distributed else args.centers or 'aux',
    }
    return argparse.Namespace(**{**vars(args), **settled})


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
            context=contexts(args.ctx),
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
        training.fit(self.prefix, self.folder / 'history.csv', begin_epoch, self._keep_features)

    def _begin(self) -> int:
        """Find the epoch to go on from, or remove the files of an earlier run."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.args.resume:
            epoch = resumable_epoch(self.prefix, self.folder / 'history.csv')
            if self.training.leads:
                print(f'{self.title}: going on after epoch {epoch}', flush=True)
            return epoch
        if self.training.leads:
            for pattern in 'epoch-*', 'epochs.gif', 'history.csv', 'train.log', f'{self.args.network}-*':
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

    def _keep_features(self, training: Training, test_features: np.ndarray) -> None:
        """Write training and test features after an epoch, from which `draw` draws once all is trained."""
        epoch, test = training.history[-1]['epoch'], training.test
        some = training.train.take(np.arange(min(len(test.labels), len(training.train.labels))))
        centers = training.centers
        for part, samples, features in (
            ('train', some, training.predict(some)[0]),
            ('test', test, test_features),
        ):
            names = samples.class_names
            kept = Features(features, samples.labels, names, centers=centers, trained_on=names)
            save_features(self._features_of(epoch, part), kept)

    def _features_of(self, epoch: int, part: str) -> Path:
        return self.folder / f'epoch-{epoch:03}-{part}.npz'

    def _panel(self, title: str, epoch: int, part: str) -> Panel:
        kept = load_features(self._features_of(epoch, part))
        return Panel(title, kept.features, kept.labels, kept.centers)

    def draw(self) -> None:
        """Draw the training and test features after each epoch, and animate the pictures."""
        if not self.training.leads:
            return
        pictures = []
        for row in self.training.history:
            epoch = row['epoch']
            when = f'{self.title}, epoch {epoch}'
            panels = [
                self._panel(f'{when}: train', epoch, 'train'),
                self._panel(f'{when}: test, ratio {row["ratio"]:.3f}', epoch, 'test'),
            ]
            pictures.append(self.folder / f'epoch-{epoch:03}.png')
            save_figure(embedding_figure(panels, limit=1.5), pictures[-1])
        save_animation(pictures, self.folder / 'epochs.gif')

    def final_panel(self) -> Panel:
        """The test features after the last epoch."""
        last = self.training.history[-1]
        title = f'{self.title}\ntest accuracy {last["test_accuracy"]:.2%}, ratio {last["ratio"]:.3f}'
        return self._panel(title, last['epoch'], 'test')


# The options that decide the numbers: a resumed training must have the same.
OPTIONS = [
    'data_dir', 'full', 'network', 'embedding_dim', 'scale', 'alpha', 'batch_size', 'num_epochs', 'lr',
    'momentum', 'seed', 'ctx', 'kv_store', 'centers', 'only',
]  # fmt: skip


def trainings(args: argparse.Namespace, kvstore: str | mx.kv.KVStore, digits: Digits) -> list[Run]:
    """The trainings that the options ask for."""
    both = [
        Run(args, kvstore, digits, 'softmax only', 'softmax', None),
        Run(args, kvstore, digits, f'center loss, λ = {args.scale:g}', 'center_loss', args.scale),
    ]
    return [each for each in both if args.only in (None, each.folder.name)]


def train_together(args: argparse.Namespace, digits: Digits, runs: list[Run]) -> None:
    """Train each of two networks in a process of its own, with half of the processors."""
    start = multiprocessing.get_context('spawn')  # MXNet reads the environment when a process imports it
    os.environ['OMP_NUM_THREADS'] = str(max(1, int(os.environ['OMP_NUM_THREADS']) // len(runs)))
    running = {}
    for position, each in enumerate(runs):
        os.environ['TQDM_POSITION'] = str(position)  # a line of the screen for each bar
        only = argparse.Namespace(**{**vars(args), 'only': each.folder.name})
        process = start.Process(target=train_one, args=(only, digits), daemon=True)
        process.start()
        running[process.sentinel] = process
    while running:
        for ended in multiprocessing.connection.wait(list(running)):
            process = running.pop(ended)
            process.join()
            if process.exitcode:
                sys.exit(1)  # it has printed why; the other one ends with this process
    for each in runs:
        each.training.history = read_history(each.folder / 'history.csv')


def end_with_parent() -> None:
    multiprocessing.connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)  # killed, the parent has ended nobody


def train_one(args: argparse.Namespace, digits: Digits) -> None:
    """Train the network of `args.only` in this process, which ends with the one that has started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, daemon=True).start()
    (only,) = trainings(args, args.kv_store, digits)
    run(lambda: (only.train(), only.draw()), name=Path(__file__).name)


def main() -> None:
    args = parse_args()
    digits = full_mnist() if args.full else load_digits(args.data_dir)
    kvstore = mx.kv.create(args.kv_store) if args.kv_store.startswith('dist') else args.kv_store
    runs = trainings(args, kvstore, digits)
    leads = runs[0].training.leads
    args.output.mkdir(parents=True, exist_ok=True)
    with only_training(args.output / 'comparison') if leads else nullcontext():
        train_all(args, digits, runs, leads)


def train_all(args: argparse.Namespace, digits: Digits, runs: list[Run], leads: bool) -> None:
    """Train what is to be trained, and draw it."""
    options = {name: getattr(args, name) for name in OPTIONS}
    save_options(args.output / 'options.json', options, args.resume, leads)
    if len(runs) == 2 and args.ctx == 'cpu':
        train_together(args, digits, runs)
    else:
        for each in runs:
            each.train()
            each.draw()
    if not leads:
        return
    print(table([each.training for each in runs]), flush=True)
    save_figure(embedding_figure([each.final_panel() for each in runs]), args.output / 'comparison.png')
    print(f'Look at {args.output / "comparison.png"}')


if __name__ == '__main__':
    run(main, 'interrupted; --resume with the same options goes on after the last complete epoch')

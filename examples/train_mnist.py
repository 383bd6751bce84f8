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
import csv
import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any, Callable, NamedTuple

# MXNet takes half of the processors unless it is told.
os.environ.setdefault('OMP_NUM_THREADS', str(os.cpu_count()))

from centerloss_mx.callback import ProgressBar
from centerloss_mx.evaluation import cluster_ratio
from centerloss_mx.io import PartIter, load_mnist, mnist_iter
from centerloss_mx.metric import Accuracy, CenterLossMetric
from centerloss_mx.model import FeatureExtractor, latest_checkpoint, save_checkpoint, write_whole
from centerloss_mx.module import Module
from centerloss_mx.symbol import joint_supervision
from centerloss_mx.visualization import Panel, embedding_figure, save_animation, save_figure

import mxnet as mx
import numpy as np
from sklearn.datasets import fetch_openml

NUM_CLASS = 10
IGNORE_LABEL = -1  # the center label of the rows that pad an epoch's last batch
KV_STORES = ['local', 'device', 'dist_sync', 'dist_device_sync', 'dist_async']
HISTORY = ['epoch', 'train_accuracy', 'test_accuracy', 'own', 'between', 'ratio', 'seconds']


def lenet(embedding_dim: int) -> mx.sym.Symbol:
    """LeNet as in the classic script, up to the embedding."""
    net = mx.sym.Variable('data')
    for i, num_filter in enumerate([20, 50], start=1):
        net = mx.sym.Convolution(net, kernel=(5, 5), num_filter=num_filter, name=f'conv{i}')
        net = mx.sym.Activation(net, act_type='tanh', name=f'tanh{i}')
        net = mx.sym.Pooling(net, pool_type='max', kernel=(2, 2), stride=(2, 2), name=f'pool{i}')
    net = mx.sym.FullyConnected(mx.sym.Flatten(net), num_hidden=500, name='fc1')
    net = mx.sym.Activation(net, act_type='tanh', name='tanh3')
    return mx.sym.FullyConnected(net, num_hidden=embedding_dim, name='embedding')


def lenet_plus_plus(embedding_dim: int) -> mx.sym.Symbol:
    """LeNet++ of Wen et al., Table 1: three pairs of convolutions with PReLU, up to the embedding."""
    net = mx.sym.Variable('data')
    for stage, num_filter in enumerate([32, 64, 128], start=1):
        for i in 1, 2:
            net = mx.sym.Convolution(
                net, kernel=(5, 5), pad=(2, 2), num_filter=num_filter, name=f'conv{stage}_{i}'
            )
            net = mx.sym.LeakyReLU(net, act_type='prelu', name=f'prelu{stage}_{i}')
        net = mx.sym.Pooling(net, pool_type='max', kernel=(2, 2), stride=(2, 2), name=f'pool{stage}')
    return mx.sym.FullyConnected(mx.sym.Flatten(net), num_hidden=embedding_dim, name='embedding')


NETWORKS = {'lenet': lenet, 'lenet++': lenet_plus_plus}
LEARNING_RATES = {'lenet': 0.05, 'lenet++': 0.01}  # LeNet++ was seen to diverge at 0.045


def sgd(
    lr: float, batches: int, num_epochs: int, begin_epoch: int = 0, momentum: float = 0.9
) -> dict[str, Any]:
    """SGD with momentum; the learning rate warms up for an epoch, then falls to 0 by a cosine."""
    updates = batches * num_epochs
    warmup = min(batches, updates // 4)  # at full speed from the start, center loss was seen to diverge
    return {
        'learning_rate': lr,
        'momentum': momentum,
        'wd': 0.0005,
        'lr_scheduler': mx.lr_scheduler.CosineScheduler(updates, lr, warmup_steps=warmup),
        'begin_num_update': batches * begin_epoch,
    }


def classify(features: np.ndarray, arg_params: dict[str, mx.nd.NDArray]) -> np.ndarray:
    """The classes that the class layer predicts; unlike in `Module.score`, no padded row is among them."""
    weight, bias = (arg_params[f'fc2_{name}'].asnumpy() for name in ('weight', 'bias'))
    return (features @ weight.T + bias).argmax(axis=1)


def centers(module: mx.mod.Module) -> np.ndarray | None:
    """The centers of a network, running or learned; None if it has none."""
    arg_params, aux_params = module.get_params()
    for name, value in {**arg_params, **aux_params}.items():
        if name.endswith(('_center_bias', '_center_weight')):
            # those of a KVStore count samples in their last column
            return value.asnumpy()[:, : -1 if value.stype == 'row_sparse' else None]
    return None


class Digits(NamedTuple):
    """MNIST as `load_mnist` returns it."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


class Help(argparse.ArgumentDefaultsHelpFormatter):
    def _get_help_string(self, action: argparse.Action) -> str:
        return super()._get_help_string(action) if action.default else action.help


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
        if 'DMLC_ROLE' not in os.environ:
            parser.error(
                f'--kv-store {args.kv_store}: this process is no worker (DMLC_ROLE is not set); '
                'start it by `python -m centerloss_mx.launch`'
            )
        # A process has one such KVStore, and its keys are those of one network.
        args.only = args.only or 'center_loss'
        args.centers = 'kvstore'
    elif 'DMLC_ROLE' in os.environ:
        # Each worker would train alone, and write the same files.
        parser.error(
            f'--kv-store {args.kv_store}: this process is one of several workers; expected dist_sync'
        )
    args.centers = args.centers or 'aux'
    try:
        args.contexts = contexts(args.ctx)
    except ValueError as error:
        parser.error(f'--ctx {args.ctx}: {error}')
    workers = int(os.environ['DMLC_NUM_WORKER']) if args.kv_store.startswith('dist') else 1
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


def contexts(text: str) -> list[mx.Context]:
    """'cpu:0,cpu:1' -> [mx.cpu(0), mx.cpu(1)]."""
    devices = []
    for part in text.split(','):
        kind, _, number = part.strip().partition(':')
        if kind not in ('cpu', 'gpu') or not (number or '0').isdigit():
            raise ValueError(f'{part!r} is not a device; expected cpu, cpu:0, gpu:0, ...')
        if kind == 'gpu' and int(number or 0) >= mx.context.num_gpus():
            raise ValueError(f'{part!r} is not there; this MXNet sees {mx.context.num_gpus()} GPUs')
        devices.append(mx.Context(kind, int(number or 0)))
    return devices


def supervised(
    embedding: mx.sym.Symbol, num_class: int, scale: float | None, **options: Any
) -> mx.sym.Symbol:
    """The embedding under softmax only (`scale` None), or under joint supervision."""
    if scale is None:
        logits = mx.sym.FullyConnected(embedding, num_hidden=num_class, name='fc2')
        return mx.sym.SoftmaxOutput(logits, name='softmax')
    return joint_supervision(
        embedding, num_class, scale, use_ignore=True, ignore_label=IGNORE_LABEL, **options
    )


class Run:
    """One training: softmax only (`scale` None) or joint supervision, in a folder of its own.

    `fit` calls `epoch_end` after each epoch.
    """

    def __init__(
        self,
        args: argparse.Namespace,
        kvstore: str | mx.kv.KVStore,
        digits: Digits,
        title: str,
        folder: str,
        scale: float | None,
    ) -> None:
        self.args, self.kvstore, self.digits, self.title, self.scale = args, kvstore, digits, title, scale
        self.leads = isinstance(kvstore, str) or kvstore.rank == 0
        self.symbol = self._symbol()
        self.folder = args.output / folder
        self.prefix = self.folder / args.network

    def _symbol(self) -> mx.sym.Symbol:
        embedding = NETWORKS[self.args.network](self.args.embedding_dim)
        options: dict[str, Any] = {'alpha': self.args.alpha, 'batchsize': self.args.batch_size}
        if self.args.centers == 'kvstore':
            options = {'centers': 'kvstore', 'embedding_dim': self.args.embedding_dim}
        return supervised(embedding, NUM_CLASS, self.scale, **options)

    def _optimizer(self, batches: int) -> dict[str, Any]:
        """What to tell `fit`: SGD, and on the KVStore what moves the centers."""
        args = self.args
        params = sgd(args.lr, batches, args.num_epochs, self.begin_epoch, args.momentum)
        if self.scale is None or args.centers == 'aux':
            return {'optimizer': 'sgd', 'optimizer_params': params}
        return {'optimizer': 'centers', 'optimizer_params': {'base': 'sgd', 'alpha': args.alpha, **params}}

    def begin(self) -> None:
        """Find the epoch to go on from, or clear away what an earlier run left."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.begin_epoch, self.history = 0, []
        if self.args.resume:
            self.begin_epoch = latest_checkpoint(self.prefix) or 0
            if self.leads:
                print(f'{self.title}: going on after epoch {self.begin_epoch}', flush=True)
        elif self.leads:
            for pattern in 'epoch-*.png', 'epochs.gif', 'history.csv', 'train.log', f'{self.args.network}-*':
                for stale in self.folder.glob(pattern):
                    stale.unlink()
        if self.begin_epoch:
            with open(self.folder / 'history.csv', newline='') as file:
                self.history = list(csv.DictReader(file))[: self.begin_epoch]

    def _metric(self) -> mx.metric.EvalMetric:
        metrics = [Accuracy()]
        if self.scale is not None:
            metrics.append(CenterLossMetric(normalization='null', ignore_label=IGNORE_LABEL))
        return mx.metric.CompositeEvalMetric(metrics)

    def train(self) -> None:
        """Fit the network, from the beginning or from the last checkpoint."""
        args = self.args
        mx.random.seed(args.seed)
        np.random.seed(args.seed)  # NDArrayIter shuffles with it
        digits = self.digits
        train_iter = mnist_iter(
            digits.train_images, digits.train_labels, args.batch_size, shuffle=True, ignore_label=IGNORE_LABEL
        )
        if self.scale is None:
            train_iter = train_iter.data_iter  # with the one label that softmax needs
        distributed = not isinstance(self.kvstore, str)
        if distributed:
            train_iter = PartIter(train_iter, self.kvstore.rank, self.kvstore.num_workers)
        for _ in range(self.begin_epoch):
            train_iter.reset()  # each epoch shuffles the order of the one before
        batches = -(-len(self.digits.train_labels) // args.batch_size)
        options = {
            'label_names': [desc.name for desc in train_iter.provide_label],
            'context': args.contexts,
            'logger': self._logger(),
        }
        trained = {}
        if self.begin_epoch:
            module = Module.load(
                str(self.prefix), self.begin_epoch, load_optimizer_states=not distributed, **options
            )
            trained['arg_params'], trained['aux_params'] = module.get_params()
        else:
            module = Module(self.symbol, **options)

        self.module, self.metric, self.bar = module, self._metric(), None
        if self.leads:
            self.bar = ProgressBar(batches * args.num_epochs, self.title, initial=batches * self.begin_epoch)
        self.start = time.perf_counter()
        module.fit(
            train_iter,
            eval_metric=self.metric,
            batch_end_callback=self.bar,
            epoch_end_callback=self.epoch_end if self.leads else None,
            initializer=mx.init.Xavier(),
            kvstore=self.kvstore,
            **self._optimizer(batches),
            begin_epoch=self.begin_epoch,
            num_epoch=args.num_epochs,
            force_init=True,
            **trained,
        )
        if not self.leads:
            return
        self.bar.close()
        pictures = [self.folder / f'epoch-{row["epoch"]:0>3}.png' for row in self.history]
        save_animation(pictures, self.folder / 'epochs.gif')

    def _logger(self) -> logging.Logger:
        logger = logging.getLogger(f'{__name__}.{self.folder.name}')
        logger.setLevel(logging.INFO)
        logger.propagate = False
        if self.leads:
            handler = logging.FileHandler(self.folder / 'train.log')
            handler.setFormatter(logging.Formatter('%(asctime)s %(message)s'))
            logger.addHandler(handler)
        return logger

    def epoch_end(self, epoch: int, symbol: mx.sym.Symbol, arg_params: dict, aux_params: dict) -> None:
        """Measure and draw the features, and leave history and checkpoint behind."""
        seconds = time.perf_counter() - self.start
        epoch += 1
        panels = self.panels(f', epoch {epoch}')
        try:
            clusters = cluster_ratio(panels[1].features, panels[1].labels)
        except ValueError as error:
            raise ValueError(
                f'{self.title}, epoch {epoch}: training diverged ({error}); '
                f'lower --lr ({self.args.lr:g}) or --scale'
            ) from None
        panels[1] = panels[1]._replace(title=f'{panels[1].title}, ratio {clusters.ratio:.3f}')
        accuracy = self.test_accuracy(panels[1].features)
        row = {
            'epoch': epoch,
            'train_accuracy': dict(self.metric.get_global_name_value())['accuracy'],
            'test_accuracy': accuracy,
            **clusters._asdict(),
            'seconds': seconds,
        }
        self.history.append({name: str(value) for name, value in row.items()})
        write_whole(self.folder / 'history.csv', self._write_history)
        save_figure(embedding_figure(panels, limit=1.5), self.folder / f'epoch-{epoch:03}.png')
        save_checkpoint(self.module, self.prefix, epoch)
        for old in self.folder.glob(f'{self.args.network}-*.[ps]*'):
            if not old.name.endswith(('symbol.json', f'-{epoch:04d}.params', f'-{epoch:04d}.states')):
                old.unlink()
        line = f'test accuracy {accuracy:.2%}, ratio {clusters.ratio:.3f}, {seconds:.1f} s'
        self.module.logger.info('Epoch[%d] %s', epoch - 1, line)
        self.bar.write(f'{self.title}, epoch {epoch}: {line}')
        self.start = time.perf_counter()

    def test_accuracy(self, features: np.ndarray) -> float:
        """The class layer on the test features."""
        predicted = classify(features, self.module.get_params()[0])
        return float((predicted == self.digits.test_labels).mean())

    def panels(self, when: str = '') -> list[Panel]:
        """Features of the test digits, and of as many training digits, with centers where there are some."""
        extractor = FeatureExtractor(self.module.symbol, *self.module.get_params(), ctx=self.args.contexts[0])
        panels = []
        for name in 'train', 'test':
            count = len(self.digits.test_labels)
            images = getattr(self.digits, f'{name}_images')[:count]
            labels = getattr(self.digits, f'{name}_labels')[:count]
            samples = mnist_iter(images, labels, self.args.batch_size).data_iter
            features = extractor.predict(samples)
            title = f'{self.title}{when}: {name} features'
            panels.append(Panel(title, features, labels, centers(self.module)))
        return panels

    def _write_history(self, name: str) -> None:
        with open(name, 'w', newline='') as file:
            writer = csv.DictWriter(file, HISTORY)
            writer.writeheader()
            writer.writerows(self.history)


def check_options(args: argparse.Namespace, leads: bool) -> None:
    """Keep the options beside the results, and let nobody resume with others: the numbers would differ."""
    names = [
        'data_dir',
        'full',
        'network',
        'embedding_dim',
        'scale',
        'alpha',
        'batch_size',
        'num_epochs',
        'lr',
        'momentum',
        'seed',
        'ctx',
        'kv_store',
        'centers',
        'only',
    ]
    options = {name: getattr(args, name) for name in names}
    path = args.output / 'options.json'
    if args.resume and not leads and not path.exists():
        sys.exit(f'--resume: {path} is not there; --output has to be one folder for all workers')
    if args.resume and path.exists():
        try:
            begun = json.loads(path.read_text())
        except ValueError as error:
            sys.exit(f'--resume: {path}: {error}')
        for name, before in begun.items():
            if options[name] != before:
                sys.exit(
                    f'--resume: --{name.replace("_", "-")} is {options[name]}, '
                    f'but {args.output} was begun with {before}'
                )
    args.output.mkdir(parents=True, exist_ok=True)
    if leads:
        write_whole(path, lambda name: Path(name).write_text(json.dumps(options, indent=2)))


def table(runs: list[Run]) -> str:
    lines = [f'{"":24} test accuracy       own   between   ratio   s/epoch']
    for run in runs:
        last = {name: float(value) for name, value in run.history[-1].items()}
        seconds = np.median([float(row['seconds']) for row in run.history])
        lines.append(
            f'{run.title:24} {last["test_accuracy"]:13.2%} {last["own"]:9.3f} {last["between"]:9.3f} '
            f'{last["ratio"]:7.3f} {seconds:9.1f}'
        )
    return '\n'.join(lines)


def main() -> None:
    args = parse_args()
    digits = full_mnist() if args.full else Digits(*load_mnist(args.data_dir))
    kvstore = mx.kv.create(args.kv_store) if args.kv_store.startswith('dist') else args.kv_store
    runs = [
        Run(args, kvstore, digits, 'softmax only', 'softmax', None),
        Run(args, kvstore, digits, f'center loss, λ = {args.scale:g}', 'center_loss', args.scale),
    ]
    runs = [run for run in runs if args.only in (None, run.folder.name)]
    leads = runs[0].leads
    check_options(args, leads)
    for run in runs:
        run.begin()
        run.train()
    if not leads:
        return
    panels = []
    for run in runs:
        last = {name: float(value) for name, value in run.history[-1].items()}
        title = f'{run.title}\ntest accuracy {last["test_accuracy"]:.2%}, ratio {last["ratio"]:.3f}'
        panels.append(run.panels()[1]._replace(title=title))
    save_figure(embedding_figure(panels), args.output / 'comparison.png')
    print(table(runs))
    print(f'Look at {args.output / "comparison.png"}')


def run_script(script: Callable[[], None], interrupted: str = 'interrupted') -> None:
    """Run a script's main function; what ends it is one sentence."""
    try:
        script()
    except KeyboardInterrupt:
        sys.exit(interrupted)
    except (OSError, ValueError, mx.MXNetError) as error:
        # MXNet's own message ends in the check that failed; the operator's is printed above it.
        sys.exit(f'{Path(sys.argv[0]).name}: {error}')


if __name__ == '__main__':
    run_script(main, 'interrupted; --resume with the same options goes on after the last whole epoch')

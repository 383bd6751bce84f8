"""Train a network of MXNet's model zoo on pictures in folders, without and with center loss.

    python examples/fine_grained.py birds                # birds/<class>/<picture>.jpg; holds 20 % out
    python examples/fine_grained.py train.rec --test test.rec --network mobilenetv2_1.0 --image-size 96

Trains softmax only, then joint supervision (softmax + lambda * center loss) from the same weights, on the
same samples in the same order, with Adagrad. Prints a table, and draws in `runs/fine_grained` how good each
class is and which are confused.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import time
from pathlib import Path

# MXNet takes half of the processors unless it is told.
os.environ.setdefault('OMP_NUM_THREADS', str(os.cpu_count()))

from centerloss_mx.callback import ProgressBar
from centerloss_mx.evaluation import class_accuracies, cluster_ratio, confused_pairs
from centerloss_mx.io import Images, image_iter, list_images, readable_images
from centerloss_mx.metric import Accuracy, CenterLossMetric
from centerloss_mx.model import FeatureExtractor, save_checkpoint, write_whole
from centerloss_mx.module import Module
from centerloss_mx.visualization import class_accuracy_figure, save_figure

import mxnet as mx
import numpy as np
from mxnet.gluon.model_zoo import vision
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import train_test_split
from train_mnist import HISTORY, IGNORE_LABEL, Help, classify, contexts, run_script, supervised, table

SIZES = (32, 48, 64, 96, 128, 160, 192, 224, 299)  # the last is for inceptionv3


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Train on your own classes of pictures without and with center loss, and compare.',
        formatter_class=Help,
    )
    parser.add_argument(
        'train', type=Path, help='folder of class folders, or .rec file with its .idx beside it'
    )
    parser.add_argument(
        '--test',
        type=Path,
        help='the same for testing; without it, a share of the pictures in a folder is held out',
    )
    parser.add_argument(
        '--test-share',
        type=float,
        default=0.2,
        help='share of the pictures to hold out, spread over the classes, 0 to 1',
    )
    parser.add_argument('--network', default='resnet18_v2', help="a name in MXNet's gluon.model_zoo.vision")
    parser.add_argument(
        '--params', type=Path, help='.params file of that network to start from (Block.save_parameters)'
    )
    parser.add_argument(
        '--image-size', type=int, default=64, help='height and width that pictures are brought to'
    )
    parser.add_argument(
        '--skip-bad', action='store_true', help='leave out pictures that cannot be decoded, and name them'
    )
    parser.add_argument('--rand-mirror', action='store_true', help='mirror training pictures at random')
    parser.add_argument('--embedding-dim', type=int, default=128, help='length of a feature')
    parser.add_argument(
        '--scale', type=float, default=0.001, help="the paper's lambda; 0 trains softmax only"
    )
    parser.add_argument('--alpha', type=float, default=0.5, help='step of the centers, 0 to 1')
    parser.add_argument('--lr', type=float, default=0.001, help='learning rate of Adagrad')
    parser.add_argument('--batch-size', type=int, default=32, help='samples a batch, over all devices')
    parser.add_argument('--num-epochs', type=int, default=20, help='epochs of each run')
    parser.add_argument(
        '--seed', type=int, default=1, help='of the held out share, weights and order of the samples'
    )
    parser.add_argument('--ctx', default='cpu', help='devices: cpu, gpu:0, cpu:0,cpu:1, ...')
    parser.add_argument(
        '--output',
        type=Path,
        default=Path('runs/fine_grained'),
        help='folder of the results; an earlier run in it is replaced',
    )
    args = parser.parse_args()
    try:
        check(args)
    except ValueError as error:
        parser.error(str(error))
    return args


def check(args: argparse.Namespace) -> None:
    """Say which option is out of its range; make `ctx` the devices that it names."""
    args.devices = contexts(args.ctx)
    least = {'image_size': 1, 'embedding_dim': 1, 'batch_size': len(args.devices), 'num_epochs': 1}
    for name, number in least.items():
        if getattr(args, name) < number:
            raise ValueError(f'--{name.replace("_", "-")} {getattr(args, name)}: expected {number} or more')
    if not 0 < args.lr < math.inf:
        raise ValueError(f'--lr {args.lr}: expected a number > 0')
    if not 0 <= args.seed < 2**32:
        raise ValueError(f'--seed {args.seed}: expected 0 to 2^32 - 1')
    if not 0 < args.test_share < 1:
        raise ValueError(f'--test-share {args.test_share}: expected a number between 0 and 1')
    for images in filter(None, (args.train, args.test)):
        if args.output.resolve() in (images.resolve(), *images.resolve().parents):
            raise ValueError(
                f'--output {args.output}: holds the pictures of {images}; expected a folder of its own'
            )
        if images.resolve() in args.output.resolve().parents:
            raise ValueError(f'--output {args.output}: lies in {images}; expected a folder of its own')
    if args.test is None and args.train.suffix == '.rec':
        raise ValueError(f'{args.train}: expected --test, too; only pictures in a folder can be held out')
    try:
        backbone(args)
    except ValueError as error:
        raise ValueError(f'--network {args.network}: {" ".join(str(error).split())}') from None


def backbone(args: argparse.Namespace) -> mx.gluon.HybridBlock:
    """The network of the model zoo, its names the same whenever it is made."""
    options = {}
    if args.network.lower().startswith('resnet') and args.image_size <= 32 and args.params is None:
        options['thumbnail'] = True  # keeps the resolution at the bottom, for pictures as small as CIFAR's
    return vision.get_model(args.network, prefix='backbone_', **options)


def embedding(args: argparse.Namespace) -> mx.sym.Symbol:
    """The network as a symbol, up to the embedding.

    Raises ValueError if it does not take pictures of `args.image_size`.
    """
    features = mx.sym.Flatten(backbone(args).features(mx.sym.Variable('data')))

    def takes(size: int) -> bool:
        try:
            features.infer_shape_partial(data=(1, 3, size, size))  # infer_shape prints when it fails
        except mx.MXNetError:
            return False
        return True

    size = args.image_size
    if not takes(size):
        least = next(other for other in SIZES if takes(other))
        raise ValueError(
            f'{args.network} does not take pictures of {size} x {size}; expected --image-size {least} or more'
        )
    return mx.sym.FullyConnected(features, num_hidden=args.embedding_dim, name='embedding')


def backbone_params(args: argparse.Namespace) -> dict[str, mx.nd.NDArray]:
    """The parameters in --params by the names they have in the symbol, without those of the class layer."""
    network = backbone(args)
    try:
        network.load_parameters(str(args.params))
    except (AssertionError, mx.MXNetError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise ValueError(f'--params {args.params}: not parameters of {args.network}: {reason}') from None
    return {name: parameter.data() for name, parameter in network.features.collect_params().items()}


def images_in(path: Path, skip_bad: bool, class_names: list[str] | None = None) -> Images:
    """The pictures there; if asked to, names and leaves out those that cannot be decoded."""
    images = list_images(path, class_names)
    if skip_bad:
        images, unreadable = readable_images(images)
        if unreadable:
            print(f'{len(unreadable)} pictures left out, as they cannot be decoded: {", ".join(unreadable)}')
    return images


def read(args: argparse.Namespace) -> tuple[Images, Images]:
    """The pictures to train with, and those to test with."""
    train = images_in(args.train, args.skip_bad)
    if args.test is not None:
        test = images_in(args.test, args.skip_bad, train.class_names)
        if (train.files is None) != (test.files is None):
            raise ValueError(f'{args.test}: expected what {args.train} is, both folders or both .rec files')
        return train, test
    counts = np.bincount(train.labels)
    if counts.min() < 2:
        name = train.class_names[counts.argmin()]
        raise ValueError(
            f'{args.train / name}: one picture; expected two at least, one of them to be held out'
        )
    try:
        split = train_test_split(
            train.files,
            train.labels,
            test_size=args.test_share,
            stratify=train.labels,
            random_state=args.seed,
        )
    except ValueError as error:
        raise ValueError(f'{args.train}: cannot hold out --test-share {args.test_share:g}: {error}') from None
    return train._replace(files=split[0], labels=split[2]), train._replace(files=split[1], labels=split[3])


class Run:
    """One training: softmax only (`scale` 0) or joint supervision, in a folder of its own.

    `fit` calls `epoch_end` after each epoch.
    """

    def __init__(
        self, args: argparse.Namespace, train: Images, test: Images, title: str, folder: str, scale: float
    ) -> None:
        self.args, self.title, self.scale = args, title, scale
        self.train_images, self.test_images = train, test
        self.symbol = self._symbol()
        self.folder = args.output / folder
        self.history: list[dict] = []

    def _symbol(self) -> mx.sym.Symbol:
        num_class = len(self.train_images.class_names)
        options = {'alpha': self.args.alpha, 'batchsize': self.args.batch_size}
        return supervised(embedding(self.args), num_class, self.scale or None, **options)

    def train(self) -> None:
        """Fit the network, and leave its checkpoint behind."""
        args = self.args
        self.folder.mkdir(parents=True, exist_ok=True)
        for pattern in 'history.csv', f'{args.network}-*':
            for stale in self.folder.glob(pattern):
                stale.unlink()
        mx.random.seed(args.seed)
        random.seed(args.seed)  # ImageIter shuffles with it
        train_iter = image_iter(
            self.train_images, args.batch_size, args.image_size, True, args.rand_mirror, IGNORE_LABEL
        )
        label_names = ['softmax_label', 'center_label']
        metrics = [Accuracy(), CenterLossMetric(normalization='null', ignore_label=IGNORE_LABEL)]
        if not self.scale:
            train_iter, label_names, metrics = train_iter.data_iter, label_names[:1], metrics[:1]
        self.metric = mx.metric.CompositeEvalMetric(metrics)
        self.module = Module(self.symbol, label_names=label_names, context=args.devices)
        pretrained = {} if args.params is None else backbone_params(args)
        batches = math.ceil(len(self.train_images.labels) / args.batch_size)
        self.bar = ProgressBar(batches * args.num_epochs, self.title)
        self.start = time.perf_counter()
        self.module.fit(
            train_iter,
            eval_metric=self.metric,
            batch_end_callback=self.bar,
            epoch_end_callback=self.epoch_end,
            initializer=mx.init.Xavier(magnitude=2, rnd_type='gaussian', factor_type='in'),
            arg_params={
                name: pretrained[name] for name in self.symbol.list_arguments() if name in pretrained
            },
            aux_params={
                name: pretrained[name] for name in self.symbol.list_auxiliary_states() if name in pretrained
            },
            allow_missing=True,
            optimizer='adagrad',
            optimizer_params={'learning_rate': args.lr},
            num_epoch=args.num_epochs,
        )
        self.bar.close()
        save_checkpoint(self.module, self.folder / args.network, args.num_epochs)

    def epoch_end(self, epoch: int, symbol: mx.sym.Symbol, arg_params: dict, aux_params: dict) -> None:
        """Measure the test features, and leave the history behind."""
        seconds = time.perf_counter() - self.start
        labels = self.test_images.labels
        features = self.test_features(symbol, arg_params, aux_params)
        try:
            clusters = cluster_ratio(features, labels)
        except ValueError as error:
            raise ValueError(
                f'{self.title}, epoch {epoch + 1}: training diverged ({error}); '
                f'lower --lr ({self.args.lr:g}) or --scale'
            ) from None
        predicted = classify(features, arg_params)
        num_class = len(self.train_images.class_names)
        self.confusion = confusion_matrix(labels, predicted, labels=range(num_class))
        row = {
            'epoch': epoch + 1,
            'train_accuracy': dict(self.metric.get_global_name_value())['accuracy'],
            'test_accuracy': float((predicted == labels).mean()),
            **clusters._asdict(),
            'seconds': seconds,
        }
        self.history.append(row)
        lines = [HISTORY, *([str(of_epoch[name]) for name in HISTORY] for of_epoch in self.history)]
        text = ''.join(','.join(line) + '\n' for line in lines)
        write_whole(self.folder / 'history.csv', lambda name: Path(name).write_text(text))
        self.bar.write(
            f'{self.title}, epoch {epoch + 1}: test accuracy {row["test_accuracy"]:.2%}, '
            f'ratio {clusters.ratio:.3f}, {seconds:.1f} s'
        )
        self.start = time.perf_counter()

    def test_features(self, symbol: mx.sym.Symbol, arg_params: dict, aux_params: dict) -> np.ndarray:
        args = self.args
        extractor = FeatureExtractor(symbol, arg_params, aux_params, ctx=args.devices[0])
        return extractor.predict(self.test_images, args.batch_size, args.image_size)

    def results(self) -> dict:
        names = self.train_images.class_names
        accuracies = class_accuracies(self.confusion).tolist()
        return {
            'title': self.title,
            'scale': self.scale,
            **self.history[-1],
            'seconds': float(np.median([row['seconds'] for row in self.history])),
            # not a number where there are no test pictures; JSON has null for it
            'class_accuracies': {name: None if math.isnan(x) else x for name, x in zip(names, accuracies)},
            'confused_pairs': [(names[j], names[k], count) for j, k, count in confused_pairs(self.confusion)],
            'confusion': self.confusion.tolist(),
        }


def main() -> None:
    args = parse_args()
    train, test = read(args)
    runs = [Run(args, train, test, 'softmax only', 'softmax', 0)]
    if args.scale:
        runs.append(Run(args, train, test, f'center loss, λ = {args.scale:g}', 'center_loss', args.scale))
    if args.batch_size > len(train.labels):
        raise ValueError(
            f'--batch-size {args.batch_size}: more than the {len(train.labels)} pictures to train with'
        )
    counts = f'{len(train.labels)} pictures to train with, {len(test.labels)} to test with'
    print(f'{len(train.class_names)} classes: {counts}', flush=True)
    args.output.mkdir(parents=True, exist_ok=True)
    results, picture = args.output / 'results.json', args.output / 'confusion.png'
    for stale in results, picture:
        stale.unlink(missing_ok=True)
    for run in runs:
        run.train()
    content = {
        'options': {name: value for name, value in vars(args).items() if name != 'devices'},
        'class_names': train.class_names,
        'train_pictures': len(train.labels),
        'test_pictures': len(test.labels),
        'test_files': test.files,
        'runs': {run.folder.name: run.results() for run in runs},
    }
    write_whole(results, lambda name: Path(name).write_text(json.dumps(content, default=str)))
    save_figure(class_accuracy_figure({run.title: run.confusion for run in runs}, train.class_names), picture)
    print(table(runs))
    print(f'Look at {picture}')


if __name__ == '__main__':
    run_script(main)

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
from pathlib import Path

# MXNet uses half of the processors unless this is set before it is imported.
os.environ.setdefault('OMP_NUM_THREADS', str(os.cpu_count()))

from centerloss_mx.cli import Help, held_out, number, random_seed, readable, run, whole_number
from centerloss_mx.evaluation import class_accuracies, confused_pairs
from centerloss_mx.io import Images, list_images
from centerloss_mx.model import write_whole
from centerloss_mx.model_zoo import INITIALIZER, get_model, load_params
from centerloss_mx.symbol import supervised
from centerloss_mx.training import IGNORE_LABEL, Training, contexts, only_training
from centerloss_mx.visualization import class_accuracy_figure, save_figure

import numpy as np
from common import table
from sklearn.metrics import confusion_matrix


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Train on your own classes of pictures without and with center loss, and compare.',
        formatter_class=Help,
    )
    add = parser.add_argument
    some = whole_number(1)
    add('train', type=Path, help='folder of class folders, or .rec file with its .idx beside it')
    add('--test', type=Path, help='the same for testing; without it, a share of the pictures is held out')
    add(
        '--test-share',
        type=number(0, 1, above=True),
        default=0.2,
        help='share of the pictures to hold out, spread over the classes, between 0 and 1',
    )
    add('--network', default='resnet18_v2', help="a name in MXNet's gluon.model_zoo.vision")
    add('--params', type=Path, help='.params file of that network to start from (Block.save_parameters)')
    add('--image-size', type=some, default=64, help='height and width to which pictures are resized')
    add('--skip-bad', action='store_true', help='leave out pictures that cannot be decoded, and name them')
    add('--rand-mirror', action='store_true', help='mirror training pictures at random')
    add('--embedding-dim', type=some, default=128, help='length of a feature')
    add('--scale', type=float, default=0.001, help="the paper's lambda; 0 trains softmax only")
    add('--alpha', type=float, default=0.5, help='step of the centers, 0 to 1')
    add('--lr', type=number(0, above=True), default=0.001, help='learning rate of Adagrad')
    add('--batch-size', type=some, default=32, help='samples a batch, over all devices')
    add('--num-epochs', type=some, default=20, help='epochs of each run')
    add('--seed', type=random_seed, default=1, help='of the held out share, weights and order of the samples')
    add('--ctx', default='cpu', help='devices: cpu, gpu:0, cpu:0,cpu:1, ...')
    add(
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
    """Raise ValueError for options that do not go together."""
    num_devices = len(contexts(args.ctx))
    if args.batch_size < num_devices:
        raise ValueError(f'--batch-size {args.batch_size}: expected {num_devices} or more')
    for images in filter(None, (args.train, args.test)):
        if args.output.resolve() in (images.resolve(), *images.resolve().parents):
            raise ValueError(
                f'--output {args.output}: holds the pictures of {images}; expected a folder of its own'
            )
        if images.resolve() in args.output.resolve().parents:
            raise ValueError(f'--output {args.output}: lies in {images}; expected a folder of its own')


def read(args: argparse.Namespace) -> tuple[Images, Images]:
    """The pictures to train with, and those to test with."""
    train = readable(list_images(args.train), args.skip_bad)
    if args.test is not None:
        return train, readable(list_images(args.test, train.class_names), args.skip_bad)
    return held_out(args.train, train, args.test_share, args.seed)


class Run:
    """One training: softmax only (`scale` 0) or joint supervision, in a folder of its own."""

    def __init__(
        self, args: argparse.Namespace, train: Images, test: Images, title: str, folder: str, scale: float
    ) -> None:
        self.folder, self.scale, self.network = args.output / folder, scale, args.network
        shape = (3, args.image_size, args.image_size)
        loss, options = 'softmax', {}
        if scale:
            loss, options = 'center_loss', {'alpha': args.alpha, 'batchsize': args.batch_size}
            options.update(scale=scale, use_ignore=True, ignore_label=IGNORE_LABEL)
        params, thumbnail = {}, None
        if args.params is not None:
            params, thumbnail = load_params(args.network, args.params), False
        embedding = get_model(args.network, args.embedding_dim, shape, thumbnail=thumbnail)
        self.training = Training(
            supervised(embedding, len(train.class_names), loss, args.embedding_dim, **options),
            train,
            test,
            title,
            args.batch_size,
            args.num_epochs,
            optimizer='adagrad',
            optimizer_params={'learning_rate': args.lr},
            seed=args.seed,
            context=contexts(args.ctx),
            image_size=args.image_size,
            rand_mirror=args.rand_mirror,
            initializer=INITIALIZER,
            arg_params=params,
            aux_params=params,
        )

    def train(self) -> None:
        """Fit the network, and leave its checkpoint behind."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for pattern in 'history.csv', f'{self.network}-*':
            for stale in self.folder.glob(pattern):
                stale.unlink()
        training = self.training
        training.fit(self.folder / self.network, self.folder / 'history.csv')
        _, predicted = training.predict(training.test)
        classes = range(len(training.test.class_names))
        self.confusion = confusion_matrix(training.test.labels, predicted, labels=classes)

    def results(self) -> dict:
        names, history = self.training.test.class_names, self.training.history
        accuracies = class_accuracies(self.confusion).tolist()
        return {
            'title': self.training.title,
            'scale': self.scale,
            **history[-1],
            'seconds': float(np.median([row['seconds'] for row in history])),
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
    with only_training(args.output / 'comparison'):
        compare(args, runs)


def compare(args: argparse.Namespace, runs: list[Run]) -> None:
    """Train all, and write results and picture."""
    train, test = runs[0].training.train, runs[0].training.test
    results, picture = args.output / 'results.json', args.output / 'confusion.png'
    for stale in results, picture:
        stale.unlink(missing_ok=True)
    for each in runs:
        each.train()
    content = {
        'options': vars(args),
        'class_names': train.class_names,
        'train_pictures': len(train.labels),
        'test_pictures': len(test.labels),
        'test_files': test.names,
        'runs': {each.folder.name: each.results() for each in runs},
    }
    write_whole(results, lambda name: Path(name).write_text(json.dumps(content, default=str)))
    save_figure(
        class_accuracy_figure({each.training.title: each.confusion for each in runs}, train.class_names),
        picture,
    )
    print(table([each.training for each in runs]))
    print(f'Look at {picture}')


if __name__ == '__main__':
    run(main)

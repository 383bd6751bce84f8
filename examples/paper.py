"""Test what Wen et al., ECCV 2016 say of center loss, on digits: λ, center loss alone, wrong labels and α.

    python examples/paper.py                        # 12,000 digits that come with the package
    python examples/paper.py --data-dir mnist       # all of MNIST, from its idx files

LeNet learns features of two dimensions, with the same batches and the same seeds each time. Prints two
tables, and writes them to `runs/paper` with a picture of the features. `docs/paper.md` says what follows.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import NamedTuple

# MXNet uses half of the processors unless this is set before it is imported.
os.environ.setdefault('OMP_NUM_THREADS', str(os.cpu_count()))

from centerloss_mx import cli
from centerloss_mx.dataset import as_arrays
from centerloss_mx.evaluation import class_means, cluster_ratio
from centerloss_mx.model import write_whole
from centerloss_mx.model_zoo import lenet
from centerloss_mx.symbol import supervised
from centerloss_mx.training import Hook, Training
from centerloss_mx.visualization import Panel, embedding_figure, save_figure

import mxnet as mx
import numpy as np
from common import (
    NUM_CLASS,
    Digits,
    add_training_arguments,
    load_digits,
    measure,
    spread,
    train,
    write_results,
)

DIM = 2  # an embedding that can be drawn as it is
LABEL = mx.sym.Variable('softmax_label')  # one for both losses


class Kind(NamedTuple):
    """A way to train: losses and their weights, and the share of the training labels that are wrong."""

    scale: float  # the paper's λ, 0: softmax only
    alpha: float = 0.5
    joint: bool = True  # False: the features learn from center loss alone
    wrong: float = 0.0

    @property
    def title(self) -> str:
        if not self.scale:
            return 'softmax only'
        return f'λ = {self.scale:g}, α = {self.alpha:g}' if self.joint else 'center loss alone'

    def build(self, embedding: mx.sym.Symbol, batch_size: int) -> mx.sym.Symbol:
        """The network's end on an embedding."""
        if not self.scale:
            return supervised(embedding, NUM_CLASS, 'softmax', DIM, LABEL)
        options = {'scale': self.scale, 'alpha': self.alpha, 'batchsize': batch_size}
        net = supervised(embedding, NUM_CLASS, 'center_loss', DIM, LABEL, LABEL, **options)
        if self.joint:
            return net
        # A classifier still learns from the features, to measure them, but they learn nothing from it.
        classifier = supervised(mx.sym.BlockGrad(embedding), NUM_CLASS, 'softmax', DIM, LABEL)
        return mx.sym.Group([classifier, net[1]])


OVER_SCALE = [Kind(scale) for scale in (0, 0.001, 0.01, 0.1, 1)] + [Kind(0.1, joint=False)]
OVER_ALPHA = [
    Kind(scale, alpha, wrong=wrong)
    for scale, alpha in ((0, 0.5), (0.1, 0.01), (0.1, 0.5), (0.1, 1))
    for wrong in (0, 0.05)
]


class Result(NamedTuple):
    """The result of one training; all but `shift` is of the test digits."""

    kind: str
    wrong: float
    seed: int
    accuracy: float
    knn_accuracy: float
    own: float
    between: float
    ratio: float
    length: float  # of a feature, mean
    shift: float  # of the centers from the means of the rightly labelled classes, / between


# Header of a column: the field of Result, its unit's factor, decimals.
COLUMNS = {
    'accuracy, %': ('accuracy', 100, 2),
    '1-NN accuracy, %': ('knn_accuracy', 100, 2),
    'own': ('own', 1, 3),
    'between': ('between', 1, 3),
    'ratio': ('ratio', 1, 3),
    'length': ('length', 1, 3),
    'shift of the centers': ('shift', 1, 3),
}


class CenterPath(Hook):
    """The centers after each batch of the last epoch."""

    def __init__(self) -> None:
        self.centers: list[np.ndarray] = []

    def batch_end(self, training: Training, param: mx.model.BatchEndParam) -> None:
        if param.epoch == training.num_epoch - 1 and training.centers is not None:
            self.centers.append(training.centers)

    def shift(self, features: np.ndarray, labels: np.ndarray) -> float:
        """Their mean distance from the class means of the trained network, / that between class means."""
        if not self.centers:
            return np.nan
        _, means = class_means(features, labels)
        distances = np.linalg.norm(np.array(self.centers) - means, axis=2)
        return float(distances.mean() / cluster_ratio(features, labels).between)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Test what the paper says of center loss on digits.',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add_training_arguments(parser, num_epochs=4, lr=0.02)
    parser.add_argument('--output', type=Path, default=Path('runs/paper'), help='folder of results')
    return parser.parse_args()


def mislabelled(labels: np.ndarray, share: float, seed: int) -> np.ndarray:
    """A copy of labels of which a share, drawn at random, is that of another class."""
    rng = np.random.RandomState(seed)
    wrong = rng.choice(len(labels), int(share * len(labels)), replace=False)
    labels = labels.copy()
    labels[wrong] = (labels[wrong] + rng.randint(1, NUM_CLASS, len(wrong))) % NUM_CLASS
    return labels


def run(kind: Kind, digits: Digits, args: argparse.Namespace, seed: int) -> tuple[Result, Panel | None]:
    """Train and measure once; no panel where the features are not finite or all the same."""
    samples = as_arrays(digits.train_images, mislabelled(digits.train_labels, kind.wrong, seed))
    path = CenterPath()
    net = kind.build(lenet(DIM), args.batch_size)
    training = train(net, samples, f'{kind.title}, seed {seed}', args, seed, hooks=[path])
    accuracy, knn_accuracy, clusters, features = measure(
        training, as_arrays(digits.test_images, digits.test_labels)
    )
    shift = path.shift(training.predict(samples)[0], digits.train_labels)
    length = float(np.linalg.norm(features, axis=1).mean())
    result = Result(kind.title, kind.wrong, seed, accuracy, knn_accuracy, *clusters, length, shift)
    print(
        f'{kind.title}, {kind.wrong:.0%} wrong labels, seed {seed}: accuracy {accuracy:.2%}, '
        f'1-NN {knn_accuracy:.2%}, ratio {clusters.ratio:.3f}, length {length:.3g}, shift {shift:.3f}',
        flush=True,
    )
    if np.isnan(clusters.ratio):
        return result, None
    title = f'{kind.title}\naccuracy {accuracy:.2%}, ratio {clusters.ratio:.3f}'
    return result, Panel(title, features, digits.test_labels, training.centers)


def table(kinds: list[Kind], results: dict[Kind, list[Result]], columns: list[str]) -> str:
    """Markdown: a row for each kind of training, mean ± standard deviation over its seeds."""
    lines = [f'| | {" | ".join(columns)} |', f'|{" --- |" * (1 + len(columns))}']
    for kind in kinds:
        cells = [cell(kind, results[kind], column) for column in columns]
        lines.append(f'| {kind.title} | {" | ".join(cells)} |')
    return '\n'.join(lines)


def cell(kind: Kind, results: list[Result], column: str) -> str:
    """What a column of a table says of one kind of training."""
    if column == 'wrong labels':
        return f'{kind.wrong:.0%}'
    name, factor, digits = COLUMNS[column]
    if name == 'shift' and not kind.scale:
        return ''  # no centers
    return spread([factor * getattr(result, name) for result in results], digits)


def main() -> None:
    args = parse_args()
    digits = load_digits(args.data_dir)
    args.output.mkdir(parents=True, exist_ok=True)
    results: dict[Kind, list[Result]] = {}
    panels = []
    for kind in dict.fromkeys(OVER_SCALE + OVER_ALPHA):
        ran = [run(kind, digits, args, seed) for seed in range(1, args.seeds + 1)]
        results[kind] = [result for result, _ in ran]
        panels += [ran[0][1]] if kind in OVER_SCALE and ran[0][1] is not None else []
    over_scale = table(
        OVER_SCALE, results, ['accuracy, %', '1-NN accuracy, %', 'own', 'between', 'ratio', 'length']
    )
    over_alpha = table(OVER_ALPHA, results, ['wrong labels', 'accuracy, %', 'ratio', 'shift of the centers'])
    text = f'{over_scale}\n\n{over_alpha}'
    write_whole(args.output / 'paper.md', lambda name: Path(name).write_text(text + '\n', encoding='utf-8'))
    write_results([result for ran in results.values() for result in ran], args.output / 'results.csv')
    # The features of center loss alone are far apart in the unit of their class means.
    save_figure(embedding_figure(panels, limit=1.6, columns=3), args.output / 'paper.png')
    print(text)
    print(f'Look at paper.png in {args.output}')


if __name__ == '__main__':
    cli.run(main)

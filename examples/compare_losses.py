"""Train LeNet on MNIST with every form of center loss, and compare features, accuracies and times.

    python examples/compare_losses.py                        # 12,000 digits that come with the package
    python examples/compare_losses.py --data-dir mnist       # all of MNIST, from its idx files

Every loss is trained from the same seeds with the same optimizer. Prints a table, and writes it to
`runs/compare_losses` with a picture of the features and one of how center loss depends on lambda and alpha.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from pathlib import Path
from typing import Any, NamedTuple

# MXNet uses half of the processors unless this is set before it is imported.
os.environ.setdefault('OMP_NUM_THREADS', str(os.cpu_count()))

from centerloss_mx import cli
from centerloss_mx.dataset import as_arrays
from centerloss_mx.model import write_whole
from centerloss_mx.model_zoo import lenet
from centerloss_mx.symbol import supervised
from centerloss_mx.visualization import Curve, CurvePanel, Panel, curve_figure, embedding_figure, save_figure

import mxnet as mx
import numpy as np
from common import (
    NUM_CLASS,
    Digits,
    add_training_arguments,
    deviation,
    load_digits,
    measure,
    spread,
    train,
    write_results,
)

DIM = 2  # an embedding that can be drawn as it is
SCALES = [0.0, 0.001, 0.01, 0.05, 0.1]
ALPHAS = [0.01, 0.1, 0.5, 1.0]
LABEL = mx.sym.Variable('softmax_label')  # one for all losses


class Loss(NamedTuple):
    """A way to train: what it is called, what its weights are, and which loss of `symbol` it is."""

    title: str
    settings: str
    name: str
    options: dict[str, Any]
    lr_share: float = 1.0  # factor of --lr

    def build(self, embedding: mx.sym.Symbol, batch_size: int) -> mx.sym.Symbol:
        """The network's end on an embedding."""
        options = {'batchsize': batch_size} if self.name == 'center_loss' else {}
        return supervised(embedding, NUM_CLASS, self.name, DIM, LABEL, LABEL, **self.options, **options)


# Running centers have the usual weights. For each other loss a handful was tried, and the best chosen by
# accuracy and ratio on 2,000 of the training digits, after training on the other 8,000 (seed 1).
LOSSES = [
    Loss('softmax', '', 'softmax', {}),
    Loss('paper', 'λ = 0.1, α = 0.5', 'center_loss', {'scale': 0.1}),
    Loss('moving average', 'λ = 0.1, α = 0.5', 'center_loss', {'scale': 0.1, 'update': 'moving_average'}),
    Loss('learned', 'λ = 0.1, lr_mult 100', 'learned_center_loss', {'scale': 0.1, 'lr_mult': 100}),
    Loss(
        'island',
        'λ = 0.1, λ₁ = 1, lr_mult 100',
        'island_loss',
        {'scale': 0.1, 'inter_scale': 1, 'lr_mult': 100},
    ),
    Loss('contrastive-center', 'λ = 10', 'contrastive_center_loss', {'scale': 10}),
    # At the common learning rate its features were seen to collapse on one or two of three seeds.
    Loss(
        'L-GM',
        'λ = 0.1, margin 0.3, lr × 0.6',
        'large_margin_gaussian_mixture',
        {'scale': 0.1, 'margin': 0.3},
        lr_share=0.6,
    ),
]


class Result(NamedTuple):
    """The result of one training; accuracies and ratio are of the test digits."""

    loss: str
    scale: str
    alpha: str
    seed: int
    accuracy: float
    knn_accuracy: float
    own: float
    between: float
    ratio: float
    seconds: float  # an epoch


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Train LeNet on MNIST with every form of center loss, and compare.',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add_training_arguments(parser, num_epochs=6, lr=0.05)
    parser.add_argument('--output', type=Path, default=Path('runs/compare_losses'), help='folder of results')
    return parser.parse_args()


def run(
    loss: Loss, digits: Digits, args: argparse.Namespace, seed: int, scale: str = '', alpha: str = ''
) -> tuple[Result, Panel | None]:
    """Train and measure once; no panel where the features have collapsed to one point or are not finite."""
    net = loss.build(lenet(DIM), args.batch_size)
    samples = as_arrays(digits.train_images, digits.train_labels)
    start = time.perf_counter()
    name = f'{loss.title} {loss.settings}'
    training = train(net, samples, f'{name}, seed {seed}', args, seed, loss.lr_share)
    seconds = (time.perf_counter() - start) / args.num_epochs
    test = as_arrays(digits.test_images, digits.test_labels)
    accuracy, knn_accuracy, clusters, features = measure(training, test)
    result = Result(loss.title, scale, alpha, seed, accuracy, knn_accuracy, *clusters, seconds)
    print(
        f'{name}, seed {seed}: accuracy {accuracy:.2%}, 1-NN {knn_accuracy:.2%}, '
        f'ratio {clusters.ratio:.3f}, {seconds:.1f} s/epoch',
        flush=True,
    )
    if math.isnan(clusters.ratio):
        print(f'    the features have collapsed, and count as they are; a lower --lr ({args.lr:g}) may help')
        return result, None
    title = f'{name}\naccuracy {accuracy:.2%}, ratio {clusters.ratio:.3f}'
    return result, Panel(title, features, test.labels, training.centers)


def table(results: list[Result]) -> str:
    """Markdown: mean ± standard deviation over the seeds, and on how many of them softmax was beaten."""
    seeds = max(result.seed for result in results)
    lines = [
        '| loss | weights | accuracy, % | 1-NN accuracy, % | ratio | s/epoch | '
        f'seeds of {seeds} that beat softmax |',
        '| --- | --- | --- | --- | --- | --- | --- |',
    ]
    softmax_results = [result for result in results if result.loss == LOSSES[0].title]
    for loss in LOSSES:
        mine = [result for result in results if result.loss == loss.title]
        cells = [
            spread([100 * result.accuracy for result in mine], 2),
            spread([100 * result.knn_accuracy for result in mine], 2),
            spread([result.ratio for result in mine], 3),
            f'{np.median([result.seconds for result in mine]):.1f}',
        ]
        pairs = list(zip(mine, softmax_results))
        wins = {
            'accuracy': sum(a.accuracy > b.accuracy for a, b in pairs),
            '1-NN': sum(a.knn_accuracy > b.knn_accuracy for a, b in pairs),
            'ratio': sum(a.ratio < b.ratio for a, b in pairs),
        }
        verdict = '' if loss is LOSSES[0] else ', '.join(f'{name} {count}' for name, count in wins.items())
        lines.append(f'| {loss.title} | {loss.settings} | {" | ".join(cells)} | {verdict} |')
    return '\n'.join(lines)


def sweep(digits: Digits, args: argparse.Namespace, results: list[Result]) -> list[CurvePanel]:
    """Center loss over lambda and over alpha; what the table already has is not trained again."""
    over_scale = [(scale, 0.5) for scale in SCALES]
    over_alpha = [(0.1, alpha) for alpha in ALPHAS]
    found = {
        (0.0, 0.5): [result for result in results if result.loss == 'softmax'],
        (0.1, 0.5): [result for result in results if result.loss == 'paper'],
    }
    for scale, alpha in over_scale + over_alpha:
        if (scale, alpha) in found:
            continue
        weights = {'scale': scale, 'alpha': alpha}
        loss = Loss('center loss', f'λ = {scale:g}, α = {alpha:g}', 'center_loss', weights)
        seeds = range(1, args.seeds + 1)
        found[scale, alpha] = [run(loss, digits, args, seed, f'{scale:g}', f'{alpha:g}')[0] for seed in seeds]
        results.extend(found[scale, alpha])
    panels = []
    for y_label, value in (
        ('1-NN accuracy, %', lambda result: 100 * result.knn_accuracy),
        ('ratio own / between', lambda result: result.ratio),
    ):
        for x_label, settings, ticks in (
            ('λ (α = 0.5; λ = 0 is softmax only)', over_scale, SCALES),
            ('α (λ = 0.1)', over_alpha, ALPHAS),
        ):
            values = [[value(result) for result in found[setting]] for setting in settings]
            means, deviations = np.mean(values, axis=1), [deviation(of_seeds) for of_seeds in values]
            curve = Curve('paper', range(len(settings)), means, deviations)
            panels.append(CurvePanel('', x_label, y_label, [curve], [f'{tick:g}' for tick in ticks]))
    return panels


def main() -> None:
    args = parse_args()
    digits = load_digits(args.data_dir)
    args.output.mkdir(parents=True, exist_ok=True)
    results, panels = [], []
    for loss in LOSSES:
        drawn = []
        for seed in range(1, args.seeds + 1):
            result, panel = run(loss, digits, args, seed)
            results.append(result)
            drawn.extend([] if panel is None else [panel])
        panels.extend(drawn[:1])
    text = table(results)
    write_whole(args.output / 'losses.md', lambda name: Path(name).write_text(text + '\n', encoding='utf-8'))
    save_figure(embedding_figure(panels, columns=4), args.output / 'losses.png')
    save_figure(curve_figure(sweep(digits, args, results), columns=2), args.output / 'sweeps.png')
    write_results(results, args.output / 'results.csv')
    print(text)
    print(f'Look at losses.png and sweeps.png in {args.output}')


if __name__ == '__main__':
    cli.run(main)

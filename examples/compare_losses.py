"""Train LeNet on MNIST with every form of center loss, and compare features, accuracies and times.

    python examples/compare_losses.py                        # 12,000 digits that come with the package
    python examples/compare_losses.py --data-dir mnist       # all of MNIST, from its idx files

Every loss is trained from the same seeds with the same optimizer. Prints a table, and writes it to
`runs/compare_losses` with a picture of the features and one of how center loss depends on lambda and alpha.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import time
from pathlib import Path
from typing import Callable, NamedTuple

# MXNet takes half of the processors unless it is told.
os.environ.setdefault('OMP_NUM_THREADS', str(os.cpu_count()))

from centerloss_mx import symbol
from centerloss_mx.callback import ProgressBar
from centerloss_mx.evaluation import ClusterRatio, cluster_ratio
from centerloss_mx.io import load_mnist, mnist_iter
from centerloss_mx.model import FeatureExtractor, write_whole
from centerloss_mx.module import Module
from centerloss_mx.visualization import Curve, CurvePanel, Panel, curve_figure, embedding_figure, save_figure

import mxnet as mx
import numpy as np
from sklearn.neighbors import KNeighborsClassifier
from train_mnist import NUM_CLASS, Digits, centers, lenet, run_script, sgd

DIM = 2  # an embedding that can be drawn as it is
SCALES = [0.0, 0.001, 0.01, 0.05, 0.1]
ALPHAS = [0.01, 0.1, 0.5, 1.0]
LABEL = mx.sym.Variable('softmax_label')  # one for all losses


class Loss(NamedTuple):
    """A way to train: what it is called, what its weights are, and the network's end on an embedding."""

    title: str
    settings: str
    build: Callable[[mx.sym.Symbol, int], mx.sym.Symbol]  # of embedding and batch size
    lr_share: float = 1.0  # of the learning rate of the others


def softmax_and(loss: Callable[..., mx.sym.Symbol], **options: float) -> Callable[..., mx.sym.Symbol]:
    """The class layer with softmax, and beside it a loss with learned centers."""

    def build(embedding: mx.sym.Symbol, batch_size: int) -> mx.sym.Symbol:
        return mx.sym.Group(
            [softmax(embedding, batch_size), loss(embedding, LABEL, NUM_CLASS, DIM, **options)]
        )

    return build


def softmax(embedding: mx.sym.Symbol, batch_size: int) -> mx.sym.Symbol:
    logits = mx.sym.FullyConnected(embedding, num_hidden=NUM_CLASS, name='fc2')
    return mx.sym.SoftmaxOutput(logits, LABEL, name='softmax')


def center_loss(scale: float, alpha: float = 0.5, update: str = 'paper') -> Callable[..., mx.sym.Symbol]:
    """Joint supervision with running centers."""

    def build(embedding: mx.sym.Symbol, batch_size: int) -> mx.sym.Symbol:
        return symbol.joint_supervision(
            embedding, NUM_CLASS, scale, alpha, LABEL, LABEL, batchsize=batch_size, update=update
        )

    return build


def gaussian_mixture(scale: float, margin: float) -> Callable[..., mx.sym.Symbol]:
    def build(embedding: mx.sym.Symbol, batch_size: int) -> mx.sym.Symbol:
        return symbol.large_margin_gaussian_mixture(embedding, LABEL, NUM_CLASS, DIM, scale, margin)

    return build


# Running centers have the usual weights. For each other loss a handful was tried, and the best taken by
# accuracy and ratio on 2,000 of the training digits, after training on the other 8,000 (seed 1).
LOSSES = [
    Loss('softmax', '', softmax),
    Loss('paper', 'λ = 0.1, α = 0.5', center_loss(0.1)),
    Loss('moving average', 'λ = 0.1, α = 0.5', center_loss(0.1, update='moving_average')),
    Loss('learned', 'λ = 0.1, lr_mult 100', softmax_and(symbol.learned_center_loss, scale=0.1, lr_mult=100)),
    Loss(
        'island',
        'λ = 0.1, λ₁ = 1, lr_mult 100',
        softmax_and(symbol.island_loss, scale=0.1, inter_scale=1, lr_mult=100),
    ),
    Loss('contrastive-center', 'λ = 10', softmax_and(symbol.contrastive_center_loss, scale=10)),
    # At the learning rate of the others its features were seen to collapse on one or two of three seeds.
    Loss('L-GM', 'λ = 0.1, margin 0.3, lr × 0.6', gaussian_mixture(0.1, 0.3), lr_share=0.6),
]


class Result(NamedTuple):
    """What one training came to; accuracies and ratio are of the test digits."""

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
    parser.add_argument('--data-dir', help="folder of MNIST's idx files; without it, the package's digits")
    parser.add_argument('--num-epochs', type=int, default=6, help='epochs of each training')
    parser.add_argument('--batch-size', type=int, default=50, help='samples a batch')
    parser.add_argument('--lr', type=float, default=0.05, help='learning rate after a warm-up of one epoch')
    parser.add_argument('--seeds', type=int, default=3, help='trainings of each loss, with seeds 1, 2, ...')
    parser.add_argument('--output', type=Path, default=Path('runs/compare_losses'), help='folder of results')
    args = parser.parse_args()
    for name in 'num_epochs', 'batch_size', 'seeds':
        if getattr(args, name) < 1:
            parser.error(f'--{name.replace("_", "-")} {getattr(args, name)}: expected 1 or more')
    if not 0 < args.lr < float('inf'):
        parser.error(f'--lr {args.lr}: expected a number > 0')
    return args


def train(loss: Loss, digits: Digits, args: argparse.Namespace, seed: int) -> tuple[Module, float]:
    """Fit one network; seconds an epoch beside it."""
    mx.random.seed(seed)
    np.random.seed(seed)  # NDArrayIter shuffles with it
    samples = mnist_iter(digits.train_images, digits.train_labels, args.batch_size, shuffle=True).data_iter
    batches = -(-len(digits.train_labels) // args.batch_size)
    module = Module(loss.build(lenet(DIM), args.batch_size))
    bar = ProgressBar(batches * args.num_epochs, f'{loss.title} {loss.settings}, seed {seed}')
    start = time.perf_counter()
    module.fit(
        samples,
        eval_metric='centerloss_accuracy',
        batch_end_callback=bar,
        initializer=mx.init.Xavier(),
        optimizer='sgd',
        optimizer_params=sgd(args.lr * loss.lr_share, batches, args.num_epochs),
        num_epoch=args.num_epochs,
    )
    seconds = (time.perf_counter() - start) / args.num_epochs
    bar.close()
    return module, seconds


def outputs(module: Module, output: str, images: np.ndarray, args: argparse.Namespace) -> np.ndarray:
    """An internal output of the trained network for images."""
    extractor = FeatureExtractor(module.symbol, *module.get_params(), output)
    return extractor.predict(mnist_iter(images, np.zeros(len(images)), args.batch_size).data_iter)


def evaluate(
    loss: Loss, module: Module, digits: Digits, args: argparse.Namespace
) -> tuple[float, float, Panel | None]:
    """Accuracy of the class layer, of the nearest neighbour, and the test features if they are finite."""
    train_features = outputs(module, 'embedding_output', digits.train_images, args)
    features = outputs(module, 'embedding_output', digits.test_images, args)
    # L-GM has no class layer; its probabilities need no label, softmax's do
    scores = 'fc2_output' if 'fc2_weight' in module.symbol.list_arguments() else 'softmax_output'
    predicted = outputs(module, scores, digits.test_images, args).argmax(axis=1)
    accuracy = float((predicted == digits.test_labels).mean())
    if not np.isfinite(train_features).all() or not np.isfinite(features).all():
        return accuracy, math.nan, None
    nearest = KNeighborsClassifier(n_neighbors=1).fit(train_features, digits.train_labels).predict(features)
    knn_accuracy = float((nearest == digits.test_labels).mean())
    return accuracy, knn_accuracy, Panel(loss.title, features, digits.test_labels, centers(module))


def run(
    loss: Loss, digits: Digits, args: argparse.Namespace, seed: int, scale: str = '', alpha: str = ''
) -> tuple[Result, Panel | None]:
    """Train and measure once; no panel where the features have collapsed to one point or are not finite."""
    module, seconds = train(loss, digits, args, seed)
    accuracy, knn_accuracy, panel = evaluate(loss, module, digits, args)
    clusters = ClusterRatio(math.nan, math.nan, math.nan)
    if panel is not None and np.ptp(panel.features, axis=0).any():
        clusters = cluster_ratio(panel.features, panel.labels)
    result = Result(loss.title, scale, alpha, seed, accuracy, knn_accuracy, *clusters, seconds)
    print(
        f'{loss.title} {loss.settings}, seed {seed}: accuracy {accuracy:.2%}, 1-NN {knn_accuracy:.2%}, '
        f'ratio {clusters.ratio:.3f}, {seconds:.1f} s/epoch',
        flush=True,
    )
    if math.isnan(clusters.ratio):
        print(f'    the features have collapsed, and count as they are; a lower --lr ({args.lr:g}) may help')
        return result, None
    title = f'{loss.title} {loss.settings}\naccuracy {accuracy:.2%}, ratio {clusters.ratio:.3f}'
    return result, panel._replace(title=title)


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


def spread(values: list[float], digits: int) -> str:
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return 'collapsed'
    lost = len(values) - len(finite)
    return f'{np.mean(finite):.{digits}f} ± {deviation(finite):.{digits}f}' + f' ({lost} collapsed)' * (
        lost > 0
    )


def deviation(values: list[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


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
        loss = Loss('center loss', f'λ = {scale:g}, α = {alpha:g}', center_loss(scale, alpha))
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


def write_results(results: list[Result], path: Path) -> None:
    def write(name: str) -> None:
        with open(name, 'w', newline='') as file:
            writer = csv.writer(file)
            writer.writerow(Result._fields)
            writer.writerows(results)

    write_whole(path, write)


def main() -> None:
    args = parse_args()
    digits = Digits(*load_mnist(args.data_dir))
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
    run_script(main)

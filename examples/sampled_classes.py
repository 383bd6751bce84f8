"""Does the sample cost accuracy? A class layer over a sample of the classes beside the dense one.

    python examples/sampled_classes.py        # 2,100 characters are trained, 700 others are measured

The characters and their fonts are those of `glyphs.py`. Each seed holds other classes out for the test; all
class layers of a seed have the same classes, start and order of the samples. The options were chosen with the
dense layer, on classes that are in no test: `--part validation --rates --output runs/search`.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import defaultdict
from functools import partial
from itertools import product
from pathlib import Path
from typing import NamedTuple, Sequence

# Each training has a process of its own, on one processor.
os.environ.setdefault('OMP_NUM_THREADS', '1')

from centerloss_mx import cli
from centerloss_mx.dataset import Arrays, load_samples
from centerloss_mx.evaluation import retrieval
from centerloss_mx.model import FeatureExtractor, write_whole
from centerloss_mx.model_zoo import lenet
from centerloss_mx.module import Module
from centerloss_mx.symbol import joint_supervision, supervised
from centerloss_mx.training import sgd

import mxnet as mx
import numpy as np
from common import deviation, spread
from glyph_images import draw_characters, find_fonts, save_samples
from mxnet.symbol import Symbol
from study import divide
from study_methods import TEST, VALIDATION
from trial_results import Results

DENSE = 0.0  # the rate of a class layer without a sample


class Trial(NamedTuple):
    """One training: the share of the classes in a step, the weight of center loss, and the seed."""

    rate: float
    scale: float
    seed: int

    @property
    def key(self) -> tuple[float, float, int]:
        return self.rate, self.scale, self.seed


class Result(NamedTuple):
    """What a trial came to, on classes that were not trained."""

    rate: float
    scale: float
    seed: int
    map_at_r: float
    precision_at_1: float
    seconds: float  # of the processor, an epoch

    @property
    def key(self) -> tuple[float, float, int]:
        return self.rate, self.scale, self.seed

    def __str__(self) -> str:
        return (
            f'{title(self.rate)}, λ = {self.scale:g}, seed {self.seed}: MAP@R {self.map_at_r:.2%}, '
            f'precision@1 {self.precision_at_1:.2%}, {self.seconds:.1f} CPU s/epoch'
        )


def title(rate: float) -> str:
    return 'dense' if rate == DENSE else f'sampled, {rate:.0%}'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], formatter_class=cli.Help)
    add, some, positive = parser.add_argument, cli.whole_number(1), cli.number(0, above=True)
    add('--num-classes', type=some, default=2800, help='how many characters; a quarter is not trained')
    add('--num-fonts', type=some, default=20, help='in how many fonts each is drawn')
    add('--rates', nargs='*', type=positive, default=[0.1, 0.25, 0.5], help='shares of the sampled classes')
    add('--scales', nargs='+', type=cli.number(0), default=[0.0], help='weights of center loss; 0: none')
    add('--num-seeds', type=some, default=3, help='trainings of each layer, with seeds 1, 2, ...')
    add('--part', choices=(TEST, VALIDATION), default=TEST, help='the classes that are measured')
    add('--embedding-dim', type=some, default=64, help='length of a feature')
    add('--num-epochs', type=some, default=10, help='epochs of each training')
    add('--batch-size', type=some, default=128, help='samples a batch')
    add('--lr', type=positive, default=0.1, help='learning rate after a warm-up of an epoch')
    add('--s', type=positive, default=8.0, help='scale of the logits')
    add('--margin', type=cli.number(0), default=0.4, help='margin of the angle')
    add('--jobs', type=some, default=os.cpu_count(), help='trainings at a time')
    add('--output', type=Path, default=Path('runs/sampled_classes'), help='folder of results; goes on there')
    return parser.parse_args()


def network(num_class: int, args: argparse.Namespace, trial: Trial) -> Symbol:
    """LeNet under a softmax with a margin, whose class layer has no bias, and center loss if wanted."""
    classifier = {'kind': 'margin', 's': args.s, 'margins': (1.0, args.margin, 0.0)}
    if trial.rate != DENSE:
        classifier.update(sample_rate=trial.rate, seed=trial.seed)
    embedding, dim = lenet(args.embedding_dim), args.embedding_dim
    if not trial.scale:
        return supervised(embedding, num_class, 'softmax', dim, classifier=classifier)
    label = mx.sym.Variable('softmax_label')
    return joint_supervision(
        embedding, num_class, trial.scale, None, label, label, 'table', dim, classifier=classifier
    )


def fit(samples: Arrays, args: argparse.Namespace, trial: Trial) -> Module:
    """Train; the seed alone decides the start of the network and the order of the samples."""
    np.random.seed(trial.seed)
    mx.random.seed(trial.seed)
    num_class = len(samples.class_names)
    classes = np.random.normal(0, 0.01, (num_class, args.embedding_dim))
    batches = mx.io.NDArrayIter(
        samples.images, samples.labels, args.batch_size, shuffle=True, last_batch_handle='discard'
    )
    module = Module(network(num_class, args, trial))
    module.fit(
        batches,
        eval_metric=mx.metric.CompositeEvalMetric(),  # none: accuracy over a sample is no accuracy
        optimizer='centers' if trial.scale else 'sgd',
        optimizer_params=sgd(args.lr, len(samples.labels) // args.batch_size, args.num_epochs),
        initializer=mx.init.Xavier(),
        arg_params={'fc2_weight': mx.nd.array(classes)},
        allow_missing=True,
        num_epoch=args.num_epochs,
    )
    return module


def run(path: Path, args: argparse.Namespace, trial: Trial) -> Result:
    """Train and measure."""
    trained, unseen = divide(load_samples(path), args.part, trial.seed)
    start = time.process_time()
    module = fit(trained, args, trial)
    seconds = (time.process_time() - start) / args.num_epochs
    features = FeatureExtractor(module.symbol, *module.get_params()).predict(unseen.images)
    found = retrieval(features, unseen.labels)
    return Result(*trial, found.map_at_r, found.precision_at_1, seconds)


def table(results: Sequence[Result]) -> str:
    """Markdown: mean ± deviation over seeds; the difference to dense by seed, with its standard error."""
    titles = 'class layer', 'λ', 'MAP@R, %', 'above dense', 'precision@1, %', 'CPU seconds an epoch'
    lines = [f'| {" | ".join(titles)} |', '| --- ' * len(titles) + '|']
    dense = {(result.scale, result.seed): result.map_at_r for result in results if result.rate == DENSE}
    groups: dict[tuple, list[Result]] = defaultdict(list)
    for result in results:
        groups[result.rate, result.scale].append(result)
    for (rate, scale), group in groups.items():
        above = [100 * (result.map_at_r - dense[scale, result.seed]) for result in group]
        error = deviation(above) / len(above) ** 0.5
        cells = [
            title(rate),
            f'{scale:g}',
            spread([100 * result.map_at_r for result in group], 2),
            '' if rate == DENSE else f'{np.mean(above):+.2f} ± {error:.2f}',
            spread([100 * result.precision_at_1 for result in group], 2),
            f'{np.median([result.seconds for result in group]):.1f}',
        ]
        lines.append(f'| {" | ".join(cells)} |')
    return '\n'.join(lines)


def main() -> None:
    args = parse_args()
    path = args.output / 'glyphs.npz'
    if not path.exists():
        save_samples(path, *draw_characters(find_fonts(), args.num_classes, args.num_fonts, image_size=28))
    settings = vars(args).copy()
    for free in ('output', 'jobs', 'rates', 'scales', 'num_seeds'):
        settings.pop(free)
    results = Results(args.output, settings, partial(run, path, args), Result, args.jobs)
    seeds = range(1, args.num_seeds + 1)
    trials = [Trial(rate, *of) for of in product(args.scales, seeds) for rate in (DENSE, *args.rates)]
    text = table(results.of(trials, 'training'))
    write_whole(args.output / 'table.md', lambda name: Path(name).write_text(text + '\n', encoding='utf-8'))
    print(text)


if __name__ == '__main__':
    cli.run(main)

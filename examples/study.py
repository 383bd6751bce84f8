"""Does center loss help? Every loss with several weights, measured on classes that were not trained.

    python examples/study.py faces --image-size 48      # a folder of class folders, .rec or .npz file
    python examples/glyphs.py                           # the same study on characters that it draws

A quarter of the classes, the validation classes, chooses the weights of each loss by MAP@R. Then, for each
seed, another quarter is held out for the test, and each loss is trained with its weights on all other
classes. No test class chooses a weight. All trainings have as many batches of the same size.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Mapping, Sequence

# Each training has a process of its own, on one processor.
os.environ.setdefault('OMP_NUM_THREADS', '1')

from centerloss_mx import cli
from centerloss_mx.dataset import Arrays, Samples, hold_out, load_samples, split_by_rows
from centerloss_mx.evaluation import cluster_ratio
from centerloss_mx.model import Features, save_features
from centerloss_mx.model_zoo import NETWORKS, get_model
from centerloss_mx.symbol import supervised
from centerloss_mx.training import Training, Validation, num_batches, sgd

import mxnet as mx
import numpy as np
from study_methods import METHODS, PADDING, TEST, VALIDATION, Result, Trial, features_path
from study_report import report
from trial_results import Results


def parser(description: str, output: str, num_epochs: int) -> argparse.ArgumentParser:
    """The options of a study."""
    parser = argparse.ArgumentParser(description=description, formatter_class=cli.Help)
    add, some = parser.add_argument, cli.whole_number(1)
    add('--network', choices=sorted(NETWORKS), default='lenet', help='the network up to the embedding')
    add('--embedding-dim', type=some, default=64, help='length of a feature')
    add('--num-epochs', type=some, default=num_epochs, help='epochs of each training')
    add('--batch-size', type=some, default=64, help='samples a batch')
    add('--lr', type=cli.number(0, above=True), default=0.05, help='learning rate after a warm-up')
    add(
        '--methods', nargs='+', choices=METHODS, default=list(METHODS), metavar='METHOD', help='what to train'
    )
    add('--num-seeds', type=some, default=3, help='seeds, each with test classes of its own')
    add('--search-seeds', type=some, default=1, help='trainings of each weight on the validation classes')
    add('--jobs', type=some, default=os.cpu_count(), help='trainings at a time')
    add('--output', type=Path, default=Path(output), help='folder of results; a study goes on where it was')
    return parser


def study(data: str, args: argparse.Namespace, image_size: int | None = None) -> None:
    """Search, train and report; what `results.csv` of the same options has is not trained again."""
    settings = {**vars(args), 'data': os.path.abspath(data), 'image_size': image_size}
    for free in ('output', 'jobs', 'methods', 'num_seeds', 'search_seeds'):
        settings.pop(free)
    results = Results(args.output, settings, partial(run, data, args, image_size), Result, args.jobs)
    chosen = search(results, args)
    trials = []
    for name in args.methods:
        if METHODS[name].shows_all:
            trials += trials_of(name, chosen, TEST, args.num_seeds)
        else:
            trials += [Trial(name, chosen[name], TEST, seed) for seed in range(1, args.num_seeds + 1)]
    print(report(results.of(trials, 'table'), args.output))


def search(results: Results, args: argparse.Namespace) -> dict[str, dict]:
    """The weights with the highest MAP@R on the validation classes, of each method that needs a choice."""
    wanted = {name for name in args.methods if not METHODS[name].shows_all}
    wanted |= {METHODS[name].base for name in args.methods}
    chosen: dict[str, dict] = {}
    for is_based in (False, True):
        names = [name for name in METHODS if name in wanted and (METHODS[name].base is not None) == is_based]
        trials = [trial for name in names for trial in trials_of(name, chosen, VALIDATION, args.search_seeds)]
        chosen.update(best_options(trials, results.of(trials, 'search')))
    return chosen


def trials_of(name: str, chosen: Mapping[str, dict], part: str, num_seeds: int) -> list[Trial]:
    """All weights of a method, added to those chosen for its base."""
    method, seeds = METHODS[name], range(1, num_seeds + 1)
    base = chosen.get(method.base or '', {})
    return [Trial(name, {**base, **options}, part, seed) for seed in seeds for options in method.trials]


def best_options(trials: Sequence[Trial], results: Sequence[Result]) -> dict[str, dict]:
    """The options of each method with the highest mean MAP@R; one that diverged counts as 0."""
    scores: dict[tuple[str, str], list[float]] = defaultdict(list)
    options = {}
    for trial, result in zip(trials, results):
        scores[trial.method, trial.weights].append(float(np.nan_to_num(result.map_at_r)))
        options[trial.method, trial.weights] = trial.options
    ascending = sorted(scores, key=lambda key: np.mean(scores[key]))
    return {key[0]: options[key] for key in ascending}  # the last one of a method stays


def divide(samples: Samples, part: str, seed: int) -> tuple[Samples, Samples]:
    """Samples to train with, and those of the classes held out: a quarter, for validation or for the test."""
    classes = np.random.RandomState(0).permutation(len(samples.class_names))
    quarter = len(classes) // 4
    validation, others = classes[:quarter], classes[quarter:]
    held_out = validation if part == VALIDATION else np.random.RandomState(seed).permutation(others)[:quarter]
    return split_by_rows(samples, np.isin(samples.labels, held_out))


def run(data: str, args: argparse.Namespace, image_size: int | None, trial: Trial) -> Result:
    """Train and measure; all is NaN where the training diverges."""
    samples, start = load_samples(data, min_classes=12, image_size=image_size), time.perf_counter()
    others, unseen = divide(samples, trial.part, trial.seed)
    train, test = hold_out(others, 0.2, trial.seed)
    training = make(args, image_size, trial, train)
    try:
        training.fit()
        _, predicted = training.predict(test)
        features, _ = training.predict(unseen)
        Validation(unseen, 'unseen').epoch_end(training, args.num_epochs)
        ratio = cluster_ratio(features, unseen.labels).ratio
    except (ValueError, mx.MXNetError) as error:
        # The operator's own sentence is on stderr; MXNet says only which callback has failed.
        if not any(words in str(error) for words in ('diverged', 'not finite', 'collapsed', 'kCustomOp')):
            raise
        return Result.diverged(trial, time.perf_counter() - start)
    if trial.part == TEST and trial.seed == 1:
        path = features_path(args.output, trial.method, trial.weights)
        save_features(path, Features(features, unseen.labels, unseen.class_names))
    last = training.history[-1]
    return Result(
        trial.method,
        trial.weights,
        trial.part,
        trial.seed,
        float((predicted == test.labels).mean()),
        last['unseen_precision_at_1'],
        last['unseen_map_at_r'],
        last['unseen_tar_at_far_0.001'],
        ratio,
        time.perf_counter() - start,
    )


def make(args: argparse.Namespace, image_size: int | None, trial: Trial, train: Samples) -> Training:
    """The training of a trial."""
    method, num_class = METHODS[trial.method], len(train.class_names)
    shape = train.images.shape[1:] if isinstance(train, Arrays) else (3, image_size, image_size)
    embedding = get_model(args.network, args.embedding_dim, shape)
    options = {} if method.loss == 'softmax' else {**PADDING}
    if method.loss == 'center_loss':
        options['batchsize'] = args.batch_size
    net = supervised(embedding, num_class, method.loss, args.embedding_dim, **options, **trial.options)
    return Training(
        net,
        train,
        title=f'{trial.method} {trial.weights}, seed {trial.seed}',
        batch_size=args.batch_size,
        num_epoch=args.num_epochs,
        optimizer_params=sgd(args.lr, num_batches(train, args.batch_size), args.num_epochs),
        seed=trial.seed,
        samples_per_class=method.samples_per_class,
    )


def main() -> None:
    options = parser(__doc__.splitlines()[0], 'runs/study', num_epochs=20)
    options.add_argument('data', help='folder of class folders, .rec or .npz file with 12 classes or more')
    options.add_argument(
        '--image-size', type=cli.whole_number(1), help='height and width of pictures in files'
    )
    args = options.parse_args()
    data, image_size = args.data, args.image_size
    del args.data, args.image_size
    study(data, args, image_size)


if __name__ == '__main__':
    cli.run(main)

"""Train on some people, verify others: softmax only against joint supervision, over several splits.

    python examples/faces.py faces                      # faces/<person>/<picture>.jpg
    python examples/faces.py faces.npz --num-train 20   # arrays `images` (N, H, W[, 3]) and `labels` (N,)
    python examples/faces.py lfw                        # scikit-learn's loaders: lfw or olivetti

For each split, people are dealt at random into those to train on and those to verify: nobody is in both. Both
losses start from the same weights and see the same pictures in the same order. Verification is LFW's
protocol, on the cosine of features; its pairs are those of the split, the same for both losses.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import NamedTuple

# MXNet uses half of the processors unless this is set before it is imported.
os.environ.setdefault('OMP_NUM_THREADS', str(os.cpu_count()))

from centerloss_mx import cli
from centerloss_mx.dataset import Arrays, load_samples
from centerloss_mx.evaluation import (
    Pairs,
    Retrieval,
    Verification,
    check_unseen,
    retrieval,
    verification_pairs,
    verify,
)
from centerloss_mx.io import image_iter
from centerloss_mx.model import FeatureExtractor, write_whole
from centerloss_mx.symbol import supervised
from centerloss_mx.training import IGNORE_LABEL, Training
from centerloss_mx.visualization import pairs_figure, roc_figure, save_figure

import mxnet as mx
import numpy as np

TITLES = {'softmax': 'softmax only', 'center_loss': 'center loss'}


class Outcome(NamedTuple):
    """The results of one network on the people of one split."""

    pairs: Pairs
    verification: Verification
    retrieval: Retrieval


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Train on some people, and verify others, without and with center loss.',
        formatter_class=cli.Help,
    )
    parser.add_argument(
        'faces', help='folder of person folders, .rec or .npz file, or lfw or olivetti, which are downloaded'
    )
    add = parser.add_argument
    some = cli.whole_number(1)
    add('--num-train', type=some, help='people to train on (default: half)')
    add('--num-splits', type=some, default=5, help='how many splits of the people')
    add('--image-size', type=some, default=64, help='height and width of pictures in files')
    add('--skip-bad', action='store_true', help='leave out pictures that cannot be decoded, and name them')
    add('--embedding-dim', type=some, default=64, help='length of a feature')
    add('--scale', type=float, default=0.01, help="the paper's lambda")
    add('--alpha', type=float, default=0.5, help='step of the centers, 0 to 1')
    add('--lr', type=float, default=0.001, help='learning rate of Adam')
    add('--batch-size', type=some, default=32, help='samples a batch')
    add('--num-epochs', type=some, default=30, help='epochs of each training')
    add('--num-folds', type=int, default=10, help='folds of the pairs to verify')
    add('--num-pairs', type=some, default=300, help='genuine pairs a fold at most')
    add('--flip', action='store_true', help='append the feature of the mirrored picture')
    add('--num-components', type=int, help='project features on principal components')
    add('--output', type=Path, default=Path('runs/faces'), help='folder of the results')
    return parser.parse_args()


def load_faces(source: str, image_size: int, skip_bad: bool = False) -> Arrays:
    """Read all pictures of a source into memory."""
    faces = cli.readable(load_samples(source, min_classes=4), skip_bad)
    if isinstance(faces, Arrays):
        return faces
    batches = image_iter(faces, min(64, len(faces.labels)), image_size).data_iter
    pictures = [batch.data[0].asnumpy()[: len(batch.data[0]) - batch.pad] for batch in batches]
    return Arrays(np.concatenate(pictures), faces.labels, faces.class_names)


def network(embedding_dim: int) -> mx.sym.Symbol:
    """Four convolutions with PReLU, and the embedding."""
    net = mx.sym.BatchNorm(mx.sym.Variable('data'), fix_gamma=True, name='normalized')
    for i, num_filter in enumerate((32, 64, 64, 128), 1):
        stride = (2, 2) if i == 1 else (1, 1)
        net = mx.sym.Convolution(
            net, num_filter=num_filter, kernel=(3, 3), pad=(1, 1), stride=stride, name=f'conv{i}'
        )
        net = mx.sym.LeakyReLU(net, act_type='prelu', name=f'prelu{i}')
        net = mx.sym.Pooling(net, kernel=(2, 2), stride=(2, 2), pool_type='max')
    return mx.sym.FullyConnected(mx.sym.Flatten(net), num_hidden=embedding_dim, name='embedding')


def train(loss: str, samples: Arrays, split: int, args: argparse.Namespace) -> FeatureExtractor:
    """Train a network with one of the losses, and cut it off at the embedding."""
    options = {}
    if loss == 'center_loss':
        options = {'scale': args.scale, 'alpha': args.alpha, 'batchsize': args.batch_size}
        options.update(use_ignore=True, ignore_label=IGNORE_LABEL)
    embedding = network(args.embedding_dim)
    net = supervised(embedding, len(samples.class_names), loss, args.embedding_dim, **options)
    training = Training(
        net,
        samples,
        title=f'split {split}, {TITLES[loss]}',
        batch_size=args.batch_size,
        num_epoch=args.num_epochs,
        optimizer='adam',
        optimizer_params={'learning_rate': args.lr},
        seed=split,
    )
    return FeatureExtractor(net, *training.fit().get_params())


def evaluate(extractor: FeatureExtractor, samples: Arrays, split: int, args: argparse.Namespace) -> Outcome:
    features = extractor.predict(samples.images, flip=args.flip)
    pairs = verification_pairs(samples.labels, args.num_folds, args.num_pairs, seed=split)
    verified = verify(features, pairs, num_components=args.num_components)
    return Outcome(pairs, verified, retrieval(features, samples.labels))


def run_split(
    faces: Arrays, split: int, num_train: int, args: argparse.Namespace
) -> tuple[dict[str, Outcome], Arrays]:
    """Both losses on one split; the outcomes, and the faces that were verified."""
    people = np.random.RandomState(split).permutation(len(faces.class_names))
    trained, others = (of_people(faces, np.sort(some)) for some in np.split(people, [num_train]))
    check_unseen(others.class_names, trained.class_names)
    outcomes = {}
    for loss in TITLES:
        extractor = train(loss, trained, split, args)
        outcomes[loss] = evaluate(extractor, others, split, args)
    return outcomes, others


def of_people(faces: Arrays, people: np.ndarray) -> Arrays:
    """The faces of some people, who are numbered anew."""
    some = faces.take(np.flatnonzero(np.isin(faces.labels, people)))
    names = [faces.class_names[person] for person in people]
    return some._replace(labels=np.searchsorted(people, some.labels), class_names=names)


def columns(outcome: Outcome) -> dict[str, float]:
    _, verified, found = outcome
    tars = {f'TAR@FAR={one.far:g}': one.tar for one in verified.tar_at_far if one.num_allowed}
    return {
        'accuracy': verified.accuracy,
        'AUC': verified.auc,
        'EER': verified.eer,
        **tars,
        'precision@1': found.precision_at_1,
        'MAP@R': found.map_at_r,
    }


def table(outcomes: dict[str, list[Outcome]]) -> str:
    """Mean and standard deviation over the splits, in percent."""
    rows = {loss: [columns(outcome) for outcome in of_loss] for loss, of_loss in outcomes.items()}
    names = list(rows['softmax'][0])
    lines = [f'{"%":14}' + ''.join(f'{name:>16}' for name in names)]
    for loss, of_loss in rows.items():
        numbers = 100 * np.array([[row[name] for name in names] for row in of_loss])
        spread = numbers.std(axis=0, ddof=1) if len(numbers) > 1 else np.zeros(len(names))
        cells = [f'{mean:.1f} ± {sd:.1f}' for mean, sd in zip(numbers.mean(axis=0), spread)]
        lines.append(f'{TITLES[loss]:14}' + ''.join(f'{cell:>16}' for cell in cells))
    return '\n'.join(lines)


def best_and_worst(faces: Arrays, outcome: Outcome) -> dict[str, list[tuple]]:
    """The pairs of each kind that are most and least similar to the network."""
    pairs = outcome.pairs
    similar = outcome.verification.similarities
    order = np.argsort(similar, kind='stable')
    genuine, impostor = order[pairs.same[order]], order[~pairs.same[order]]

    def shown(numbers: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, str]]:
        return [
            (
                faces.images[pairs.first[k]],
                faces.images[pairs.second[k]],
                f'cosine {1 + similar[k]:.2f}',
            )
            for k in numbers[:6]
        ]

    return {
        'the same person, most alike': shown(genuine[::-1]),
        'the same person, least alike': shown(genuine),
        'two people, least alike': shown(impostor),
        'two people, most alike': shown(impostor[::-1]),
    }


def main() -> None:
    args = parse_args()
    faces = load_faces(args.faces, args.image_size, args.skip_bad)
    num_train = args.num_train or len(faces.class_names) // 2
    if not 2 <= num_train <= len(faces.class_names) - 2:
        raise ValueError(
            f'--num-train {num_train}: expected 2 to {len(faces.class_names) - 2}; two have to be left'
        )
    print(
        f'{len(faces.labels)} pictures of {len(faces.class_names)} people; {num_train} to train on, '
        f'the others to verify, {args.num_splits} splits',
        flush=True,
    )
    args.output.mkdir(parents=True, exist_ok=True)
    outcomes: dict[str, list[Outcome]] = {loss: [] for loss in TITLES}
    for split in range(1, args.num_splits + 1):
        of_split, verified_faces = run_split(faces, split, num_train, args)
        for loss, outcome in of_split.items():
            outcomes[loss].append(outcome)
        print(
            f'split {split}: '
            + ', '.join(f'{TITLES[loss]} {one.verification.accuracy:.2%}' for loss, one in of_split.items()),
            flush=True,
        )
    verified = outcomes['softmax'][0].verification
    results = {
        'options': {**vars(args), 'num_train': num_train},
        'splits': {loss: [columns(one) for one in of_loss] for loss, of_loss in outcomes.items()},
    }
    text = json.dumps(results, default=str, indent=2)
    write_whole(args.output / 'results.json', lambda name: Path(name).write_text(text))
    curves = {
        TITLES[loss]: [(one.verification.far, one.verification.tar) for one in of_loss]
        for loss, of_loss in outcomes.items()
    }
    save_figure(roc_figure(curves), args.output / 'roc.png')
    pairs = best_and_worst(verified_faces, of_split['center_loss'])
    save_figure(pairs_figure(pairs), args.output / 'pairs.png')
    print(f'{verified.num_genuine} genuine and {verified.num_impostor} impostor pairs a split')
    print(table(outcomes))
    print(f'Look at {args.output / "roc.png"} and {args.output / "pairs.png"}')


if __name__ == '__main__':
    cli.run(main)

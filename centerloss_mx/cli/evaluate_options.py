"""The options of `centerloss-mx evaluate`, for each protocol, and their arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from .._choices import METRICS
from .arguments import PROGRAM, add_command, add_output, random_seed, whole_number
from .identify_options import add_identify_rates
from .reid_options import add_reid


class KnnOptions(NamedTuple):
    """The options of `evaluate knn`."""

    train: str
    features: str
    output: Path | None
    force: bool
    metric: str
    num_neighbors: int


class RetrieveOptions(NamedTuple):
    """The options of `evaluate retrieve`."""

    features: str
    references: str | None
    output: Path | None
    force: bool
    metric: str


class ClusterOptions(NamedTuple):
    """The options of `evaluate cluster`."""

    features: str
    output: Path | None
    force: bool
    seed: int


class VerifyOptions(NamedTuple):
    """The options of `evaluate verify`."""

    features: str
    output: Path | None
    force: bool
    metric: str
    num_folds: int
    num_pairs: int
    num_components: int | None
    seed: int
    allow_trained: bool
    roc: Path | None


def add_evaluate(commands: Any) -> None:
    """Add the command, with a command for each protocol."""
    top = commands.add_parser(
        'evaluate',
        help='measure how good features are',
        description='Measure how good features are, by a protocol.',
        epilog=f'example: {PROGRAM} evaluate retrieve test.npz',
    )
    protocols = top.add_subparsers(dest='protocol', required=True, metavar='PROTOCOL')
    _add_knn(protocols)
    _add_retrieve(protocols)
    _add_cluster(protocols)
    _add_verify(protocols)
    add_reid(protocols)
    add_identify_rates(protocols)


def _add_protocol(
    protocols: Any,
    name: str,
    options: Any,
    summary: str,
    example: str,
) -> Any:
    return add_command(protocols, name, options, summary, f'evaluate {name} {example}', module='evaluate')


def _add_features(command: Any, name: str) -> None:
    command.add_argument('features', metavar='FEATURES', help='.npz file of the features to evaluate')
    add_output(command, f'the JSON file to write (default: FEATURES-{name}.json)', required=False)


def _add_metric(command: Any) -> None:
    command.add_argument(
        '--metric',
        choices=METRICS,
        default='cosine',
        help='the distance: cosine is usual for faces, Euclidean is the one in the center loss',
    )


def _add_knn(protocols: Any) -> None:
    summary = 'classify by nearest neighbors and centers'
    command = _add_protocol(protocols, 'knn', KnnOptions, summary, 'train.npz test.npz')
    command.add_argument('train', metavar='TRAIN', help='.npz file of the features whose classes are known')
    _add_features(command, 'knn')
    _add_metric(command)
    command.add_argument(
        '--num-neighbors', type=whole_number(1), default=5, help='number of neighbors that vote'
    )


def _add_retrieve(protocols: Any) -> None:
    summary = 'retrieve the samples of the same class: precision@1, R-precision, MAP@R, recall@K'
    command = _add_protocol(protocols, 'retrieve', RetrieveOptions, summary, 'test.npz')
    _add_features(command, 'retrieve')
    command.add_argument(
        '--references',
        metavar='FILE',
        help='.npz file of the features to find, by class names (default: the other samples of FEATURES)',
    )
    _add_metric(command)


def _add_cluster(protocols: Any) -> None:
    summary = 'measure how tight clusters are, and NMI of k-means'
    command = _add_protocol(protocols, 'cluster', ClusterOptions, summary, 'test.npz')
    _add_features(command, 'cluster')
    command.add_argument('--seed', type=random_seed, default=0, help='seed of k-means')


def _add_verify(protocols: Any) -> None:
    summary = "verify pairs by LFW's protocol"
    command = _add_protocol(protocols, 'verify', VerifyOptions, summary, 'faces.npz --roc faces-roc.png')
    _add_features(command, 'verify')
    _add_metric(command)
    add = command.add_argument
    add('--num-folds', type=whole_number(2), default=10, help='number of folds; no two share a class')
    add(
        '--num-pairs',
        type=whole_number(1),
        default=300,
        help='largest number of genuine pairs in a fold, and of impostor pairs',
    )
    add(
        '--num-components',
        type=whole_number(1),
        help='project features on this number of principal components, fitted on the other folds',
    )
    add('--seed', type=random_seed, default=0, help='seed of the folds and pairs')
    add('--allow-trained', action='store_true', help='verify classes of the training set, too')
    add('--roc', type=Path, metavar='FILE', help='the picture of the ROC curve to write, .png or .svg')

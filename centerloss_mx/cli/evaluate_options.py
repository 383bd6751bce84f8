"""The options of `centerloss-mx evaluate`, for each protocol, and their arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple, Sequence

from .arguments import PROGRAM, random_seed, whole_number
from .identify_options import add_identify_rates
from .protocol_arguments import add_features, add_metric, add_more, add_protocol
from .reid_options import add_reid
from .suspects_options import add_suspects
from .verify_options import add_verify


class KnnOptions(NamedTuple):
    """The options of `evaluate knn`."""

    train: str
    features: str
    output: Path | None
    force: bool
    metric: str
    num_neighbors: int
    more: Sequence[str] = ()


class RetrieveOptions(NamedTuple):
    """The options of `evaluate retrieve`."""

    features: str
    references: str | None
    output: Path | None
    force: bool
    metric: str
    more: Sequence[str] = ()


class ClusterOptions(NamedTuple):
    """The options of `evaluate cluster`."""

    features: str
    output: Path | None
    force: bool
    seed: int
    more: Sequence[str] = ()


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
    add_verify(protocols)
    add_reid(protocols)
    add_identify_rates(protocols)
    add_suspects(protocols)


def _add_knn(protocols: Any) -> None:
    summary = 'classify by nearest neighbors and centers'
    command = add_protocol(protocols, 'knn', KnnOptions, summary, 'train.npz test.npz')
    command.add_argument('train', metavar='TRAIN', help='.npz file of the features whose classes are known')
    add_features(command, 'knn')
    add_more(command, 'TRAIN FEATURES')
    add_metric(command)
    command.add_argument(
        '--num-neighbors', type=whole_number(1), default=5, help='number of neighbors that vote'
    )


def _add_retrieve(protocols: Any) -> None:
    summary = 'retrieve the samples of the same class: precision@1, R-precision, MAP@R, recall@K'
    command = add_protocol(protocols, 'retrieve', RetrieveOptions, summary, 'test.npz')
    add_features(command, 'retrieve')
    add_more(command)
    command.add_argument(
        '--references',
        metavar='FILE',
        help='.npz file of the features to find, by class names (default: the other samples of FEATURES)',
    )
    add_metric(command)


def _add_cluster(protocols: Any) -> None:
    summary = 'measure how tight clusters are, and NMI of k-means'
    command = add_protocol(protocols, 'cluster', ClusterOptions, summary, 'test.npz')
    add_features(command, 'cluster')
    add_more(command)
    command.add_argument('--seed', type=random_seed, default=0, help='seed of k-means')

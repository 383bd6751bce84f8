"""The options of `centerloss-mx evaluate verify`, and their arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple, Sequence

from .arguments import flag, random_seed, whole_number
from .protocol_arguments import add_features, add_metric, add_more, add_protocol


class Draw(NamedTuple):
    """How pairs are drawn."""

    num_folds: int = 10
    num_pairs: int = 300
    seed: int = 0


class VerifyOptions(NamedTuple):
    """The options of `evaluate verify`."""

    features: str
    output: Path | None
    force: bool
    metric: str
    pairs: Path | None
    num_folds: int | None
    num_pairs: int | None
    num_components: int | None
    seed: int | None
    allow_trained: bool
    roc: Path | None
    more: Sequence[str] = ()

    def draw(self) -> Draw | None:
        """Return how pairs are drawn; None: they are given. ValueError if both are asked for."""
        asked = {name: getattr(self, name) for name in Draw._fields if getattr(self, name) is not None}
        if self.pairs is None:
            return Draw(**asked)
        if asked:
            option = flag(next(iter(asked)))
            raise ValueError(f'{option}: the pairs and folds are those of --pairs {self.pairs}; leave it out')
        return None


def add_verify(protocols: Any) -> None:
    """Add the command."""
    summary = "verify pairs by LFW's protocol"
    command = add_protocol(protocols, 'verify', VerifyOptions, summary, 'faces.npz --roc faces-roc.png')
    add_features(command, 'verify')
    add_more(command)
    add_metric(command)
    add = command.add_argument
    add(
        '--pairs',
        type=Path,
        metavar='FILE',
        help="the pairs and their folds: LFW's pairs.txt, two files and 0 or 1 a line, or InsightFace's .bin "
        '(default: pairs are drawn)',
    )
    add(
        '--num-folds',
        type=whole_number(2),
        help='number of folds to draw; no two share a class (default: 10)',
    )
    add(
        '--num-pairs',
        type=whole_number(1),
        help='largest number of genuine pairs to draw for a fold, and of impostor pairs (default: 300)',
    )
    add(
        '--num-components',
        type=whole_number(1),
        help='project features on this number of principal components, fitted on the other folds',
    )
    add('--seed', type=random_seed, help='seed of the folds and pairs that are drawn (default: 0)')
    add('--allow-trained', action='store_true', help='verify classes of the training set, too')
    add('--roc', type=Path, metavar='FILE', help='the picture of the ROC curve to write, .png or .svg')

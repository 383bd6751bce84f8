"""The arguments that protocols of `centerloss-mx evaluate` share."""

from __future__ import annotations

from typing import Any

from .._choices import METRICS
from .arguments import add_command, add_output


def add_protocol(
    protocols: Any,
    name: str,
    options: Any,
    summary: str,
    example: str,
) -> Any:
    """Add the command of a protocol."""
    return add_command(protocols, name, options, summary, f'evaluate {name} {example}', module='evaluate')


def add_features(command: Any, name: str) -> None:
    """Add the features to evaluate, and the file of results."""
    command.add_argument('features', metavar='FEATURES', help='.npz file of the features to evaluate')
    add_output(command, f'the JSON file to write (default: FEATURES-{name}.json)', required=False)


def add_more(command: Any, metavar: str = 'FEATURES') -> None:
    """Add further files, to measure several in one table."""
    command.add_argument(
        'more',
        nargs='*',
        metavar=metavar,
        help='more of them, measured alike: one table, with the mean over trainings that differ in the seed '
        'only. Nothing is written then without --output',
    )


def add_metric(command: Any) -> None:
    """Add `--metric`."""
    command.add_argument(
        '--metric',
        choices=METRICS,
        default='cosine',
        help='the distance: cosine is usual for faces, Euclidean is the one in the center loss',
    )

"""The options of `centerloss-mx evaluate suspects`, and their arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from .protocol_arguments import add_features, add_metric, add_protocol


class SuspectsOptions(NamedTuple):
    """The options of `evaluate suspects`."""

    features: str
    output: Path | None
    force: bool
    metric: str
    page: Path | None


def add_suspects(protocols: Any) -> None:
    """Add the command."""
    summary = 'find samples whose label may be wrong: they are nearer to another class'
    command = add_protocol(protocols, 'suspects', SuspectsOptions, summary, 'train.npz')
    add_features(command, 'suspects')
    add_metric(command)
    command.add_argument(
        '--page',
        type=Path,
        metavar='FILE',
        help='draw the first 64 of them to a .png or .svg file; for pictures in files',
    )

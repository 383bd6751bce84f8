"""The options of `centerloss-mx identify` and of `evaluate identify`, and their arguments."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Sequence

from .arguments import add_batches, add_command, add_output
from .protocol_arguments import add_metric, add_more, add_protocol
from .source_arguments import add_skip_bad

if TYPE_CHECKING:
    from mxnet.context import Context


class IdentifyOptions(NamedTuple):
    """The options of `identify`."""

    gallery: str
    photos: list[str]
    prefix: str | None
    threshold: float | None
    threshold_from: str | None
    fpir: str
    metric: str
    skip_bad: bool
    batch_size: int
    ctx: list[Context]


class IdentifyRatesOptions(NamedTuple):
    """The options of `evaluate identify`."""

    gallery: str
    features: str
    output: Path | None
    force: bool
    metric: str
    more: Sequence[str] = ()


def add_identify(commands: Any) -> None:
    """Add the command."""
    summary = 'say who is in photos, or that nobody is known'
    example = 'identify known.npz photo.jpg --threshold-from probes-identify.json'
    command = add_command(commands, 'identify', IdentifyOptions, summary, example)
    add = command.add_argument
    add('gallery', metavar='GALLERY', help='.npz file of `embed`: people who are known, with their network')
    add('photos', metavar='PHOTO', nargs='+', help='pictures, or a folder of them')
    add('--prefix', help='prefix of the checkpoint, if it is not where `embed` read it')
    add('--threshold', type=float, help='least similarity; nobody is known below it')
    add('--threshold-from', metavar='FILE', help='take it from the .json file of `evaluate identify`')
    add(
        '--fpir',
        choices=('0.1', '0.01', '0.001'),
        default='0.01',
        help='false positive identification rate that this threshold allows',
    )
    add_metric(command)
    add_skip_bad(command)
    add_batches(command, 128, 'pictures at a time', 'device: cpu, gpu:0, ...')


def add_identify_rates(protocols: Any) -> None:
    """Add the protocol of `evaluate`."""
    summary = 'find people in a gallery, and tell others from them: rank-k rates, TPIR at FPIR, thresholds'
    command = add_protocol(protocols, 'identify', IdentifyRatesOptions, summary, 'known.npz probes.npz')
    command.add_argument(
        'gallery', metavar='GALLERY', help='.npz file of the features of people who are known'
    )
    command.add_argument('features', metavar='PROBES', help='.npz file of the features of these and others')
    add_more(command, 'GALLERY PROBES')
    add_output(command, 'the JSON file to write (default: PROBES-identify.json)', required=False)
    add_metric(command)

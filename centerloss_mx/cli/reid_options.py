"""The options of `centerloss-mx evaluate reid`, and its arguments."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any, NamedTuple, Sequence

from .arguments import add_output
from .protocol_arguments import add_metric, add_more, add_protocol


class ReidOptions(NamedTuple):
    """The options of `evaluate reid`."""

    query: str
    gallery: str
    output: Path | None
    force: bool
    metric: str
    camera: re.Pattern
    camera_column: str | None
    identity: re.Pattern | None
    rerank: bool
    more: Sequence[str] = ()

    @property
    def features(self) -> str:
        """The file that the output is named after."""
        return self.query


def add_reid(protocols: Any) -> None:
    """Add the protocol."""
    summary = 'rank a gallery for each query by the protocol of Market-1501: CMC, mAP, mINP'
    command = add_protocol(protocols, 'reid', ReidOptions, summary, 'query.npz gallery.npz')
    add = command.add_argument
    add('query', metavar='QUERY', help='.npz file of the features to find')
    add('gallery', metavar='GALLERY', help='.npz file of the features to find them among')
    add_more(command, 'QUERY GALLERY')
    add_output(command, 'the JSON file to write (default: QUERY-reid.json)', required=False)
    add_metric(command)
    cameras = command.add_mutually_exclusive_group()
    cameras.add_argument(
        '--camera',
        type=group,
        default=r'_c(\d+)',
        metavar='REGEX',
        help='its group is the camera in the name of a picture, as _c1 in 0002_c1s1_000451_03.jpg',
    )
    cameras.add_argument(
        '--camera-column', metavar='NAME', help='array of the cameras, (N,), in both .npz files'
    )
    add(
        '--identity',
        type=group,
        metavar='REGEX',
        help='its group is the identity in the name of a picture (default: the class, or, without labels, '
        r'^(-?\d+)_). Gallery pictures of identity -1 are junk',
    )
    add('--rerank', action='store_true', help='re-rank by k-reciprocal neighbors')


def group(text: str) -> re.Pattern:
    """Read a regular expression with one group."""
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f'{text}: {error}') from None
    if pattern.groups != 1:
        raise argparse.ArgumentTypeError(f'{text}: expected one group, such as (\\d+)')
    return pattern

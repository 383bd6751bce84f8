"""The options of `centerloss-mx pack`, and its arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from .arguments import add_command, add_output, whole_number


class PackOptions(NamedTuple):
    """The options of `pack`."""

    data: str
    output: Path
    force: bool
    min_images: int
    skip_bad: bool


def add_pack(commands: Any) -> None:
    """Add the command."""
    summary = 'write the pictures of class folders into a .rec file'
    command = add_command(commands, 'pack', PackOptions, summary, 'pack birds -o birds')
    add = command.add_argument
    add('data', metavar='DATA', help='a folder of class folders')
    add_output(command, 'prefix of the files to write: .rec, .idx, .lst', metavar='PREFIX')
    add(
        '--min-images',
        type=whole_number(1),
        default=1,
        metavar='N',
        help='leave out classes of fewer pictures',
    )
    add('--skip-bad', action='store_true', help='leave out pictures that cannot be decoded, and name them')

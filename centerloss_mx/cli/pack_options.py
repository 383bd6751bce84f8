"""The options of `centerloss-mx pack`, and its arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from .arguments import add_command, add_output
from .source_arguments import add_selection


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
    command.add_argument('data', metavar='DATA', help='a folder of class folders')
    add_output(command, 'prefix of the files to write: .rec, .idx, .lst', metavar='PREFIX')
    add_selection(command)

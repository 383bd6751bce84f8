"""The options of `centerloss-mx embed`, and its arguments."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .._source_options import SourceOptions
from .arguments import add_batches, add_checkpoint, add_command, add_output
from .source_arguments import SOURCE_HELP, add_reading

if TYPE_CHECKING:
    from mxnet.context import Context


class EmbedOptions(NamedTuple):
    """The options of `embed`."""

    prefix: str
    epoch: int | str | None
    layer: str | None
    data: list[str]
    source: SourceOptions
    output: Path
    force: bool
    part: str | None
    trained_classes: bool
    flip: str | None
    batch_size: int
    ctx: list[Context]


def add_embed(commands: Any) -> None:
    """Add the command."""
    summary, example = (
        'write the features of samples, with their classes',
        'embed runs/digits digits -o digits.npz',
    )
    command = add_command(commands, 'embed', EmbedOptions, summary, example)
    add = command.add_argument
    add_checkpoint(command)
    add('data', metavar='DATA', nargs='+', help=f'the samples: {SOURCE_HELP}; pictures, or a folder of them')
    add_output(command, 'the .npz file to write')
    add(
        '--part',
        choices=('train', 'test'),
        help='part of digits or of a folder of idx files (default: test); of another source, the samples '
        'that train has trained on or held out (default: all samples)',
    )
    add(
        '--trained-classes',
        action='store_true',
        help='use the class numbers of the training',
    )
    summary = 'append the feature of the mirrored sample (concat, also without a word), or add it (sum)'
    command.add_word('--flip', ('concat', 'sum'), summary)
    add_reading(command, 'that of the training', 'that of the training')
    add_batches(command, 128, 'samples at a time', 'device: cpu, gpu:0, ...')

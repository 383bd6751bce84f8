"""The options of `centerloss-mx export`, and its arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from .arguments import add_checkpoint, add_command, add_output, data_shape


class ExportOptions(NamedTuple):
    """The options of `export`."""

    prefix: str
    epoch: int | str | None
    layer: str | None
    output: Path
    force: bool
    data_shape: tuple[int, ...] | None


def add_export(commands: Any) -> None:
    """Add the command."""
    summary = 'write the network up to a layer as ONNX, verified in ONNX Runtime'
    example = 'export runs/digits -o digits.onnx'
    command = add_command(commands, 'export', ExportOptions, summary, example)
    add_checkpoint(command)
    add_output(command, 'the .onnx file to write')
    command.add_argument(
        '--data-shape', type=data_shape, metavar='C,H,W', help='shape of a sample (default: as in training)'
    )

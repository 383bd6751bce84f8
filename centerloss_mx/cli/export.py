"""`centerloss-mx export`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from ..model import export_onnx
from .arguments import add_checkpoint, add_command, add_output, data_shape
from .checkpoint import prefix_and_epoch
from .output import check_output


class ExportOptions(NamedTuple):
    """The options of `export`."""

    prefix: str
    epoch: int | None
    layer: str
    output: Path
    force: bool
    data_shape: tuple[int, ...] | None


def export(options: ExportOptions) -> None:
    """Write a checkpoint's network up to a layer as ONNX."""
    check_output(options.output, options.force, '.onnx')
    prefix, epoch = prefix_and_epoch(options.prefix, options.epoch)
    export_onnx(prefix, epoch, options.output, options.layer, options.data_shape)
    print(
        f'{options.output}: {options.prefix}, output {options.layer} (verified: ONNX Runtime and MXNet agree)'
    )


def add_export(commands: Any) -> None:
    """Add the command."""
    summary = 'write the network up to a layer as ONNX, verified in ONNX Runtime'
    example = 'export runs/digits -o digits.onnx'
    command = add_command(commands, 'export', export, ExportOptions, summary, example)
    add_checkpoint(command)
    add_output(command, 'the .onnx file to write')
    command.add_argument(
        '--data-shape', type=data_shape, metavar='C,H,W', help='shape of a sample (default: as in training)'
    )

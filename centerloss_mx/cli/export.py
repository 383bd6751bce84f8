"""`centerloss-mx export`."""

from __future__ import annotations

import argparse
from typing import Any

from ..model import export_onnx
from .arguments import add_checkpoint, add_command, add_output, data_shape
from .embed import checkpoint
from .output import check_output


def export(args: argparse.Namespace) -> None:
    """Write a checkpoint's network up to a layer as ONNX."""
    check_output(args.output, args.force, '.onnx')
    export_onnx(*checkpoint(args), args.output, args.layer, args.data_shape)
    print(f'{args.output}: {args.prefix} up to {args.layer}; ONNX Runtime computes from it what MXNet does')


def add_export(commands: Any) -> None:
    command = add_command(
        commands, 'export', export, 'write the network up to a layer as ONNX, checked in ONNX Runtime',
        'export runs/digits -o digits.onnx',
    )  # fmt: skip
    add_checkpoint(command)
    add_output(command, 'the .onnx file to write')
    command.add_argument(
        '--data-shape', type=data_shape, metavar='C,H,W', help='of a sample (default: as in training)'
    )

"""`centerloss-mx export`."""

from __future__ import annotations

from ..model import export_onnx, load_symbol
from ..model.notes import noted_layer
from .checkpoint import prefix_and_epoch
from .export_options import ExportOptions
from .output import check_output


def export(options: ExportOptions) -> None:
    """Write a checkpoint's network up to a layer as ONNX."""
    check_output(options.output, options.force, '.onnx')
    prefix, epoch = prefix_and_epoch(options.prefix, options.epoch)
    export_onnx(prefix, epoch, options.output, options.layer, options.data_shape)
    layer = options.layer or noted_layer(load_symbol(f'{prefix}-symbol.json'))
    print(f'{options.output}: {options.prefix}, output {layer} (verified: ONNX Runtime and MXNet agree)')

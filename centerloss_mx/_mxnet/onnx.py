"""Faults of MXNet's ONNX exporter."""

from __future__ import annotations

import json
from typing import Any

from mxnet import ndarray as nd
from mxnet.ndarray import NDArray
from mxnet.symbol import Symbol, load_json

__all__ = [
    'remove_parameter_inputs',
    'reshape_slopes',
    'set_shapes',
    'with_fixed_gammas',
    'with_written_flatten',
]


def with_written_flatten(symbol: Symbol) -> Symbol:
    """Return the same network, whose fully connected layers have the attribute `flatten`.

    MXNet's default is to flatten. The exporter takes a missing attribute for False.

    https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/onnx/mx2onnx/_op_translations/_op_translations_opset12.py#L370
    """
    graph = json.loads(symbol.tojson())
    for node in graph['nodes']:
        if node['op'] == 'FullyConnected':
            node['attrs'].setdefault('flatten', 'True')
    return load_json(json.dumps(graph))


def with_fixed_gammas(symbol: Symbol, params: dict[str, NDArray]) -> dict[str, NDArray]:
    """Return the parameters with gammas of 1 where a batch normalization has `fix_gamma`, its default.

    MXNet computes with 1 there, whatever the stored gamma is. The exporter writes the stored one.

    https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/onnx/mx2onnx/_op_translations/_op_translations_opset12.py#L416
    """
    params = dict(params)
    nodes = json.loads(symbol.tojson())['nodes']
    for node in nodes:
        if node['op'] == 'BatchNorm' and node.get('attrs', {}).get('fix_gamma', 'True') in ('True', '1'):
            gamma = nodes[node['inputs'][1][0]]['name']
            params[gamma] = nd.ones_like(params[gamma])
    return params


def reshape_slopes(graph: Any) -> None:
    """Give the slopes of PReLU the shape (C, 1, 1), for features (N, C, H, W).

    The exporter writes MXNet's shape (C,), which ONNX broadcasts over the last axis, W.

    https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/onnx/mx2onnx/_op_translations/_op_translations_opset12.py#L845
    """
    import onnx

    slopes = {node.input[1] for node in graph.node if node.op_type == 'PRelu'}
    for tensor in graph.initializer:
        if tensor.name in slopes:
            slope = onnx.numpy_helper.to_array(tensor).reshape(-1, 1, 1)
            tensor.CopyFrom(onnx.numpy_helper.from_array(slope, tensor.name))


def remove_parameter_inputs(graph: Any) -> None:
    """Remove the parameters from the inputs of a graph.

    The exporter lists each parameter as an input too. Such a parameter is only a default value: ONNX Runtime
    warns about it and cannot fold it into other constants.

    https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/onnx/mx2onnx/_export_onnx.py#L356
    """
    params = {tensor.name for tensor in graph.initializer}
    for value in [value for value in graph.input if value.name in params]:
        graph.input.remove(value)


def set_shapes(graph: Any, feature_shape: tuple[int, ...]) -> None:
    """Write the shape of the output, and call the size of the batch N.

    For batches of any size, the exporter leaves all sizes of the output open.

    https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/onnx/mx2onnx/_export_onnx.py#L297
    """
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = 'N'
    for dim, size in zip(graph.output[0].type.tensor_type.shape.dim[1:], feature_shape):
        dim.dim_value = size

"""Faults of MXNet's ONNX exporter."""

from __future__ import annotations

import json
from typing import Any

from mxnet import ndarray as nd
from mxnet.ndarray import NDArray
from mxnet.symbol import Symbol, load_json

__all__ = ['mend_model', 'with_fixed_gammas', 'with_written_flatten']


def with_written_flatten(symbol: Symbol) -> Symbol:
    """The same network, with a default written out that MXNet's exporter takes for its opposite."""
    graph = json.loads(symbol.tojson())
    for node in graph['nodes']:
        if node['op'] == 'FullyConnected':
            node['attrs'].setdefault('flatten', 'True')
    return load_json(json.dumps(graph))


def with_fixed_gammas(symbol: Symbol, params: dict[str, NDArray]) -> dict[str, NDArray]:
    """All parameters; the gammas that MXNet takes for 1, whatever they are, are 1."""
    params = dict(params)
    nodes = json.loads(symbol.tojson())['nodes']
    for node in nodes:
        if node['op'] == 'BatchNorm' and node.get('attrs', {}).get('fix_gamma', 'True') in ('True', '1'):
            gamma = nodes[node['inputs'][1][0]]['name']
            params[gamma] = nd.ones_like(params[gamma])
    return params


def mend_model(model: Any, feature_shape: tuple[int, ...]) -> None:
    """Make of what MXNet's exporter writes what ONNX Runtime takes."""
    import onnx

    graph = model.graph
    slopes = {node.input[1] for node in graph.node if node.op_type == 'PRelu'}
    for tensor in graph.initializer:
        if tensor.name in slopes:  # (C,), and would be broadcast over the last axis of (N, C, H, W)
            slope = onnx.numpy_helper.to_array(tensor)
            tensor.CopyFrom(onnx.numpy_helper.from_array(slope.reshape(-1, 1, 1), tensor.name))
    names = {tensor.name for tensor in graph.initializer}
    for value in [value for value in graph.input if value.name in names]:
        graph.input.remove(value)  # listed as inputs, parameters could not be folded
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = 'N'
    for dim, size in zip(graph.output[0].type.tensor_type.shape.dim[1:], feature_shape):
        dim.dim_value = size

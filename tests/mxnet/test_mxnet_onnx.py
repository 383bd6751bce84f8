"""`_mxnet.onnx`: each fault as MXNet's exporter has it, and what the package does about it."""

from __future__ import annotations

import centerloss_mx._mxnet.onnx as repairs

import mxnet as mx
import numpy as np
import pytest

SHAPE = (2, 4, 4)


@pytest.fixture
def onnx():
    return pytest.importorskip('onnx', reason='the extra onnx is not installed')


@pytest.fixture
def graph(onnx, tmp_path):
    """A function that exports a network, with gammas of 5, and reads its graph."""
    from mxnet import onnx as mxonnx

    def export(symbol, params=lambda symbol, params: params):
        names = symbol.list_arguments() + symbol.list_auxiliary_states()
        shapes, _, states = symbol.infer_shape(data=(1, *SHAPE))
        values = {n: 5 * mx.nd.ones(s) for n, s in zip(names, shapes + states) if n != 'data'}
        path = str(tmp_path / 'net.onnx')
        dynamic = {'dynamic': True, 'dynamic_input_shapes': [(None, *SHAPE)]}
        mxonnx.export_model(symbol, params(symbol, values), [(1, *SHAPE)], np.float32, path, **dynamic)
        return onnx.load(path).graph

    return export


def operators(graph):
    return [node.op_type for node in graph.node]


def initializer(onnx, graph, name):
    return next(onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer if tensor.name == name)


def sizes(value):
    return [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]


def test_mxnet_takes_a_flatten_that_is_not_written_for_false(graph):
    net = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=3, name='embedding')
    assert 'Reshape' in operators(graph(net))  # back to all axes but the last
    assert operators(graph(repairs.with_written_flatten(net))) == ['Flatten', 'Gemm']


@pytest.mark.parametrize('options, fixed', [({}, True), ({'fix_gamma': False}, False)])
def test_mxnet_exports_gammas_that_it_does_not_compute_with(onnx, graph, options, fixed):
    net = mx.sym.BatchNorm(mx.sym.Variable('data'), name='bn', **options)
    assert (initializer(onnx, graph(net), 'bn_gamma') == 5).all()
    assert (initializer(onnx, graph(net, repairs.with_fixed_gammas), 'bn_gamma') == (1 if fixed else 5)).all()


def test_mxnet_exports_slopes_for_the_wrong_axis(onnx, graph):
    exported = graph(mx.sym.LeakyReLU(mx.sym.Variable('data'), act_type='prelu', name='prelu'))
    assert initializer(onnx, exported, 'prelu_gamma').shape == (2,)
    repairs.reshape_slopes(exported)
    assert initializer(onnx, exported, 'prelu_gamma').shape == (2, 1, 1)


def test_mxnet_exports_parameters_as_inputs_and_leaves_sizes_open(graph):
    net = mx.sym.Convolution(mx.sym.Variable('data'), kernel=(3, 3), num_filter=7, name='conv')
    exported = graph(net)
    assert [value.name for value in exported.input] == ['data', 'conv_weight', 'conv_bias']
    repairs.remove_parameter_inputs(exported)
    assert [value.name for value in exported.input] == ['data']
    assert sizes(exported.output[0]) == [0, 0, 0, 0]
    repairs.set_shapes(exported, (7, 2, 2))
    assert sizes(exported.input[0]) == ['N', *SHAPE] and sizes(exported.output[0]) == ['N', 7, 2, 2]

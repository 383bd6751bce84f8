"""`_mxnet.mixed_precision`: each fault as plain MXNet has it, and what the package does about it."""

from __future__ import annotations

from centerloss_mx._mxnet.mixed_precision import without_bfloat16, without_casts

import mxnet as mx
import numpy as np
import pytest
from mxnet.contrib import amp

BFLOAT16 = np.dtype([('bfloat16', np.uint16)])


def network():
    data = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=2, name='fc')
    return mx.sym.SoftmaxOutput(data, name='softmax')


def test_mxnets_bfloat16_is_nothing_that_numpy_computes_with():
    array = mx.nd.array([1, 1.5]).astype(BFLOAT16)
    assert array.asnumpy().tolist() == [(16256,), (16320,)]
    with pytest.raises(TypeError):
        array.asnumpy() + 1


def test_bfloat16_becomes_float32_and_passes_gradients():
    x = mx.nd.array([1, 1.5])
    x.attach_grad()
    with mx.autograd.record():
        low = x.astype(BFLOAT16)
        widened = without_bfloat16(low)
        (widened * mx.nd.array([2, 3])).backward()
    assert widened.dtype == np.float32 and widened.asnumpy().tolist() == [1, 1.5]
    assert x.grad.asnumpy().tolist() == [2, 3]
    assert without_bfloat16(x) is x


def test_a_network_without_casts_is_the_one_before_the_conversion():
    net = network()
    low = amp.convert_symbol(net, 'bfloat16', data_names=['data', 'softmax_label'])
    assert 'amp_cast' in low.tojson(remove_amp_cast=False)
    plain = without_casts(low)
    assert 'amp_cast' not in plain.tojson(remove_amp_cast=False)
    assert plain.list_inputs() == net.list_inputs() and plain.list_outputs() == net.list_outputs()
    assert without_casts(net) is net


def test_mxnet_binds_no_converted_network_whose_parameters_have_no_names():
    shapes = {'data': (4, 3), 'softmax_label': (4,)}
    named = amp.convert_symbol(network(), 'bfloat16', data_names=[*shapes])
    assert named.infer_type(data='float32')[0] == [np.float32] * 4
    unnamed = amp.convert_symbol(network(), 'bfloat16')
    module = mx.mod.Module(unnamed)
    with pytest.raises(RuntimeError, match='InferType pass cannot decide dtypes'):
        module.bind([('data', shapes['data'])], [('softmax_label', shapes['softmax_label'])])


def test_mxnets_widest_dtype_of_float64_and_float16_is_not_that_of_float64_and_float32():
    widened = mx.sym.amp_multicast(mx.sym.Variable('first'), mx.sym.Variable('second'), num_outputs=2)
    for second, expected in ('float16', [np.float64, np.float64]), ('float32', [np.float64, np.float32]):
        assert widened.infer_type(first='float64', second=second)[1] == expected


def test_mxnet_converts_no_network_with_pick_to_float16():
    scores = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=2)
    net = mx.sym.pick(scores, mx.sym.Variable('label'), name='picked')
    assert amp.convert_symbol(net, 'bfloat16').list_outputs() == ['picked_output']
    with pytest.raises(mx.MXNetError, match='Index type must be set for pick operator'):
        amp.convert_symbol(net, 'float16')

"""`_mxnet.symbols`: each fault as plain MXNet has it, and what the package does about it."""

from __future__ import annotations

from centerloss_mx._mxnet.symbols import comparable, infer_shapes, valid_or_zero

import mxnet as mx
import numpy as np
import pytest


def evaluated(symbol, **arrays):
    return symbol.eval(mx.cpu(), **arrays)[0].asnumpy().tolist()


@pytest.mark.parametrize(
    ('dtype', 'label', 'other'), [('uint8', 255, -1), ('float16', 2048, 2049), ('float32', 2**24, 2**24 + 1)]
)
def test_mxnet_compares_in_the_dtype_of_the_array(dtype, label, other):
    labels = mx.nd.array([label], dtype=dtype)
    assert evaluated(mx.sym.Variable('label') == other, label=labels) == [1]
    assert evaluated(comparable(mx.sym.Variable('label')) == other, label=labels) == [0]
    assert evaluated(comparable(mx.sym.Variable('label')) == label, label=labels) == [1]


def embedding_gradient(sparse, label, repaired=False):
    number, weight = mx.sym.Variable('label'), mx.sym.Variable('w', stype='row_sparse' if sparse else None)
    if repaired:
        number = valid_or_zero(number, number <= 2)
    net = mx.sym.Embedding(number, weight, input_dim=3, output_dim=1, sparse_grad=sparse)
    executor = net.simple_bind(mx.cpu(), label=(2,), grad_req={'label': 'null', 'w': 'write'})
    executor.arg_dict['label'][:] = label
    executor.forward(is_train=True)
    executor.backward(mx.nd.array([[1], [2]]))
    return executor.grad_dict['w'].asnumpy()[:, 0].tolist()


def test_mxnets_sparse_gradient_fails_on_a_row_that_its_dense_one_takes():
    label = np.array([1, 7])
    assert embedding_gradient(False, label) == [0, 1, 2]
    with pytest.raises(mx.MXNetError, match='out of bound'):
        embedding_gradient(True, label)
    assert embedding_gradient(True, label, repaired=True) == [2, 1, 0]


def test_mxnet_prints_when_it_cannot_infer_shapes(capsys):
    weight = mx.sym.Variable('weight', shape=(2, 3))
    net = mx.sym.FullyConnected(mx.sym.Variable('data'), weight, num_hidden=2, no_bias=True)
    with pytest.raises(mx.MXNetError):
        net.infer_shape(data=(4, 5))
    assert capsys.readouterr().out == 'infer_shape error. Arguments:\n  data: (4, 5)\n'
    assert infer_shapes(net, data=(4, 5)) is None
    assert capsys.readouterr() == ('', '')
    assert infer_shapes(net, data=(4, 3)) == ([(4, 3), (2, 3)], [(4, 2)], [])


def test_shapes_that_stay_open_are_not_inferred():
    net = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=2)
    assert infer_shapes(net) is None

"""`_mxnet.custom_op`: each fault as plain MXNet has it. Ours: test_operator.py and test_gluon.py."""

from __future__ import annotations

from centerloss_mx._mxnet.custom_op import OperatorErrors, register

import mxnet as mx
import pytest

calls = []


class Failing(mx.operator.CustomOp):
    def forward(self, is_train, req, in_data, out_data, aux):
        raise ValueError('the sentence')

    def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
        calls.append('backward')
        self.assign(in_grad[0], req[0], 0)


@mx.operator.register('plain_failing')
class FailingProp(mx.operator.CustomOpProp):
    def create_operator(self, ctx, in_shapes, in_dtypes):
        return Failing()


class Identity(mx.operator.CustomOp):
    def forward(self, is_train, req, in_data, out_data, aux):
        self.assign(out_data[0], req[0], in_data[0])

    def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
        self.assign(in_grad[0], req[0], 1)


class LossProp(mx.operator.CustomOpProp):
    """Takes no head gradient."""

    def __init__(self):
        super().__init__(need_top_grad=False)

    def create_operator(self, ctx, in_shapes, in_dtypes):
        return Identity()


class LayerProp(LossProp):
    """Takes a head gradient."""

    def __init__(self):
        super().__init__()
        self.need_top_grad_ = True


mx.operator.register('plain_loss')(LossProp)
mx.operator.register('plain_layer')(LayerProp)
register('our_loss', LossProp)


def gradient(op_type):
    """The gradient through an operator when one that takes a head gradient has been parsed after it."""
    x = mx.nd.ones((2,))
    x.attach_grad()
    with mx.autograd.record():
        y = mx.nd.Custom(x, op_type=op_type)
        mx.nd.Custom(x, op_type='plain_layer')
    y.backward()
    return x.grad.asnumpy().tolist()


def test_mxnet_mixes_up_the_arrays_of_two_operators(capfd):
    with pytest.raises(mx.MXNetError):
        gradient('plain_loss')
    mx.nd.waitall()
    assert 'unknown storage type' in capfd.readouterr().out


def test_an_operator_that_we_register_keeps_its_arrays():
    assert gradient('our_loss') == [1, 1]


def fail():
    with pytest.raises(mx.MXNetError) as raised:
        mx.nd.Custom(mx.nd.ones((2,)), op_type='plain_failing').wait_to_read()
    return str(raised.value)


def test_mxnet_prints_the_error_of_an_operator_and_raises_another(capsys):
    assert 'the sentence' not in fail()
    assert 'ValueError: the sentence' in capsys.readouterr().out


def test_the_sentence_is_kept_and_not_printed(capsys, monkeypatch):
    import sys

    errors = OperatorErrors(sys.stdout)
    monkeypatch.setattr(sys, 'stdout', errors)
    print('before')
    fail()
    print('after')
    assert errors.sentence == 'the sentence'
    assert capsys.readouterr().out == 'before\nafter\n'


def test_mxnet_runs_backward_after_forward_has_failed(capfd):
    executor = mx.sym.Custom(mx.sym.Variable('x'), op_type='plain_failing').simple_bind(mx.cpu(), x=(2,))
    output = executor.forward(is_train=True)[0]
    with pytest.raises(mx.MXNetError):
        output.wait_to_read()
    calls.clear()
    executor.backward(mx.nd.ones((2,)))
    mx.nd.waitall()
    assert calls == ['backward']
    capfd.readouterr()

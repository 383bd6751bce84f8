"""`_mxnet.parameters`: each fault as plain MXNet has it, and what the package does about it."""

from __future__ import annotations

import threading

from centerloss_mx._mxnet.parameters import MovingParameter

import mxnet as mx
import pytest


def parameter(kind):
    state = mx.gluon.ParameterDict('net_').get('state', shape=(1,), init='zeros', grad_req='null')
    assert type(state) is mx.gluon.Parameter  # whatever a block would like
    state.__class__ = kind
    state.initialize()
    return state


READS = {
    'data': lambda state: state.data().asscalar(),
    'list_data': lambda state: state.list_data()[0].asscalar(),
    'cast': lambda state: state.cast('float64') or state.data().asscalar(),
}


@pytest.mark.parametrize('read', READS)
def test_mxnet_reads_a_parameter_before_its_move(closed_gate, step, read):
    state = parameter(mx.gluon.Parameter)
    step(state.data())
    assert READS[read](state) == 0


@pytest.mark.parametrize('read', READS)
def test_a_moving_parameter_is_read_after_its_move(closed_gate, step, read):
    state = parameter(MovingParameter)
    step(state.data())
    assert closed_gate.entered.acquire(timeout=20)
    threading.Timer(0.05, closed_gate.opened.set).start()  # a reader that does not wait comes before
    assert READS[read](state) == 1

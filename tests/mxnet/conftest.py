"""Custom operators of plain MXNet, whose backward can be held until a test lets it go."""

from __future__ import annotations

import threading
from typing import NamedTuple

import centerloss_mx  # noqa: F401  (makes `import mxnet` work)

import mxnet as mx
import pytest

WAIT = 20  # seconds: longer than any other test needs; never reached where the fault is there


class Gate(NamedTuple):
    """What the tests and the operator in the engine's thread share."""

    opened: threading.Event
    entered: threading.Semaphore


gate = Gate(threading.Event(), threading.Semaphore(0))


class Moving(mx.operator.CustomOp):
    """Backward adds 1 to the auxiliary state, once the gate is open."""

    def forward(self, is_train, req, in_data, out_data, aux):
        self.assign(out_data[0], req[0], in_data[0])

    def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
        gate.entered.release()
        gate.opened.wait(WAIT)
        self.assign(in_grad[0], req[0], mx.nd.ones_like(in_data[0]))
        aux[0][:] += 1
        aux[0].wait_to_read()


@mx.operator.register('plain_moving')
class MovingProp(mx.operator.CustomOpProp):
    def list_auxiliary_states(self):
        return ['state']

    def infer_shape(self, in_shape):
        return in_shape, in_shape, [[1]]

    def create_operator(self, ctx, in_shapes, in_dtypes):
        return Moving()


@pytest.fixture
def closed_gate():
    """The gate of `plain_moving`, closed; open again at the end, so that nothing is left pending."""
    gate.opened.clear()
    while gate.entered.acquire(blocking=False):
        pass
    yield gate
    gate.opened.set()
    mx.nd.waitall()


@pytest.fixture
def step():
    """Start backward of one call of `plain_moving`, or of several that share a state."""

    def start(state, calls=1):
        x = mx.nd.ones((1,))
        x.attach_grad()
        with mx.autograd.record():
            outputs = [mx.nd.Custom(x, state, op_type='plain_moving') for _ in range(calls)]
        mx.autograd.backward(outputs)

    return start

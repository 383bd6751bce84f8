"""What ends a process of plain MXNet: run by test_mxnet_crashes.py, which reads the lines that this prints.

Each function runs in a fork of this process, so that MXNet is imported once.
"""

from __future__ import annotations

import os
import resource
import sys

import numpy as np

if 'bool' not in vars(np):
    np.bool = bool

import mxnet as mx


def constructor():
    """The constructor of an operator's properties raises."""

    @mx.operator.register('plain_bad_constructor')
    class Prop(mx.operator.CustomOpProp):
        def __init__(self):
            raise ValueError

    mx.sym.Custom(mx.sym.Variable('data'), op_type='plain_bad_constructor')


def ends(function):
    """Whether a function ends a process of its own, which otherwise exits with status 7."""
    process = os.fork()
    if process == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            function()
        finally:
            os._exit(7)
    return os.waitpid(process, 0)[1] != 7 << 8


def memory_of_a_device(number):
    """How much more memory the process has, in MB, after an array of one element on this device."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    mx.nd.zeros((1,), ctx=mx.cpu(number)).wait_to_read()
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return kilobytes / 1024


class Identity(mx.operator.CustomOp):
    def forward(self, is_train, req, in_data, out_data, aux):
        self.assign(out_data[0], req[0], in_data[0])


@mx.operator.register('plain_identity')
class IdentityProp(mx.operator.CustomOpProp):
    def create_operator(self, ctx, in_shapes, in_dtypes):
        return Identity()


print('constructor', ends(constructor))
print('memory', memory_of_a_device(5 * 10**6) > 50)
# Last of all: the process ends while an operator waits for its input.
mx.nd.Custom(mx.nd.ones((2,)), op_type='plain_identity').wait_to_read()
late = mx.nd.ones((1500, 1500))
for _ in range(2):
    late = mx.nd.dot(late, late)
mx.nd.Custom(late, op_type='plain_identity')
print('exit', flush=True)
sys.exit(0)

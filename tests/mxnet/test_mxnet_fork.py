"""A process that forks while a custom operator is pending: plain MXNet, and the package."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PENDING = """
import multiprocessing

def work():
    assert float(step().asscalar()) == 8192 * 0.5 * 512

step()
results = step()
process = multiprocessing.get_context('fork').Process(target=work)
process.start()
process.join()
print('child', process.exitcode, 'parent', float(results.asscalar()))
"""

PLAIN = """
import numpy
numpy.bool = bool  # or MXNet does not import
import mxnet as mx

class Sum(mx.operator.CustomOp):
    def forward(self, is_train, req, in_data, out_data, aux):
        self.assign(out_data[0], req[0], in_data[0].sum() / 2)

@mx.operator.register('sum_in_python')
class SumProp(mx.operator.CustomOpProp):
    def infer_shape(self, shapes):
        return shapes, [[1]], []

    def create_operator(self, *args):
        return Sum()

x = mx.nd.ones((8192, 512))

def step():
    return mx.nd.Custom(x, op_type='sum_in_python')
"""

SYMBOL = """
import centerloss_mx, mxnet as mx

symbol = mx.sym.Custom(
    mx.sym.Variable('data'), mx.sym.Variable('label'), op_type='centerloss', num_class=2, normalization='null'
)

def step():
    executor = symbol.simple_bind(mx.cpu(), data=(8192, 512), label=(8192,))
    loss = executor.forward(is_train=True, data=mx.nd.ones((8192, 512)))[0]
    executor.backward()
    return loss
"""

GLUON = """
import centerloss_mx, mxnet as mx

block = centerloss_mx.gluon.CenterLoss(2, 512, normalization='null', update='moving_average', alpha=0)
block.initialize()
x, y = mx.nd.ones((8192, 512)), mx.nd.zeros(8192)
x.attach_grad()

def step():
    with mx.autograd.record():
        loss = block(x, y).sum()
    loss.backward()
    return loss
"""


FAILED = """
import multiprocessing

executor = symbol.simple_bind(mx.cpu(), data=(8192, 512), label=(8192,))
loss = executor.forward(is_train=True, label=mx.nd.full(8192, 7))[0]
process = multiprocessing.get_context('fork').Process(target=print)
process.start()
process.join()
print('child', process.exitcode, 'loss', loss.asscalar())
"""


def run(program, kernel, seconds=60):
    environment = {**os.environ, 'CENTERLOSS_MX_KERNEL': kernel, 'PYTHONWARNINGS': 'ignore'}
    arguments = [sys.executable, '-c', program]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=seconds, env=environment)


@pytest.mark.slow
def test_mxnet_hangs():
    with pytest.raises(subprocess.TimeoutExpired):
        run(PLAIN + PENDING, kernel='0', seconds=8)


@pytest.mark.parametrize('kernel', ['0', '1'])
@pytest.mark.parametrize('step', [SYMBOL, GLUON], ids=['symbol', 'gluon'])
def test_a_fork_in_the_middle_of_a_step_goes_on_in_both_processes(step, kernel):
    done = run(step + PENDING, kernel)
    assert done.stdout == f'child 0 parent {8192 * 0.5 * 512}\n', done.stderr


@pytest.mark.parametrize('kernel', ['0', '1'])
def test_the_error_of_a_pending_batch_is_printed_and_its_loss_is_nan(kernel):
    done = run(SYMBOL + FAILED, kernel)
    assert done.returncode == 0 and done.stdout.endswith('child 0 loss nan\n'), done.stderr
    assert 'label 7 at row 0 is outside 0..1 (num_class=2)' in done.stdout
    assert 'Exception ignored in: <function finish_before_fork' in done.stderr

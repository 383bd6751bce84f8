"""Faults that end the process of plain MXNet, or its import, in processes of their own.

Ours: test_compat.py (import), test_operator.py (a bad parameter is an error of MXNet), test_exit.py (pending
work), test_training.py (a device that does not exist), test_mxnet_graphs.py (numbers in symbol files),
test_mxnet_saved_arrays.py and test_promises.py (headers that promise too much).
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

EXPECTED = [
    'import without numpy.bool 7',  # raised
    'import without distutils 7',
    'constructor 255',  # neither returned nor raised
    'memory True',
    'output True',  # the process ended
    'input True',
    'picture 0 9',  # read with the right size; more than 300 MB with the wrong one
    'parameters 0 9',
    'record 0 9',
]

PENDING_AT_EXIT = """
import centerloss_mx._compat
import mxnet as mx

class Identity(mx.operator.CustomOp):
    def forward(self, is_train, req, in_data, out_data, aux):
        self.assign(out_data[0], req[0], in_data[0])

@mx.operator.register('plain_identity')
class IdentityProp(mx.operator.CustomOpProp):
    def create_operator(self, ctx, in_shapes, in_dtypes):
        return Identity()

mx.nd.Custom(mx.nd.ones((2,)), op_type='plain_identity').wait_to_read()  # it has a thread
late = mx.nd.ones((1500, 1500))
for _ in range(3):
    late = mx.nd.dot(late, late)
mx.nd.Custom(late, op_type='plain_identity')
"""


def run(*arguments):
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=120)


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='it reads /proc')
def test_mxnet_does_not_import_and_ends_or_swells_the_process():
    done = run(Path(__file__).with_name('crashes.py'))
    assert done.stdout.splitlines() == EXPECTED, done.stderr


@pytest.mark.slow
def test_mxnet_aborts_at_exit_while_an_operator_waits_for_its_input():
    """Not in every run, so there are several; with `_mxnet.engine` imported, no run does."""
    plain = PENDING_AT_EXIT.replace('import centerloss_mx._compat', 'import numpy\nnumpy.bool = bool')
    assert any(run('-c', plain).returncode == -signal.SIGABRT for _ in range(5))
    done = run('-c', f'{PENDING_AT_EXIT}\nimport centerloss_mx._mxnet.engine')
    assert done.returncode == 0, done.stderr

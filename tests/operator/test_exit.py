"""A process that ends while work of the operator is pending ends: MXNet's own shutdown may hang or abort."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import centerloss_mx
import mxnet as mx

embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=4, name='embedding')
label = mx.sym.Variable('softmax_label')
labels = {'softmax_label': label, 'center_label': label}
net = centerloss_mx.symbol.joint_supervision(embedding, 3, 0.1, batchsize=16, **labels)
samples = mx.io.NDArrayIter(mx.nd.ones((64, 8)), mx.nd.zeros(64), 16)
module = mx.mod.Module(net)
module.bind(samples.provide_data, samples.provide_label)
module.init_params(mx.init.Xavier())
outputs = module.predict(samples)  # which nobody reads
"""


@pytest.mark.slow
def test_a_process_with_pending_work_ends():
    """Several at a time, on busy processors: then many hung or aborted before there was a wait at exit."""
    for _ in range(2):
        processes = [subprocess.Popen([sys.executable, '-c', PROGRAM]) for _ in range(4)]
        try:
            assert [process.wait(timeout=120) for process in processes] == [0] * 4
        finally:
            for process in processes:
                process.kill()

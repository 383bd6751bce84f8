"""`CachedOp` is not for several threads: plain MXNet ends the process, `without_fusion` does not."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from centerloss_mx._mxnet.inference import without_fusion

import mxnet as mx
import pytest

# Threads that call a new network for the first time, all at once, each with a batch of its own.
RACE = """
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from centerloss_mx._mxnet.inference import without_fusion
import mxnet as mx
import numpy as np

LAYERS, THREADS = 25, 4
net, rng = mx.sym.Variable('data'), np.random.RandomState(20161008)
params = {}
for i in range(LAYERS):
    net = mx.sym.FullyConnected(net, num_hidden=8, name=f'layer{i}')
    params[f'layer{i}_weight'] = mx.nd.array(rng.randn(8, 8) / 3)
    params[f'layer{i}_bias'] = mx.nd.array(rng.randn(8))
data = [mx.nd.array(rng.randn(1 + 4 * i, 8)) for i in range(THREADS)]

def plain():
    run, names = mx.nd.CachedOp(net), net.list_inputs()
    return lambda batch: run(*({**params, 'data': batch}[name] for name in names))

def ours():
    return without_fusion(net, 'data', params, mx.cpu())

make = plain if sys.argv[1] == 'plain' else ours
alone = ours()
expected = [alone(batch).asnumpy() for batch in data]
barrier = threading.Barrier(THREADS)

def first_call(compute, batch):
    barrier.wait()
    return compute(batch).asnumpy()

with ThreadPoolExecutor(THREADS) as pool:
    for _ in range(int(sys.argv[2])):
        found = pool.map(first_call, THREADS * [make()], data)
        for own, other in zip(found, expected):
            np.testing.assert_allclose(own, other, atol=1e-5)
print('right')
"""


def race(kind, rounds):
    command = [sys.executable, '-c', RACE, kind, str(rounds)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_mxnet_ends_a_process_whose_threads_share_a_network():
    assert race('plain', 3000).returncode != 0


@pytest.mark.slow
def test_threads_that_share_a_network_get_what_each_gets_alone():
    process = race('ours', 250)
    assert (process.returncode, process.stdout) == (0, 'right\n'), process.stderr[-2000:]


def test_one_thread_at_a_time_is_in_a_network(monkeypatch):
    inside = threading.Lock()

    def network(symbol):
        def run(data):
            assert inside.acquire(blocking=False), 'two threads at once'
            time.sleep(0.001)  # another one would come
            inside.release()
            return data

        return run

    monkeypatch.setattr(mx.nd, 'CachedOp', network)
    compute = without_fusion(mx.sym.Variable('data'), 'data', {}, mx.cpu())
    with ThreadPoolExecutor(4) as pool:
        assert len([*pool.map(compute, [mx.nd.ones(1)] * 20)]) == 20

"""Centers on the KVStore are the same on one device, many devices, and many workers: real processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import kvstore_job
from centerloss_mx import reference
from kvstore_job import BASES, BATCH, BATCHES, DIM, EPOCHS, NUM_CLASS, SCALE

import numpy as np
import pytest

JOB = [sys.executable, kvstore_job.__file__]


def launch(workers, servers, *command, timeout=120, **environment):
    return subprocess.run(
        [sys.executable, '-m', 'centerloss_mx.launch', '-n', str(workers), '-s', str(servers), '--', *command],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
    )


class Base:
    """The base optimizers' updates in float64, as MXNet documents them."""

    def __init__(self, name):
        self.name, self.options = name, BASES[name]
        self.states = {}

    def update(self, key, w, g, t):
        lr = self.options['learning_rate']
        first, second = self.states.get(key, (0, 0))
        wd = self.options.get('wd', 0) if key.endswith('_weight') else 0
        if self.name == 'adam':
            g = g / BATCH
            first, second = 0.9 * first + 0.1 * g, 0.999 * second + 0.001 * g**2
            step = lr * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * first / (np.sqrt(second) + 1e-8)
        elif self.name == 'adagrad':
            g = g / BATCH
            first = first + g**2
            step = lr * g / np.sqrt(first + 1e-7)
        else:
            step = first = self.options.get('momentum', 0) * first + lr * (g / BATCH + wd * w)
        self.states[key] = first, second
        return w - step


def oracle(base):
    """The 40 steps in float64, by reference.py."""
    x, y = kvstore_job.samples()
    trained = kvstore_job.parameters()
    seen = np.zeros(NUM_CLASS)
    optimizer = Base(base)
    for t in range(1, EPOCHS * BATCHES + 1):
        batch = slice((t - 1) % BATCHES * BATCH, ((t - 1) % BATCHES + 1) * BATCH)
        embedding, w, b, centers = (trained[name] for name in kvstore_job.parameters())
        features = x[batch].astype(np.float64) @ embedding.T
        to_features, to_w, to_b = reference.joint_supervision_gradients(
            features, y[batch], w, b, centers[:, :DIM], SCALE
        )
        gradients = {'embedding_weight': to_features.T @ x[batch], 'fc2_weight': to_w, 'fc2_bias': to_b}
        moved = reference.center_update(features, y[batch], centers[:, :DIM], kvstore_job.ALPHA)
        seen += np.bincount(y[batch], minlength=NUM_CLASS)
        trained = {name: optimizer.update(name, trained[name], g, t) for name, g in gradients.items()}
        trained['center_loss_center_weight'] = np.hstack([moved, seen[:, np.newaxis]])
    return trained


def assert_same(trained, expected):
    """max|difference| <= 1e-5 max|w| for each array; samples are counted exactly."""
    assert set(trained) == set(expected)
    for name, value in expected.items():
        if name.endswith('_center_weight'):
            np.testing.assert_array_equal(trained[name][:, DIM], value[:, DIM])
            value, trained = value[:, :DIM], {**trained, name: trained[name][:, :DIM]}
        off = np.abs(trained[name] - value).max() / np.abs(value).max()
        assert off <= 1e-5, f'{name} is off by {off:.1e}'


@pytest.mark.parametrize('base', BASES)
def test_one_device_trains_what_the_reference_does(base):
    assert_same(kvstore_job.train(base, None), oracle(base))


@pytest.mark.parametrize('base', BASES)
@pytest.mark.parametrize('contexts', [2, 4])
@pytest.mark.parametrize('kvstore', ['local', 'device'])
def test_several_devices_train_what_one_does(base, contexts, kvstore):
    trained = kvstore_job.train(base, kvstore, contexts)
    assert_same(trained, kvstore_job.train(base, None))
    assert_same(trained, oracle(base))


# 2^0 elements: every array is split over all servers
LAYOUTS = {'2 workers, 2 servers': (2, 2, '1'), '3 workers, 1 server': (3, 1, '1000000')}


@pytest.mark.slow
@pytest.mark.parametrize('base', BASES)
@pytest.mark.parametrize('layout', LAYOUTS)
def test_several_workers_train_what_one_process_does(base, layout, tmp_path):
    workers, servers, bound = LAYOUTS[layout]
    output = tmp_path / 'trained.npz'
    job = launch(
        workers, servers, *JOB, str(output), base, 'dist_sync', MXNET_KVSTORE_BIGARRAY_BOUND=bound
    )
    assert job.returncode == 0, job.stdout + job.stderr
    with np.load(output) as trained:
        assert_same(dict(trained), kvstore_job.train(base, None))
        assert_same(dict(trained), oracle(base))

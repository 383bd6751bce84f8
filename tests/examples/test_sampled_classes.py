"""The example that trains a sampled class layer beside the dense one, on a few patterns."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from makers import patterned_pictures

EXAMPLES = Path(__file__).resolve().parents[2] / 'examples'
sys.path.insert(0, str(EXAMPLES))  # as when they run

from centerloss_mx.dataset import as_arrays  # noqa: E402

from sampled_classes import DENSE, Result, Trial, fit, table  # noqa: E402

OPTIONS = argparse.Namespace(embedding_dim=4, batch_size=8, num_epochs=3, lr=0.1, s=8.0, margin=0.4)


@pytest.fixture(scope='module')
def weights():
    """The embedding's weights after a training with a rate and a seed."""
    samples = as_arrays(*patterned_pictures(12, 4, size=28, seed=0))

    def trained(rate, seed):
        arg_params, _ = fit(samples, OPTIONS, Trial(rate, 0.0, seed)).get_params()
        return arg_params['embedding_weight'].asnumpy()

    return trained


def test_the_seed_alone_decides_the_start_and_the_order(weights):
    dense = weights(DENSE, 1)
    np.testing.assert_array_equal(dense, weights(DENSE, 1))
    assert np.abs(dense - weights(DENSE, 2)).max() > 0.01
    np.testing.assert_allclose(weights(1.0, 1), dense, rtol=0, atol=1e-5 * np.abs(dense).max())
    assert np.abs(weights(0.75, 1) - dense).max() > 1e-3


def test_the_table_has_the_difference_to_dense_of_each_seed():
    maps = {(DENSE, 1): 0.70, (DENSE, 2): 0.80, (0.1, 1): 0.71, (0.1, 2): 0.79}
    results = [Result(rate, 0.0, seed, value, 0.9, 2.0 + seed) for (rate, seed), value in maps.items()]
    assert table(results).splitlines()[2:] == [
        '| dense | 0 | 75.00 ± 7.07 |  | 90.00 ± 0.00 | 3.5 |',
        '| sampled, 10% | 0 | 75.00 ± 5.66 | +0.00 ± 1.00 | 90.00 ± 0.00 | 3.5 |',
    ]


@pytest.mark.slow
def test_it_trains_each_layer_and_does_not_train_again_what_it_has(tmp_path):
    images, labels = patterned_pictures(24, 4, size=28, seed=0)
    np.savez(tmp_path / 'glyphs.npz', images=images, labels=labels)
    command = [sys.executable, 'sampled_classes.py', '--output', tmp_path, '--rates', '0.75']
    command += ['--scales', '0', '0.01', '--num-seeds', '1', '--num-epochs', '1', '--batch-size', '8']

    def ran():
        done = subprocess.run(command, cwd=EXAMPLES, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    first = ran()
    assert [line.split('|')[1:3] for line in first[-4:]] == [
        [' dense ', ' 0 '],
        [' sampled, 75% ', ' 0 '],
        [' dense ', ' 0.01 '],
        [' sampled, 75% ', ' 0.01 '],
    ]
    written = (tmp_path / 'results.csv').read_bytes()
    assert ran()[-6:] == first[-6:] and (tmp_path / 'results.csv').read_bytes() == written

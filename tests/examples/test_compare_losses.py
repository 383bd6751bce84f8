"""The comparison, run as a user runs it on a few digits: every loss is trained, tabled and drawn."""

from __future__ import annotations

import csv
import runpy
import subprocess
import sys
from pathlib import Path

import mxnet as mx
import numpy as np
import pytest
from PIL import Image

EXAMPLES = Path(__file__).resolve().parents[2] / 'examples'
SCRIPT = [sys.executable, str(EXAMPLES / 'compare_losses.py')]
TITLES = ['softmax', 'paper', 'moving average', 'learned', 'island', 'contrastive-center', 'L-GM']


@pytest.fixture(scope='module')
def compared(data_dir, tmp_path_factory):
    output = tmp_path_factory.mktemp('compare')
    options = ['--data-dir', data_dir, '--output', output, '--seeds', 2, '--num-epochs', 2, '--lr', 0.01]
    done = subprocess.run([*SCRIPT, *map(str, options)], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    with open(output / 'results.csv', newline='') as file:
        return output, done.stdout, list(csv.DictReader(file))


@pytest.mark.slow
def test_every_loss_is_trained_with_every_seed_and_tabled(compared):
    output, printed, results = compared
    trained = [(row['loss'], row['seed']) for row in results if row['loss'] != 'center loss']
    assert trained == [(title, seed) for title in TITLES for seed in '12']
    table = (output / 'losses.md').read_text(encoding='utf-8')
    assert table in printed
    rows = [line.split(' | ') for line in table.splitlines()[2:]]
    assert [row[0].strip('| ') for row in rows] == TITLES
    for row, title in zip(rows, TITLES):
        mine = [result for result in results if result['loss'] == title]
        for cell, field, factor in (
            (row[2], 'accuracy', 100),
            (row[3], 'knn_accuracy', 100),
            (row[4], 'ratio', 1),
        ):
            values = [factor * float(result[field]) for result in mine]
            mean, deviation = map(float, cell.split(' ± '))
            assert mean == pytest.approx(np.mean(values), abs=0.006)
            assert deviation == pytest.approx(np.std(values, ddof=1), abs=0.006)


@pytest.mark.slow
def test_no_two_losses_give_the_same_network(compared):
    """A loss that is skipped, or whose weight is 0, repeats the numbers of softmax or of another one."""
    _, _, results = compared
    for seed in '12':
        numbers = [(row['own'], row['between']) for row in results if row['seed'] == seed]
        assert len(set(numbers)) == len(numbers)


@pytest.mark.slow
def test_the_sweeps_train_what_the_table_has_not(compared):
    output, _, results = compared
    swept = {(row['scale'], row['alpha']) for row in results if row['loss'] == 'center loss'}
    assert swept == {
        ('0.001', '0.5'), ('0.01', '0.5'), ('0.05', '0.5'),
        ('0.1', '0.01'), ('0.1', '0.1'), ('0.1', '1'),
    }  # fmt: skip
    for name in 'losses.png', 'sweeps.png':
        with Image.open(output / name) as picture:
            assert min(picture.size) > 600


def gradients(build):
    """The embedding's gradient under a loss of the comparison, its centers and states being random."""
    rng = np.random.RandomState(20161008)
    net = build(mx.sym.Variable('data'), 8)
    executor = net.simple_bind(mx.cpu(), data=(8, 2), softmax_label=(8,))
    for name, array in {**executor.arg_dict, **executor.aux_dict}.items():
        array[:] = rng.randint(0, 10, 8) if name == 'softmax_label' else rng.randn(*array.shape)
    executor.forward(is_train=True)
    executor.backward()
    return executor.grad_dict['data'].asnumpy()


def test_every_loss_adds_a_gradient_of_its_own():
    losses = runpy.run_path(str(EXAMPLES / 'compare_losses.py'))['LOSSES']
    assert [loss.title for loss in losses] == TITLES
    found = {loss.title: gradients(loss.build) for loss in losses}
    for title in TITLES[1:]:
        assert abs(found[title] - found['softmax']).max() > 1e-3, title


@pytest.mark.parametrize('options, message', [
    (['--seeds', '0'], 'argument --seeds: 0: expected 1 or more'),
    (['--num-epochs', '0'], 'argument --num-epochs: 0: expected 1 or more'),
    (['--lr', 'inf'], 'argument --lr: inf: expected more than 0'),
    (['--data-dir', '/nowhere'], 'train-images-idx3-ubyte'),
])  # fmt: skip
def test_bad_options_end_in_one_sentence(refused_by, tmp_path, options, message):
    assert message in refused_by(SCRIPT[-1], '--output', tmp_path, *options)

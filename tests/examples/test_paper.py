"""The claims of the paper on digits: each kind of training is what it says; a small run ends in tables."""

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

SCRIPT = Path(__file__).resolve().parents[2] / 'examples' / 'paper.py'
PAPER = runpy.run_path(str(SCRIPT))
Kind = PAPER['Kind']


def gradient(kind, label=3):
    """The features' gradient, and that of center loss by Eq. 3; random values that depend on names alone."""
    executor = kind.build(mx.sym.Variable('data'), 8).simple_bind(mx.cpu(), data=(8, 2), softmax_label=(8,))
    for name, array in {**executor.arg_dict, **executor.aux_dict}.items():
        rng = np.random.RandomState(sum(map(ord, name)))
        array[:] = label if name == 'softmax_label' else rng.randn(*array.shape)
    executor.forward(is_train=True)
    centers = executor.aux_dict['center_loss__center_bias'].asnumpy() if kind.scale else None
    executor.backward()
    mx.nd.waitall()
    features, found = executor.arg_dict['data'].asnumpy(), executor.grad_dict['data'].asnumpy()
    return found, None if centers is None else kind.scale * (features - centers[label]), executor


def test_features_learn_from_center_loss_alone_and_the_classifier_beside_it_still_learns():
    found, expected, executor = gradient(Kind(0.1, joint=False))
    assert abs(expected).max() > 0.1
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    weights = [name for name in executor.grad_dict if name.endswith('weight')]
    assert len(weights) == 1 and abs(executor.grad_dict[weights[0]].asnumpy()).max() > 0.1


def test_joint_supervision_is_the_sum_of_both_gradients():
    joint, center, _ = gradient(Kind(0.1))
    softmax, _, _ = gradient(Kind(0))
    assert abs(softmax).max() > 0.1
    np.testing.assert_allclose(joint, softmax + center, rtol=1e-5, atol=1e-6)


def test_a_share_of_the_labels_is_that_of_another_class():
    labels = np.arange(1000) % 10
    changed = PAPER['mislabelled'](labels, 0.05, 1)
    assert (changed != labels).sum() == 50
    assert set(changed) == set(range(10))
    assert (PAPER['mislabelled'](labels, 0.05, 2) != changed).any()
    assert (PAPER['mislabelled'](labels, 0, 1) == labels).all()


def test_the_shift_is_a_distance_from_the_means_of_the_rightly_labelled_classes():
    path = PAPER['CenterPath']()
    features, labels = np.array([[0.0, 0.0], [0.0, 2.0], [10.0, 1.0]]), np.array([0, 0, 1])
    path.centers = [np.array([[0.0, 1.0], [10.0, 1.0]]), np.array([[0.0, 3.0], [10.0, 1.0]])]
    assert path.shift(features, labels) == pytest.approx((0 + 0 + 2 + 0) / 4 / 10)


@pytest.mark.slow
def test_every_kind_is_trained_with_every_seed_and_tabled(data_dir, tmp_path):
    options = ['--data-dir', data_dir, '--output', tmp_path, '--seeds', 2, '--num-epochs', 1, '--lr', 0.01]
    command = [sys.executable, str(SCRIPT), *map(str, options)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    with open(tmp_path / 'results.csv', newline='') as file:
        results = list(csv.DictReader(file))
    kinds = dict.fromkeys(PAPER['OVER_SCALE'] + PAPER['OVER_ALPHA'])
    assert [(row['kind'], float(row['wrong']), row['seed']) for row in results] == [
        (kind.title, kind.wrong, seed) for kind in kinds for seed in '12'
    ]
    numbers = [(row['own'], row['between']) for row in results]
    assert len(set(numbers)) == len(numbers), 'two trainings are one and the same'
    assert all((row['shift'] == 'nan') == (row['kind'] == 'softmax only') for row in results)
    tables = (tmp_path / 'paper.md').read_text(encoding='utf-8')
    assert tables in done.stdout
    assert tables.count('\n| ') == 3 + len(PAPER['OVER_SCALE'] + PAPER['OVER_ALPHA'])  # three are of headers
    accuracies = [100 * float(row['accuracy']) for row in results[:2]]
    assert f'| softmax only | {np.mean(accuracies):.2f} ± {np.std(accuracies, ddof=1):.2f} |' in tables
    with Image.open(tmp_path / 'paper.png') as picture:
        assert min(picture.size) > 600

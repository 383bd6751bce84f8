"""The Gluon example, run as a user runs it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import mxnet as mx
import pytest

SCRIPT = Path(__file__).resolve().parents[2] / 'examples' / 'gluon_mnist.py'


def run(output, *options):
    command = [sys.executable, SCRIPT, '--output', output, *options]
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_two_epochs_learn_digits_the_same_layer_by_layer_and_leave_all_parameters(tmp_path):
    lines = []
    for way in [], ['--no-hybridize']:
        done = run(tmp_path, '--num-digits', 2000, '--num-epochs', 2, *way)
        assert done.returncode == 0, done.stdout + done.stderr
        lines.append(done.stdout.splitlines())
    assert lines[0] == lines[1]
    first, last = (
        [float(number) for number in re.match(r'epoch \d: test accuracy (.*)%, ratio (.*)', line).groups()]
        for line in lines[0][:2]
    )
    assert 40 < last[0] <= 100 and 0 < last[1] < first[1] < 1
    centers = mx.nd.load(str(tmp_path / 'centers.params'))['center_bias']
    assert centers.shape == (10, 2) and (centers.norm(axis=1) > 0).asnumpy().all()
    assert 'classes.weight' in mx.nd.load(str(tmp_path / 'lenet.params'))


@pytest.mark.slow
def test_divergence_ends_with_a_sentence_that_says_what_to_do(tmp_path):
    done = run(tmp_path, '--num-digits', 500, '--num-epochs', 1, '--lr', 100, '--scale', 100)
    assert done.returncode == 1 and done.stderr.splitlines()[-1].startswith('gluon_mnist.py: ')
    assert 'If training diverges, lower the scale or the learning rate' in done.stderr

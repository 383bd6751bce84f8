"""The benchmarks compare what agrees with the oracle, and their statistics are right."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from centerloss_mx import reference
from centerloss_mx.io import load_mnist, mnist_iter

import numpy as np
import pytest

from benchmarks import epoch, kvstore_worker, rounds

REPOSITORY = Path(__file__).resolve().parents[1]
AGREE = 'from benchmarks import rivals; print(*rivals.runs(6, 3, 10), *rivals.MISSING, sep="\\n")'
DISAGREE = """
from benchmarks import rivals
def with_another_alpha(*batch):
    rivals.ALPHA = 0.4
    operator = rivals.Operator("centerloss", *batch)
    rivals.ALPHA = 0.5
    return operator
rivals.RIVALS["NumPy"] = with_another_alpha
rivals.runs(6, 3, 10, ["NumPy"])
"""


def run(code):
    """In a process of its own: PyTorch brings an OpenMP of its own."""
    return subprocess.run(
        [sys.executable, '-c', code], cwd=REPOSITORY, capture_output=True, text=True, timeout=60
    )


@pytest.fixture()
def without_torch(monkeypatch, tmp_path):
    (tmp_path / 'torch.py').write_text('raise ImportError', encoding='utf-8')
    monkeypatch.setenv('PYTHONPATH', f'{tmp_path}{os.pathsep}{os.environ.get("PYTHONPATH", "")}')


@pytest.mark.usefixtures('without_torch')
def test_the_rivals_agree_with_the_oracle_also_without_pytorch():
    done = run(AGREE)
    assert done.returncode == 0, done.stderr
    *names, sentence = done.stdout.splitlines()
    assert {'nothing', 'NumPy', 'classic'} <= set(names)
    assert sentence == (
        "`touched rows` and `N x C` are left out: pip install 'centerloss_mx[bench]' brings PyTorch."
    )


@pytest.mark.slow
@pytest.mark.skipif(find_spec('torch') is None, reason='PyTorch is not installed')
def test_the_rivals_in_pytorch_agree_with_the_oracle():
    done = run(AGREE)
    assert done.returncode == 0, done.stderr
    assert {'touched rows, 1', 'touched rows, 2', 'N x C, 1', 'N x C, 2'} <= set(done.stdout.splitlines())


@pytest.mark.usefixtures('without_torch')
def test_a_rival_that_does_not_agree_is_not_timed():
    done = run(DISAGREE)
    assert done.returncode == 1
    assert 'AssertionError' in done.stderr and 'NumPy' in done.stderr


@pytest.mark.parametrize('name', epoch.NETWORKS)
def test_the_networks_of_the_epochs_agree(name):
    network = epoch.NETWORKS[name]
    images, labels, _, _ = load_mnist()
    epoch.check_agreement(network, mnist_iter(images[:200], labels[:200], network.batch_size))


def test_the_steps_with_row_tables_agree_with_the_oracle():
    kvstore_worker.check_agreement(kvstore=None)


@pytest.mark.parametrize('name, part', [('center_update', ...), ('sampled_softmax', 2)])
def test_steps_with_row_tables_that_do_not_agree_are_not_timed(monkeypatch, name, part):
    right = getattr(reference, name)

    def wrong(*arguments):
        found = right(*arguments)
        return 1.05 * found if part is ... else [*found[:part], 1.05 * found[part]]

    monkeypatch.setattr(reference, name, wrong)
    with pytest.raises(AssertionError, match='Mismatched elements'):
        kvstore_worker.check_agreement(kvstore=None)


def test_the_interval_of_a_median_covers_95_percent():
    assert rounds.median_interval(np.arange(1, 16)[::-1]) == (8, 4, 12)  # 96.5 %; from 5 to 11 it is 88.2 %
    assert rounds.median_interval(np.arange(1, 7)) == (3.5, 1, 6)
    with pytest.raises(ValueError, match='5 values have no interval of 95 %'):
        rounds.median_interval(np.arange(5))


def test_in_turns_each_runs_once_a_round():
    calls = []
    seconds = rounds.take_turns({name: lambda name=name: calls.append(name) for name in 'abc'}, rounds=4)
    assert [sorted(calls[i : i + 3]) for i in range(0, 12, 3)] == [['a', 'b', 'c']] * 4
    assert {name: times.shape for name, times in seconds.items()} == {'a': (4,), 'b': (4,), 'c': (4,)}

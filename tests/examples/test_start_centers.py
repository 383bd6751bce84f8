"""The example of centers that start at class means, run as a user runs it on a few digits."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = [sys.executable, str(Path(__file__).resolve().parents[2] / 'examples' / 'start_centers.py')]


@pytest.mark.slow
def test_it_prints_the_results_of_all_four_trainings():
    options = ['--num-digits', '1000', '--num-epochs', '2']
    done = subprocess.run([*SCRIPT, *options], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line for line in done.stdout.splitlines() if 'centers from' in line]
    assert [re.split(r' {2,}| centers from ', line)[0] for line in lines] == ['fresh'] * 2 + [
        'after softmax'
    ] * 2
    assert sum('class means' in line for line in lines) == 2
    ratios = re.findall(r'ratio (\d\.\d{3})', done.stdout)
    assert len(set(ratios)) == len(ratios), 'two trainings are one and the same'
    assert 'ratio' in lines[1] and 'ratio' in lines[3], 'centers from class means have collapsed'


def test_digits_that_fill_no_batches_are_refused(refused_by):
    assert '--num-digits 77: expected a multiple of 50' in refused_by(SCRIPT[-1], '--num-digits', '77')

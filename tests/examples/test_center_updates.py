"""The example that draws how fast centers move: its numbers are those of the formulas."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

SCRIPT = Path(__file__).resolve().parents[2] / 'examples' / 'center_updates.py'


@pytest.mark.parametrize('count', [1, 13])
def test_each_step_leaves_the_share_of_the_way_that_the_formulas_say(count):
    example = runpy.run_path(str(SCRIPT))
    learned = 0.05 * 0.1 * count / 128
    paper, moving_average = 0.5 * count / (1 + count), 0.5
    steps = {}
    for label, loss in example['losses']().items():
        left = example['way_left'](loss, count)
        assert len(left) == 13 and left[0] == 1
        for before, after in zip(left, left[1:]):
            assert after / before == pytest.approx(left[1], rel=1e-2, abs=1e-6)
        steps[label] = 1 - left[1]
    expected = [paper, moving_average, learned, learned * example['LR_MULT']]
    assert list(steps.values()) == pytest.approx(expected, rel=1e-3)


def test_it_draws_and_prints_and_mxnet_prints_nothing(tmp_path):
    picture = tmp_path / 'new' / 'updates.png'
    done = subprocess.run([sys.executable, SCRIPT, '--output', picture], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == '', done.stderr
    assert done.stdout.count('paper, α = 0.5') == 2 and 'n_j = 13' in done.stdout
    with Image.open(picture) as image:
        assert image.size[0] > 1000

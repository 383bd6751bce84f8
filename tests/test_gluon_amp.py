"""`gluon.CenterLoss`, the raw operator and symbols under `amp.init('bfloat16')`, in a process of its own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

PROGRAM = Path(__file__).with_name('gluon_amp_program.py')
PAGE = Path(__file__).parents[1] / 'docs' / 'mixed-precision.md'


pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def result(bfloat16):
    done = subprocess.run([sys.executable, str(PROGRAM)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def arrays(trained):
    return {name: np.array(value) for name, value in trained.items() if name.startswith('net_')}


@pytest.mark.parametrize('way', ['eager', 'hybridized', 'inside'])
def test_the_block_trains_as_in_float32(result, way):
    """The errors of `tests/operator/test_amp.py`, of parameters that begin below 1 and centers at 0."""
    expected = arrays(result['float32'])
    assert {*expected} == {
        f'net_{name}' for name in ('embedding_weight', 'embedding_bias', 'classes_weight', 'classes_bias',
                                   'center_loss_center_bias')
    }  # fmt: skip
    for name, array in arrays(result[way]).items():
        difference = np.abs(array - expected[name]).max()
        assert 0 < difference <= 2**-5 * np.abs(expected['net_center_loss_center_bias']).max(), name


def test_features_are_bfloat16_and_a_scaled_loss_trains_the_same(result):
    assert result['float32']['embedding'] == "<class 'numpy.float32'>"
    assert 'bfloat16' in result['eager']['embedding'] and 'bfloat16' in result['hybridized']['embedding']
    assert result['scaled'] == result['eager']  # scaled by a power of two: to the bit


def test_a_step_that_loss_scaling_skips_moves_centers_and_no_weights(result):
    assert result['overflowing'] == [False, True]


def test_the_operator_takes_no_scaled_loss(result):
    plain, scaled = result['gradients']
    assert plain == scaled == np.full((6, 4), 1 / 6, 'float32').tolist()


def test_a_symbol_that_is_built_after_init_has_its_casts_its_names_and_its_description(result):
    plain, low = result['plain_symbol'], result['symbol']
    assert plain['inputs'] == ['FullyConnected', *['null'] * 4]
    assert low['inputs'] == ['amp_cast', 'amp_cast', *['null'] * 3]
    assert low['names'] == plain['names'] and low['description'] == plain['description']
    assert not plain['bind_error'] and 'InferType pass cannot decide dtypes' in low['bind_error']


def test_the_programs_of_the_page_run_in_a_process_of_their_own(bfloat16, tmp_path):
    """Other tests of pages run blocks of the kind `python`, in their own process, on any processor."""
    symbols, training, gluon = re.findall(r'^```py\w*\n(.*?)^```$', PAGE.read_text('utf-8'), re.M | re.S)
    for program in symbols + training, gluon:
        done = subprocess.run(
            [sys.executable, '-c', program], cwd=tmp_path, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
    assert done.stdout == "float32 <class 'numpy.float32'>\n" and done.stdout in PAGE.read_text('utf-8')

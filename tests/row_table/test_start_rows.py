"""The rows that tables start with do not depend on the ranges that are asked for."""

from __future__ import annotations

from centerloss_mx.row_table import normal_rows, zeros

import numpy as np
import pytest

SHAPE = (10_000, 3)


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
@pytest.mark.parametrize('step', [1000, 4096, 4097, 9999])
def test_any_ranges_make_the_same_rows(dtype, step):
    read = normal_rows(SHAPE, dtype, seed=1)
    whole = read(0, SHAPE[0])
    starts = range(0, SHAPE[0], step)
    parts = [read(start, min(start + step, SHAPE[0])) for start in starts]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert whole.dtype == dtype and whole.shape == SHAPE
    np.testing.assert_array_equal(normal_rows((20_000, 3), dtype, seed=1)(0, SHAPE[0]), whole)


def test_the_rows_are_normal_and_of_their_seed():
    rows = normal_rows(SHAPE, seed=1, sigma=0.5)(0, SHAPE[0])
    assert abs(rows.mean()) < 4 * 0.5 / np.sqrt(rows.size)
    assert abs(rows.std() - 0.5) < 4 * 0.5 / np.sqrt(2 * rows.size)
    assert len(np.unique(rows[:, 0])) > 9990  # no chunk repeats another
    assert abs(np.corrcoef(rows[:4096, 0], rows[4096:8192, 0])[0, 1]) < 4 / np.sqrt(4096)
    assert (normal_rows(SHAPE, seed=2, sigma=0.5)(0, 10) != rows[:10]).all()


def test_zeros_are_zeros():
    rows = zeros(SHAPE, 'float64')(3, 8)
    assert rows.shape == (5, 3) and rows.dtype == np.float64 and not rows.any()

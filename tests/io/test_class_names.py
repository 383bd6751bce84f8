"""Classes are named after their labels, and numbered in the order of these."""

from __future__ import annotations

from centerloss_mx.io.class_names import numbered

import numpy as np
import pytest


@pytest.mark.parametrize('labels', [
    np.array([7, 3, 7]), np.array([7.0, 3.0, 7.0]), np.array(['7', '3', '7']), np.array([b'7', b'3', b'7']),
    np.array([7, 3, 7], 'uint8'), [7, 3, 7],
])  # fmt: skip
def test_a_class_has_one_name_whatever_its_labels_are(labels):
    names, numbers = numbered(labels)
    assert names == ['3', '7'] and numbers.tolist() == [1, 0, 1] and numbers.dtype == np.int64


def test_labels_that_are_not_finite_are_refused():
    assert numbered(np.array([0.5, 2.0]))[0] == ['0.5', '2.0']
    with pytest.raises(ValueError, match='label nan at row 1 is not finite'):
        numbered(np.array([1, np.nan]))

"""Labels become row numbers only where their dtype tells all rows apart."""

from __future__ import annotations

from centerloss_mx.operator.labels import check_labels

import numpy as np
import pytest


@pytest.mark.parametrize('dtype, first', [('float16', 2**11), ('float32', 2**24), ('float64', 2**53)])
def test_a_label_that_its_dtype_may_have_rounded_is_refused(dtype, first):
    labels = np.array([3, first - 1, first + 1]).astype(dtype)
    assert labels[2] == first  # this is what became of the last one
    message = f'label {first} at row 2 may be rounded: {dtype} holds every whole number below {first} only'
    with pytest.raises(ValueError, match=message):
        check_labels(labels, first + 9)
    assert check_labels(labels[:2], first + 9)[0].tolist() == [3, first - 1]
    with pytest.raises(ValueError, match=rf'label {first} at row 2 is outside 0..{first - 1}'):
        check_labels(labels, first)
    whole = np.array([3, first - 1, first + 1])
    assert check_labels(whole, first + 9)[0].tolist() == whole.tolist()

"""Classes drawn for a class layer: those of the batch, and others, all with the same chance."""

from __future__ import annotations

from centerloss_mx.row_table import sample_classes

import numpy as np
import pytest

SEED = 20161008


def draw(own, num_class, num_sampled, seed=SEED):
    return sample_classes(np.array(own, 'int64'), num_class, num_sampled, np.random.default_rng(seed))


@pytest.mark.parametrize('own, num_class, num_sampled', [
    ([2, 7], 10, 2), ([2, 7], 10, 5), ([2, 7], 10, 10), ([], 10, 4), ([0], 1, 1),
    ([5, 10**9], 2 * 10**9, 1024),
])  # fmt: skip
def test_the_batchs_classes_and_others_come_once_each_and_in_order(own, num_class, num_sampled):
    classes = draw(own, num_class, num_sampled)
    assert classes.dtype == np.int64 and classes.shape == (num_sampled,)
    assert (np.diff(classes) > 0).all() and set(own) <= set(classes.tolist())
    assert classes[0] >= 0 and classes[-1] < num_class


def test_every_set_of_others_has_the_same_probability():
    """Classes 0, 2, 3 and 5 are others: 6 pairs. The bound is 4 standard deviations of a count."""
    draws, pairs = 3000, {}
    for seed in range(draws):
        pair = tuple(np.setdiff1d(draw([1, 4], 6, 4, seed), [1, 4]).tolist())
        pairs[pair] = pairs.get(pair, 0) + 1
    assert len(pairs) == 6
    assert max(abs(count - draws / 6) for count in pairs.values()) < 4 * np.sqrt(draws / 6 * 5 / 6)


def test_workers_with_different_batches_draw_the_same_others():
    one, other = draw([1, 400], 10_000, 100), draw([7], 10_000, 100)
    assert len(set(one.tolist()) ^ set(other.tolist())) <= 4  # 3 own ones, and another for the one less
    np.testing.assert_array_equal(one, draw([1, 400], 10_000, 100))
    assert (one != draw([1, 400], 10_000, 100, SEED + 1)).any()


@pytest.mark.parametrize('num_class, num_sampled', [(10, 1), (10, 11)])
def test_a_number_that_does_not_hold_the_batch_or_exceeds_the_classes_is_refused(num_class, num_sampled):
    message = f'num_sampled={num_sampled} is not in 2..10: expected at least the 2 classes of the batch, and'
    with pytest.raises(ValueError, match=message):
        draw([2, 7], num_class, num_sampled)

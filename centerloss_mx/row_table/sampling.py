"""Classes drawn at random, for a class layer that scores a sample of its classes."""

from __future__ import annotations

import numpy as np

__all__ = ['sample_classes']


def sample_classes(own: np.ndarray, num_class: int, num_sampled: int, rng: np.random.Generator) -> np.ndarray:
    """Return classes of a batch and others, drawn without replacement, up to a fixed number.

    Time and memory are O(num_sampled). Each set of num_sampled - K other classes has the same probability.
    Calls with generators in the same state consider the same others first, so that workers with different
    batches draw almost the same ones.

    Parameters
    ----------
    own : numpy.ndarray
        The K classes of the batch, int64: distinct, in ascending order, in 0..num_class-1.
    num_class : int
        Number of classes.
    num_sampled : int
        Number of classes to return, in K..num_class.
    rng : numpy.random.Generator
        Where the others are drawn from.

    Returns
    -------
    numpy.ndarray
        Shape (num_sampled,), int64, in ascending order.

    Raises
    ------
    ValueError
        More classes in the batch than num_sampled, or num_sampled > num_class.

    Examples
    --------
    >>> sample_classes(np.array([2, 7]), num_class=10**9, num_sampled=2, rng=np.random.default_rng(0))
    array([2, 7])
    """
    if not len(own) <= num_sampled <= num_class:
        raise ValueError(
            f'num_sampled={num_sampled} is not in {len(own)}..{num_class}: expected at least the '
            f'{len(own)} classes of the batch, and at most num_class={num_class}'
        )
    # At most K of num_sampled different classes are the batch's own: enough others remain.
    candidates = rng.choice(num_class, num_sampled, replace=False)
    others = candidates[~np.isin(candidates, own)][: num_sampled - len(own)]
    return np.sort(np.concatenate([own, others]))

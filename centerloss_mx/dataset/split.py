"""`hold_out`: samples to train with, and samples held out."""

from __future__ import annotations

import numpy as np

from .._optional import require
from .arrays import Samples


def hold_out(samples: Samples, share: float, seed: int = 0) -> tuple[Samples, Samples]:
    """Hold out a share of the samples of every class.

    Parameters
    ----------
    samples : io.Images or Arrays
        What `load_samples` returned, at least two samples of each class.
    share : float
        The share to hold out, > 0 and < 1.
    seed : int
        The seed of the selection.

    Returns
    -------
    remaining, held_out : io.Images or Arrays
        Both have the classes of `samples`.

    Raises
    ------
    ValueError
        A class has one sample, or the share is too small or too large to give both parts a sample of every
        class.
    ImportError
        scikit-learn is not installed.

    Examples
    --------
    >>> train, test = hold_out(load_samples('digits'), 0.2)
    >>> len(train.labels), len(test.labels)
    (8000, 2000)
    """
    train_test_split = require('sklearn.model_selection', 'hold_out').train_test_split
    counts = np.bincount(samples.labels)
    if (counts == 1).any():
        name = samples.class_names[int((counts == 1).argmax())]
        raise ValueError(f'class {name} has one sample; expected at least two, because one is held out')
    rows = np.arange(len(samples.labels))
    remaining, held_out = train_test_split(rows, test_size=share, stratify=samples.labels, random_state=seed)
    return samples.take(remaining), samples.take(held_out)

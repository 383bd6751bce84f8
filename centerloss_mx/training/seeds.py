"""The global random generators that a training draws from: the only place that seeds them.

Three are seeded, so that a training repeats to the bit and a resumed one ends as an uninterrupted one:

- NumPy's: `NDArrayIter` and `io.ClassBalancedIter` shuffle arrays with it.
- Python's `random`: `io.image_iter` shuffles pictures with it, mirrors them, and seeds what else is changed
  in them.
- MXNet's: initial weights and dropout.
"""

from __future__ import annotations

import random

import numpy as np
from mxnet import random as mxrandom


def seed_training(seed: int, rand_mirror: bool) -> None:
    """Seed all three generators before the iterator and the weights are made."""
    np.random.seed(seed)
    random.seed(seed)
    seed_epoch(seed, 0, rand_mirror)


def seed_epoch(seed: int, epoch: int, rand_mirror: bool) -> None:
    """Seed what an epoch draws besides its order, so that it does not depend on the epochs before.

    MXNet's generator is always seeded. Python's is seeded with mirroring only. Without it, its state
    follows from the number of epochs, as that of NumPy's does.
    """
    mxrandom.seed(seed + epoch)
    if rand_mirror:
        random.seed(f'{seed}, {epoch}')

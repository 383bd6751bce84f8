"""What forward leaves for backward."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from mxnet.ndarray import NDArray

__all__ = ['Batch']


class Batch(NamedTuple):
    """What forward leaves for backward; several calls of one block share the auxiliary states.

    Parameters
    ----------
    diff : numpy.ndarray or NDArray
        Shape (N, D): x_i - c_{y_i}, 0 for ignored samples.
    classes : numpy.ndarray
        Shape (N,), as `check_labels` returns them.
    kept : numpy.ndarray or None
        Shape (N,), bool: the samples that are not ignored; None: all.
    divisor : float
        z: loss and gradient are divided by it.
    scale : float
        Weight of the gradient.
    moves : bool
        Whether backward moves the centers.

    References
    ----------
    Wen et al. 2016, Eqs. 2 to 4.
    """

    diff: np.ndarray | NDArray
    classes: np.ndarray
    kept: np.ndarray | None
    divisor: float
    scale: float
    moves: bool

"""Row arithmetic of the center loss with NumPy, on the memory of CPU arrays."""

from __future__ import annotations

import numpy as np

from .._mxnet.arrays import host_view
from .labels import ClassGroups

__all__ = ['HostRows']


class HostRows:
    """NumPy on zero-copy views of CPU arrays.

    References
    ----------
    Wen et al. 2016, Eqs. 2 to 4.
    """

    view = host = staticmethod(host_view)

    @staticmethod
    def difference(
        data: np.ndarray, centers: np.ndarray, classes: np.ndarray, kept: np.ndarray | None
    ) -> np.ndarray:
        """Return x_i - c_{y_i}, shape (N, D), in the dtype of the centers; 0 in ignored rows."""
        diff = centers[classes]
        np.subtract(data, diff, out=diff)
        if kept is not None:
            diff[~kept] = 0  # assigned, not multiplied: an ignored row may hold NaN
        return diff

    @staticmethod
    def squares(diff: np.ndarray) -> np.ndarray:
        """Return ||x_i - c_{y_i}||^2, shape (N,)."""
        return np.einsum('nd,nd->n', diff, diff)

    @staticmethod
    def total(squares: np.ndarray) -> float:
        """Return the sum over i, added in float64."""
        return float(squares.sum(dtype=np.float64))

    @staticmethod
    def assign(target: np.ndarray, req: str, diff: np.ndarray, factor: float | np.ndarray) -> None:
        """Write or add `factor * diff` to `target`, as `req` asks; the factor is one for all, or (N, 1)."""
        factor = np.asarray(factor, diff.dtype)
        if req == 'add':
            np.add(target, diff * factor, out=target, casting='same_kind')
        elif req != 'null':
            np.multiply(diff, factor, out=target, casting='same_kind')

    @staticmethod
    def move(centers: np.ndarray, diff: np.ndarray, groups: ClassGroups, steps: np.ndarray) -> None:
        """Add steps_j times the sum of x_i - c_j over the samples of class j to c_j, in place."""
        sums = HostRows._sum_by_class(diff, groups)
        sums *= steps[:, np.newaxis].astype(sums.dtype)
        centers[groups.classes] += sums

    @staticmethod
    def _sum_by_class(diff: np.ndarray, groups: ClassGroups) -> np.ndarray:
        order, starts, _, counts = groups
        most = counts.max(initial=0)
        if most > len(counts):
            return np.add.reduceat(diff[order], starts, axis=0)
        # reduceat is slow for many classes with few samples. Add the first samples of all classes, then the
        # second ones of those that have two, ...
        sums = diff[order[starts]]
        for k in range(1, most):
            longer = np.flatnonzero(counts > k)
            sums[longer] += diff[order[starts[longer] + k]]
        return sums

"""Row arithmetic of the center loss with operators of `mx.nd`, on the device that holds the arrays."""

from __future__ import annotations

import numpy as np
from mxnet import ndarray as nd

from .._mxnet.arrays import row_numbers, set_rows
from .labels import ClassGroups

__all__ = ['DeviceRows']


class DeviceRows:
    """`mx.nd` operators on the device that holds the arrays; only labels and row numbers visit the host.

    References
    ----------
    Wen et al. 2016, Eqs. 2 to 4.
    """

    @staticmethod
    def view(array: nd.NDArray) -> nd.NDArray:
        """Return the array itself."""
        return array

    @staticmethod
    def host(array: nd.NDArray) -> np.ndarray:
        """Return a copy of the array on the host."""
        return array.asnumpy()

    @staticmethod
    def difference(
        data: nd.NDArray, centers: nd.NDArray, classes: np.ndarray, kept: np.ndarray | None
    ) -> nd.NDArray:
        """Return x_i - c_{y_i}, shape (N, D), in the dtype of the centers; 0 in ignored rows."""
        diff = data.astype(centers.dtype) - nd.take(centers, row_numbers(classes, centers))
        if kept is not None:
            diff = nd.where(row_numbers(kept, centers), diff, nd.zeros_like(diff))
        return diff

    @staticmethod
    def squares(diff: nd.NDArray) -> nd.NDArray:
        """Return ||x_i - c_{y_i}||^2, shape (N,)."""
        return nd.square(diff).sum(axis=1)

    @staticmethod
    def total(squares: nd.NDArray) -> float:
        """Return the sum over i, added in float64."""
        return float(squares.asnumpy().sum(dtype=np.float64))

    @staticmethod
    def assign(target: nd.NDArray, req: str, diff: nd.NDArray, factor: float | nd.NDArray) -> None:
        """Write or add `factor * diff` to `target`, as `req` asks; the factor is one for all, or (N, 1)."""
        if req == 'null':
            return
        value = diff * factor
        if req == 'add':
            value = target.astype(value.dtype) + value
        target[:] = value.astype(target.dtype)

    @staticmethod
    def move(centers: nd.NDArray, diff: nd.NDArray, groups: ClassGroups, steps: np.ndarray) -> None:
        """Add steps_j times the sum of x_i - c_j over the samples of class j to c_j, in place."""
        order, _, classes, counts = groups
        if not len(classes):
            return
        group = np.zeros(len(diff), np.int64)  # an ignored row adds its zeros to any group
        group[order] = np.repeat(np.arange(len(classes)), counts)
        members = nd.one_hot(row_numbers(group, centers), len(classes), dtype=centers.dtype)
        sums = nd.dot(members, diff, transpose_a=True)
        rows = row_numbers(classes, centers)
        moved = nd.take(centers, rows) + sums * nd.array(steps[:, np.newaxis], centers.context, centers.dtype)
        set_rows(centers, rows, moved)

"""Row arithmetic of the center loss: gather, loss, update.

Only the rows of the batch and of its classes are touched, so no cost grows with `num_class`.
`HostRows` works with NumPy on zero-copy views of CPU arrays, `DeviceRows` with `mx.nd` operators
wherever the arrays live. Both have the same functions with the same arguments in the same order;
`rows_for` picks one by the device.
"""

from __future__ import annotations

import ctypes
import math
from typing import NamedTuple

import numpy as np
from mxnet import ndarray as nd
from mxnet.base import _LIB, check_call
from mxnet.context import Context

__all__ = ['ClassGroups', 'DeviceRows', 'HostRows', 'check_labels', 'group_by_class', 'rows_for']


def check_labels(
    labels: np.ndarray, num_class: int, ignore_label: float | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Turn labels of any numeric dtype into row indices of the centers, or say which one is wrong.

    Parameters
    ----------
    labels : numpy.ndarray
        Shape (N,), any numeric dtype; whole numbers in 0..num_class-1, or `ignore_label`.
    num_class : int
        Number of classes.
    ignore_label : float or None
        The label of the rows that take no part; None: every row takes part.

    Returns
    -------
    classes : numpy.ndarray
        Shape (N,), intp; 0 in place of ignored labels.
    kept : numpy.ndarray or None
        Shape (N,), bool: the rows that take part; None when all of them do.

    Raises
    ------
    ValueError
        A label that is negative, >= num_class, NaN, infinite or not whole, and not the ignored one.

    References
    ----------
    The labels y_i of Wen et al. 2016, Eq. 2.

    Examples
    --------
    >>> check_labels(np.array([2.0, 0.0]), num_class=3)
    (array([2, 0]), None)
    """
    with np.errstate(invalid='ignore'):  # NaN and infinity become some integer, which `wrong` finds unequal
        classes = labels.astype(np.intp)
    wrong = (classes != labels) | (classes < 0) | (classes >= num_class)
    kept = None
    if ignore_label is not None:
        ignored = labels == ignore_label
        if ignored.any():
            kept = ~ignored
            wrong &= kept
            classes[ignored] = 0
    if wrong.any():
        row = int(wrong.argmax())
        label = labels[row].item()
        whole = isinstance(label, int) or label.is_integer()
        raise ValueError(
            f'label {int(label) if whole else label} at row {row} is '
            f'{"outside" if whole else "not a whole number in"} 0..{num_class - 1} (num_class={num_class})'
        )
    return classes, kept


class ClassGroups(NamedTuple):
    """The rows of a batch, grouped by class.

    Parameters
    ----------
    order : numpy.ndarray
        The row numbers of the samples that take part, those of one class side by side.
    starts : numpy.ndarray
        Shape (K,): where each class begins in `order`.
    classes : numpy.ndarray
        Shape (K,): the classes present, ascending.
    counts : numpy.ndarray
        Shape (K,): n_j, the samples of each class present.

    References
    ----------
    n_j is the denominator's sum over delta(y_i = j) in Wen et al. 2016, Eq. 4.
    """

    order: np.ndarray
    starts: np.ndarray
    classes: np.ndarray
    counts: np.ndarray


def group_by_class(classes: np.ndarray, kept: np.ndarray | None = None) -> ClassGroups:
    """Group the rows of a batch by their class.

    Parameters
    ----------
    classes : numpy.ndarray
        Shape (N,), intp, as `check_labels` returns them.
    kept : numpy.ndarray or None
        Shape (N,), bool: the rows that take part; None: all.

    Returns
    -------
    ClassGroups
        Rows in class order, where each class starts, the classes present and their n_j.

    References
    ----------
    The sums by class of Wen et al. 2016, Eq. 4.

    Examples
    --------
    >>> group_by_class(np.array([7, 3, 7])).counts
    array([1, 2])
    """
    order = np.argsort(classes, kind='stable')
    if kept is not None:
        order = order[kept[order]]
    ordered = classes[order]
    first = np.ones(len(ordered), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    starts = np.flatnonzero(first)
    counts = np.diff(starts, append=len(ordered))
    return ClassGroups(order, starts, ordered[starts], counts)


class HostRows:
    """NumPy on zero-copy views of CPU arrays.

    References
    ----------
    Wen et al. 2016, Eqs. 2 to 4.
    """

    @staticmethod
    def view(array: nd.NDArray) -> np.ndarray:
        """Return the memory of a dense CPU array as a writable NumPy array, without a copy."""
        array.wait_to_read()
        shape, dtype = array.shape, np.dtype(array.dtype)
        pointer = ctypes.c_void_p()
        check_call(_LIB.MXNDArrayGetData(array.handle, ctypes.byref(pointer)))
        memory = (ctypes.c_char * (math.prod(shape) * dtype.itemsize)).from_address(pointer.value)
        return np.frombuffer(memory, dtype).reshape(shape)

    host = view

    @staticmethod
    def difference(
        data: np.ndarray, centers: np.ndarray, classes: np.ndarray, kept: np.ndarray | None
    ) -> np.ndarray:
        """Return x_i - c_{y_i}, shape (N, D), in the dtype of the centers; 0 where a row takes no part."""
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
        # Many classes with few samples each: reduceat would visit them one by one. Add the first samples
        # of all classes, then the second ones of those that have two, ...
        sums = diff[order[starts]]
        for k in range(1, most):
            longer = np.flatnonzero(counts > k)
            sums[longer] += diff[order[starts[longer] + k]]
        return sums


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
        """Return x_i - c_{y_i}, shape (N, D), in the dtype of the centers; 0 where a row takes no part."""
        diff = data.astype(centers.dtype) - nd.take(centers, _indices(classes, centers))
        if kept is not None:
            diff = nd.where(_indices(kept, centers), diff, nd.zeros_like(diff))
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
        members = nd.one_hot(_indices(group, centers), len(classes), dtype=centers.dtype)
        sums = nd.dot(members, diff, transpose_a=True)
        rows = _indices(classes, centers)
        moved = nd.take(centers, rows) + sums * nd.array(steps[:, np.newaxis], centers.context, centers.dtype)
        # out=centers writes the K rows in place; without it the operator would copy all of them
        nd._internal._scatter_set_nd(centers, moved, rows.reshape((1, -1)), shape=centers.shape, out=centers)
        centers.wait_to_read()  # the engine knows no order between this and another call with these centers


def _indices(values: np.ndarray, like: nd.NDArray) -> nd.NDArray:
    return nd.array(values, like.context, dtype='int64')  # the default float32 is exact to 2^24 only


def rows_for(ctx: Context) -> type[HostRows] | type[DeviceRows]:
    """Pick the row functions for a device.

    Parameters
    ----------
    ctx : mxnet.Context
        The device that holds the arrays.

    Returns
    -------
    type
        `HostRows` for CPU memory, `DeviceRows` for everything else: off the CPU the pointer to an
        array's memory must never be followed by the host.

    References
    ----------
    Both compute Wen et al. 2016, Eqs. 2 to 4.
    """
    return HostRows if ctx.device_type.startswith('cpu') else DeviceRows

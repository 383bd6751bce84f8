"""Labels of a batch: checked, and grouped by class."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ['ClassGroups', 'check_labels', 'exact_below', 'group_by_class']


def exact_below(dtype: np.dtype) -> int:
    """Return the number below which a dtype tells all whole numbers apart: 2^24 for float32.

    Number 2^24 itself is not told from 2^24 + 1, which float32 rounds to it.
    """
    return 2 ** (min(np.finfo(dtype).nmant, 52) + 1) if dtype.kind == 'f' else np.iinfo(dtype).max + 1


def check_labels(
    labels: np.ndarray, num_class: int, ignore_label: float | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Convert labels of any numeric dtype into row numbers of the centers, or name the first invalid one.

    Parameters
    ----------
    labels : numpy.ndarray
        Shape (N,), any numeric dtype; whole numbers in 0..num_class-1, or `ignore_label`.
    num_class : int
        Number of classes.
    ignore_label : float or None
        The label of ignored rows; None: no row is ignored.

    Returns
    -------
    classes : numpy.ndarray
        Shape (N,), intp; 0 in place of ignored labels.
    kept : numpy.ndarray or None
        Shape (N,), bool: the rows that are not ignored; None: no row is ignored.

    Raises
    ------
    ValueError
        A label that is negative, >= num_class, NaN, infinite or not whole, and not the ignored one; one so
        large that its dtype may have rounded it; or labels that are bool.

    References
    ----------
    The labels y_i of Wen et al. 2016, Eq. 2.

    Examples
    --------
    >>> check_labels(np.array([2.0, 0.0]), num_class=3)
    (array([2, 0]), None)
    """
    if labels.dtype == bool:
        raise ValueError(
            f'labels are bool; expected class numbers in 0..{num_class - 1}, as of label.astype("int32")'
        )
    most = min(num_class, exact_below(labels.dtype))
    with np.errstate(invalid='ignore'):  # NaN and infinity become some integer, which `wrong` finds unequal
        classes = labels.astype(np.intp)
        wrong = (classes != labels) | (classes < 0) | (classes >= most)
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
        if whole and most <= label < num_class:
            raise ValueError(
                f'label {int(label)} at row {row} may be rounded: {labels.dtype} holds every whole number '
                f'below {most} only; expected integers (num_class={num_class})'
            )
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
        Row numbers of the samples that are not ignored, sorted by class.
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
        Shape (N,), bool: the rows that are not ignored; None: all.

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

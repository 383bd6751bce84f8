"""The names and numbers of classes."""

from __future__ import annotations

import numpy as np


def numbered(labels: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Name the classes after their labels, and number them in the order of these.

    A class has the same name whatever its labels' dtype: 3, 3.0 and b'3' are '3'.

    Parameters
    ----------
    labels : numpy.ndarray
        (N,), numbers or names.

    Returns
    -------
    names : list of str
        Of the classes.
    numbers : numpy.ndarray
        int64 (N,).

    Raises
    ------
    ValueError
        A label that is not finite.

    Examples
    --------
    >>> numbered(np.array([7.0, 3.0, 7.0]))
    (['3', '7'], array([1, 0, 1]))
    """
    labels = np.asarray(labels)
    if labels.dtype.kind == 'f':
        if not np.isfinite(labels).all():
            row = int(np.isfinite(labels).argmin())
            raise ValueError(f'label {labels[row]} at row {row} is no class')
        if (labels == np.round(labels)).all():
            labels = labels.astype(np.int64)
    elif labels.dtype.kind == 'S':
        labels = np.char.decode(labels, 'utf-8', 'replace')
    names, numbers = np.unique(labels, return_inverse=True)
    return [*map(str, names)], numbers.astype(np.int64)

"""Accuracies by class, and the classes that are confused most."""

from __future__ import annotations

import numpy as np


def class_accuracies(confusion: np.ndarray) -> np.ndarray:
    """Compute the share of each class's samples that were predicted right.

    Parameters
    ----------
    confusion : numpy.ndarray
        Shape (num_class, num_class): how many samples of class j (row) were predicted as class k (column).

    Returns
    -------
    numpy.ndarray
        Shape (num_class,), 0 to 1; NaN for a class without samples.

    References
    ----------
    Recall by class; the matrix is that of scikit-learn's `confusion_matrix`.

    Examples
    --------
    >>> class_accuracies(np.array([[3, 1], [0, 2]])).tolist()
    [0.75, 1.0]
    """
    counts = confusion.sum(axis=1)
    return np.where(counts > 0, np.diag(confusion) / np.maximum(counts, 1), np.nan)


def confused_pairs(confusion: np.ndarray, num_pairs: int = 15) -> list[tuple[int, int, int]]:
    """Find the pairs of classes that were confused most.

    Parameters
    ----------
    confusion : numpy.ndarray
        Shape (num_class, num_class): how many samples of class j (row) were predicted as class k (column).
    num_pairs : int
        The largest number of pairs.

    Returns
    -------
    list of (int, int, int)
        Class, predicted class and count > 0; the largest count first, equal counts in the order of classes.

    References
    ----------
    The largest entries off the diagonal of scikit-learn's `confusion_matrix`.

    Examples
    --------
    >>> confused_pairs(np.array([[7, 0, 1], [0, 9, 0], [3, 0, 6]]))
    [(2, 0, 3), (0, 2, 1)]
    """
    wrong = np.array(confusion)
    np.fill_diagonal(wrong, 0)
    rows, columns = np.unravel_index(np.argsort(-wrong, axis=None, kind='stable')[:num_pairs], wrong.shape)
    return [(int(j), int(k), int(wrong[j, k])) for j, k in zip(rows, columns) if wrong[j, k]]

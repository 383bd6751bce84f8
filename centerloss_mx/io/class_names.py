"""The names of classes, and the numbers that labels give them."""

from __future__ import annotations

from typing import Any, Iterable, Sequence

import numpy as np

from .._checks import first_names, quantity

__all__ = ['check_class_count', 'class_numbers', 'numbered']


def numbered(labels: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Name classes after their labels, and number them in the order of the labels.

    The dtype of the labels does not change a name: 3, 3.0 and b'3' are '3'.

    Parameters
    ----------
    labels : numpy.ndarray
        (N,), numbers or names.

    Returns
    -------
    names : list of str
        The names of the classes.
    numbers : numpy.ndarray
        int64 (N,), the class of each row.

    Raises
    ------
    ValueError
        A label is not finite.

    Examples
    --------
    >>> numbered(np.array([7.0, 3.0, 7.0]))
    (['3', '7'], array([1, 0, 1]))
    """
    labels = np.asarray(labels)
    if labels.dtype.kind == 'f':
        if not np.isfinite(labels).all():
            row = int(np.isfinite(labels).argmin())
            raise ValueError(f'label {labels[row]} at row {row} is not finite')
        if (labels == np.round(labels)).all():
            labels = labels.astype(np.int64)
    elif labels.dtype.kind == 'S':
        labels = np.char.decode(labels, 'utf-8', 'replace')
    names, numbers = np.unique(labels, return_inverse=True)
    return [*map(str, names)], numbers.astype(np.int64)


def class_numbers(class_names: Sequence[str], found: Iterable[str], where: Any) -> dict[str, int]:
    """Return the number of each class by its name; ValueError if a found class is not among them."""
    numbers = {name: number for number, name in enumerate(class_names)}
    for name in found:
        if name not in numbers:
            raise ValueError(
                f'{where}: class {name} is not one of the {len(numbers)}: {first_names(class_names)}'
            )
    return numbers


def check_class_count(labels: np.ndarray, least: int, where: Any, hint: str = '') -> None:
    """Raise ValueError if the labels are of fewer classes than `least`."""
    count = len(np.unique(labels))
    if count < least:
        raise ValueError(f'{where}: {quantity(count, "class", "classes")}; expected at least {least}{hint}')

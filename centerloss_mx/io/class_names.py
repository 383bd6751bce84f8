"""The names of classes, and the numbers that labels give them."""

from __future__ import annotations

from collections import Counter
from typing import Any, Iterable, Sequence

import numpy as np

from .._checks import first_names, quantity
from ..operator.labels import exact_below

__all__ = ['as_text', 'check_class_count', 'check_distinct', 'class_numbers', 'numbered']


def numbered(labels: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Name classes after their labels, and number them in the order of the labels.

    The dtype of the labels does not change a name: 3, 3.0 and b'3' are '3'. Different labels have different
    names.

    Parameters
    ----------
    labels : numpy.ndarray
        (N,), numbers or names; bytes are UTF-8.

    Returns
    -------
    names : list of str
        The names of the classes.
    numbers : numpy.ndarray
        int64 (N,), the class of each row.

    Raises
    ------
    ValueError
        A label is not finite, not UTF-8, or a float so large that it may stand for several whole numbers:
        from 2^53 on in float64, 2^24 in float32, 2^11 in float16. Or the labels are of several kinds, such as
        1 and '1'.

    Examples
    --------
    >>> numbered(np.array([7.0, 3.0, 7.0]))
    (['3', '7'], array([1, 0, 1]))
    """
    labels = _of_one_kind(labels)
    if labels.dtype.kind == 'f':
        labels = _whole(labels)
    classes, first, numbers = np.unique(labels, return_index=True, return_inverse=True)
    return as_text(classes, first), numbers.astype(np.int64)


def as_text(names: np.ndarray, rows: np.ndarray | None = None) -> list[str]:
    """Return names as str; ValueError for bytes that are not UTF-8, with their place, or that of `rows`."""
    if names.dtype.kind != 'S':
        return [*map(str, names)]
    text = []
    for i, name in enumerate(names):
        try:
            text.append(name.decode())
        except UnicodeDecodeError:
            row = i if rows is None else rows[i]
            raise ValueError(f'{name} at row {row} is not UTF-8; expected UTF-8, or str') from None
    return text


def _of_one_kind(labels: Any) -> np.ndarray:
    """Return labels as an array that NumPy made without a conversion from one kind to another."""
    if isinstance(labels, np.ndarray) and labels.dtype != object:
        return labels
    entries = np.array(labels, object)
    array = np.array(entries.tolist())
    if array.dtype == object or array.shape != entries.shape:
        kinds = sorted({type(entry).__name__ for entry in entries.ravel()})
        raise ValueError(f'labels are of type {" and ".join(kinds)}; expected numbers, or names')
    changed = [row for row, (given, kept) in enumerate(zip(entries, array)) if given != kept]
    if changed and not (array.dtype.kind == 'f' and np.isnan(array[changed]).all()):
        row = changed[0]
        raise ValueError(
            f'label {entries[row]!r} at row {row} would become {array[row].item()!r}; '
            'expected labels of one kind'
        )
    return array


def _whole(labels: np.ndarray) -> np.ndarray:
    """Return floats as whole numbers, if all are; ValueError where the dtype does not tell these apart."""
    if not np.isfinite(labels).all():
        row = int(np.isfinite(labels).argmin())
        raise ValueError(f'label {labels[row]} at row {row} is not finite')
    most = exact_below(labels.dtype)
    beyond = np.abs(labels) >= most
    if beyond.any():
        row = int(beyond.argmax())
        raise ValueError(
            f'label {labels[row]} at row {row} may be rounded: {labels.dtype} holds every whole number below '
            f'{most} only; expected integers'
        )
    return labels.astype(np.int64) if (labels == np.round(labels)).all() else labels


def class_numbers(class_names: Sequence[str], found: Iterable[str], where: Any) -> dict[str, int]:
    """Return the number of each class by its name; ValueError if two share one, or a found class has none."""
    check_distinct('class_names', class_names)
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


def check_distinct(where: str, names: Sequence[str]) -> None:
    """Raise ValueError if two names are equal: two classes would become one."""
    if len(set(names)) < len(names):
        name = next(name for name, count in Counter(names).items() if count > 1)
        raise ValueError(
            f'{where}: {name!r} is there {Counter(names)[name]} times; expected a name for each class'
        )

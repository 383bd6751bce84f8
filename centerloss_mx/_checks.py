"""Checks of arguments that many functions have, and parts of their messages."""

from __future__ import annotations

import math
import numbers
from typing import Any, Sequence

__all__ = [
    'check_choice',
    'check_flag',
    'check_number',
    'check_size',
    'check_whole_number',
    'first_names',
    'quantity',
]

MOST = 2**31 - 1  # what a dimension of MXNet's arrays can be


def check_choice(where: str, name: str, value: Any, choices: Sequence[str]) -> None:
    """Raise ValueError for a value that is not one of the choices."""
    if value not in choices:
        raise ValueError(f'{where}{name}={value!r} is not one of {", ".join(choices)}')


def check_size(where: str, name: str, value: Any, least: int = 1) -> None:
    """Raise ValueError for a value that cannot be a dimension of an array, or is less than `least`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or not least <= int(value) <= MOST:
        expected = '> 0' if least == 1 else f'>= {least}'
        raise ValueError(f'{where}{name}={value!r} is not a whole number {expected} and < 2^31')


def check_number(where: str, name: str, value: Any, above: bool = False) -> None:
    """Raise ValueError for a value that is not finite or is less than 0; `above`: 0 is refused, too."""
    if not (_is_finite(value) and (value > 0 if above else value >= 0)):
        raise ValueError(f'{where}{name}={value!r} is not a finite number {">" if above else ">="} 0')


def check_whole_number(where: str, name: str, value: Any) -> None:
    """Raise ValueError for a value that is not a whole number, whatever its type."""
    if not (_is_finite(value) and float(value).is_integer()):
        raise ValueError(f'{where}{name}={value!r} is not a whole number')


def check_flag(where: str, name: str, value: Any) -> None:
    """Raise ValueError for a value that is neither True nor False."""
    if value not in (True, False):
        raise ValueError(f'{where}{name}={value!r} is not True or False')


def first_names(names: Sequence[str], count: int = 10) -> str:
    """Return the first names of a list for a message, 'a, b, ...'."""
    return ', '.join(map(str, names[:count])) + (', ...' if len(names) > count else '')


def quantity(number: int, singular: str, plural: str | None = None) -> str:
    """Return a number with its noun for a message, '1 class' or '2 classes'."""
    return f'{number} {singular if number == 1 else plural or singular + "s"}'


def _is_finite(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)

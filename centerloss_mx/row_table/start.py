"""The rows that a table starts with, whatever its blocks."""

from __future__ import annotations

from typing import Any, Callable

import numpy as np

__all__ = ['normal_rows', 'zeros']

_CHUNK = 4096  # rows that are drawn together, from one seed


def zeros(shape: tuple[int, int], dtype: str = 'float32') -> Callable[[int, int], np.ndarray]:
    """Return a function that makes rows of zeros.

    Parameters
    ----------
    shape : tuple of int
        Of the table, (num_class, width).
    dtype : {'float32', 'float64'}
        Of the rows.

    Returns
    -------
    callable
        ``read(start, stop)`` gives rows start..stop-1, shape (stop - start, width).

    Examples
    --------
    >>> zeros((1000, 2))(10, 12).shape
    (2, 2)
    """
    return lambda start, stop: np.zeros((stop - start, shape[1]), dtype)


def normal_rows(
    shape: tuple[int, int], dtype: str = 'float32', seed: int = 0, sigma: float = 0.01
) -> Callable[[int, int], np.ndarray]:
    """Return a function that draws rows from N(0, sigma^2), the same ones whatever range is asked for.

    Each row depends on the seed, its number, the width and the dtype only: neither on the number of classes
    nor on what was drawn before.

    Parameters
    ----------
    shape : tuple of int
        Of the table, (num_class, width).
    dtype : {'float32', 'float64'}
        Of the rows.
    seed : int
        >= 0.
    sigma : float
        Standard deviation.

    Returns
    -------
    callable
        ``read(start, stop)`` gives rows start..stop-1, shape (stop - start, width).

    Examples
    --------
    >>> read = normal_rows((1000, 2), seed=1)
    >>> np.array_equal(read(0, 1000)[10:12], read(10, 12))
    True
    """
    drawn_dtype: Any = dtype  # NumPy's annotations take no str

    def chunk(number: int) -> np.ndarray:
        rows = np.random.default_rng([seed, number]).standard_normal((_CHUNK, shape[1]), drawn_dtype)
        rows *= sigma
        return rows

    def read(start: int, stop: int) -> np.ndarray:
        rows = np.empty((stop - start, shape[1]), dtype)
        for number in range(start // _CHUNK, -(-stop // _CHUNK)):
            first, last = max(start, number * _CHUNK), min(stop, (number + 1) * _CHUNK)
            drawn = chunk(number)[first - number * _CHUNK : last - number * _CHUNK]
            rows[first - start : last - start] = drawn
        return rows

    return read

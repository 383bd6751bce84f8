"""The rows that a row table starts with, out of parameters."""

from __future__ import annotations

from typing import Callable, Container, Iterable

import numpy as np
from mxnet.ndarray import NDArray

from ..symbol.tables import RowTableInfo

__all__ = ['Read', 'check_starts', 'reader']

Read = Callable[[int, int], np.ndarray]
"""Returns the rows of a table from one number to another, which is excluded."""


def reader(table: RowTableInfo, array: NDArray | np.ndarray) -> Read:
    """Return what reads the rows of a table out of an array; ValueError for one of another shape."""
    if tuple(array.shape) != table.shape:
        raise ValueError(
            f'{table.name} has the shape {tuple(array.shape)}, but the network has {table.num_class} classes '
            f'and rows of {table.width}; expected {table.shape}'
        )
    if isinstance(array, np.ndarray):
        return lambda start, stop: array[start:stop]
    dense = array.tostype('default')
    return lambda start, stop: dense[start:stop].asnumpy()


def check_starts(tables: Iterable[RowTableInfo], starts: Container[str]) -> None:
    """Refuse parameters that lack a table, as MXNet does for any parameter."""
    for table in tables:
        if table.name not in starts:
            raise RuntimeError(
                f'{table.name} is not among the parameters, and allow_missing is not set. The rows of a row '
                'table are in a file of their own, which `model.load_checkpoint` reads'
            )

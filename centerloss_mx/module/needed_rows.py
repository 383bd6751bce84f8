"""The rows of a table that a batch needs."""

from __future__ import annotations

from typing import NamedTuple, Sequence

import numpy as np

from ..row_table import sample_classes
from ..symbol.tables import RowTableInfo

__all__ = ['NeededRows', 'needed_rows']


class NeededRows(NamedTuple):
    """The rows of a table that a batch needs.

    Parameters
    ----------
    classes : numpy.ndarray
        Their numbers in the table, (K,), ascending.
    positions : numpy.ndarray
        For each sample, where its row is among them, (N,); -1: it needs none, or has no known class.
    """

    classes: np.ndarray
    positions: np.ndarray


def needed_rows(
    table: RowTableInfo, labels: np.ndarray | None, size: int, draw: Sequence[int], trains: bool
) -> NeededRows:
    """Find the rows of a table that a batch needs: of its classes, and of those that a class layer draws.

    Parameters
    ----------
    table : RowTableInfo
        The table.
    labels : numpy.ndarray or None
        Those of the batch, (N,); None: they are not known.
    size : int
        N.
    draw : sequence of int
        What beside the table's seed decides which classes are drawn.
    trains : bool
        Whether a class without room is an error; else its samples have no known class.

    Returns
    -------
    NeededRows

    Raises
    ------
    ValueError
        The batch has more classes than `num_sampled`.
    """
    positions = np.full(size, -1)
    own = np.zeros(0, np.int64)
    known = np.zeros(size, bool)
    if labels is not None:
        known = _known(labels, table)
        own = np.unique(labels[known].astype(np.int64))
    if table.num_sampled is None:
        classes = own
    elif len(own) > table.num_sampled and trains:
        raise ValueError(
            f'{table.label}: the batch has {len(own)} classes, but the class layer samples '
            f'{table.num_sampled}; give it num_sampled={len(own)} or more, or a larger sample_rate'
        )
    else:
        own = own[: table.num_sampled]
        rng = np.random.default_rng([table.seed, *draw])
        classes = sample_classes(own, table.num_class, table.num_sampled, rng)
    if labels is not None and len(classes):
        numbers = np.where(known, labels, -1).astype(np.int64)
        positions = np.minimum(np.searchsorted(classes, numbers), len(classes) - 1)
        positions[classes[positions] != numbers] = -1
    return NeededRows(classes, positions)


def _known(labels: np.ndarray, table: RowTableInfo) -> np.ndarray:
    """Return which samples have a row in the table, (N,)."""
    with np.errstate(invalid='ignore'):  # NaN and infinity
        known: np.ndarray = (labels >= 0) & (labels < table.num_class) & (labels % 1 == 0)
    return known if table.ignored is None else known & (labels != table.ignored)

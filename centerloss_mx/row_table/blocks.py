"""How a row table is cut into blocks, the keys of the KVStore."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .._checks import check_size
from .._mxnet.kvstore import MOST_BYTES

__all__ = ['Block', 'block_keys', 'blocks']


class Block(NamedTuple):
    """Rows start..stop-1 of a table, which are one key of the KVStore."""

    key: str
    start: int
    stop: int


def blocks(
    name: str, num_class: int, width: int, dtype: str = 'float32', block_rows: int | None = None
) -> list[Block]:
    """Cut a row table into blocks, as `block_keys`; the last one may have fewer rows than the others."""
    where = f'row table {name}: '
    check_size(where, 'num_class', num_class)
    check_size(where, 'width', width)
    row_bytes = width * np.dtype(dtype).itemsize
    if block_rows is None:
        block_rows = MOST_BYTES // row_bytes
    check_size(where, 'block_rows', block_rows)
    block_bytes = min(block_rows, num_class) * row_bytes
    if block_bytes > MOST_BYTES:
        raise ValueError(
            f'{where}block_rows={block_rows} makes a block of {block_bytes} bytes, and a key of a KVStore '
            f'holds at most {MOST_BYTES}; expected block_rows <= {MOST_BYTES // row_bytes}'
        )
    num_blocks = -(-num_class // block_rows)
    rows = -(-num_class // num_blocks)
    starts = range(0, num_class, rows)
    return [Block(f'{name}.{i}', start, min(start + rows, num_class)) for i, start in enumerate(starts)]


def block_keys(
    name: str, num_class: int, width: int, dtype: str = 'float32', block_rows: int | None = None
) -> list[str]:
    """Return the keys of a row table's blocks on the KVStore, in their order.

    Parameters
    ----------
    name : str
        Name of the table.
    num_class, width : int
        Shape of the table.
    dtype : str
        Of the table.
    block_rows : int or None
        The most rows of a block, > 0; None: as many as have less than 2^31 bytes. The table is cut into as
        few blocks as that allows, of about the same size. Each block costs a pull, a push and an update in
        every step, 0.75 ms on two busy cores. Smaller blocks save memory while the table is initialized, when
        rank 0 and each server hold one block, or their part of it, beside the table.

    Returns
    -------
    list of str
        ``name.0``, ``name.1``, ...

    Raises
    ------
    ValueError
        A size that is out of its range, or a block of 2^31 bytes or more, which MXNet's servers cannot hold.

    Examples
    --------
    >>> block_keys('fc2_weight', num_class=5, width=2, block_rows=2)
    ['fc2_weight.0', 'fc2_weight.1', 'fc2_weight.2']
    """
    return [block.key for block in blocks(name, num_class, width, dtype, block_rows)]

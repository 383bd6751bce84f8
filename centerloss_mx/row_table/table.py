"""A row table on a KVStore: its rows are initialized in pieces, pulled, and moved by pushing gradients."""

from __future__ import annotations

from typing import Callable, Iterator

import numpy as np
from mxnet import ndarray as nd
from mxnet.kvstore import KVStore
from mxnet.ndarray.sparse import RowSparseNDArray

from .._mxnet.arrays import from_host, host_view
from .._mxnet.kvstore import no_rows, sparse_rows
from .blocks import Block, blocks

__all__ = ['PulledRows', 'RowTable']

_PIECE = 2**12  # rows that are read or pulled at a time: 2 MB at 128 columns, which stay in the caches


class PulledRows:
    """Rows that have been asked for, and may still be on their way."""

    def __init__(self, parts: list[tuple[RowSparseNDArray, int]], width: int, dtype: np.dtype) -> None:
        self._parts, self._width, self._dtype = parts, width, dtype

    def asnumpy(self) -> np.ndarray:
        """Wait for the rows, and return them in the order in which they were asked for, shape (K, width)."""
        if not self._parts:
            return np.zeros((0, self._width), self._dtype)
        return np.concatenate([host_view(part, rows) for part, rows in self._parts])


class RowTable:
    """An array of a row a class, on a KVStore, which updates the rows that gradients are pushed for.

    The KVStore needs an optimizer (`set_optimizer`) or an updater before the first push. All workers make the
    same tables in the same order, and each of them pushes once a step: a 'dist_sync' server waits for all.

    Parameters
    ----------
    kvstore : mxnet.kvstore.KVStore
        A local or a distributed one.
    name : str
        Name of the table; its blocks have the keys ``name.0``, ``name.1``, ...
    shape : tuple of int
        (num_class, width).
    dtype : {'float32', 'float64'}
        Of the table; a distributed KVStore takes float32 only.
    block_rows : int or None
        The rows of each block, as in `block_keys`.

    Raises
    ------
    ValueError
        As `block_keys`; or another dtype.

    Examples
    --------
    >>> kvstore = mx.kv.create('local')
    >>> kvstore.set_optimizer(mx.optimizer.SGD(learning_rate=1))
    >>> table = RowTable(kvstore, 'weight', (1000, 2))
    >>> table.init(zeros((1000, 2)))
    >>> table.push(np.array([3, 500]), np.ones((2, 2)))
    >>> table.pull(np.array([2, 3])).asnumpy()
    array([[ 0.,  0.],
           [-1., -1.]], dtype=float32)
    """

    def __init__(
        self,
        kvstore: KVStore,
        name: str,
        shape: tuple[int, int],
        dtype: str = 'float32',
        block_rows: int | None = None,
    ) -> None:
        dtypes = ['float32'] if 'dist' in kvstore.type else ['float32', 'float64']  # see _mxnet.kvstore
        if dtype not in dtypes:
            raise ValueError(
                f'row table {name}: dtype={dtype!r} on KVStore {kvstore.type!r}; '
                f'expected {" or ".join(dtypes)}'
            )
        self._kvstore = kvstore
        self.name, self.shape, self.dtype = name, shape, np.dtype(dtype)
        self._blocks = blocks(name, *shape, dtype=dtype, block_rows=block_rows)

    @property
    def keys(self) -> list[str]:
        """The keys of the blocks, in their order."""
        return [block.key for block in self._blocks]

    @property
    def block_rows(self) -> int:
        """The rows of each block. On the KVStore all blocks have one size; no class uses the last rows."""
        return self._blocks[0].stop

    def init(self, read: Callable[[int, int], np.ndarray]) -> None:
        """Write all rows to the KVStore, block by block; each worker calls this.

        Beside the table, the process of rank 0 holds one block, and that only until the first push: until
        then, MXNet keeps the arrays that it has sent, which are the same one for all blocks.

        Parameters
        ----------
        read : callable
            ``read(start, stop)`` returns rows start..stop-1, shape (stop - start, width). It is called on
            rank 0 only, in order, with pieces of a block.
        """
        if self._kvstore.rank != 0:
            for key in self.keys:
                self._kvstore.init(key, self._empty_block())
            return
        buffer, memory = sparse_rows(np.arange(self.block_rows), self._block_shape, self.dtype)
        for block in self._blocks:
            for start in range(block.start, block.stop, _PIECE):
                stop = min(start + _PIECE, block.stop)
                memory[start - block.start : stop - block.start] = read(start, stop)
            self._kvstore.init(block.key, buffer)
            nd.waitall()  # a local KVStore copies the buffer later

    def pull(self, rows: np.ndarray) -> PulledRows:
        """Ask for rows, and return at once; the rows of all blocks travel at the same time.

        Parameters
        ----------
        rows : numpy.ndarray
            Shape (K,), int64: row numbers, distinct and in ascending order.

        Returns
        -------
        PulledRows
            Its `asnumpy` waits for them.

        Raises
        ------
        ValueError
            Row numbers that are not as described: MXNet would read or write other memory.
        """
        parts = []
        for block, span in self._split(rows):
            if span.stop > span.start:
                part = self._empty_block()
                numbers = from_host(rows[span] - block.start)
                self._kvstore.row_sparse_pull(block.key, out=part, row_ids=numbers)
                parts.append((part, span.stop - span.start))
        return PulledRows(parts, self.shape[1], self.dtype)

    def push(self, rows: np.ndarray, gradient: np.ndarray) -> None:
        """Push the gradient of rows; every block gets its part, an empty one too.

        Parameters
        ----------
        rows : numpy.ndarray
            Shape (K,), int64: row numbers, distinct and in ascending order.
        gradient : numpy.ndarray
            Shape (K, width).

        Raises
        ------
        ValueError
            As `pull`; no block has been pushed then.
        """
        for block, span in self._split(rows):
            if span.stop > span.start:
                pushed, memory = sparse_rows(rows[span] - block.start, self._block_shape, self.dtype)
                memory[:] = gradient[span]
            else:
                pushed = self._empty_block()
            self._kvstore.push(block.key, pushed)

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return rows start..stop-1, shape (stop - start, width)."""
        return self.pull(np.arange(start, stop)).asnumpy()

    def pieces(self) -> Iterator[np.ndarray]:
        """Yield all rows in order, a piece at a time: for those who write a table to a file."""
        for start in range(0, self.shape[0], _PIECE):
            yield self.read(start, min(start + _PIECE, self.shape[0]))

    @property
    def _block_shape(self) -> tuple[int, int]:
        return self.block_rows, self.shape[1]

    def _empty_block(self) -> RowSparseNDArray:
        return no_rows(self._block_shape, self.dtype)

    def _split(self, rows: np.ndarray) -> list[tuple[Block, slice]]:
        """Each block with the part of the sorted rows that it has."""
        bounded = np.concatenate([[-1], rows, [self.shape[0]]])
        if rows.dtype != np.int64 or not (bounded[:-1] < bounded[1:]).all():
            raise ValueError(
                f'row table {self.name}: rows {rows} ({rows.dtype}); expected int64 numbers in 0..'
                f'{self.shape[0] - 1}, distinct and in ascending order'
            )
        ends = np.searchsorted(rows, [block.stop for block in self._blocks]).tolist()
        spans = [slice(start, stop) for start, stop in zip([0, *ends], ends)]
        return list(zip(self._blocks, spans))

"""`PartIter`: one worker's part of every batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mxnet import io as mxio

from .._mxnet.iterators import num_padding
from .center_loss_iter import as_desc


class PartIter(mxio.DataIter):
    """Serve one worker its part of every batch: the parts of all workers are the batch of one process.

    All workers need the same iterator and the same order of samples (seed the generator that shuffles). Then
    synchronous training on several workers computes the same steps as one process. Each worker reads all
    samples. For a large set, pass `num_parts` and `part_index` to MXNet's own iterators instead: they split
    the set, not its batches. Make these parts equally long. An iterator is for one thread.

    Parameters
    ----------
    data_iter : mxnet.io.DataIter
        Any iterator, `CenterLossIter` included, whose arrays have the batch first.
    part_index : int
        The number of the part, in 0..num_parts-1: the worker's `kvstore.rank`.
    num_parts : int
        Number of parts, > 0: `kvstore.num_workers`. It divides the batch size.

    Raises
    ------
    ValueError
        `part_index` is outside its range, or `num_parts` does not divide the batch size.

    Examples
    --------
    >>> import mxnet as mx
    >>> samples = mx.io.NDArrayIter(mx.nd.zeros((4, 2)), mx.nd.array([7, 8, 9, 6]), batch_size=4)
    >>> next(PartIter(samples, part_index=1, num_parts=2)).label[0].asnumpy()
    array([9., 6.], dtype=float32)
    """

    def __init__(self, data_iter: mxio.DataIter, part_index: int, num_parts: int) -> None:
        if not 0 <= part_index < num_parts:
            raise ValueError(f'part_index {part_index} is outside 0..{num_parts - 1} (num_parts={num_parts})')
        if data_iter.batch_size % num_parts:
            raise ValueError(
                f'num_parts={num_parts} does not divide the batch size {data_iter.batch_size}; expected a '
                'multiple of num_parts, so that all parts have the same weight'
            )
        super().__init__(data_iter.batch_size // num_parts)
        self.data_iter = data_iter
        self._rows = slice(part_index * self.batch_size, (part_index + 1) * self.batch_size)

    @property
    def provide_data(self) -> list[mxio.DataDesc]:
        """Name, shape, dtype and layout of the part's data."""
        return self._described(self.data_iter.provide_data)

    @property
    def provide_label(self) -> list[mxio.DataDesc]:
        """Name, shape, dtype and layout of the part's labels."""
        return self._described(self.data_iter.provide_label)

    def reset(self) -> None:
        """Begin the next epoch."""
        self.data_iter.reset()

    def next(self) -> mxio.DataBatch:
        """Return the part of the next batch; `pad` counts its padding, 0 where samples roll over."""
        batch = self.data_iter.next()
        first_padding = self.data_iter.batch_size - num_padding(self.data_iter, batch)
        return mxio.DataBatch(
            data=[array[self._rows] for array in batch.data],
            label=[array[self._rows] for array in batch.label],
            pad=max(0, self._rows.stop - max(self._rows.start, first_padding)),
            index=None if batch.index is None else batch.index[self._rows],
            bucket_key=batch.bucket_key,
            provide_data=batch.provide_data and self._described(batch.provide_data),
            provide_label=batch.provide_label and self._described(batch.provide_label),
        )

    def _described(self, descs: Sequence[Any]) -> list[mxio.DataDesc]:
        """The descriptions of arrays, their first dimension the size of a part."""
        return [
            mxio.DataDesc(desc.name, (self.batch_size, *desc.shape[1:]), desc.dtype, desc.layout)
            for desc in map(as_desc, descs)
        ]

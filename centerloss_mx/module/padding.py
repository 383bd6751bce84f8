"""Rows that pad the last batch are no samples: what `Module` scores, predicts and counts is without them."""

from __future__ import annotations

import copy
from typing import Any, Callable, Iterator, Mapping, Sequence

import numpy as np
from mxnet.io import DataBatch, DataIter
from mxnet.ndarray import NDArray

from .._mxnet.iterators import num_padding, without_rolling
from ..symbol import CenterLossInfo

__all__ = ['MarkedIter', 'SampleIter', 'for_metrics', 'without_padding']


class MarkedIter(DataIter):
    """Serve the batches of an iterator; the attribute `padding` of a padded one counts its last rows.

    The batch's own `pad` does not say whether the iterator repeats samples or carries them over.

    Parameters
    ----------
    data_iter : mxnet.io.DataIter
        Any iterator. All its attributes are to be had here.
    begin : callable
        Called before the first batch of each epoch.
    """

    def __init__(self, data_iter: DataIter, begin: Callable[[], object] = lambda: None) -> None:
        super().__init__(getattr(data_iter, 'batch_size', 0))
        self.data_iter, self._begin = data_iter, begin

    def __getattr__(self, name: str) -> Any:
        return getattr(self.data_iter, name)

    def reset(self) -> None:
        """Begin the next epoch."""
        self.data_iter.reset()

    def __iter__(self) -> Iterator[DataBatch]:
        self._begin()
        for batch in self.data_iter:
            padding = num_padding(self.data_iter, batch)
            yield self._marked(batch, padding) if padding else batch

    def _marked(self, batch: DataBatch, padding: int) -> DataBatch:
        marked = copy.copy(batch)
        marked.padding = padding
        return marked


class SampleIter(MarkedIter):
    """Serve each sample once, for scoring: where the network runs batches of any size, without padding.

    Parameters
    ----------
    data_iter : mxnet.io.DataIter
        Any iterator.
    takes : callable
        Whether the network runs a batch of so many rows.

    Raises
    ------
    ValueError
        `data_iter` rolls over, and no iterator that pads can take its place.
    """

    def __init__(self, data_iter: DataIter, takes: Callable[[int], bool]) -> None:
        super().__init__(without_rolling(data_iter))
        self._takes = takes

    def _marked(self, batch: DataBatch, padding: int) -> DataBatch:
        size = batch.data[0].shape[0] - padding
        if not self._takes(size):
            marked = super()._marked(batch, padding)
            marked.pad = 0  # Module leaves these rows out, but not out of an output of another length
            return marked
        return DataBatch(
            data=[array[:size] for array in batch.data],
            label=batch.label and [array[:size] for array in batch.label],
            pad=0,
            index=None if batch.index is None else batch.index[:size],
            bucket_key=batch.bucket_key,
        )


def without_padding(outputs: Sequence[NDArray], rows: int, padding: int) -> list[NDArray]:
    """Cut the rows of padding off the outputs that have one row a sample."""
    return [array[: rows - padding] if array.shape[0] == rows else array for array in outputs]


def for_metrics(
    losses: Sequence[CenterLossInfo],
    labels: Mapping[str, NDArray],
    outputs: Mapping[str, NDArray],
    rows: int,
    count: int,
) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
    """Return the labels and outputs of a device for metrics, without padding.

    Parameters
    ----------
    losses : sequence of CenterLossInfo
        The center losses of the network. A loss of shape (1,) is the sum over all rows: the samples get the
        share of the rows that it does not ignore. That is exact where the loss ignores the padding.
    labels, outputs : mapping of str to NDArray
        Those of the device, by name.
    rows, count : int
        Rows of the device, and how many of them, from the first, are samples, > 0.
    """
    cut = dict(zip(outputs, without_padding(list(outputs.values()), rows, rows - count)))
    for info in losses:
        if info.output in cut and info.normalization in ('null', 'batch'):
            kept = np.ones(rows, bool)
            if info.ignored is not None and info.label in labels:
                kept = labels[info.label].asnumpy() != info.ignored
            share = kept[:count].sum() / max(1, kept.sum())
            factor = share if info.normalization == 'null' else share * rows / count
            cut[info.output] = outputs[info.output] * factor
    return {name: label[:count] for name, label in labels.items()}, cut

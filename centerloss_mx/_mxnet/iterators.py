"""Faults of MXNet's data iterators.

Three faults have no function:

- The iterators in C++ with ``round_batch=True``, their default, pad the last batch with the first samples,
  and leave these out of the next epoch. Whoever scores or predicts twice needs a new iterator, or
  ``round_batch=False`` where the iterator then reports its padding (`CSVIter` does).

  https://github.com/apache/mxnet/blob/1.9.1/src/io/iter_batchloader.h#L63
- `ImageIter` pads a batch with each sample once, and leaves the rows behind them as they were allocated.
  `io.image_iter` refuses a batch size above the number of pictures.

  https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/image/image.py#L1546
- Iterators have no seed. `NDArrayIter` shuffles with NumPy's global generator; `ImageIter` shuffles and
  mirrors with Python's. `training.Training` seeds both.

  | https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/io/io.py#L803
  | https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/image/image.py#L1434
  | https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/image/image.py#L1150
"""

from __future__ import annotations

import copy

from mxnet import io as mxio
from mxnet import ndarray as nd
from mxnet.image import ImageIter
from mxnet.ndarray import NDArray

from .arrays import host_view

__all__ = ['label_at_once', 'next_batch', 'num_padding', 'rolls_over', 'without_rolling']


def next_batch(data_iter: mxio.DataIter) -> mxio.DataBatch | None:
    """Return the next batch of any iterator; None at the end of the epoch.

    `iter_next` of the iterators in C++ stays on the first batch for ever, and their `getdata` returns an
    array where other iterators return a list. This function calls `next`, which works for all.

    https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/io/io.py#L884
    """
    try:
        return data_iter.next()
    except StopIteration:
        return None


def rolls_over(data_iter: mxio.DataIter) -> bool:
    """Return whether an iterator keeps the samples of an incomplete last batch for the next epoch.

    In `NDArrayIter` `pad` then counts these samples, at the beginning of the next epoch's first batch; in
    `ImageIter` it counts those behind them. Everywhere else it counts repeated samples at the end of a batch.
    A batch does not say which of the three it means.

    https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/io/io.py#L796
    https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/image/image.py#L1563
    """
    if getattr(data_iter, 'last_batch_handle', None) == 'roll_over':
        return True
    return any(rolls_over(inner) for inner in _wrapped(data_iter))


def _wrapped(data_iter: mxio.DataIter) -> list[mxio.DataIter]:
    """The iterators inside one: that of `ResizeIter` and of our own, those of `PrefetchingIter`."""
    if hasattr(data_iter, 'data_iter'):
        return [data_iter.data_iter]
    return getattr(data_iter, 'iters', [])


def num_padding(data_iter: mxio.DataIter, batch: mxio.DataBatch) -> int:
    """Count the rows of padding at the end of a batch; the rows before them are samples of the epoch.

    Where samples roll over, no row is padding, whatever `pad` says: see `rolls_over`.
    """
    return 0 if rolls_over(data_iter) else getattr(batch, 'pad', 0) or 0


def without_rolling(data_iter: mxio.DataIter) -> mxio.DataIter:
    """Return an iterator that serves each sample once an epoch, for those who score or predict.

    An iterator that rolls over leaves out the last samples of the first epoch, and begins the next with them.
    In its place stands a copy that pads the last batch. It reads the same arrays or files. The original keeps
    its position.

    https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/io/io.py#L668

    Raises
    ------
    ValueError
        The iterator rolls over, and is neither an `NDArrayIter`, nor an `ImageIter` that knows its pictures,
        nor one of these inside an iterator that has it as `data_iter`.
    """
    if not rolls_over(data_iter):
        return data_iter
    knows_pictures = isinstance(data_iter, ImageIter) and data_iter.seq is not None
    if hasattr(data_iter, 'data_iter'):
        padding = copy.copy(data_iter)
        padding.data_iter = without_rolling(data_iter.data_iter)
    elif knows_pictures or isinstance(data_iter, mxio.NDArrayIter):
        padding = copy.copy(data_iter)
        padding.last_batch_handle = 'pad'
        if knows_pictures:
            padding.seq = list(data_iter.seq)  # a shuffle changes the list itself
        padding.hard_reset()
    else:  # `PrefetchingIter` cannot be copied: its copy waits for the original's threads when it goes
        raise ValueError(
            f"{type(data_iter).__name__} with last_batch_handle='roll_over' leaves the last samples of an "
            "epoch to the next one: no epoch has each sample once. Use last_batch_handle='pad'"
        )
    return padding


def label_at_once(data_iter: mxio.DataIter) -> NDArray | None:
    """Copy the label that an `NDArrayIter` has just served, without the engine; None: there is no such copy.

    `NDArrayIter` copies the rows of a batch with an operator. The engine runs it after all operations that
    are pending, so whoever reads the label waits until the training step before is over. This function copies
    them itself. It leaves out a padded batch, and one that begins with rows of the epoch before.

    https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/io/utils.py#L88
    """
    if type(data_iter) is not mxio.NDArrayIter or data_iter.layout.find('N') != 0:
        return None
    _, labels = data_iter.label[0]
    rows = slice(data_iter.cursor, data_iter.cursor + data_iter.batch_size)
    in_memory = type(labels) is NDArray and labels.context.device_type == 'cpu'
    if not in_memory or not 0 <= rows.start < rows.stop <= data_iter.num_data:
        return None
    label = nd.empty((data_iter.batch_size, *labels.shape[1:]), dtype=labels.dtype)
    host_view(label)[:] = host_view(labels)[rows]
    return label

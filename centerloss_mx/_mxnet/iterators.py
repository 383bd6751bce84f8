"""Faults of MXNet's data iterators.

Two faults have no function:

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

from mxnet import io as mxio

__all__ = ['next_batch', 'rolls_over']


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

    `pad` then counts these samples, at the beginning of the next epoch's first batch. Everywhere else it
    counts repeated samples at the end of a batch. A batch does not say which of the two it means.

    https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/io/io.py#L796
    """
    if isinstance(data_iter, mxio.ResizeIter):
        return rolls_over(data_iter.data_iter)
    if isinstance(data_iter, mxio.PrefetchingIter):
        return any(rolls_over(inner) for inner in data_iter.iters)
    return getattr(data_iter, 'last_batch_handle', None) == 'roll_over'

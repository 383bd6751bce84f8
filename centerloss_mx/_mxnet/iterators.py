"""Faults of MXNet's data iterators.

Two faults have no function here:

- **`ImageIter` fills a batch with one round of the samples only**, and leaves the other rows as they were allocated.
  `io.image_iter` refuses a batch size above the number of pictures.
  https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/image/image.py#L1546
- **Iterators have no seed.** They shuffle with the global generators of NumPy (`NDArrayIter`) and of Python
  (`ImageIter`, which mirrors with it, too). `training.Training` seeds both.

  | https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/io/io.py#L803
  | https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/image/image.py#L1434
  | https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/image/image.py#L1150
"""

from __future__ import annotations

from mxnet import io as mxio

__all__ = ['next_batch', 'rolls_over']


def next_batch(data_iter: mxio.DataIter) -> mxio.DataBatch | None:
    """Return the next batch of any iterator; None at the end of the epoch.

    The `iter_next` of iterators written in C++ stays on the first batch for ever, and their `getdata` returns an array
    where others return a list. Only their `next` works, so it is used for all.

    https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/io/io.py#L884
    """
    try:
        return data_iter.next()
    except StopIteration:
        return None


def rolls_over(data_iter: mxio.DataIter) -> bool:
    """Return whether an iterator keeps the samples of an incomplete last batch for the next epoch.

    Its `pad` then counts those samples, at the front of the next epoch's first batch; everywhere else `pad` counts
    repeated samples at the end of a batch. A batch does not say which, so the iterator is looked at.

    https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/io/io.py#L796
    """
    if isinstance(data_iter, mxio.ResizeIter):
        return rolls_over(data_iter.data_iter)
    if isinstance(data_iter, mxio.PrefetchingIter):
        return any(rolls_over(inner) for inner in data_iter.iters)
    return getattr(data_iter, 'last_batch_handle', None) == 'roll_over'

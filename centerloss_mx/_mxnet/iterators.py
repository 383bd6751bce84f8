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
from mxnet import ndarray as nd
from mxnet.ndarray import NDArray

from .arrays import host_view

__all__ = ['label_at_once', 'next_batch', 'rolls_over']


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

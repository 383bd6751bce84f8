"""`CenterLossIter`: one label of a data iterator, served to both losses."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np
from mxnet import io as mxio


class CenterLossIter(mxio.DataIter):
    """Serve the one label of a data iterator to both losses.

    Every batch of `data_iter` is handed on with its label under two names. The label is not copied: both
    entries are the same array. Data, `pad`, `index` and `bucket_key` stay as they are.

    Parameters
    ----------
    data_iter : mxnet.io.DataIter
        Any iterator with exactly one label, of shape (N,) or (N, 1): `NDArrayIter`, `ImageRecordIter`,
        `MNISTIter`, `CSVIter`, `mx.image.ImageIter`, one of your own. A label (N, 1) is served as (N,), the
        shape that the center loss takes.
    label_names : sequence of two str
        The label's name for the softmax, then for the center loss; as `Module` takes them. What `data_iter`
        calls its label does not matter.
    ignore_label : number, optional
        The class to give, in the center label alone, to the rows that merely pad a batch (its last
        `DataBatch.pad` rows, which `NDArrayIter` fills with the first samples once more), so that repeated
        samples do not move their centers twice. Give the same value to the center loss, with
        ``use_ignore=True``; without that, -1 is an error there. The softmax label keeps the class, so
        `SoftmaxOutput` trains on padding as MXNet always does. None marks nothing.

    Raises
    ------
    ValueError
        If `data_iter` has no label or several, if the label has another shape, if `label_names` are not two
        different names, or if the label's dtype cannot hold `ignore_label` (-1 in uint8); the last is looked
        at here and again on every batch, because a plain ``(name, shape)`` says nothing of the dtype.
    TypeError
        If `ignore_label` is not a number.

    Notes
    -----
    With ``last_batch_handle='roll_over'`` nothing is marked: the rows that `pad` counts there are samples
    carried over between epochs, at the front of the batch, and none is a repeat.

    The iterators written in C++ pad with the next epoch's first samples when ``round_batch=True`` (their
    default), which the same epoch has already had, and leave those out of the next epoch. `ImageRecordIter`
    with ``round_batch=False`` says ``pad=0`` of a last batch whose end nobody wrote, so nothing can be marked
    there: leave `round_batch` on.

    MXNet's `PrefetchingIter` waits for ever when the iterator inside it raises. Wrap it in a `CenterLossIter`
    rather than the other way round, and an error about a label is seen.

    Examples
    --------
    >>> import mxnet as mx
    >>> from centerloss_mx.io import CenterLossIter
    >>> samples = mx.io.NDArrayIter(mx.nd.zeros((3, 8)), mx.nd.array([7, 8, 9]), batch_size=2)
    >>> for batch in CenterLossIter(samples, ignore_label=-1):
    ...     print(batch.pad, [label.asnumpy().tolist() for label in batch.label])
    0 [[7.0, 8.0], [7.0, 8.0]]
    1 [[9.0, 7.0], [9.0, -1.0]]
    """

    def __init__(
        self,
        data_iter: mxio.DataIter,
        label_names: Sequence[str] = ('softmax_label', 'center_label'),
        ignore_label: float | None = None,
    ) -> None:
        if isinstance(label_names, str) or len(set(label_names)) != 2 or len(label_names) != 2:
            raise ValueError(f'label_names is {label_names!r}, expected two different names')
        if ignore_label is not None and not isinstance(ignore_label, numbers.Real):
            raise TypeError(f'ignore_label is {ignore_label!r}, expected a number or None')
        self.data_iter = data_iter
        self.label_names = tuple(label_names)
        self.ignore_label = ignore_label
        self.current_batch: Any = None
        self._pads = not _rolls_over(data_iter)
        if hasattr(data_iter, 'default_bucket_key'):
            self.default_bucket_key = data_iter.default_bucket_key

        label = self.provide_label[0]
        if ignore_label is not None:
            _check_ignore_label(ignore_label, label.dtype)
        # The label has one entry a sample, so this holds for iterators that left batch_size at 0 too.
        super().__init__(label.shape[0])

    @property
    def provide_data(self) -> list[mxio.DataDesc]:
        """Name, shape, dtype and layout of the data: those of the wrapped iterator."""
        return [as_desc(desc) for desc in self.data_iter.provide_data]

    @property
    def provide_label(self) -> list[mxio.DataDesc]:
        """The same shape (N,), dtype and layout under each of the two label names."""
        return self._twice(self.data_iter.provide_label)

    def reset(self) -> None:
        """Begin the next epoch."""
        self.current_batch = None
        self.data_iter.reset()

    def next(self) -> mxio.DataBatch:
        """Return the next batch, its `label` a list of two.

        Raises
        ------
        StopIteration
            At the end of the epoch.
        ValueError
            If the batch has not exactly one label of shape (N,) or (N, 1), or one that cannot hold
            `ignore_label`.
        """
        if not self.iter_next():
            raise StopIteration
        return self.current_batch

    def iter_next(self) -> bool:
        """Move to the next batch; False at the end of the epoch."""
        # Only next() will do: iter_next() of the C++ iterators stays on the first batch for ever, and their
        # getdata() gives no list.
        try:
            batch = self.data_iter.next()
        except StopIteration:
            self.current_batch = None
            return False
        provide_label = getattr(batch, 'provide_label', None)
        self.current_batch = mxio.DataBatch(
            data=batch.data,
            label=self._two_labels(batch),
            pad=getattr(batch, 'pad', None),
            index=getattr(batch, 'index', None),
            bucket_key=getattr(batch, 'bucket_key', None),
            provide_data=getattr(batch, 'provide_data', None),
            provide_label=None if provide_label is None else self._twice(provide_label),
        )
        return True

    def getdata(self) -> list[Any]:
        """Return the current batch's data, a list of arrays."""
        return self.current_batch.data

    def getlabel(self) -> list[Any]:
        """Return the current batch's two labels, arrays of shape (N,)."""
        return self.current_batch.label

    def getindex(self) -> np.ndarray | None:
        """Return the current batch's sample numbers, if the wrapped iterator gives them."""
        return self.current_batch.index

    def getpad(self) -> int | None:
        """Return how many rows of the current batch pad it."""
        return self.current_batch.pad

    def _twice(self, descs: Sequence[Any] | None) -> list[mxio.DataDesc]:
        descs = [as_desc(desc) for desc in descs or ()]
        if len(descs) != 1:
            found = ', '.join(repr(desc.name) for desc in descs) or 'none'
            raise ValueError(f'the iterator must have exactly one label, found {len(descs)}: {found}')
        label = descs[0]
        shape = _checked_shape(label.name, label.shape)
        return [mxio.DataDesc(name, shape, label.dtype, label.layout) for name in self.label_names]

    def _two_labels(self, batch: mxio.DataBatch) -> list[Any]:
        if not batch.label or len(batch.label) != 1:
            raise ValueError(f'batch has {len(batch.label or ())} label arrays, expected exactly one')
        label = batch.label[0]
        shape = _checked_shape('of the batch', label.shape)
        if label.shape != shape:
            label = label.reshape(shape)  # a view of the same memory
        if self.ignore_label is None:
            return [label, label]
        _check_ignore_label(self.ignore_label, label.dtype)
        if not (self._pads and batch.pad):
            return [label, label]
        # Iterators hand out slices of their own memory: marking those would change the data set.
        center_label = label.copy()
        first = max(0, shape[0] - batch.pad)
        center_label[first:] = self.ignore_label
        return [label, center_label]


def as_desc(desc: Any) -> mxio.DataDesc:
    return desc if isinstance(desc, mxio.DataDesc) else mxio.DataDesc(*desc)


def _checked_shape(name: str, shape: Sequence[int]) -> tuple[int, ...]:
    if len(shape) == 1 or (len(shape) == 2 and shape[1] == 1):
        return (shape[0],)
    raise ValueError(f'label {name} has shape {tuple(shape)}, expected one class a sample: (N,) or (N, 1)')


def _check_ignore_label(ignore_label: Any, dtype: Any) -> None:
    dtype = np.dtype(dtype)
    if dtype.kind == 'f':
        # A limit first: NumPy warns about a value that overflows to infinity.
        holds = abs(ignore_label) <= np.finfo(dtype).max and dtype.type(ignore_label) == ignore_label
    elif dtype.kind in 'iu':
        info = np.iinfo(dtype)
        holds = info.min <= ignore_label <= info.max and int(ignore_label) == ignore_label
    else:
        holds = False
    if not holds:
        raise ValueError(
            f'ignore_label {ignore_label} does not fit the label dtype {dtype}; '
            'let the iterator give float32 or int32 labels, or choose another value'
        )


def _rolls_over(data_iter: mxio.DataIter) -> bool:
    if isinstance(data_iter, mxio.ResizeIter):
        return _rolls_over(data_iter.data_iter)
    if isinstance(data_iter, mxio.PrefetchingIter):
        return any(_rolls_over(inner) for inner in data_iter.iters)
    return getattr(data_iter, 'last_batch_handle', None) == 'roll_over'

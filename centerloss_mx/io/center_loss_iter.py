"""`CenterLossIter`: the label of a data iterator, served to the softmax and to the center loss."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np
from mxnet import io as mxio

from .._mxnet.iterators import label_at_once, next_batch, num_padding


class CenterLossIter(mxio.DataIter):
    """Serve the label of a data iterator to both losses.

    Each batch of `data_iter` is served with its label under two names. Both labels are the same array,
    without a copy. Data, `pad`, `index` and `bucket_key` stay as they are. An iterator is for one thread.

    Parameters
    ----------
    data_iter : mxnet.io.DataIter
        An iterator with one label, of shape (N,) or (N, 1): `NDArrayIter`, `ImageRecordIter`, `MNISTIter`,
        `CSVIter`, `mx.image.ImageIter` or a custom one. The name of its label does not matter. A label (N, 1)
        is served as (N,), the shape that the center loss needs.
    label_names : sequence of two str
        The label's name for the softmax, then for the center loss.
    ignore_label : number, optional
        Replaces the center label of the rows that pad a batch: its last `DataBatch.pad` rows, which repeat
        other samples and would move their centers twice. Give the same value to the center loss, with
        ``use_ignore=True``; otherwise -1 is an invalid label. The softmax label keeps the class, so
        `SoftmaxOutput` trains on padding as it always does. None: padding keeps its classes.

    Raises
    ------
    ValueError
        `data_iter` has no label, several, or one of another shape or of bool; `label_names` are not two
        different names; or the label's dtype cannot represent `ignore_label` (-1 in uint8). The dtype is
        checked again with every batch, because a description ``(name, shape)`` has none.
    TypeError
        `ignore_label` is not a number.

    Notes
    -----
    With ``last_batch_handle='roll_over'`` no row is replaced: samples are carried over from the previous
    epoch; they are not repeated.

    MXNet's iterators in C++ with ``round_batch=True``, their default, pad with the first samples of the next
    epoch, which then skips them. With ``round_batch=False``, `ImageRecordIter` reports ``pad=0`` for a last
    batch whose end is uninitialized memory, so no row can be replaced: keep the default.

    MXNet's `PrefetchingIter` waits forever when the iterator inside it raises an error. To see errors about
    labels, put it inside a `CenterLossIter`, not around it.

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
        if hasattr(data_iter, 'default_bucket_key'):
            self.default_bucket_key = data_iter.default_bucket_key

        label = self.provide_label[0]
        if ignore_label is not None:
            _check_ignore_label(ignore_label, label.dtype)
        # The first dimension of the label, because custom iterators may leave batch_size at 0.
        super().__init__(label.shape[0])

    @property
    def provide_data(self) -> list[mxio.DataDesc]:
        """Name, shape, dtype and layout of the data: those of `data_iter`."""
        return [as_desc(desc) for desc in self.data_iter.provide_data]

    @property
    def provide_label(self) -> list[mxio.DataDesc]:
        """Both label names, each with the same shape (N,), dtype and layout."""
        return self._described_twice(self.data_iter.provide_label)

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
            The batch has no label, several, one of another shape, or one that cannot represent
            `ignore_label`.
        """
        if not self.iter_next():
            raise StopIteration
        return self.current_batch

    def iter_next(self) -> bool:
        """Move to the next batch; False at the end of the epoch."""
        batch = next_batch(self.data_iter)
        if batch is None:
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
            provide_label=None if provide_label is None else self._described_twice(provide_label),
        )
        return True

    def getdata(self) -> list[Any]:
        """Return the current batch's data, a list of arrays."""
        return self.current_batch.data

    def getlabel(self) -> list[Any]:
        """Return the current batch's two labels, arrays of shape (N,)."""
        return self.current_batch.label

    def getindex(self) -> np.ndarray | None:
        """Return the current batch's sample numbers, if `data_iter` has them."""
        return self.current_batch.index

    def getpad(self) -> int | None:
        """Return how many rows of the current batch are padding."""
        return self.current_batch.pad

    def _described_twice(self, descs: Sequence[Any] | None) -> list[mxio.DataDesc]:
        descs = [as_desc(desc) for desc in descs or ()]
        if len(descs) != 1:
            found = ', '.join(repr(desc.name) for desc in descs) or 'none'
            raise ValueError(f'the iterator must have exactly one label, found {len(descs)}: {found}')
        label = descs[0]
        shape = _vector_shape(label.name, label.shape)
        _check_numeric(label.dtype)
        return [mxio.DataDesc(name, shape, label.dtype, label.layout) for name in self.label_names]

    def _two_labels(self, batch: mxio.DataBatch) -> list[Any]:
        if not batch.label or len(batch.label) != 1:
            raise ValueError(f'batch has {len(batch.label or ())} label arrays, expected exactly one')
        at_once = label_at_once(self.data_iter)
        label = batch.label[0] if at_once is None else at_once
        shape = _vector_shape('of the batch', label.shape)
        _check_numeric(label.dtype)
        if label.shape != shape:
            label = label.reshape(shape)  # a view of the same memory
        if self.ignore_label is None:
            return [label, label]
        _check_ignore_label(self.ignore_label, label.dtype)
        padding = num_padding(self.data_iter, batch)
        if not padding:
            return [label, label]
        # A copy, because iterators serve slices of their own memory: a write would change the data set.
        center_label = label.copy()
        center_label[max(0, shape[0] - padding) :] = self.ignore_label
        return [label, center_label]


def as_desc(desc: Any) -> mxio.DataDesc:
    """Return the description of an array, which MXNet also accepts as a tuple ``(name, shape)``."""
    return desc if isinstance(desc, mxio.DataDesc) else mxio.DataDesc(*desc)


def _vector_shape(name: str, shape: Sequence[int]) -> tuple[int, ...]:
    """The shape (N,) of a label (N,) or (N, 1)."""
    if len(shape) == 1 or (len(shape) == 2 and shape[1] == 1):
        return (shape[0],)
    raise ValueError(f'label {name} has shape {tuple(shape)}, expected one class a sample: (N,) or (N, 1)')


def _check_numeric(dtype: Any) -> None:
    if np.dtype(dtype) == bool:
        raise ValueError('the label is bool; expected class numbers: serve float32 or int32 labels')


def _check_ignore_label(ignore_label: Any, dtype: Any) -> None:
    """Raise ValueError if the dtype of a label cannot represent the ignored one."""
    dtype = np.dtype(dtype)
    if dtype.kind == 'f':
        # The range is checked before the conversion, which warns of an overflow.
        fits = abs(ignore_label) <= np.finfo(dtype).max and dtype.type(ignore_label) == ignore_label
    elif dtype.kind in 'iu':
        info = np.iinfo(dtype)
        fits = info.min <= ignore_label <= info.max and int(ignore_label) == ignore_label
    else:
        fits = False
    if not fits:
        raise ValueError(
            f'ignore_label {ignore_label} does not fit the label dtype {dtype}; '
            'serve float32 or int32 labels, or choose another value'
        )

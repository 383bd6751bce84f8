"""`ClassBalancedIter`: arrays in batches of P classes x K samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from mxnet import io as mxio
from mxnet import ndarray as nd
from mxnet.ndarray import NDArray

from .._class_balanced import ClassBalanced


class ClassBalancedIter(mxio.DataIter):
    """Serve arrays in batches of P classes with K samples of each.

    A batch has P = batch_size / samples_per_class classes and K = samples_per_class samples of each, one
    behind the other, as batch-hard triplet loss needs them. An epoch has ceil(N / batch_size) batches; all
    are full, without padding.

    Classes come in shuffled rounds: each comes once before one comes again, and none twice in a batch. The
    samples of a class come in rounds of the same kind: none comes twice in a batch, unless the class has
    fewer than K; a warning counts these classes. So classes of the same size serve each sample once an epoch,
    if K divides that size and batch_size divides N. Of a larger class, an epoch serves a part. Each epoch
    begins new rounds.

    `image_iter` serves pictures by the same rule, `gluon.ClassBalancedSampler` the data sets of Gluon. The
    parts of `PartIter`, and the slices of several devices, have whole classes, if their number divides P.

    An epoch is drawn by `reset` from NumPy's global generator: seed it with `numpy.random.seed`. The batches
    of an epoch follow from that generator, not from the epochs before. An iterator is for one thread.

    Parameters
    ----------
    data : numpy.ndarray or NDArray
        (N, ...), the samples. As in `NDArrayIter`, NumPy's arrays are served as float32.
    label : numpy.ndarray or NDArray
        (N,), the class of each sample: any numbers.
    batch_size : int
        Samples a batch, a multiple of `samples_per_class`.
    samples_per_class : int
        K, > 0.
    data_name, label_name : str
        Names of the arrays.

    Raises
    ------
    ValueError
        `samples_per_class` does not divide `batch_size`, a batch needs more classes than there are, labels
        are not (N,), data and labels differ in number, or a number is not > 0.

    References
    ----------
    Hermans, Beyer and Leibe, In Defense of the Triplet Loss for Person Re-Identification, 2017: Section 2.

    Examples
    --------
    >>> import mxnet as mx
    >>> from centerloss_mx.io import CenterLossIter, ClassBalancedIter
    >>> label = mx.nd.array([7, 8, 9, 7, 8, 9, 7, 8, 9, 7, 8, 9])
    >>> samples = ClassBalancedIter(mx.nd.zeros((12, 2)), label, batch_size=4, samples_per_class=2)
    >>> for batch in CenterLossIter(samples):
    ...     first, second, third, fourth = batch.label[0].asnumpy()
    ...     print(batch.pad, first == second != third == fourth)
    0 True
    0 True
    0 True
    """

    def __init__(
        self,
        data: np.ndarray | NDArray,
        label: np.ndarray | NDArray,
        batch_size: int,
        samples_per_class: int,
        data_name: str = 'data',
        label_name: str = 'softmax_label',
    ) -> None:
        self._arrays = [_in_memory(data), _in_memory(label)]
        self._balanced = ClassBalanced(self._arrays[1], batch_size, samples_per_class)
        num_data, num_label = map(len, self._arrays)
        if num_data != num_label:
            raise ValueError(f'data has {num_data} samples and label {num_label}; expected a label a sample')
        super().__init__(batch_size)
        self.provide_data, self.provide_label = (
            [mxio.DataDesc(name, (batch_size, *array.shape[1:]), array.dtype)]
            for name, array in zip((data_name, label_name), self._arrays)
        )
        self.reset()

    def reset(self) -> None:
        """Begin the next epoch, and draw all its batches."""
        rows = np.array(self._balanced.epoch(np.random.shuffle))
        self._batches = iter(rows.reshape(-1, self.batch_size))

    def next(self) -> mxio.DataBatch:
        """Return the next batch; its `index` has the rows of its samples.

        Raises
        ------
        StopIteration
            At the end of the epoch.
        """
        rows = next(self._batches)
        data, label = (nd.array(array[rows], dtype=array.dtype) for array in self._arrays)
        return mxio.DataBatch([data], [label], pad=0, index=rows)


def _in_memory(array: Any) -> np.ndarray:
    return array.asnumpy() if isinstance(array, NDArray) else np.asarray(array, np.float32)

"""`ClassBalancedSampler`: batches of P classes x K samples for `gluon.data.DataLoader`."""

from __future__ import annotations

from typing import Any, Iterator

import numpy as np
from mxnet.gluon.data import Sampler
from mxnet.ndarray import NDArray

from .._class_balanced import ClassBalanced


class ClassBalancedSampler(Sampler):
    """Sample batches of P classes with K samples of each, for ``DataLoader(batch_sampler=...)``.

    The batches are those of `io.ClassBalancedIter`, which tells the rule: ceil(N / batch_size) an epoch, all
    full, the samples of a class one behind the other. Classes and their samples come in shuffled rounds.

    Each iteration draws its batches from NumPy's global generator when it begins: seed it with
    `numpy.random.seed`.

    Parameters
    ----------
    labels : array-like
        (N,), the class of each sample of the data set: any numbers.
    batch_size : int
        Samples a batch, a multiple of `samples_per_class`.
    samples_per_class : int
        K, > 0.

    Raises
    ------
    ValueError
        `samples_per_class` does not divide `batch_size`, a batch needs more classes than there are, labels
        are not (N,), or a number is not > 0.

    References
    ----------
    Hermans, Beyer and Leibe, In Defense of the Triplet Loss for Person Re-Identification, 2017: Section 2.

    Examples
    --------
    >>> labels = [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]
    >>> sampler = ClassBalancedSampler(labels, batch_size=4, samples_per_class=2)
    >>> [len({labels[i] for i in batch}) for batch in sampler]
    [2, 2, 2]
    >>> samples = mx.gluon.data.ArrayDataset(mx.nd.zeros((12, 8)), labels)
    >>> loader = mx.gluon.data.DataLoader(samples, batch_sampler=sampler)
    """

    def __init__(self, labels: Any, batch_size: int, samples_per_class: int) -> None:
        labels = labels.asnumpy() if isinstance(labels, NDArray) else labels
        self._balanced = ClassBalanced(labels, batch_size, samples_per_class)
        self._batch_size = batch_size

    def __iter__(self) -> Iterator[list[int]]:
        rows = self._balanced.epoch(np.random.shuffle)
        return (rows[first : first + self._batch_size] for first in range(0, len(rows), self._batch_size))

    def __len__(self) -> int:
        return self._balanced.num_batches

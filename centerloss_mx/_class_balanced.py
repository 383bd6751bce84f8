"""Class-balanced batches, P classes x K samples: one rule for arrays, pictures and Gluon's data sets."""

from __future__ import annotations

import logging
from collections import deque
from typing import Any, Callable, Iterator, List, Sequence

import numpy as np

from ._checks import check_size, quantity

__all__ = ['ClassBalanced']

_LOGGER = logging.getLogger(__name__)

Shuffle = Callable[[List[int]], None]  # in place, such as `random.shuffle`


class ClassBalanced:
    """Draw the rows of class-balanced batches; `io.ClassBalancedIter` tells the rule.

    A warning counts the classes of fewer samples than `samples_per_class`.

    Parameters
    ----------
    labels : array-like
        (N,), the class of each sample: any numbers.
    batch_size : int
        Samples a batch, a multiple of `samples_per_class`.
    samples_per_class : int
        K, > 0.

    Raises
    ------
    ValueError
        `samples_per_class` does not divide `batch_size`, a batch needs more classes than there are, labels
        are not (N,), or a number is not > 0.
    """

    def __init__(self, labels: Any, batch_size: int, samples_per_class: int) -> None:
        check_size('', 'batch_size', batch_size)
        check_size('', 'samples_per_class', samples_per_class)
        labels = np.asarray(labels)
        if labels.ndim != 1:
            raise ValueError(f'labels have shape {labels.shape}; expected one class a sample, (N,)')
        _, counts = np.unique(labels, return_counts=True)
        _check_classes(len(counts), batch_size, samples_per_class)
        _warn_of_small_classes(counts, samples_per_class)
        self.num_batches = -(-len(labels) // batch_size)
        self.samples_per_class, self.classes_per_batch = samples_per_class, batch_size // samples_per_class
        by_class = np.argsort(labels, kind='stable')
        self.rows = [rows.tolist() for rows in np.split(by_class, np.cumsum(counts)[:-1])]  # of each class

    def epoch(self, shuffle: Shuffle) -> list[int]:
        """Draw an epoch.

        Parameters
        ----------
        shuffle : callable
            It shuffles a list in place; all that is random in the epoch comes from it.

        Returns
        -------
        list of int
            The rows of all batches, num_batches * batch_size of them.
        """
        classes = _dealt(range(len(self.rows)), self.classes_per_batch, shuffle)
        samples = [_dealt(rows, self.samples_per_class, shuffle) for rows in self.rows]
        return [row for _ in range(self.num_batches) for j in next(classes) for row in next(samples[j])]


def _dealt(items: Sequence[int], size: int, shuffle: Shuffle) -> Iterator[list[int]]:
    """Deal items in shuffled rounds, `size` at a time; an item comes again once all others have come.

    A deal may begin in one round and end in the next: this one then begins with items that the deal lacks.
    """
    ahead: deque[int] = deque()
    while True:
        begun = {*ahead} if len(ahead) < size else set()
        while len(ahead) < size:
            in_order = [*items]
            shuffle(in_order)
            first = [item for item in in_order if item not in begun][: size - len(ahead)]
            begins = {*first}
            ahead.extend(first + [item for item in in_order if item not in begins])
        yield [ahead.popleft() for _ in range(size)]


def _check_classes(num_class: int, batch_size: int, samples_per_class: int) -> None:
    given = f'batch_size={batch_size}, samples_per_class={samples_per_class}'
    classes_per_batch, rest = divmod(batch_size, samples_per_class)
    if rest:
        raise ValueError(f'{given}: expected a batch_size that is a multiple of samples_per_class')
    if classes_per_batch > num_class:
        raise ValueError(
            f'{given}: a batch needs {quantity(classes_per_batch, "class", "classes")}, and there are '
            f'{num_class}. Use a smaller batch_size, or more samples_per_class'
        )


def _warn_of_small_classes(counts: np.ndarray, samples_per_class: int) -> None:
    num_small = int((counts < samples_per_class).sum())
    if num_small:
        _LOGGER.warning(
            'classes of fewer than samples_per_class=%d samples repeat them within a batch: '
            '%d of %d; the smallest has %s',
            samples_per_class,
            num_small,
            len(counts),
            quantity(int(counts.min()), 'sample'),
        )

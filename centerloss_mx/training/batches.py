"""The batches of a training: how many, with which labels, in which order."""

from __future__ import annotations

from mxnet.io import DataIter
from mxnet.kvstore import KVStore
from mxnet.symbol import Symbol

from ..dataset import Samples, samples_iter
from ..io import Augmentation, PartIter
from ..symbol.description import ignored_labels
from ..symbol.names import CENTER_LABEL, SOFTMAX_LABEL
from .seeds import seed_epoch

IGNORE_LABEL = -1  # the center label of the rows that pad an epoch's last batch


def num_batches(samples: Samples, batch_size: int) -> int:
    """Count the batches of an epoch; the last one may be padded.

    Parameters
    ----------
    samples : io.Images or dataset.Arrays
        The samples.
    batch_size : int
        Samples a batch, > 0.

    Returns
    -------
    int

    Examples
    --------
    >>> from centerloss_mx.dataset import Arrays
    >>> num_batches(Arrays(np.zeros((7, 1, 2, 2)), np.zeros(7), ['a']), 3)
    3
    """
    return -(-len(samples.labels) // batch_size)


def label_names(symbol: Symbol) -> list[str]:
    """Return the labels that a network reads, of those that `training_iter` serves."""
    arguments = symbol.list_arguments()
    return [name for name in (SOFTMAX_LABEL, CENTER_LABEL) if name in arguments]


def training_iter(
    symbol: Symbol,
    samples: Samples,
    batch_size: int,
    image_size: int | tuple[int, int] | None,
    rand_mirror: bool,
    augmentation: Augmentation | None,
    kvstore: str | KVStore,
    samples_per_class: int | None = None,
) -> DataIter:
    """Serve the labels that a network reads, in shuffled batches, of which each worker gets its part.

    Rows that pad the last batch get the label that the losses on it ignore. If there is no such label, they
    keep that of the sample that they repeat. With `samples_per_class` there are none.
    """
    ignored = ignored_labels(symbol, CENTER_LABEL)
    ignore_label = ignored.pop() if len(ignored) == 1 else None
    data_iter: DataIter = samples_iter(
        samples, batch_size, image_size, True, rand_mirror, ignore_label, augmentation, samples_per_class
    )
    if CENTER_LABEL not in label_names(symbol):
        data_iter = data_iter.data_iter
    if not isinstance(kvstore, str):
        data_iter = PartIter(data_iter, kvstore.rank, kvstore.num_workers)
    return data_iter


def repeat_shuffles(data_iter: DataIter, num_epoch: int, seed: int, rand_mirror: bool) -> None:
    """Repeat the shuffles of a number of epochs, because each shuffles the order of the one before."""
    for epoch in range(num_epoch):
        seed_epoch(seed, epoch + 1, rand_mirror)
        data_iter.reset()

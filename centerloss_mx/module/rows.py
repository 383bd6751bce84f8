"""The labels of a batch, and the rows of centers on the KVStore that they need."""

from __future__ import annotations

from typing import Callable, Sequence, Union

import numpy as np
from mxnet import ndarray as nd
from mxnet.io import DataBatch
from mxnet.module import Module as MXModule
from mxnet.ndarray import NDArray

from ..symbol import CenterLossInfo, describe
from ..symbol.tables import RowTableInfo

__all__ = ['LabelReader', 'batch_labels', 'row_ids', 'sparse_row_id_fn']

LabelReader = Union[CenterLossInfo, RowTableInfo]
"""What reads the labels of a batch."""


def sparse_row_id_fn(module: MXModule) -> Callable[[DataBatch], dict[str, NDArray]]:
    """Make the `sparse_row_id_fn` that plain `mx.mod.Module` needs for `sync_center_loss`.

    It gives the rows of the centers on the KVStore that a batch needs. `module.Module` needs no such
    function.

    Parameters
    ----------
    module : mxnet.module.Module
        Its network has a `sync_center_loss`, whose label is one of the module's.

    Returns
    -------
    callable
        For the `sparse_row_id_fn` of `fit` and `prepare`: the row numbers of a batch's classes, by the name
        of the centers.

    Examples
    --------
    >>> mod = mx.mod.Module(net, label_names=['softmax_label', 'center_label'])  # doctest: +SKIP
    >>> mod.fit(train, kvstore='dist_sync', optimizer='centers', num_epoch=10,  # doctest: +SKIP
    ...         sparse_row_id_fn=sparse_row_id_fn(mod))
    """
    losses = [info for info in describe(module.symbol) if info.storage == 'kvstore']
    return lambda data_batch: row_ids(batch_labels(module, data_batch, losses), losses)


def batch_labels(
    module: MXModule,
    data_batch: DataBatch | list[DataBatch],
    readers: Sequence[LabelReader],
) -> dict[str, np.ndarray]:
    """Return the labels of a batch, or of a list of them, that some loss or table reads."""
    batches = data_batch if isinstance(data_batch, list) else [data_batch]
    read = {reader.label for reader in readers}
    return {
        desc.name: np.concatenate([batch.label[i].asnumpy() for batch in batches])
        for i, desc in enumerate(module.label_shapes or ())
        if desc.name in read and all(len(batch.label or ()) > i for batch in batches)
    }


def row_ids(labels: dict[str, np.ndarray], losses: list[CenterLossInfo]) -> dict[str, NDArray]:
    """Return the classes in a batch, by the name of the centers on the KVStore; other labels have no row."""
    rows = {}
    for loss in losses:
        if loss.label in labels:
            label = labels[loss.label]
            classes = np.unique(label[(label >= 0) & (label < loss.num_class)]).astype(np.int64)
            rows[loss.centers] = nd.array(classes, dtype='int64')
    return rows

"""What `Module` refuses because MXNet would train it wrong without an error."""

from __future__ import annotations

from typing import Any, Container, Iterable, Mapping, Sequence

import numpy as np
from mxnet import ndarray as nd
from mxnet.io import DataDesc
from mxnet.ndarray import NDArray
from mxnet.symbol import Symbol

from .._compat import VERSION
from .._mxnet.kvstore import MOST_BYTES
from ..io.center_loss_iter import as_desc
from ..optimizer import Centers
from ..symbol import CenterLossInfo
from ..symbol.description import batchsizes
from .rows import LabelReader

__all__ = [
    'check_batch_fits',
    'check_batch_has_labels',
    'check_centers_are_counted',
    'check_gradients',
    'check_labels_are_served',
    'check_labels_of_rows',
    'check_optimizer',
    'check_outputs',
    'check_servers_can_hold',
    'check_workers_share_centers',
    'counted_samples',
]


def check_outputs(losses: Iterable[CenterLossInfo], output_names: Sequence[str]) -> None:
    """Refuse a loss with centers on the KVStore that is no output."""
    for info in losses:
        if info.output is None:
            raise ValueError(
                f'sync_center_loss must be an output of the network: {info.name}_output is not in '
                f'{list(output_names)}. Put the loss itself into mx.sym.Group, without a factor or function'
            )


def check_labels_of_rows(labels: Mapping[str, str], label_names: Sequence[str]) -> None:
    """Refuse a label that names rows and that Module does not get; `labels` has it by name of the array."""
    for name, label in labels.items():
        if label not in label_names:
            raise ValueError(
                f'label_names={list(label_names)} lack {label!r}: Module needs this label to pull the '
                f'rows of {name} that a batch needs'
            )


def check_labels_are_served(
    losses: Sequence[LabelReader], arguments: Sequence[str], names: Sequence[str], served: Sequence[str]
) -> None:
    """Refuse a label that Module would take for a parameter, or that would stay at 0 without an error."""
    for info in losses:
        if info.label in arguments and info.label not in names:  # no other operator computes it
            raise ValueError(
                f'label_names lack {info.label!r}, which {info.name} reads: add it, as in '
                f"label_names=['softmax_label', {info.label!r}]"
            )
    readers = {info.label: info.name for info in losses}
    for name in names if losses else ():
        if name in arguments and name not in served:
            raise ValueError(
                f'the iterator serves no {name!r}, which {readers.get(name, "the network")} reads; it serves '
                f'{", ".join(served)}. Wrap it in io.CenterLossIter'
            )


def check_batch_has_labels(
    losses: Iterable[LabelReader], label_shapes: Sequence[DataDesc] | None, fed: Container[str]
) -> None:
    """Refuse a training step with the labels of the batch before."""
    bound = [desc.name for desc in label_shapes or ()]
    for info in losses:
        if info.label in bound and info.label not in fed:
            raise ValueError(
                f'the batch has no {info.label!r}, which {info.name} reads; its `label` needs an array for '
                f'each of {", ".join(bound)}'
            )


def check_batch_fits(
    losses: Iterable[CenterLossInfo],
    symbol: Symbol,
    data_shapes: Sequence[DataDesc],
    num_devices: int,
    bound_shapes: Sequence[DataDesc] = (),
) -> None:
    """Refuse a batch whose features do not fit into the auxiliary states of a center loss."""
    capacities = batchsizes(symbol)
    for info in losses:
        if not info.batch_states or info.batch_states[0] not in capacities:
            continue
        capacity = capacities[info.batch_states[0]]
        rows = _feature_rows(symbol, info, data_shapes, num_devices)
        bound = _feature_rows(symbol, info, bound_shapes, num_devices) or rows
        most = capacity or bound
        if rows > most or (capacity is None and rows != bound):
            takes = f'has batchsize={most}' if capacity else f'is bound to {bound} rows'
            raise ValueError(
                f'{info.name} {takes}, and the batch has {rows} on a device. Set '
                f'batchsize={max(rows, most)} or more on the loss (Module.load takes it, too)'
            )


def _feature_rows(
    symbol: Symbol, info: CenterLossInfo, data_shapes: Sequence[DataDesc], num_devices: int
) -> int:
    """How many features the largest slice of a batch has; 0: the shapes given do not tell."""
    feature = symbol.get_internals()[info.feature]
    shapes = {
        desc.name: (-(-desc.shape[0] // num_devices), *desc.shape[1:])
        for desc in map(as_desc, data_shapes)
        if desc.name in feature.list_arguments() and DataDesc.get_batch_axis(desc.layout) == 0
    }
    _, outputs, _ = feature.infer_shape_partial(**shapes)
    return outputs[0][0] if outputs and outputs[0] else 0


def check_optimizer(losses: Sequence[CenterLossInfo], optimizer: Any) -> None:
    """Refuse an optimizer that would move centers on the KVStore by their gradient."""
    is_centers = isinstance(optimizer, Centers) or str(optimizer).lower() == 'centers'
    if losses and not is_centers:
        raise ValueError(
            f'optimizer {optimizer!r} would move {losses[0].centers} by its gradient: use '
            "optimizer='centers', with optimizer_params={'base': 'sgd', ...} for the other parameters"
        )


def check_gradients(
    losses: Iterable[CenterLossInfo], grad_req: Mapping[str, str], compression_params: Any
) -> None:
    """Refuse gradients of centers that MXNet would have to accumulate or compress."""
    for info in losses:
        if grad_req[info.centers] == 'add':
            raise ValueError(
                f"grad_req='add' is not supported for {info.centers}: MXNet cannot accumulate row_sparse "
                "gradients. Use 'write'"
            )
        if compression_params:
            raise ValueError(
                f'compression_params is not supported: MXNet cannot compress the row_sparse gradients of '
                f'{info.centers}'
            )


def check_workers_share_centers(losses: Iterable[CenterLossInfo], num_workers: int) -> None:
    """Refuse centers in auxiliary states on several workers."""
    for info in losses:
        if info.storage == 'auxiliary state' and num_workers > 1:
            raise ValueError(
                f'{info.centers}: each of {num_workers} workers would move centers of its own, because '
                "auxiliary states are never exchanged. Use sync_center_loss, or centers='kvstore'"
            )


def check_servers_can_hold(losses: Iterable[CenterLossInfo], params: Mapping[str, NDArray]) -> None:
    """Refuse centers that are larger than an array on a distributed KVStore may be."""
    for info in losses:
        centers = params[info.centers]
        row_bytes = centers.shape[1] * np.dtype(centers.dtype).itemsize
        if centers.shape[0] * row_bytes > MOST_BYTES:
            raise ValueError(
                f'{info.centers} has {centers.shape[0]} classes of {row_bytes} bytes each; a dist KVStore '
                f'holds at most {MOST_BYTES // row_bytes} such classes, because its servers, however many, '
                'hold arrays of less than 2^31 bytes'
            )


def counted_samples(kvstore: Any, name: str, centers: NDArray, classes: np.ndarray) -> np.ndarray:
    """Pull the rows of some classes, and return how many samples of each the optimizer has counted."""
    rows = nd.sparse.zeros('row_sparse', centers.shape, dtype=centers.dtype)
    kvstore.row_sparse_pull(name, out=rows, row_ids=nd.array(classes, dtype='int64'))
    return rows.data.asnumpy()[:, -1]


def check_centers_are_counted(
    name: str, classes: np.ndarray, counted: np.ndarray, expected: np.ndarray
) -> None:
    """Raise RuntimeError if the servers have counted fewer samples than this worker has pushed.

    MXNet does not say when its servers fail to load the optimizer: they go on with the gradient as it is.
    """
    enough = counted >= expected  # False for NaN
    if not enough.all():
        row = int(enough.argmin())
        raise RuntimeError(
            f'the KVStore does not move the centers: {name} has counted {counted[row]:g} samples of class '
            f'{classes[row]} after a step, expected {expected[row]:g} or more. Its servers do not run the '
            f'optimizer `centers` of centerloss_mx {VERSION} (their log says why: is the package installed '
            'there, in this version?), or the KVStore has served another Module before'
        )

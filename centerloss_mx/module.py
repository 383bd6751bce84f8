"""`Module` that looks before it leaps: `mx.mod.Module` with what a center loss needs checked."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from mxnet import ndarray as nd
from mxnet.io import DataBatch
from mxnet.module import Module as MXModule
from mxnet.symbol import Symbol

from .operator import CenterLossParam
from .rows import check_labels

__all__ = ['Module']


class Module(MXModule):
    """`mx.mod.Module` for networks with center loss; trains the same numbers.

    Two promises beyond MXNet's: the labels of a center loss are checked on the host before anything of a
    training batch is pushed, so that a bad one raises `ValueError` with its row and value; and parameters
    are copied from the devices (`fit`, `get_params`, `save_checkpoint`) only after pending center updates.

    Parameters
    ----------
    symbol, data_names, label_names, logger, context, ...
        As for `mx.mod.Module`.

    Raises
    ------
    ValueError
        In a training `forward`: a label outside 0..num_class-1 that is not the ignored one.

    References
    ----------
    Keeps every update of Wen et al. 2016, Eq. 4.

    Examples
    --------
    >>> mod = Module(net, label_names=['softmax_label', 'center_label'])  # doctest: +SKIP
    """

    def __init__(self, symbol: Symbol, *args: Any, **kwargs: Any) -> None:
        super().__init__(symbol, *args, **kwargs)
        self._center_losses = _center_losses(symbol)

    def forward(self, data_batch: DataBatch, is_train: bool | None = None) -> None:
        """Run forward as `mx.mod.Module` does, after a look at the labels when training.

        Parameters
        ----------
        data_batch : mxnet.io.DataBatch
            Data and labels.
        is_train : bool or None
            None: as bound.

        Raises
        ------
        ValueError
            A label outside 0..num_class-1 that is not the ignored one.
        """
        if self.for_training if is_train is None else is_train:
            self._check_labels(data_batch)
        super().forward(data_batch, is_train)

    def _check_labels(self, data_batch: DataBatch) -> None:
        for desc, label in zip(self.label_shapes or (), data_batch.label or ()):
            for parameters in self._center_losses.get(desc.name, ()):
                ignore_label = parameters.ignore_label if parameters.use_ignore else None
                try:
                    check_labels(label.asnumpy(), parameters.num_class, ignore_label)
                except ValueError as error:
                    raise ValueError(f'{desc.name}: {error}') from None

    def _sync_params_from_devices(self) -> None:
        nd.waitall()  # the engine does not know that backward moves the centers
        super()._sync_params_from_devices()


def _center_losses(symbol: Symbol) -> dict[str, list[CenterLossParam]]:
    """Return the parameters of the center losses that read each label."""
    nodes = json.loads(symbol.tojson())['nodes']
    found = defaultdict(list)
    for node in nodes:
        attrs = dict(node.get('attrs', {}))
        if node['op'] == 'Custom' and attrs.pop('op_type') == 'centerloss':
            label = nodes[node['inputs'][1][0]]['name']
            found[label].append(CenterLossParam.parse(**attrs))
    return found

"""`Module` that looks before it leaps: `mx.mod.Module` with what a center loss needs checked."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from mxnet import ndarray as nd
from mxnet.io import DataBatch
from mxnet.model import load_checkpoint
from mxnet.module import Module as MXModule
from mxnet.symbol import Symbol

from .operator import CenterLossParam
from .rows import check_labels

__all__ = ['Module']


class Module(MXModule):
    """`mx.mod.Module` for networks with center loss; trains the same numbers.

    Two promises beyond MXNet's: the labels of a center loss are checked on the host before anything of a
    training batch is pushed, so that a bad one raises `ValueError` with its row and value and changes
    nothing on any device, whichever of the losses in `symbol` reads it; and parameters are copied from the
    devices (`fit`, `get_params` after an update, `save_checkpoint`) only after pending center updates. A
    label that passes through another operator on its way to a loss is not seen here: the operator
    `centerloss` itself refuses it, and the other losses become NaN.

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

    @staticmethod
    def load(prefix: str, epoch: int, load_optimizer_states: bool = False, **kwargs: Any) -> Module:
        """Make a module of a checkpoint, as `mx.mod.Module.load` does, but of this class.

        Parameters
        ----------
        prefix : str
            Beginning of the files' names.
        epoch : int
            The checkpoint's epoch.
        load_optimizer_states : bool
            Whether to load the optimizer's states, too.
        **kwargs
            For the constructor.

        Returns
        -------
        Module
        """
        symbol, arg_params, aux_params = load_checkpoint(prefix, epoch)
        module = Module(symbol, **kwargs)
        module._arg_params, module._aux_params, module.params_initialized = arg_params, aux_params, True
        if load_optimizer_states:
            module._preload_opt_states = f'{prefix}-{epoch:04d}.states'
        return module

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
            for batch in data_batch if isinstance(data_batch, list) else [data_batch]:
                self._check_labels(batch)
        super().forward(data_batch, is_train)

    def _check_labels(self, data_batch: DataBatch) -> None:
        for desc, label in zip(self.label_shapes or (), data_batch.label or ()):
            for num_class, ignore_label in self._center_losses.get(desc.name, ()):
                try:
                    check_labels(label.asnumpy(), num_class, ignore_label)
                except ValueError as error:
                    raise ValueError(f'{desc.name}: {error}') from None

    def _sync_params_from_devices(self) -> None:
        nd.waitall()  # the engine does not know that backward moves the centers
        super()._sync_params_from_devices()


def _center_losses(symbol: Symbol) -> dict[str, list[tuple[int, float | None]]]:
    """Return num_class and the ignored label of the center losses that read each label."""
    nodes = json.loads(symbol.tojson())['nodes']
    found = defaultdict(list)
    for node in nodes:
        attrs = dict(node.get('attrs', {}))
        if node['op'] == 'Custom' and attrs.pop('op_type') in ('centerloss', '_centerloss_per_sample'):
            label = nodes[node['inputs'][1][0]]['name']
            parameters = CenterLossParam.parse(**attrs)
            found[label].append((parameters.num_class, parameters.ignored))
        elif '__num_class__' in attrs:  # of the losses in `symbol` that are no custom operator
            label = nodes[node['inputs'][0][0]]['name']
            ignored = attrs.get('__ignore_label__')
            found[label].append((int(attrs['__num_class__']), None if ignored is None else float(ignored)))
    return found

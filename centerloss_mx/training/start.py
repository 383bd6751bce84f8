"""What a training starts with: a new module, or that of a checkpoint with its history."""

from __future__ import annotations

import json
import logging
import os
from typing import Any, Mapping, Sequence

from mxnet.ndarray import NDArray
from mxnet.symbol import Symbol

from .._checks import first_names, quantity
from .._files import check_file
from ..model import noted
from ..module import Module
from .batches import label_names
from .history import read_history

Params = Mapping[str, NDArray]


def new_module(
    symbol: Symbol, arg_params: Params, aux_params: Params, **options: Any
) -> tuple[Module, Params, Params]:
    """Make a module, and select the parameters that its network has."""
    arg_params = _only(arg_params, symbol.list_arguments())
    aux_params = _only(aux_params, symbol.list_auxiliary_states())
    return Module(symbol, **options), arg_params, aux_params


def load_module(
    prefix: str | os.PathLike,
    epoch: int,
    symbol: Symbol,
    class_names: Sequence[str],
    logger: logging.Logger,
    **options: Any,
) -> tuple[Module, Params, Params]:
    """Load the module and the parameters of a checkpoint; warn if its network is not that of a symbol.

    Raises
    ------
    ValueError
        The checkpoint was trained on other classes, or has other labels.
    FileNotFoundError
        A file of it does not exist.
    """
    if options.get('load_optimizer_states'):
        check_file(f'{prefix}-{epoch:04d}.states', 'expected the optimizer states of the checkpoint')
    module = Module.load(str(prefix), epoch, logger=logger, **options)
    before = noted(module.symbol, 'class_names', list)
    if before not in (None, class_names):
        raise ValueError(
            f'{prefix} was trained on {len(before)} classes ({first_names(before, 5)}), but these samples '
            f'have {len(class_names)} ({first_names(class_names, 5)}); expected the same classes'
        )
    labels, labels_before = label_names(symbol), label_names(module.symbol)
    if labels != labels_before:
        raise ValueError(
            f'{prefix} has a network with the labels {", ".join(labels_before)}, but this training has one '
            f'with {", ".join(labels)}; expected the same network'
        )
    if _structure(module.symbol) != _structure(symbol):
        logger.warning('%s has another network than this training: that of the checkpoint goes on', prefix)
    return (module, *module.get_params())


def load_history(path: str | os.PathLike, num_epoch: int, prefix: str | os.PathLike) -> list[dict[str, Any]]:
    """Load the rows of the epochs that a checkpoint has been trained for; ValueError: there are fewer."""
    rows = read_history(path)[:num_epoch]
    if len(rows) != num_epoch:
        raise ValueError(
            f'{path} has {quantity(len(rows), "epoch")}, but the checkpoint {prefix} is of epoch {num_epoch}'
        )
    return rows


def _structure(symbol: Symbol) -> list[tuple[str, dict[str, str], list[list[int]]]]:
    """Return operators, their parameters and inputs; names are left out, since MXNet numbers some of them."""
    nodes = json.loads(symbol.tojson())['nodes']
    for node in nodes:
        attributes = node.get('attrs', {}).items()
        node['attrs'] = {name: value for name, value in attributes if not name.startswith('__')}
    return [(node['op'], node['attrs'], node['inputs']) for node in nodes]


def _only(params: Params, names: Sequence[str]) -> dict[str, NDArray]:
    return {name: params[name] for name in names if name in params}

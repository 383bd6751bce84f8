"""What a training starts with: a new module, or that of a checkpoint with its history."""

from __future__ import annotations

import json
import os
from typing import Any, Callable, Mapping, NamedTuple, Sequence

import numpy as np
from mxnet.io import DataIter
from mxnet.ndarray import NDArray
from mxnet.symbol import Symbol

from .._checks import first_names, quantity
from .._files import check_file
from ..evaluation import class_means
from ..evaluation.distances import unit
from ..model import Features, noted, start_centers
from ..model.centers import centers_dim, with_centers
from ..module import Module
from ..symbol import CenterLossInfo, describe
from ..symbol.names import EMBEDDING_OUTPUT, NORMALIZED
from ..symbol.tables import row_tables
from .batches import label_names
from .history import read_history
from .hooks import TrainingState
from .sample_record import check_samples
from .seeds import seed_training


class Start(NamedTuple):
    """A module, the parameters that it starts with, and the rows of the epochs before."""

    module: Module
    arg_params: dict[str, NDArray]
    aux_params: dict[str, NDArray]
    history: list[dict[str, Any]]


def begin(training: TrainingState, batches: Callable[[], DataIter]) -> Start:
    """Make a module, and select the parameters that its network has; `batches` makes the training's iterator.

    Raises
    ------
    ValueError
        The centers cannot start as wanted, see `_with_started_centers`.
    """
    tables = [table.name for table in row_tables(training.symbol)]
    arg_params = _only(training.arg_params, [*training.symbol.list_arguments(), *tables])
    aux_params = _only(training.aux_params, training.symbol.list_auxiliary_states())
    start = Start(_module(training), arg_params, aux_params, [])
    if training.start_centers:
        start = _with_started_centers(training, start, batches())
        seed_training(training.seed, training.rand_mirror)  # the order of the samples stays as without this
    return start


def _module(training: TrainingState) -> Module:
    return Module(training.symbol, **_options(training))


def _options(training: TrainingState) -> dict[str, Any]:
    names = label_names(training.symbol)
    return {'context': training.context, 'logger': training.logger, 'label_names': names}


def _with_started_centers(training: TrainingState, start: Start, data_iter: DataIter) -> Start:
    """Draw what else the network starts with, and start its centers; the iterator is used up.

    Raises
    ------
    ValueError
        The network has no center loss, or several; the features are of another layer, have another dimension
        or no labels, or none of them is of a class that is trained on; or as `model.start_centers`.
    """
    module, features, losses = start.module, training.start_centers, describe(training.symbol)
    if len(losses) != 1:
        number = quantity(len(losses), 'center loss', 'center losses')
        raise ValueError(f'start_centers: the network has {number}; expected one')
    module.bind(data_iter.provide_data, data_iter.provide_label)
    module.init_params(training.initializer, start.arg_params, start.aux_params, allow_missing=True)
    if not isinstance(features, Features):
        start_centers(module, data_iter)
    arg_params, aux_params = module.get_params()
    tables = {name: table.read(0, table.shape[0]) for name, table in module.row_tables.items()}
    arg_params = {**arg_params, **tables}
    if isinstance(features, Features):
        if losses[0].feature == f'{NORMALIZED}_output':  # what the loss reads
            features = features._replace(features=unit(features.features))
        _check_layer(features, losses[0])
        rows, means = _means_by_name(features, training.train.class_names)
        dim = centers_dim(arg_params, aux_params, losses[0])
        if means.shape[1] != dim:
            raise ValueError(
                f'start_centers: features of shape {features.features.shape}; expected (N, {dim})'
            )
        arg_params, aux_params = with_centers(arg_params, aux_params, losses[0], rows, means)
    return Start(_module(training), arg_params, aux_params, [])  # `fit` would not bind the old one again


def resume(
    training: TrainingState,
    prefix: str | os.PathLike | None,
    history: str | os.PathLike | None,
    epoch: int,
) -> Start:
    """Load the module of a checkpoint with its history; warn if its network is not that of the training.

    Raises
    ------
    ValueError
        The checkpoint or the history belongs to another training, or to other samples; or there is no prefix.
    FileNotFoundError
        A file does not exist.
    """
    if prefix is None:
        raise ValueError(f'begin_epoch={epoch}, prefix=None: expected the prefix of a checkpoint')
    rows = training.history[:epoch] if history is None else load_history(history, epoch, prefix)
    with_states = isinstance(training.kvstore, str)  # servers keep theirs
    if with_states:
        check_file(f'{prefix}-{epoch:04d}.states', 'expected the optimizer states of the checkpoint')
    module = Module.load(str(prefix), epoch, with_states, **_options(training))
    _check_classes(prefix, module.symbol, training.train.class_names)
    _check_network(prefix, module.symbol, training)
    check_samples(prefix, training.train, training.test, training.logger)
    arg_params, aux_params = module.get_params()
    return Start(module, arg_params, aux_params, rows)


def _check_classes(prefix: str | os.PathLike, symbol: Symbol, class_names: Sequence[str]) -> None:
    before = noted(symbol, 'class_names', list)
    if before not in (None, class_names):
        raise ValueError(
            f'{prefix} was trained on {len(before)} classes ({first_names(before, 5)}), but these samples '
            f'have {len(class_names)} ({first_names(class_names, 5)}); expected the same classes'
        )


def _check_network(prefix: str | os.PathLike, symbol: Symbol, training: TrainingState) -> None:
    labels, labels_before = label_names(training.symbol), label_names(symbol)
    if labels != labels_before:
        raise ValueError(
            f'{prefix} has a network with the labels {", ".join(labels_before)}, but this training has one '
            f'with {", ".join(labels)}; expected the same network'
        )
    if _structure(symbol) != _structure(training.symbol):
        training.logger.warning(
            '%s has another network than this training: that of the checkpoint goes on', prefix
        )


def _check_layer(features: Features, info: CenterLossInfo) -> None:
    """Raise ValueError if features are recorded to be of another layer than the center loss reads."""
    layer = EMBEDDING_OUTPUT if features.checkpoint is None else features.checkpoint['layer']
    if layer not in (EMBEDDING_OUTPUT, info.feature):
        raise ValueError(
            f'start_centers: the features are of {layer}; expected those of {info.feature}, which '
            f'{info.name} reads, or of {EMBEDDING_OUTPUT}'
        )


def _means_by_name(features: Features, class_names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of the classes that there are features of, and the means, (num, D)."""
    known, means = class_means(features.features, features.classes)
    numbers = {name: number for number, name in enumerate(class_names)}
    there = [row for row, name in enumerate(known) if name in numbers]
    if not there:
        raise ValueError(
            f'start_centers: no feature is of a class that is trained on: they are of '
            f'{first_names(known.tolist(), 5)}, and the training of {first_names(class_names, 5)}'
        )
    return np.array([numbers[name] for name in known[there]]), means[there]


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
    nodes = json.loads(symbol.tojson(remove_amp_cast=False))['nodes']
    for node in nodes:
        attributes = node.get('attrs', {}).items()
        node['attrs'] = {name: value for name, value in attributes if not name.startswith('__')}
    return [(node['op'], node['attrs'], node['inputs']) for node in nodes]


def _only(params: Mapping[str, NDArray], names: Sequence[str]) -> dict[str, NDArray]:
    return {name: params[name] for name in names if name in params}

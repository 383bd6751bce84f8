"""Checkpoints: save, load, find the latest, remove."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path
from typing import Any, Collection, Iterator, Mapping

import numpy as np
from mxnet import ndarray as nd
from mxnet.module import Module
from mxnet.ndarray import NDArray
from mxnet.symbol import Symbol

from .._files import check_file, read_npy, remove_partial_files, write_bytes, write_npy
from .._mxnet.engine import wait_for_centers
from .._mxnet.files import read_params
from .._mxnet.writers import save_whole
from ..symbol.description import describe, with_batchsize
from ..symbol.tables import RowTableInfo, row_tables
from .network import load_symbol
from .notes import noted, with_note, with_notes


def save_checkpoint(
    module: Module, prefix: str | os.PathLike, epoch: int, notes: Mapping[str, Any] | None = None
) -> None:
    """Save the network, its parameters with the centers, and the optimizer states.

    The files are those of `Module.save_checkpoint`, written in this order: `<prefix>-symbol.json`, unless it
    would stay the same, `<prefix>-NNNN.states`, `<prefix>-NNNN.params`. Each is written completely or not at
    all, and compared with what was written before it takes its name: if the parameter file exists, it and the
    files before it are whole. `load_checkpoint`, `mx.model.load_checkpoint` and `Module.load` read them. In
    the symbol file, the data input has attributes for `FeatureExtractor`: `__data_shape__`, the shape of a
    sample, and one for each entry of `notes`.

    An epoch that is saved again has its new states before its new parameters. To lose nothing if the process
    is killed, save each epoch once.

    In distributed training, only the worker of rank 0 writes. It writes no optimizer states, because MXNet
    cannot read them back from its parameter servers. SGD without momentum has none, and a resumed training
    continues exactly. Momentum and the states of Adam and other optimizers start at zero.

    Parameters
    ----------
    module : mxnet.module.Module
        A module with an optimizer.
    prefix : path-like
        Folder, which must exist, and beginning of the file names.
    epoch : int
        Number of epochs trained, 0..9999.
    notes : mapping of str to object or None
        Entries for the symbol file, JSON values: `class_names`, the names of the classes, and `pictures`,
        whether the samples were pictures as `io.image_iter` serves them. None removes an earlier value.

    Raises
    ------
    ValueError
        An epoch outside 0..9999, or a module without an optimizer. Nothing is written.
    OSError
        The folder does not exist or cannot be written to, or the disk is full; the message names the file.

    Warns
    -----
    UserWarning
        The optimizer has states, and they stay on the parameter servers: they are not saved.

    Examples
    --------
    >>> save_checkpoint(mod, 'runs/lenet', epoch=3)  # doctest: +SKIP
    """
    if not 0 <= epoch <= 9999:
        raise ValueError(f'epoch {epoch} is outside 0..9999')
    if not module.optimizer_initialized:
        raise ValueError('the module has no optimizer yet; call init_optimizer or fit first')
    kvstore, checkpoint = module._kvstore, f'{prefix}-{epoch:04d}'
    distributed = kvstore is not None and 'dist' in kvstore.type
    if distributed and kvstore.rank != 0:
        return
    wait_for_centers()
    if distributed:
        _without_states(module, checkpoint)
    network = with_notes(module, notes or {}).tojson(remove_amp_cast=False)  # resumed, it computes the same
    write_checkpoint(module, prefix, epoch, network, not distributed)


def write_checkpoint(
    module: Module, prefix: str | os.PathLike, epoch: int, network: str, with_states: bool
) -> None:
    """Write the files of a checkpoint, each whole, the parameters last; `network` is JSON."""
    _write_network(prefix, network)
    for name, table in getattr(module, 'row_tables', {}).items():
        write_npy(f'{prefix}-{epoch:04d}.{name}.npy', table.shape, table.dtype, table.pieces())
    if with_states:
        save_whole(f'{prefix}-{epoch:04d}.states', module.save_optimizer_states)
    save_whole(f'{prefix}-{epoch:04d}.params', module.save_params)


def _write_network(prefix: str | os.PathLike, network: str) -> None:
    path, content = Path(f'{prefix}-symbol.json'), network.encode()
    if not (path.is_file() and path.read_bytes() == content):  # earlier checkpoints need the file, too
        write_bytes(path, content)


def _without_states(module: Module, checkpoint: str) -> None:
    """Remove the states file of an earlier training, and warn if the optimizer has states."""
    optimizer = getattr(module._optimizer, 'base', module._optimizer)
    if optimizer.create_state(0, nd.zeros((1, 1))) is not None:
        warnings.warn(
            f'{checkpoint} holds no states of {type(optimizer).__name__}: MXNet cannot read them back from '
            'parameter servers. A resumed training starts them at zero.'
        )
    states = Path(f'{checkpoint}.states')
    if states.exists():
        states.unlink()


def load_checkpoint(
    prefix: str | os.PathLike, epoch: int | None = None, batchsize: int | None = None
) -> tuple[Symbol, dict[str, NDArray], dict[str, NDArray]]:
    """Load network and parameters, as `mx.model.load_checkpoint` does; errors name the damaged file.

    Parameters
    ----------
    prefix : path-like
        As given to `save_checkpoint`.
    epoch : int or None
        Epoch of the checkpoint; None: the latest.
    batchsize : int or None
        New capacity of the center losses with auxiliary states, > 0: the largest batch that the network can
        be trained on. None: the capacity stays.

    Returns
    -------
    symbol : Symbol
        The network, with its losses.
    arg_params, aux_params : dict of str to NDArray
        Its parameters, with the centers.

    Raises
    ------
    FileNotFoundError
        There is no such checkpoint; the message names the latest one.
    ValueError
        A file is damaged or not part of a checkpoint, or `batchsize` is not > 0.

    Examples
    --------
    >>> symbol, arg_params, aux_params = load_checkpoint('runs/lenet', 3)  # doctest: +SKIP
    """
    last = latest_checkpoint(prefix)
    if epoch is None and last is None:
        raise FileNotFoundError(f'no checkpoint {prefix}-NNNN.params (NNNN: the epoch)')
    epoch = last if epoch is None else epoch
    symbol = load_symbol(f'{prefix}-symbol.json')
    path = Path(f'{prefix}-{epoch:04d}.params')
    found = 'there is no checkpoint' if last is None else f'the last checkpoint is of epoch {last}'
    check_file(path, found)
    arg_params, aux_params = _read_parameters(path)
    for table in row_tables(symbol):
        arg_params[table.name] = _read_table(path.with_suffix(f'.{table.name}.npy'), table)
    if batchsize is not None:
        symbol = with_batchsize(symbol, batchsize)
        aux_params = _with_differences(symbol, aux_params, batchsize)
    return symbol, arg_params, aux_params


def _read_parameters(path: Path) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
    params = read_params(path)
    unknown = sorted(name for name in params if name[:4] not in ('arg:', 'aux:'))
    if unknown:
        raise ValueError(f'{path}: expected names that begin with arg: or aux:, found {unknown[0]}')
    arg_params, aux_params = (
        {name[4:]: value for name, value in params.items() if name.startswith(kind)}
        for kind in ('arg:', 'aux:')
    )
    return arg_params, aux_params


def _read_table(path: Path, table: RowTableInfo) -> np.ndarray:
    check_file(path, f'expected the row table {table.name}; `model.save_checkpoint` writes it')
    rows = read_npy(path)
    if rows.shape != table.shape or rows.dtype != table.dtype:
        raise ValueError(
            f'{path}: {rows.dtype} of shape {rows.shape}; the network has {table.num_class} classes, '
            f'expected {table.dtype} of shape {table.shape}'
        )
    return rows


def _with_differences(symbol: Symbol, aux_params: dict[str, NDArray], batchsize: int) -> dict[str, NDArray]:
    """Return the states with new zeros for the differences of a batch, whose size is that of the batch."""
    aux_params = dict(aux_params)
    for info in describe(symbol):
        for name in info.batch_states[:1]:
            if name in aux_params:
                old = aux_params[name]
                aux_params[name] = nd.zeros((batchsize, old.shape[1]), old.context, old.dtype)
    return aux_params


def latest_checkpoint(prefix: str | os.PathLike) -> int | None:
    """Return the epoch of the latest checkpoint.

    Parameters
    ----------
    prefix : path-like
        As given to `save_checkpoint`.

    Returns
    -------
    int or None
        None: there is no checkpoint.

    Examples
    --------
    >>> latest_checkpoint('runs/none') is None
    True
    """
    return max(saved_epochs(prefix), default=None)


def saved_epochs(prefix: str | os.PathLike) -> list[int]:
    """Return the epochs of the checkpoints that there are, in no order."""
    return [epoch for epoch, path in _files(prefix) if path.suffix == '.params']


def best_checkpoint(prefix: str | os.PathLike) -> int | None:
    """Return the epoch of the best checkpoint: that which `training.Training` has selected.

    Parameters
    ----------
    prefix : path-like
        As given to `save_checkpoint`.

    Returns
    -------
    int or None
        None: no checkpoint was selected, or the selected one is no longer there.

    Raises
    ------
    ValueError
        The symbol file is damaged.

    Examples
    --------
    >>> best_checkpoint('runs/none') is None
    True
    """
    saved = saved_epochs(prefix)
    best = noted(load_symbol(f'{prefix}-symbol.json'), 'best_epoch', int) if saved else None
    return best if best in saved else None


def note_best(prefix: str | os.PathLike, epoch: int | None) -> None:
    """Write to the symbol file which checkpoint is the best; None: there is no such checkpoint."""
    symbol = with_note(load_symbol(f'{prefix}-symbol.json'), 'best_epoch', epoch)
    _write_network(prefix, symbol.tojson(remove_amp_cast=False))


def remove_checkpoints(prefix: str | os.PathLike, keep: int | Collection[int | None] | None = None) -> None:
    """Remove the checkpoints of a prefix: parameters and optimizer states.

    The symbol file, which all checkpoints of a prefix share, stays. Temporary files that killed processes
    have left go, too.

    Parameters
    ----------
    prefix : path-like
        As given to `save_checkpoint`.
    keep : int, collection of int or None
        Epochs of the checkpoints that stay; None: all are removed.

    Raises
    ------
    OSError
        A file cannot be removed.

    Examples
    --------
    >>> remove_checkpoints('runs/lenet', keep=12)  # doctest: +SKIP
    """
    kept = keep if isinstance(keep, Collection) else (keep,)
    # The parameters go before the other files, the latest at the end: the rest can be loaded at each moment.
    for epoch, path in sorted(_files(prefix), key=lambda file: (file[0], file[1].suffix != '.params')):
        if epoch not in kept:
            path.unlink()
    remove_partial_files(f'{prefix}-')


def _files(prefix: str | os.PathLike) -> Iterator[tuple[int, Path]]:
    """Yield the epoch and the path of each file of parameters, states or rows."""
    folder, name = os.path.split(prefix)  # not of Path, which drops a slash at the end
    # A row table is a weight. Other arrays that have a name like this are not of a checkpoint.
    pattern = re.compile(re.escape(name) + r'-(\d{4})\.(?:params|states|.+_weight\.npy)')
    for path in Path(folder).glob('*'):
        match = pattern.fullmatch(path.name)
        if match and path.is_file():
            yield int(match.group(1)), path

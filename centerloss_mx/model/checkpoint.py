"""Checkpoints that are complete or not there."""

from __future__ import annotations

import json
import os
import re
import warnings
from pathlib import Path
from typing import Any, Mapping

from mxnet import ndarray as nd
from mxnet.module import Module
from mxnet.ndarray import NDArray
from mxnet.symbol import Symbol, load_json

from .._files import write_whole
from .._mxnet.engine import wait_for_centers
from .._mxnet.files import read_params
from ..symbol.description import describe, with_batchsize
from .network import load_symbol


def save_checkpoint(
    module: Module, prefix: str | os.PathLike, epoch: int, notes: Mapping[str, Any] | None = None
) -> None:
    """Save symbol, parameters, centers and optimizer states, as `Module.save_checkpoint` names them.

    `<prefix>-symbol.json`, `<prefix>-NNNN.states`, `<prefix>-NNNN.params`, each written whole and in this
    order: where the parameters are, the rest is. `load_checkpoint`, `mx.model.load_checkpoint` and
    `Module.load` read them. In the symbol the data has attributes that tell of it, which `FeatureExtractor`
    reads: `__data_shape__`, the shape of a sample, and those in `notes`. The parameters hold all centers,
    wherever they live.

    In distributed training only the worker of rank 0 writes, and there are no optimizer states: MXNet cannot
    fetch them from its servers. Training resumed from such a checkpoint continues exactly with SGD without
    momentum; the momentum of SGD and the states of Adam and the like start anew, which this warns of.

    Parameters
    ----------
    module : mxnet.module.Module
        A module with its optimizer set up.
    prefix : path-like
        Folder and beginning of the files' names; the folder must exist.
    epoch : int
        Number of epochs trained, 0..9999.
    notes : mapping of str to object or None
        What else to note of the data, that JSON can hold: `class_names`, and whether the samples were
        `pictures` as `io.image_iter` serves them.

    Raises
    ------
    ValueError
        An epoch outside 0..9999, or a module without an optimizer; nothing is written then.
    OSError
        The folder is not there or cannot be written to.

    Warns
    -----
    UserWarning
        Optimizer states that stay on the servers.

    Examples
    --------
    >>> save_checkpoint(mod, 'runs/lenet', epoch=3)  # doctest: +SKIP
    """
    if not 0 <= epoch <= 9999:
        raise ValueError(f'epoch {epoch} is outside 0..9999')
    if not module.optimizer_initialized:
        raise ValueError('the module has no optimizer yet; init_optimizer or fit gives it one')
    kvstore, states = module._kvstore, Path(f'{prefix}-{epoch:04d}.states')
    distributed = kvstore is not None and 'dist' in kvstore.type
    if distributed and kvstore.rank != 0:
        return
    wait_for_centers()
    write_whole(f'{prefix}-symbol.json', _with_notes(module, notes or {}).save)
    if not distributed:
        write_whole(states, module.save_optimizer_states)
    else:
        base = getattr(module._optimizer, 'base', module._optimizer)
        if base.create_state(0, nd.zeros((1, 1))) is not None:
            warnings.warn(
                f'{prefix}-{epoch:04d} has no states of {type(base).__name__}: MXNet cannot fetch them from '
                'its servers, and they will start anew when training is resumed'
            )
        if states.exists():
            states.unlink()  # of an earlier run; a resumed one would load them
    write_whole(f'{prefix}-{epoch:04d}.params', module.save_params)


def _with_notes(module: Module, notes: Mapping[str, Any]) -> Symbol:
    """The network, which tells of its data."""
    symbol = load_json(module.symbol.tojson())  # a copy: attributes are set in place
    for desc in module.data_shapes:
        of_data = {'data_shape': desc[1][1:], **notes}
        attributes = {f'__{name}__': json.dumps(value) for name, value in of_data.items()}
        symbol.get_internals()[desc[0]]._set_attr(**attributes)
    return symbol


def noted(symbol: Symbol, name: str, kind: type, data_name: str = 'data') -> Any:
    """What `save_checkpoint` has noted of the data in a network.

    Parameters
    ----------
    symbol : Symbol
        The network.
    name : str
        Such as ``'class_names'``.
    kind : type
        What it is expected to be.
    data_name : str
        Name of the data input.

    Returns
    -------
    object
        None: it is not noted.

    Raises
    ------
    ValueError
        It is of another kind: the file is damaged.

    Examples
    --------
    >>> noted(mx.sym.Variable('data'), 'class_names', list) is None
    True
    """
    text = symbol.attr_dict().get(data_name, {}).get(f'__{name}__', 'null')
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    if not (value is None or isinstance(value, kind)):
        raise ValueError(f'the network notes the {name} {text[:40]!r}; expected a {kind.__name__}')
    return value


def latest_checkpoint(prefix: str | os.PathLike) -> int | None:
    """The last epoch that `save_checkpoint` has saved.

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
    prefix = Path(prefix)
    pattern = re.compile(re.escape(prefix.name) + r'-(\d{4})\.params')
    names = [path.name for path in prefix.parent.glob('*.params') if path.is_file()]
    matches = map(pattern.fullmatch, names)
    return max((int(match.group(1)) for match in matches if match), default=None)


def load_checkpoint(
    prefix: str | os.PathLike, epoch: int | None = None, batchsize: int | None = None
) -> tuple[Symbol, dict[str, NDArray], dict[str, NDArray]]:
    """Load symbol and parameters, as `mx.model.load_checkpoint` does, and say which file is not whole.

    Parameters
    ----------
    prefix : path-like
        As given to `save_checkpoint`.
    epoch : int or None
        The checkpoint's epoch; None: the last one.
    batchsize : int or None
        The capacity that center losses with auxiliary states are to have from now on, > 0, where training is
        to go on with other batches; None: that which they have.

    Returns
    -------
    symbol : Symbol
        The network, with its losses.
    arg_params, aux_params : dict of str to NDArray
        Its parameters, centers among them.

    Raises
    ------
    FileNotFoundError
        There is no such checkpoint; the message names the last one there is.
    ValueError
        A file that is not whole, or no checkpoint; or a `batchsize` that is not > 0.

    Examples
    --------
    >>> symbol, arg_params, aux_params = load_checkpoint('runs/lenet', 3)  # doctest: +SKIP
    """
    last = latest_checkpoint(prefix)
    if epoch is None and last is None:
        raise FileNotFoundError(f'{prefix}-NNNN.params: there is no checkpoint of this prefix')
    epoch = last if epoch is None else epoch
    symbol = load_symbol(f'{prefix}-symbol.json')
    params_path = Path(f'{prefix}-{epoch:04d}.params')
    if not params_path.is_file():
        others = '' if last is None else f'; the last checkpoint is of epoch {last}'
        raise FileNotFoundError(f'{params_path} is not there{others}')
    params = read_params(params_path)
    kinds = {key.partition(':')[0] for key in params}
    if not kinds <= {'arg', 'aux'}:
        raise ValueError(
            f'{params_path}: expected names that begin with arg: or aux:, found {sorted(params)[0]}'
        )
    arg_params, aux_params = (
        {key[4:]: value for key, value in params.items() if key.startswith(kind)} for kind in ('arg:', 'aux:')
    )
    if batchsize is not None:
        symbol, aux_params = _with_capacity(symbol, aux_params, batchsize)
    return symbol, arg_params, aux_params


def _with_capacity(
    symbol: Symbol, aux_params: dict[str, NDArray], batchsize: int
) -> tuple[Symbol, dict[str, NDArray]]:
    """Return a network with another capacity; its states of one batch's differences start anew."""
    symbol = with_batchsize(symbol, batchsize)
    for info in describe(symbol):
        for name in info.batch_states[:1]:
            if name in aux_params:
                old = aux_params[name]
                aux_params = {**aux_params, name: nd.zeros((batchsize, old.shape[1]), old.context, old.dtype)}
    return symbol, aux_params

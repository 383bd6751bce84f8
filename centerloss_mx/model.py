"""Checkpoints that are whole or not there, and the feature extractor inside a trained network."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Callable

from mxnet import cpu
from mxnet import ndarray as nd
from mxnet.context import Context
from mxnet.module import Module
from mxnet.ndarray import NDArray
from mxnet.symbol import Symbol

__all__ = ['feature_extractor', 'latest_checkpoint', 'save_checkpoint', 'write_whole']


def write_whole(path: str | os.PathLike, write: Callable[[str], object]) -> None:
    """Write a file under another name, then give it its own: readers find all of it or the old one.

    Parameters
    ----------
    path : path-like
        The file.
    write : callable
        Called with the name to write to; same folder, same suffix.

    Raises
    ------
    OSError
        The folder is not there or cannot be written to. What `write` raises is passed on; the old file stays.

    Examples
    --------
    >>> write_whole('net.json', symbol.save)  # doctest: +SKIP
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f'{path.parent} is not a folder; expected one to write {path.name} to')
    partial = path.with_name(f'.{os.getpid()}-{path.name}')
    try:
        write(str(partial))
        os.replace(partial, path)
    finally:
        if partial.exists():
            partial.unlink()


def save_checkpoint(module: Module, prefix: str | os.PathLike, epoch: int) -> None:
    """Save symbol, parameters, centers and optimizer states, as `Module.save_checkpoint` names them.

    `<prefix>-symbol.json`, `<prefix>-NNNN.states`, `<prefix>-NNNN.params`, each written whole and in this
    order: where the parameters are, the rest is. `mx.model.load_checkpoint` and `Module.load` read them.

    Parameters
    ----------
    module : mxnet.module.Module
        A module with its optimizer set up.
    prefix : path-like
        Folder and beginning of the files' names; the folder must exist.
    epoch : int
        Number of epochs trained, 0..9999.

    Raises
    ------
    ValueError
        An epoch outside 0..9999, or a module without an optimizer; nothing is written then.
    OSError
        The folder is not there or cannot be written to.

    Examples
    --------
    >>> save_checkpoint(mod, 'runs/lenet', epoch=3)  # doctest: +SKIP
    """
    if not 0 <= epoch <= 9999:
        raise ValueError(f'epoch {epoch} is outside 0..9999')
    if not module.optimizer_initialized:
        raise ValueError('the module has no optimizer yet; init_optimizer or fit gives it one')
    nd.waitall()  # the engine does not know that backward moves the centers
    write_whole(f'{prefix}-symbol.json', module.symbol.save)
    write_whole(f'{prefix}-{epoch:04d}.states', module.save_optimizer_states)
    write_whole(f'{prefix}-{epoch:04d}.params', module.save_params)


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


def feature_extractor(
    symbol: Symbol,
    arg_params: dict[str, NDArray],
    aux_params: dict[str, NDArray],
    data_shape: tuple[int, ...],
    output: str = 'embedding_output',
    context: Context | None = None,
) -> Module:
    """Cut a trained network off at an internal output: no class layer, no losses, no labels.

    Make a new one when the parameters change: MXNet's CPU build keeps its own copy of an inference network's
    weights, and a later `set_params` does not reach all of it.

    Parameters
    ----------
    symbol : Symbol
        The network, with one data input `data`.
    arg_params, aux_params : dict of str to NDArray
        Its parameters, as `Module.get_params` and `mx.model.load_checkpoint` return them.
    data_shape : tuple of int
        Shape of a batch of data, (N, ...).
    output : str
        Name of the internal output.
    context : mxnet.Context or None
        The device; None: the CPU.

    Returns
    -------
    mxnet.module.Module
        Ready for `predict`.

    Raises
    ------
    ValueError
        The network has no output of that name; the message lists those it has.

    Examples
    --------
    >>> extractor = feature_extractor(net, arg_params, aux_params, (100, 1, 28, 28))  # doctest: +SKIP
    >>> features = extractor.predict(images).asnumpy()  # doctest: +SKIP
    """
    internals = symbol.get_internals()
    if output not in internals.list_outputs():
        raise ValueError(
            f'the network has no output {output!r}; it has {", ".join(internals.list_outputs())}'
        )
    module = Module(internals[output], data_names=['data'], label_names=None, context=context or cpu())
    module.bind(data_shapes=[('data', data_shape)], for_training=False)
    module.set_params(arg_params, aux_params, allow_extra=True)
    return module

"""Checkpoints that are whole or not there, and the feature extractor inside a trained network."""

from __future__ import annotations

import numbers
import os
import re
from itertools import islice
from pathlib import Path
from typing import Callable

import numpy as np
from mxnet import cpu
from mxnet import ndarray as nd
from mxnet.context import Context
from mxnet.io import DataIter
from mxnet.module import Module
from mxnet.ndarray import NDArray
from mxnet.symbol import Symbol

from .rows import HostRows, check_labels, group_by_class

__all__ = ['feature_extractor', 'latest_checkpoint', 'save_checkpoint', 'start_centers', 'write_whole']


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
    data_name: str = 'data',
) -> Module:
    """Cut a trained network off at an internal output: no class layer, no losses, no labels.

    Make a new one when the parameters change: MXNet's CPU build keeps its own copy of an inference network's
    weights, and a later `set_params` does not reach all of it.

    Parameters
    ----------
    symbol : Symbol
        The network, with one data input.
    arg_params, aux_params : dict of str to NDArray
        Its parameters, as `Module.get_params` and `mx.model.load_checkpoint` return them.
    data_shape : tuple of int
        Shape of a batch of data, (N, ...).
    output : str
        Name of the internal output.
    context : mxnet.Context or None
        The device; None: the CPU.
    data_name : str
        Name of the data input.

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
    module = Module(internals[output], data_names=[data_name], label_names=None, context=context or cpu())
    module.bind(data_shapes=[(data_name, data_shape)], for_training=False)
    module.set_params(arg_params, aux_params, allow_extra=True)
    return module


def start_centers(
    module: Module,
    data_iter: DataIter,
    num_batches: int = 20,
    name: str = 'center_loss',
    label_name: str = 'center_label',
    ignore_label: float | None = None,
    output: str = 'embedding_output',
) -> np.ndarray:
    """Start the centers at the class means of the first batches: c_j = mean_{i: y_i = j} x_i.

    Centers that start at 0 pull all features there. Where features are already large, as after training with
    softmax only, that pull can end in NaN, or in all features at one point. Call this between `init_params`
    and `fit`.

    Parameters
    ----------
    module : mxnet.module.Module
        Bound, with one data input and parameters: fresh ones, or a checkpoint's
        (`init_params(..., allow_missing=True)`).
    data_iter : mxnet.io.DataIter
        What the module will train on; it is reset before and after.
    num_batches : int
        Number of batches to look at, > 0; fewer where the iterator ends before.
    name : str
        The name given to the loss: its centers are the state `<name>__center_bias` or the parameter
        `<name>_center_weight`.
    label_name : str
        The iterator's label that holds the classes. Rows that only pad the last batch are left out.
    ignore_label : float or None
        Samples with this label are left out, too.
    output : str
        Name of the internal output that is the loss's feature.

    Returns
    -------
    numpy.ndarray
        The classes seen, ascending; the centers of the others stay where they are.

    Raises
    ------
    ValueError
        A module without parameters, or bound for other data than the iterator serves, no such centers, label
        or output, learned centers that a KVStore updates already, a label that is no class, or features that
        are not finite; no center has moved then.

    Examples
    --------
    >>> mod.bind(train.provide_data, train.provide_label)  # doctest: +SKIP
    >>> mod.init_params(mx.init.Xavier())  # doctest: +SKIP
    >>> start_centers(mod, train)  # doctest: +SKIP
    >>> mod.fit(train, num_epoch=10)  # doctest: +SKIP
    """
    if not (module.binded and module.params_initialized):
        raise ValueError('the module has no parameters yet; call bind and init_params first')
    if not (isinstance(num_batches, numbers.Integral) and num_batches > 0):
        raise ValueError(f'num_batches={num_batches!r} is not a whole number > 0')
    data_name, shape = module.data_shapes[0][:2]
    served = [tuple(desc[1]) for desc in data_iter.provide_data]
    if served != [tuple(shape)] or len(module.data_shapes) != 1:
        bound = [tuple(desc[1]) for desc in module.data_shapes]
        raise ValueError(
            f'the iterator serves data of shapes {served}, and {bound} are bound; expected one, the same'
        )
    label_names = [desc[0] for desc in data_iter.provide_label]
    if label_name not in label_names:
        raise ValueError(f'the iterator has no label {label_name!r}; it has {", ".join(label_names)}')
    arg_params, aux_params = module.get_params()
    homes = [(aux_params, f'{name}__center_bias'), (arg_params, f'{name}_center_weight')]
    found = [(params, key) for params, key in homes if key in params]
    if not found:
        raise ValueError(
            f'the module has neither {homes[0][1]} nor {homes[1][1]}; name={name!r} is no loss of it'
        )
    params, key = found[0]
    if params is arg_params and module.optimizer_initialized and module._update_on_kvstore:
        raise ValueError(
            f'{key} lives in the KVStore by now; call start_centers before init_optimizer and fit'
        )

    extractor = feature_extractor(
        module.symbol, arg_params, aux_params, shape, output, module._context[0], data_name
    )
    num_class, dim = params[key].shape
    sums, counts = np.zeros((num_class, dim)), np.zeros(num_class, int)
    data_iter.reset()
    for batch in islice(data_iter, num_batches):
        extractor.forward(batch, is_train=False)
        size = shape[0] - (batch.pad or 0)
        features = extractor.get_outputs()[0].asnumpy()[:size].astype(np.float64)
        labels = batch.label[label_names.index(label_name)].asnumpy()[:size]
        groups = group_by_class(*check_labels(labels, num_class, ignore_label))
        HostRows.move(sums, features, groups, np.ones(len(groups.classes)))
        counts[groups.classes] += groups.counts
    data_iter.reset()
    if not np.isfinite(sums).all():
        raise ValueError(f'the output {output!r} is not finite')
    seen = np.flatnonzero(counts)
    centers = params[key].asnumpy()
    centers[seen] = sums[seen] / counts[seen, np.newaxis]
    params[key][:] = centers
    module.set_params(arg_params, aux_params)
    return seen

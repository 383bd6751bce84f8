"""Checkpoints that are whole or not there, and the feature extractor inside a trained network."""

from __future__ import annotations

import numbers
import os
import re
import warnings
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
from mxnet.ndarray.sparse import RowSparseNDArray
from mxnet.symbol import Symbol

from .rows import HostRows, check_labels, group_by_class

__all__ = [
    'centers_to_aux',
    'centers_to_kvstore',
    'feature_extractor',
    'latest_checkpoint',
    'save_checkpoint',
    'start_centers',
    'with_all_rows',
    'write_whole',
]


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
    The parameters hold all centers, wherever they live.

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
    nd.waitall()  # the engine does not know that backward moves the centers
    write_whole(f'{prefix}-symbol.json', module.symbol.save)
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


def with_all_rows(array: NDArray) -> RowSparseNDArray:
    """A row_sparse array whose rows are all there, zeros too: what a KVStore needs of centers.

    MXNet leaves rows of zeros out where it makes an array sparse, and its servers end at such an array.

    Parameters
    ----------
    array : NDArray
        Of any storage type, shape (num_class, ...).

    Returns
    -------
    RowSparseNDArray
        The same values; the array itself, if its rows are all there.

    Examples
    --------
    >>> with_all_rows(mx.nd.zeros((3, 2))).indices.shape
    (3,)
    """
    if array.stype == 'row_sparse' and array.indices.shape == array.shape[:1]:
        return array
    rows = nd.array(np.arange(len(array)), dtype='int64')
    return nd.sparse.row_sparse_array((array.tostype('default'), rows), array.shape, dtype=array.dtype)


def centers_to_kvstore(
    arg_params: dict[str, NDArray], aux_params: dict[str, NDArray], name: str = 'center_loss'
) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
    """Move centers from auxiliary states to a parameter: from `center_loss` to `sync_center_loss`.

    Parameters
    ----------
    arg_params, aux_params : dict of str to NDArray
        Of a network with `center_loss`, as `Module.get_params` and `mx.model.load_checkpoint` return them;
        they stay as they are.
    name : str
        The name given to the loss.

    Returns
    -------
    arg_params, aux_params : dict of str to NDArray
        For the same network with `sync_center_loss`: the parameter `<name>_center_weight`, (num_class, D +
        1), whose counts of samples start at 0, in place of the states `<name>__diff_bias`,
        `<name>__center_bias` and `<name>__sum_bias`.

    Raises
    ------
    ValueError
        There are no such centers.

    Examples
    --------
    >>> arg_params, aux_params = centers_to_kvstore({}, {'center_loss__center_bias': mx.nd.ones((10, 2))})
    >>> arg_params['center_loss_center_weight'].shape
    (10, 3)
    """
    key = f'{name}__center_bias'
    if key not in aux_params:
        raise ValueError(f'there is no state {key}; there are {", ".join(aux_params) or "none"}')
    centers = aux_params[key]
    weight = nd.concat(centers, nd.zeros((len(centers), 1), centers.context, centers.dtype), dim=1)
    states = [f'{name}__{state}_bias' for state in ('diff', 'center', 'sum')]
    aux_params = {key: value for key, value in aux_params.items() if key not in states}
    return {**arg_params, f'{name}_center_weight': with_all_rows(weight)}, aux_params


def centers_to_aux(
    arg_params: dict[str, NDArray], aux_params: dict[str, NDArray], name: str = 'center_loss'
) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
    """Move centers from a parameter to auxiliary states: from `sync_center_loss` to `center_loss`.

    Parameters
    ----------
    arg_params, aux_params : dict of str to NDArray
        Of a network with `sync_center_loss`, as `Module.get_params` and `mx.model.load_checkpoint` return
        them; they stay as they are.
    name : str
        The name given to the loss.

    Returns
    -------
    arg_params, aux_params : dict of str to NDArray
        For the same network with `center_loss`: the state `<name>__center_bias`, (num_class, D), in place of
        the parameter `<name>_center_weight`. The operator's other states hold nothing learned, and are left
        to `allow_missing=True`.

    Raises
    ------
    ValueError
        There are no such centers.

    Examples
    --------
    >>> weight = mx.nd.ones((10, 3))
    >>> arg_params, aux_params = centers_to_aux({'center_loss_center_weight': weight}, {})
    >>> aux_params['center_loss__center_bias'].shape
    (10, 2)
    """
    key = f'{name}_center_weight'
    if key not in arg_params:
        raise ValueError(f'there is no parameter {key}; there are {", ".join(arg_params) or "none"}')
    centers = arg_params[key].tostype('default')[:, :-1].copy()
    arg_params = {other: value for other, value in arg_params.items() if other != key}
    return arg_params, {**aux_params, f'{name}__center_bias': centers}


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
    num_class = len(params[key])
    dim = extractor.output_shapes[0][1][1]
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
    centers[seen, :dim] = sums[seen] / counts[seen, np.newaxis]  # a last column may count samples
    centers = nd.array(centers, dtype=centers.dtype)
    params[key] = with_all_rows(centers) if params[key].stype == 'row_sparse' else centers
    module.set_params(arg_params, aux_params)
    return seen

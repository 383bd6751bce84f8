"""Checkpoints that are whole or not there, and the feature extractor inside a trained network."""

from __future__ import annotations

import json
import numbers
import os
import re
import warnings
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, NamedTuple, Sequence

import numpy as np
from mxnet import cpu
from mxnet import ndarray as nd
from mxnet.base import MXNetError
from mxnet.context import Context
from mxnet.io import DataBatch, DataIter, NDArrayIter
from mxnet.module import Module
from mxnet.ndarray import NDArray
from mxnet.ndarray.sparse import RowSparseNDArray
from mxnet.symbol import Symbol, load_json

from .dataset import numbered, read_npz
from .io import Images, image_iter, list_images, with_progress
from .rows import HostRows, check_labels, group_by_class

__all__ = [
    'FeatureExtractor',
    'Features',
    'centers_to_aux',
    'centers_to_kvstore',
    'export_onnx',
    'feature_extractor',
    'find_centers',
    'internal_output',
    'latest_checkpoint',
    'load_checkpoint',
    'load_features',
    'load_symbol',
    'noted',
    'save_checkpoint',
    'save_features',
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
    nd.waitall()  # the engine does not know that backward moves the centers
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
    try:
        params = nd.load(str(params_path))
        kinds = {key.partition(':')[0] for key in params}
    except (AttributeError, MXNetError, UnicodeDecodeError):  # a list, or no file of MXNet
        raise ValueError(f'{params_path}: no parameters of MXNet; is the file whole?') from None
    if not kinds <= {'arg', 'aux'}:
        raise ValueError(
            f'{params_path}: expected names that begin with arg: or aux:, found {sorted(params)[0]}'
        )
    arg_params, aux_params = (
        {key[4:]: value for key, value in params.items() if key.startswith(kind)} for kind in ('arg:', 'aux:')
    )
    if batchsize is not None:
        symbol, aux_params = _with_batchsize(symbol, aux_params, batchsize)
    return symbol, arg_params, aux_params


def _with_batchsize(
    symbol: Symbol, aux_params: dict[str, NDArray], batchsize: int
) -> tuple[Symbol, dict[str, NDArray]]:
    """The same network with another capacity: the states that hold one batch's differences start anew."""
    if isinstance(batchsize, bool) or not (isinstance(batchsize, numbers.Integral) and 0 < batchsize < 2**31):
        raise ValueError(f'batchsize={batchsize!r} is not a whole number > 0 and < 2^31')
    graph = json.loads(symbol.tojson())
    for node in graph['nodes']:
        if node['op'] == 'Custom' and node['attrs']['op_type'] == 'centerloss':
            node['attrs']['batchsize'] = str(batchsize)
            diff = graph['nodes'][node['inputs'][2][0]]['name']
            if diff in aux_params:
                old = aux_params[diff]
                aux_params = {**aux_params, diff: nd.zeros((batchsize, old.shape[1]), old.context, old.dtype)}
    return load_json(json.dumps(graph)), aux_params


def load_symbol(path: str | os.PathLike) -> Symbol:
    """Load a network from its .json file, and say so if it is none.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    Symbol

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It holds no network, or is not whole.

    Examples
    --------
    >>> symbol = load_symbol('runs/lenet-symbol.json')  # doctest: +SKIP
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'{path} is not there')
    try:
        text = Path(path).read_text(encoding='utf-8')
        json.loads(text)  # MXNet's own reader was seen to end the process
        return load_json(text)
    except (MXNetError, ValueError, RecursionError):
        raise ValueError(f'{path}: no network of MXNet; is the file whole?') from None


def internal_output(symbol: Symbol, layer: str) -> Symbol:
    """A network up to one of its layers.

    Parameters
    ----------
    symbol : Symbol
        The network.
    layer : str
        Name of the internal output.

    Returns
    -------
    Symbol

    Raises
    ------
    ValueError
        There is no such output; the message lists those there are.

    Examples
    --------
    >>> net = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=2, name='embedding')
    >>> internal_output(mx.sym.SoftmaxOutput(net, name='softmax'), 'embedding_output').list_outputs()
    ['embedding_output']
    """
    internals = symbol.get_internals()
    if layer not in internals.list_outputs() or layer in symbol.list_inputs():
        outputs = [name for name in internals.list_outputs() if name.endswith('_output')]
        raise ValueError(f'the network has no output {layer!r}; it has {", ".join(outputs)}')
    return internals[layer]


def find_centers(arg_params: dict[str, NDArray], aux_params: dict[str, NDArray]) -> np.ndarray | None:
    """The centers among a network's parameters, whichever of the losses has trained them.

    Parameters
    ----------
    arg_params, aux_params : dict of str to NDArray
        As `Module.get_params` and `load_checkpoint` return them.

    Returns
    -------
    numpy.ndarray or None
        (num_class, D), without the counts of samples of those on a KVStore; None: there are no centers.

    Examples
    --------
    >>> find_centers({}, {'center_loss__center_bias': mx.nd.ones((10, 2))}).shape
    (10, 2)
    """
    for name, value in {**arg_params, **aux_params}.items():
        if name.endswith(('_center_bias', '_center_weight')):
            return value.asnumpy()[:, : -1 if value.stype == 'row_sparse' else None]
    return None


def feature_extractor(
    prefix: str | os.PathLike,
    epoch: int | None = None,
    layer: str = 'embedding_output',
    ctx: Context | None = None,
    data_name: str = 'data',
) -> FeatureExtractor:
    """Cut the network of a checkpoint off at a layer.

    Parameters
    ----------
    prefix : path-like
        As given to `save_checkpoint`.
    epoch : int or None
        The checkpoint's epoch; None: the last one.
    layer, ctx, data_name
        As for `FeatureExtractor`.

    Returns
    -------
    FeatureExtractor

    Raises
    ------
    FileNotFoundError, ValueError
        As `load_checkpoint` and `FeatureExtractor`.

    Examples
    --------
    >>> features = feature_extractor('runs/lenet', 3).predict(images)  # doctest: +SKIP
    """
    return FeatureExtractor(*load_checkpoint(prefix, epoch), layer, ctx, data_name)


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


class FeatureExtractor:
    """A trained network up to a layer: no class layer, no losses and their states, no labels.

    The parameters are those given; make a new one when they have changed.

    Parameters
    ----------
    symbol : Symbol
        The network, with one data input.
    arg_params, aux_params : dict of str to NDArray
        Its parameters, as `Module.get_params` and `load_checkpoint` return them; what the layer does not need
        is left out.
    layer : str
        Name of the internal output.
    ctx : mxnet.Context or None
        The device; None: the CPU.
    data_name : str
        Name of the data input.

    Attributes
    ----------
    data_shape : tuple of int or None
        Of a sample, as `save_checkpoint` has noted it in the symbol; None: it has not.
    class_names : list of str or None
        The classes that the network was trained on, if noted.
    pictures : bool or None
        Whether the samples were pictures, as `io.image_iter` serves them, if noted.

    Raises
    ------
    ValueError
        The network has no output of that name; the message lists those it has. Or a parameter is missing.

    Examples
    --------
    >>> extractor = FeatureExtractor(net, *mod.get_params())  # doctest: +SKIP
    >>> features = extractor.predict(images)  # doctest: +SKIP
    """

    def __init__(
        self,
        symbol: Symbol,
        arg_params: dict[str, NDArray],
        aux_params: dict[str, NDArray],
        layer: str = 'embedding_output',
        ctx: Context | None = None,
        data_name: str = 'data',
    ) -> None:
        self.symbol, self.ctx, self.data_name = internal_output(symbol, layer), ctx or cpu(), data_name
        shape = noted(self.symbol, 'data_shape', list, data_name)
        self.data_shape: tuple[int, ...] | None = None if shape is None else tuple(shape)
        self.class_names: list[str] | None = noted(self.symbol, 'class_names', list, data_name)
        self.pictures: bool | None = noted(self.symbol, 'pictures', bool, data_name)
        arguments, states = self.symbol.list_arguments(), self.symbol.list_auxiliary_states()
        missing = [name for name in arguments if name != data_name and name not in arg_params]
        missing += [name for name in states if name not in aux_params]
        if missing:
            raise ValueError(f'there is no parameter {missing[0]}, which {layer} needs')
        self.arg_params = {name: arg_params[name] for name in arguments if name in arg_params}
        self.aux_params = {name: aux_params[name] for name in states}
        self._module: Module | None = None

    def predict(
        self,
        data: np.ndarray | NDArray | DataIter | Images | str | os.PathLike,
        batch_size: int = 128,
        image_size: int | None = None,
        flip: bool = False,
        progress: bool = False,
    ) -> np.ndarray:
        """Run samples through the network.

        Parameters
        ----------
        data : numpy.ndarray, NDArray, mxnet.io.DataIter, io.Images or path-like
            Samples (N, ...); an iterator, which is reset first, and whose rows that only pad a batch are left
            out; or pictures, what `io.list_images` returns or takes.
        batch_size : int
            Samples at a time, > 0; an iterator has its own.
        image_size : int or None
            Height and width that pictures are brought to, see `io.image_iter`; None: those that the network
            was trained with, if the checkpoint tells.
        flip : bool
            Whether to append to each feature that of the mirrored sample: D becomes 2 D. For samples of shape
            (channels, height, width).
        progress : bool
            Whether to show a tqdm bar.

        Returns
        -------
        numpy.ndarray
            (N, D): the features, in the order of the samples; of a diverged network, not finite.

        Raises
        ------
        ValueError
            No samples, samples of a shape that the network does not take, or pictures without an `image_size`
            or that cannot be decoded.
        ImportError
            `progress`, and tqdm is not installed.

        Examples
        --------
        >>> features = extractor.predict('faces', image_size=112, flip=True)  # doctest: +SKIP
        """
        data_iter = self._iterator(data, batch_size, image_size)
        data_iter.reset()
        features = []
        for batch in with_progress(data_iter, 'features', 'batch') if progress else data_iter:
            parts = [self._run(batch.data[0])]
            if flip:
                parts.append(self._run(nd.flip(batch.data[0], axis=3)))
            features.append(np.hstack(parts)[: len(parts[0]) - (batch.pad or 0)])
        return np.concatenate(features)

    def _iterator(self, data: Any, batch_size: int, image_size: int | None) -> DataIter:
        if isinstance(data, DataIter):
            return data
        if not batch_size > 0:
            raise ValueError(f'batch_size={batch_size} is not > 0')
        if isinstance(data, (str, os.PathLike)):
            data = list_images(data, min_classes=1)
        if isinstance(data, Images):
            if image_size is None and self.data_shape is not None:
                image_size = self.data_shape[-1]
            if image_size is None:
                raise ValueError(
                    'image_size=None: expected the height and width that pictures are brought to'
                )
            return image_iter(data, min(batch_size, len(data.labels)), image_size).data_iter
        if not len(data):
            raise ValueError(f'data of shape {data.shape}: there are no samples')
        return NDArrayIter({self.data_name: data}, batch_size=min(batch_size, len(data)))

    def _run(self, data: NDArray) -> np.ndarray:
        if self._module is None or self._module.data_shapes[0].shape != data.shape:
            self._module = self._bound(data.shape)
        self._module.forward(DataBatch([data]), is_train=False)
        return self._module.get_outputs()[0].asnumpy()

    def _bound(self, shape: tuple[int, ...]) -> Module:
        module = Module(self.symbol, data_names=[self.data_name], label_names=None, context=self.ctx)
        try:
            with _without_fusion():
                module.bind(data_shapes=[(self.data_name, shape)], for_training=False)
            module.set_params(self.arg_params, self.aux_params)
        except RuntimeError:  # MXNetError is one
            trained = '' if self.data_shape is None else f', but of {self.data_shape}'
            raise ValueError(f'the network does not take samples of shape {shape[1:]}{trained}') from None
        return module


class Features(NamedTuple):
    """Features of samples with their classes, and what their network was trained on.

    Parameters
    ----------
    features : numpy.ndarray
        (N, D).
    labels : numpy.ndarray
        int (N,), 0..num_class-1.
    class_names : list of str
        The name of each class, num_class of them.
    names : list of str or None
        Of each sample, its file or record; None: the samples have no names.
    centers : numpy.ndarray or None
        (C, D): the trained centers, a row for each name in `trained_on`; None: there are none.
    trained_on : list of str or None
        The names of the classes that the network was trained on; None: nobody knows.
    """

    features: np.ndarray
    labels: np.ndarray
    class_names: list[str]
    names: list[str] | None = None
    centers: np.ndarray | None = None
    trained_on: list[str] | None = None

    @property
    def classes(self) -> np.ndarray:
        """Of each sample, the name of its class; (N,)."""
        return np.array(self.class_names)[self.labels]


def save_features(path: str | os.PathLike, features: Features) -> None:
    """Write features as an .npz file, whole or not at all; nothing in it is pickled.

    Parameters
    ----------
    path : path-like
        The file, ending in .npz.
    features : Features
        What to write; each field is an array of that name.

    Raises
    ------
    ValueError
        A path that does not end in .npz, or features that are not finite.
    OSError
        The folder is not there or cannot be written to.

    Examples
    --------
    >>> save_features('test.npz', features)  # doctest: +SKIP
    """
    if Path(path).suffix != '.npz':
        raise ValueError(f'{path}: expected a file that ends in .npz')
    _check_finite(features.features, f'{path} is not written', features.names)
    arrays = {name: np.array(value) for name, value in features._asdict().items() if value is not None}
    write_whole(path, lambda name: np.savez(name, **arrays))


def load_features(path: str | os.PathLike) -> Features:
    """Read features from an .npz file: one of `save_features`, or any with the arrays features and labels.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    Features
        Where the file has no `class_names`, the classes are numbered in the order of their labels.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is damaged or pickled, lacks an array, or has arrays that do not fit each other, or features
        that are not finite.

    Examples
    --------
    >>> features = load_features('test.npz')  # doctest: +SKIP
    """
    arrays = read_npz(path, ['features', 'labels'], Features._fields[2:])
    features, labels = arrays['features'], arrays['labels']
    if features.ndim != 2 or features.dtype.kind not in 'fiu' or labels.shape != features.shape[:1]:
        raise ValueError(
            f'{path}: features {features.dtype} {features.shape} and labels of shape {labels.shape}; '
            'expected numbers (N, D), and (N,)'
        )
    _check_finite(features, path, arrays.get('names'))
    for name in ('class_names', 'names', 'trained_on'):
        if name in arrays and arrays[name].ndim != 1:
            raise ValueError(f'{path}: {name} of shape {arrays[name].shape}; expected a list of names')
    if 'names' in arrays and len(arrays['names']) != len(features):
        raise ValueError(f'{path}: {len(arrays["names"])} names of {len(features)} features')
    if 'class_names' not in arrays:
        try:
            class_names, labels = numbered(labels)
            arrays['class_names'] = np.array(class_names)
        except ValueError as error:
            raise ValueError(f'{path}: {error}') from None
    num_class = len(arrays['class_names'])
    outside = (
        (labels < 0) | (labels >= num_class) if labels.dtype.kind in 'iu' else np.ones(len(labels), bool)
    )
    if outside.any():
        row = int(outside.argmax())
        raise ValueError(f'{path}: label {labels[row]} at row {row} is outside 0..{num_class - 1}')
    centers, trained_on = arrays.get('centers'), arrays.get('trained_on')
    if centers is not None and centers.dtype.kind != 'f':
        raise ValueError(f'{path}: centers are {centers.dtype}; expected float')
    if centers is not None and (trained_on is None or centers.shape != (len(trained_on), features.shape[1])):
        raise ValueError(
            f'{path}: centers of shape {centers.shape}; expected a row of {features.shape[1]} for each class '
            'in trained_on'
        )
    if centers is not None and not np.isfinite(centers).all():
        raise ValueError(f'{path}: the centers are not finite')
    names = {key: [*map(str, arrays[key])] for key in ('class_names', 'names', 'trained_on') if key in arrays}
    return Features(features, labels.astype(np.int64), centers=centers, **names)


def _check_finite(features: np.ndarray, where: object, names: Sequence[str] | np.ndarray | None) -> None:
    with np.errstate(over='ignore'):  # beyond float32, squares would overflow in float64, too
        finite = np.isfinite(features.astype(np.float32)).all(axis=1)
    if not finite.all():
        row = int(finite.argmin())
        name = f' ({names[row]})' if names is not None and len(names) == len(features) else ''
        raise ValueError(f'{where}: features at row {row}{name} are not finite')


@contextmanager
def _without_fusion() -> Iterator[None]:
    """Keep MXNet from fusing layers of what is bound: a convolution and a sum it was seen to fuse wrongly.

    In ResNet v2 for small pictures, the sum then had another term than the convolution's output.
    """
    before = os.environ.get('MXNET_SUBGRAPH_BACKEND')
    os.environ['MXNET_SUBGRAPH_BACKEND'] = 'NONE'
    try:
        yield
    finally:
        if before is None:
            del os.environ['MXNET_SUBGRAPH_BACKEND']
        else:
            os.environ['MXNET_SUBGRAPH_BACKEND'] = before


def export_onnx(
    prefix: str | os.PathLike,
    epoch: int | None,
    path: str | os.PathLike,
    layer: str = 'embedding_output',
    data_shape: tuple[int, ...] | None = None,
    data_name: str = 'data',
) -> None:
    """Write the feature extractor of a checkpoint as an ONNX file that takes any batch size.

    The file is there only if ONNX Runtime computes from it what MXNet does, on random samples of batch sizes
    1 and 3: to 1e-5 of the largest feature.

    Parameters
    ----------
    prefix : path-like
        As given to `save_checkpoint`.
    epoch : int or None
        The checkpoint's epoch; None: the last one.
    path : path-like
        The file to write; its folder must exist. Input `data_name` (N, ...), float32; one output (N, D).
    layer : str
        Name of the internal output.
    data_shape : tuple of int or None
        Shape of a sample, without the batch; None: that which `save_checkpoint` has noted.
    data_name : str
        Name of the data input.

    Raises
    ------
    FileNotFoundError, ValueError
        As `feature_extractor`; or no `data_shape`, or an operator that MXNet cannot export.
    RuntimeError
        ONNX Runtime cannot run it, or computes something else; nothing has been written.
    ImportError
        onnx or onnxruntime is not installed; the message says what to install.

    Examples
    --------
    >>> export_onnx('runs/lenet', 12, 'lenet.onnx')  # doctest: +SKIP
    """
    try:
        import onnx
        import onnxruntime
        from mxnet import onnx as mxonnx
    except ImportError as error:
        raise ImportError("ONNX needs onnx and onnxruntime: pip install 'centerloss_mx[onnx]'") from error
    extractor = feature_extractor(prefix, epoch, layer, data_name=data_name)
    data_shape = data_shape or extractor.data_shape
    if data_shape is None:
        raise ValueError('data_shape=None, and the checkpoint does not tell; expected the shape of a sample')
    samples = np.random.RandomState(0).rand(3, *data_shape).astype(np.float32)
    expected = extractor.predict(samples)

    def write(name: str) -> None:
        params = _with_fixed_gammas(extractor)
        dynamic = {'dynamic': True, 'dynamic_input_shapes': [(None, *data_shape)]}
        try:
            mxonnx.export_model(
                _explicit(extractor.symbol), params, [(1, *data_shape)], np.float32, name, **dynamic
            )
        except AttributeError as error:
            raise ValueError(f'{layer}: MXNet cannot export this network: {error}') from None
        model = onnx.load(name)
        _mend_onnx(model, expected.shape[1:])
        onnx.save(model, name)
        try:
            onnx.checker.check_model(model)
            session = onnxruntime.InferenceSession(name, providers=['CPUExecutionProvider'])
            found = [session.run(None, {data_name: samples[:size]})[0] for size in (1, len(samples))]
        except Exception as error:  # of both, classes without a common base
            reason = str(error).strip().splitlines()[0]
            raise RuntimeError(
                f'{path}: ONNX Runtime cannot run it, nothing was written: {reason}'
            ) from error
        difference = max(abs(features - expected[: len(features)]).max() for features in found)
        if not difference <= 1e-5 * max(1, abs(expected).max()):
            raise RuntimeError(
                f'{path}: ONNX Runtime differs from MXNet by {difference:g}; nothing was written'
            )

    write_whole(path, write)


def _explicit(symbol: Symbol) -> Symbol:
    """The same network, with a default written out that MXNet's exporter takes for its opposite."""
    graph = json.loads(symbol.tojson())
    for node in graph['nodes']:
        if node['op'] == 'FullyConnected':
            node['attrs'].setdefault('flatten', 'True')
    return load_json(json.dumps(graph))


def _with_fixed_gammas(extractor: FeatureExtractor) -> dict[str, NDArray]:
    """All parameters; the gammas that MXNet takes for 1, whatever they are, are 1."""
    params = {**extractor.arg_params, **extractor.aux_params}
    nodes = json.loads(extractor.symbol.tojson())['nodes']
    for node in nodes:
        if node['op'] == 'BatchNorm' and node.get('attrs', {}).get('fix_gamma', 'True') in ('True', '1'):
            gamma = nodes[node['inputs'][1][0]]['name']
            params[gamma] = nd.ones_like(params[gamma])
    return params


def _mend_onnx(model: Any, feature_shape: tuple[int, ...]) -> None:
    """Make of what MXNet's exporter writes what ONNX Runtime takes."""
    import onnx

    graph = model.graph
    slopes = {node.input[1] for node in graph.node if node.op_type == 'PRelu'}
    for tensor in graph.initializer:
        if tensor.name in slopes:  # (C,), and would be broadcast over the last axis of (N, C, H, W)
            slope = onnx.numpy_helper.to_array(tensor)
            tensor.CopyFrom(onnx.numpy_helper.from_array(slope.reshape(-1, 1, 1), tensor.name))
    names = {tensor.name for tensor in graph.initializer}
    for value in [value for value in graph.input if value.name in names]:
        graph.input.remove(value)  # listed as inputs, parameters could not be folded
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = 'N'
    for dim, size in zip(graph.output[0].type.tensor_type.shape.dim[1:], feature_shape):
        dim.dim_value = size


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

    extractor = FeatureExtractor(module.symbol, arg_params, aux_params, output, module._context[0], data_name)
    num_class = len(params[key])
    dim = extractor.symbol.infer_shape(**{data_name: shape})[1][0][1]
    sums, counts = np.zeros((num_class, dim)), np.zeros(num_class, int)
    data_iter.reset()
    for batch in islice(data_iter, num_batches):
        size = shape[0] - (batch.pad or 0)
        features = extractor._run(batch.data[0])[:size].astype(np.float64)
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

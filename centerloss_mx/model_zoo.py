"""Networks up to the embedding: LeNet, LeNet++, those of MXNet's model zoo, and one's own."""

from __future__ import annotations

import os
from pathlib import Path

from mxnet import ndarray as nd
from mxnet import symbol as mxsym
from mxnet.base import MXNetError
from mxnet.gluon import HybridBlock
from mxnet.gluon.model_zoo import vision
from mxnet.initializer import Xavier
from mxnet.ndarray import NDArray
from mxnet.symbol import Symbol

from .model import internal_output, load_symbol

__all__ = ['INITIALIZER', 'NETWORKS', 'get_model', 'lenet', 'lenet_plus_plus', 'load_params']

INITIALIZER = Xavier(magnitude=2, rnd_type='gaussian', factor_type='in')  # for layers behind ReLU
_RESERVED = ('fc2_weight', 'fc2_output', 'softmax_output', 'softmax_label', 'center_label')
_SIZES = (32, 48, 64, 96, 128, 160, 192, 224, 299)  # the last is for inceptionv3


def lenet(embedding_dim: int) -> Symbol:
    """LeNet as in the classic script, up to the embedding.

    Parameters
    ----------
    embedding_dim : int
        D, the length of a feature, > 0.

    Returns
    -------
    Symbol
        `embedding_output` (N, D), of `data` (N, channels, height, width).

    Examples
    --------
    >>> lenet(2).infer_shape(data=(8, 1, 28, 28))[1]
    [(8, 2)]
    """
    net = mxsym.Variable('data')
    for i, num_filter in enumerate([20, 50], start=1):
        net = mxsym.Convolution(net, kernel=(5, 5), num_filter=num_filter, name=f'conv{i}')
        net = mxsym.Activation(net, act_type='tanh', name=f'tanh{i}')
        net = mxsym.Pooling(net, pool_type='max', kernel=(2, 2), stride=(2, 2), name=f'pool{i}')
    net = mxsym.FullyConnected(mxsym.Flatten(net), num_hidden=500, name='fc1')
    net = mxsym.Activation(net, act_type='tanh', name='tanh3')
    return mxsym.FullyConnected(net, num_hidden=embedding_dim, name='embedding')


def lenet_plus_plus(embedding_dim: int) -> Symbol:
    """LeNet++ of the paper, up to the embedding: three pairs of convolutions with PReLU.

    Parameters
    ----------
    embedding_dim : int
        D, the length of a feature, > 0.

    Returns
    -------
    Symbol
        `embedding_output` (N, D), of `data` (N, channels, height, width).

    References
    ----------
    Wen et al. 2016, Table 1.

    Examples
    --------
    >>> lenet_plus_plus(2).infer_shape(data=(8, 1, 28, 28))[1]
    [(8, 2)]
    """
    net = mxsym.Variable('data')
    for stage, num_filter in enumerate([32, 64, 128], start=1):
        for i in 1, 2:
            net = mxsym.Convolution(
                net, kernel=(5, 5), pad=(2, 2), num_filter=num_filter, name=f'conv{stage}_{i}'
            )
            net = mxsym.LeakyReLU(net, act_type='prelu', name=f'prelu{stage}_{i}')
        net = mxsym.Pooling(net, pool_type='max', kernel=(2, 2), stride=(2, 2), name=f'pool{stage}')
    return mxsym.FullyConnected(mxsym.Flatten(net), num_hidden=embedding_dim, name='embedding')


NETWORKS = {'lenet': lenet, 'lenet++': lenet_plus_plus}


def get_model(
    name: str | os.PathLike,
    embedding_dim: int,
    data_shape: tuple[int, ...],
    layer: str = 'embedding_output',
    thumbnail: bool | None = None,
) -> Symbol:
    """Make a network up to the embedding.

    Parameters
    ----------
    name : str or path-like
        ``'lenet'``, ``'lenet++'``, a name of `mxnet.gluon.model_zoo.vision`, whose layers before the last get
        an embedding of their own, or a symbol in a .json file, which is cut off at `layer`.
    embedding_dim : int
        D, the length of a feature, > 0; a .json file has its own.
    data_shape : tuple of int
        Of a sample: (channels, height, width).
    layer : str
        Name of the output of a .json file that is the embedding, (N, D).
    thumbnail : bool or None
        Whether a ResNet keeps the resolution at its bottom; None: for pictures of at most 32 x 32.

    Returns
    -------
    Symbol
        `embedding_output`, (N, D), of the input `data`.

    Raises
    ------
    ValueError
        There is no such network or layer, or it does not take such samples.
    FileNotFoundError
        There is no such .json file.

    Examples
    --------
    >>> get_model('resnet18_v2', 128, (3, 64, 64)).infer_shape(data=(8, 3, 64, 64))[1]
    [(8, 128)]
    """
    if embedding_dim < 1:
        raise ValueError(f'embedding_dim={embedding_dim} is not a whole number > 0')
    if str(name).endswith('.json'):
        embedding = _cut_off(load_symbol(name), layer, name)
    elif name in NETWORKS:
        embedding = NETWORKS[str(name)](embedding_dim)
    else:
        features = mxsym.Flatten(_backbone(str(name), data_shape, thumbnail).features(mxsym.Variable('data')))
        embedding = mxsym.FullyConnected(features, num_hidden=embedding_dim, name='embedding')
    shape = _output_shape(embedding, data_shape)
    if shape is None:
        size = ' x '.join(map(str, data_shape))
        larger = [other for other in _SIZES if _output_shape(embedding, (data_shape[0], other, other))]
        hint = f'; it takes {larger[0]} x {larger[0]}' if larger else ''
        raise ValueError(f'{name} does not take samples of {size}{hint}')
    if len(shape) != 2:
        raise ValueError(f'{layer} of {name} has shape {shape}; expected (N, D)')
    return embedding


def load_params(
    name: str, path: str | os.PathLike, data_shape: tuple[int, ...] = (3, 224, 224)
) -> dict[str, NDArray]:
    """Load parameters for a network of `get_model` to start from.

    Parameters
    ----------
    name : str
        The network's name.
    path : path-like
        A .params file: of a checkpoint of a network with such names, or, for a network of the model zoo, what
        `Block.save_parameters` writes.
    data_shape : tuple of int
        Of a sample: (channels, height, width).

    Returns
    -------
    dict of str to NDArray
        Arguments and auxiliary states by the names they have in the symbol; those of a model zoo's class
        layer are left out.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file holds no parameters, or those of another network.

    Examples
    --------
    >>> params = load_params('resnet18_v2', 'resnet18_v2.params')  # doctest: +SKIP
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'{path}: not there; expected a .params file')
    try:
        params = nd.load(str(path))
    except (MXNetError, UnicodeDecodeError):
        raise ValueError(f'{path}: no parameters of MXNet; is the file whole?') from None
    if not isinstance(params, dict) or not params:
        raise ValueError(f'{path}: no parameters by their names')
    if any(key.startswith(('arg:', 'aux:')) for key in params):
        return {key[4:]: value for key, value in params.items()}
    if name in NETWORKS or str(name).endswith('.json'):
        raise ValueError(
            f'{path}: expected the .params file of a checkpoint, names beginning with arg: or aux:'
        )
    network = _backbone(name, data_shape, thumbnail=False)
    try:
        network.load_parameters(str(path))
    except (AssertionError, MXNetError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise ValueError(f'{path}: not parameters of {name}: {reason}') from None
    return {key: parameter.data() for key, parameter in network.features.collect_params().items()}


def _cut_off(symbol: Symbol, layer: str, path: str | os.PathLike) -> Symbol:
    """The network up to a layer, which then is `embedding_output`."""
    embedding = internal_output(symbol, layer)
    if 'data' not in embedding.list_arguments():
        raise ValueError(
            f'{path}: the network has no input data; it has {", ".join(embedding.list_arguments())}'
        )
    taken = [name for name in _RESERVED if name in embedding.get_internals().list_outputs()]
    if taken:
        raise ValueError(f'{path}: there is a {taken[0]} before {layer}; that name is for what comes behind')
    if layer == 'embedding_output':
        return embedding
    if 'embedding_output' in embedding.get_internals().list_outputs():
        raise ValueError(
            f'{path}: there is an embedding_output before {layer}; expected that to be the layer'
        )
    return mxsym.identity(embedding, name='embedding')


def _backbone(name: str, data_shape: tuple[int, ...], thumbnail: bool | None) -> HybridBlock:
    """The network of the model zoo, its names the same whenever it is made."""
    options = {}
    if name.lower().startswith('resnet'):
        options['thumbnail'] = max(data_shape[1:]) <= 32 if thumbnail is None else thumbnail
    try:
        return vision.get_model(name, prefix='backbone_', **options)
    except ValueError as error:
        ours = ', '.join(NETWORKS)
        raise ValueError(f'{name}: {" ".join(str(error).split())}, {ours}') from None


def _output_shape(symbol: Symbol, data_shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """With a batch of one; None if the network does not take such samples."""
    try:
        arguments, outputs, _ = symbol.infer_shape_partial(data=(1, *data_shape))  # infer_shape prints
    except MXNetError:
        return None
    known = all(shape and all(size > 0 for size in shape) for shape in (*arguments, *outputs))
    return outputs[0] if known else None

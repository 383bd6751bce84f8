"""`get_model`: a network up to the embedding, by its name or from a .json file."""

from __future__ import annotations

import os

from mxnet import symbol as mxsym
from mxnet.gluon import HybridBlock
from mxnet.gluon.model_zoo import vision
from mxnet.initializer import Xavier
from mxnet.symbol import Symbol

from .._checks import check_size
from .._mxnet.symbols import infer_shapes
from ..model import internal_output, load_symbol
from ..symbol.names import (
    CENTER_LABEL,
    CLASS_LAYER,
    EMBEDDING,
    EMBEDDING_OUTPUT,
    SOFTMAX_LABEL,
    SOFTMAX_OUTPUT,
)
from .lenet import lenet, lenet_plus_plus
from .mlp import mlp

INITIALIZER = Xavier(magnitude=2, rnd_type='gaussian', factor_type='in')  # for layers behind ReLU

NETWORKS = {'lenet': lenet, 'lenet++': lenet_plus_plus, 'mlp': mlp}

# Names of what joint supervision adds behind the embedding.
_RESERVED = (f'{CLASS_LAYER}_weight', f'{CLASS_LAYER}_output', SOFTMAX_OUTPUT, SOFTMAX_LABEL, CENTER_LABEL)

_SIZES = (32, 48, 64, 96, 128, 160, 192, 224, 299)  # the last is for inceptionv3


def get_model(
    name: str | os.PathLike,
    embedding_dim: int,
    data_shape: tuple[int, ...],
    layer: str = EMBEDDING_OUTPUT,
    thumbnail: bool | None = None,
) -> Symbol:
    """Make a network up to the embedding.

    Parameters
    ----------
    name : str or path-like
        ``'lenet'``, ``'lenet++'``, ``'mlp'``, a name of `mxnet.gluon.model_zoo.vision` (its class layer is
        replaced by the embedding), or a .json file with a symbol, which is cut off at `layer`.
    embedding_dim : int
        D, the length of a feature, > 0. A .json file has its own.
    data_shape : tuple of int
        Shape of a sample: (channels, height, width); of a vector: (D,).
    layer : str
        Name of the output of a .json file that is the embedding, (N, D).
    thumbnail : bool or None
        Whether the first layers of a ResNet keep the resolution; None: for pictures of at most 32 x 32.

    Returns
    -------
    Symbol
        `embedding_output`, (N, D), of the input `data`.

    Raises
    ------
    ValueError
        There is no such network or layer, or it does not accept samples of `data_shape`.
    FileNotFoundError
        There is no such .json file.

    Examples
    --------
    >>> get_model('resnet18_v2', 128, (3, 64, 64)).infer_shape(data=(8, 3, 64, 64))[1]
    [(8, 128)]
    """
    check_size('', 'embedding_dim', embedding_dim)
    if str(name).endswith('.json'):
        embedding = _cut_off(load_symbol(name), layer, name)
    elif name in NETWORKS:
        embedding = NETWORKS[str(name)](embedding_dim)
    else:
        features = mxsym.Flatten(backbone(str(name), data_shape, thumbnail).features(mxsym.Variable('data')))
        embedding = mxsym.FullyConnected(features, num_hidden=embedding_dim, name=EMBEDDING)
    shape = _output_shape(embedding, data_shape)
    if shape is None:
        size = ' x '.join(map(str, data_shape))
        sides = _SIZES if len(data_shape) == 3 else ()
        accepted = [side for side in sides if _output_shape(embedding, (data_shape[0], side, side))]
        hint = f'; it takes {accepted[0]} x {accepted[0]}' if accepted else ''
        raise ValueError(f'{name} does not take samples of {size}{hint}')
    if len(shape) != 2:
        raise ValueError(f'{layer} of {name} has shape {shape}; expected (N, D)')
    return embedding


def backbone(name: str, data_shape: tuple[int, ...], thumbnail: bool | None) -> HybridBlock:
    """Return a network of MXNet's model zoo; its layers have the same names in every call."""
    options = {}
    if name.lower().startswith('resnet'):
        options['thumbnail'] = max(data_shape[1:], default=0) <= 32 if thumbnail is None else thumbnail
    try:
        return vision.get_model(name, prefix='backbone_', **options)
    except ValueError as error:
        ours = ', '.join(NETWORKS)
        raise ValueError(f'{name}: {" ".join(str(error).split())}, {ours}') from None


def _cut_off(symbol: Symbol, layer: str, path: str | os.PathLike) -> Symbol:
    """The network up to a layer, whose output becomes `embedding_output`."""
    embedding = internal_output(symbol, layer)
    if 'data' not in embedding.list_arguments():
        raise ValueError(
            f'{path}: the network has no input data; it has {", ".join(embedding.list_arguments())}'
        )
    outputs = embedding.get_internals().list_outputs()
    reserved = [name for name in _RESERVED if name in outputs]
    if reserved:
        raise ValueError(
            f'{path}: {reserved[0]} comes before {layer}; that name is reserved for the layers behind it'
        )
    if layer == EMBEDDING_OUTPUT:
        return embedding
    if EMBEDDING_OUTPUT in outputs:
        raise ValueError(
            f'{path}: {EMBEDDING_OUTPUT} comes before {layer}; expected layer={EMBEDDING_OUTPUT!r}'
        )
    return mxsym.identity(embedding, name=EMBEDDING)


def _output_shape(symbol: Symbol, data_shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """With a batch of one; None if the network does not take such samples."""
    shapes = infer_shapes(symbol, data=(1, *data_shape))
    return None if shapes is None else shapes[1][0]

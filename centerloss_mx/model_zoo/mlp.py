"""A multilayer perceptron up to the embedding, for vectors."""

from __future__ import annotations

from mxnet import symbol as mxsym
from mxnet.symbol import Symbol

from ..symbol.names import EMBEDDING


def mlp(embedding_dim: int) -> Symbol:
    """Two layers of 256 units with ReLU up to the embedding, behind a batch normalization of the input.

    The normalization lets columns of a table have any unit.

    Parameters
    ----------
    embedding_dim : int
        D, the length of a feature, > 0.

    Returns
    -------
    Symbol
        `embedding_output` (N, D), of `data` (N, M).

    Examples
    --------
    >>> mlp(2).infer_shape(data=(8, 300))[1]
    [(8, 2)]
    """
    net = mxsym.BatchNorm(mxsym.Flatten(mxsym.Variable('data')), fix_gamma=True, name='bn0')
    for i in 1, 2:
        net = mxsym.FullyConnected(net, num_hidden=256, name=f'hidden{i}')
        net = mxsym.Activation(net, act_type='relu', name=f'relu{i}')
    return mxsym.FullyConnected(net, num_hidden=embedding_dim, name=EMBEDDING)

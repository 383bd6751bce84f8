"""LeNet and LeNet++ up to the embedding."""

from __future__ import annotations

from mxnet import symbol as mxsym
from mxnet.symbol import Symbol

from ..symbol.names import EMBEDDING


def lenet(embedding_dim: int) -> Symbol:
    """LeNet up to the embedding, as in the classic script.

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
    return mxsym.FullyConnected(net, num_hidden=embedding_dim, name=EMBEDDING)


def lenet_plus_plus(embedding_dim: int) -> Symbol:
    """LeNet++ of the paper up to the embedding: three pairs of convolutions with PReLU.

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
    return mxsym.FullyConnected(mxsym.Flatten(net), num_hidden=embedding_dim, name=EMBEDDING)

"""Networks in symbol files, and networks up to a layer."""

from __future__ import annotations

import os

from mxnet.symbol import Symbol

from .._files import check_file
from .._mxnet.files import read_symbol


def load_symbol(path: str | os.PathLike) -> Symbol:
    """Load a network from its symbol file.

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
        It is not a symbol file, or it is truncated.

    Examples
    --------
    >>> symbol = load_symbol('runs/lenet-symbol.json')  # doctest: +SKIP
    """
    check_file(path)
    return read_symbol(path)


def internal_output(symbol: Symbol, layer: str) -> Symbol:
    """Return a network up to one of its layers.

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
        There is no such output; the message lists the outputs.

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

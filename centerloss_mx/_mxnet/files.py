"""Faults of MXNet's readers of files: a damaged file raises errors of several kinds."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from mxnet import ndarray as nd
from mxnet.base import MXNetError
from mxnet.ndarray import NDArray
from mxnet.symbol import Symbol, load_json

from .graphs import check_graph, check_operators
from .saved_arrays import check_params, check_states

__all__ = ['naming_states', 'read_params', 'read_symbol']


def read_symbol(path: str | os.PathLike) -> Symbol:
    """Read a network from a symbol file; ValueError for any other file.

    MXNet's reader accepts some texts that are not JSON, so Python parses the text first. For a truncated
    file, it raises UnicodeDecodeError, because its message quotes the end of the file as a byte. Outputs
    that do not exist, and missing inputs, end the process later.

    https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/base.py#L227
    """
    try:
        graph = json.loads(Path(path).read_text(encoding='utf-8'))
        check_graph(graph)
        symbol = load_json(json.dumps(graph, ensure_ascii=False))
        check_operators(symbol)
        return symbol
    except (MXNetError, ValueError, RecursionError):
        raise ValueError(f'{path}: not an MXNet symbol file, or it is truncated') from None


def read_params(path: str | os.PathLike) -> dict[str, NDArray]:
    """Read arrays by name from a parameter file; ValueError for any other file.

    MXNet's reader returns a list for a file without names. For a damaged one it raises MXNetError, or
    UnicodeDecodeError where the names are damaged. It allocates the memory for a shape before it reads the
    values: gigabytes for a single wrong bit.

    https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/ndarray/utils.py#L175
    """
    try:
        check_params(path)
        params = nd.load(str(path))
        for array in params.values() if isinstance(params, dict) else ():
            if array.stype != 'default':
                array.check_format()  # rows outside an array are read from memory of others
    except (MXNetError, ValueError):
        params = None
    if not isinstance(params, dict):
        raise ValueError(f'{path}: not an MXNet parameter file, or it is truncated')
    return params


@contextmanager
def naming_states(path: str | os.PathLike | None) -> Iterator[None]:
    """Name a file of optimizer states that MXNet cannot read inside this context.

    MXNet unpickles the file. A damaged pickle raises errors of any kind, which do not name the file. Arrays
    in it allocate what their shapes promise.

    https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/optimizer/optimizer.py#L2144

    Parameters
    ----------
    path : path-like or None
        The file that MXNet reads; None: it reads none, and errors are passed on.

    Raises
    ------
    ValueError
        The file does not hold optimizer states, or it is truncated.
    """
    damaged = f'{path}: not a file of optimizer states, or it is truncated'
    if path is not None and Path(path).is_file():
        try:
            check_states(path)
        except ValueError as error:
            raise ValueError(damaged) from error
    try:
        yield
    except Exception as error:  # the errors of a damaged pickle have no common base
        if path is None or isinstance(error, OSError):
            raise
        raise ValueError(damaged) from error

"""Faults of MXNet's readers of files: what they do with a damaged one."""

from __future__ import annotations

import json
import os
from pathlib import Path

from mxnet import ndarray as nd
from mxnet.base import MXNetError
from mxnet.ndarray import NDArray
from mxnet.symbol import Symbol, load_json

__all__ = ['read_params', 'read_symbol']


def read_symbol(path: str | os.PathLike) -> Symbol:
    """Read a network from a .json file.

    MXNet's own reader ends the process on text that is not JSON, so the text is parsed before. Raises ValueError for
    what is not an MXNet symbol file.
    """
    try:
        text = Path(path).read_text(encoding='utf-8')
        json.loads(text)
        return load_json(text)
    except (MXNetError, ValueError, RecursionError):
        raise ValueError(f'{path}: not an MXNet symbol file, or it is truncated') from None


def read_params(path: str | os.PathLike) -> dict[str, NDArray]:
    """Read arrays by name from a .params file.

    MXNet's reader raises errors of several kinds for a damaged file, and returns a list where names are missing.
    Raises ValueError for what is not an MXNet parameter file.
    """
    try:
        params = nd.load(str(path))
    except (MXNetError, UnicodeDecodeError):
        params = None
    if not isinstance(params, dict):
        raise ValueError(f'{path}: not an MXNet parameter file, or it is truncated')
    return params

"""Faults of MXNet's fusion of layers at inference."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import Iterator

__all__ = ['without_fusion']


@contextmanager
def without_fusion() -> Iterator[None]:
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

"""Faults of MXNet's symbols.

One limit has no function: nothing in a symbol can raise. The losses of stock operators become NaN for an
invalid label, and `module.Module` checks the labels of a batch before the symbol runs.
"""

from __future__ import annotations

from mxnet import symbol as mxsym
from mxnet.base import MXNetError
from mxnet.symbol import Symbol

__all__ = ['comparable', 'infer_shapes', 'valid_or_zero']


def comparable(label: Symbol) -> Symbol:
    """Return labels that can be compared with any number: float64, without a gradient.

    MXNet converts the number to the dtype of the labels: 255 in uint8 equals -1, and 2048 in float16 equals
    2049. In float64, whole numbers are exact to 2^53.

    https://github.com/apache/mxnet/blob/1.9.1/src/operator/tensor/elemwise_binary_scalar_op.h#L317
    """
    return mxsym.cast(mxsym.BlockGrad(label), dtype='float64')


def valid_or_zero(label: Symbol, valid: Symbol) -> Symbol:
    """Return labels with 0 where `valid` is 0: row numbers for an `Embedding` with a sparse gradient.

    Its backward fails on a row number that is out of range, where that of a dense one takes the nearest row.
    With this function all are in range. The caller masks the rows that are not valid.

    https://github.com/apache/mxnet/blob/1.9.1/src/operator/tensor/indexing_op.cc#L399
    """
    return mxsym.where(valid, label, mxsym.zeros_like(label))


def infer_shapes(symbol: Symbol, **shapes: tuple[int, ...]) -> tuple[list, list, list] | None:
    """Return the shapes of arguments, outputs and auxiliary states; None if they cannot be inferred.

    `Symbol.infer_shape` prints its arguments on standard output before it raises. `infer_shape_partial` does
    not print, but it returns incomplete shapes; this function returns None instead.

    https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/symbol/symbol.py#L1123

    Parameters
    ----------
    symbol : Symbol
        The network.
    **shapes : tuple of int
        The shapes of its inputs.

    Returns
    -------
    tuple of three lists of shapes, or None
    """
    try:
        inferred = symbol.infer_shape_partial(**shapes)
    except MXNetError:
        return None
    known = all(shape and all(size > 0 for size in shape) for kind in inferred for shape in kind)
    return inferred if known else None

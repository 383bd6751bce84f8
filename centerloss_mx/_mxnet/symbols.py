"""Faults of MXNet's symbols: comparisons in the label's dtype, and inference of shapes that prints.

One more limit has no function: **nothing in a symbol can raise.** The losses made of stock operators answer an invalid
label with a loss of NaN, and `module.Module` checks the labels of a batch on the host.
"""

from __future__ import annotations

from mxnet import symbol as mxsym
from mxnet.base import MXNetError
from mxnet.symbol import Symbol

__all__ = ['comparable', 'infer_shapes', 'valid_or_zero']


def comparable(label: Symbol) -> Symbol:
    """Return labels that can be compared with any number: float64, without a gradient.

    MXNet converts the number to the dtype of the array: uint8 labels of 255 equal -1, and float16 labels of 2048 equal
    2049. In float64 each label of each dtype has its own value, up to 2^53.

    https://github.com/apache/mxnet/blob/1.9.1/src/operator/tensor/elemwise_binary_scalar_op.h#L317
    """
    return mxsym.cast(mxsym.BlockGrad(label), dtype='float64')


def valid_or_zero(label: Symbol, valid: Symbol) -> Symbol:
    """Return labels with 0 in place of invalid ones, as row numbers for a sparse `Embedding`.

    With ``sparse_grad=True`` the backward of `Embedding` fails on a row number that is out of range, where the dense one
    takes the nearest row. Here every number is in range; the caller masks the rows that do not count.

    https://github.com/apache/mxnet/blob/1.9.1/src/operator/tensor/indexing_op.cc#L399
    """
    return mxsym.where(valid, label, mxsym.zeros_like(label))


def infer_shapes(symbol: Symbol, **shapes: tuple[int, ...]) -> tuple[list, list, list] | None:
    """Return the shapes of arguments, outputs and auxiliary states; None if they cannot be inferred.

    `Symbol.infer_shape` prints its arguments on standard output when it fails. `infer_shape_partial` does not, but it
    leaves shapes open that it does not know; here that counts as failed.

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

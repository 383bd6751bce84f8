"""Batch-hard triplet loss."""

from __future__ import annotations

import math

from mxnet import symbol as mxsym
from mxnet.symbol import Symbol

from .._checks import check_flag, check_number, check_whole_number
from .blocks import LabelledRows, squared_length

__all__ = ['triplet_loss']


def triplet_loss(
    data: Symbol,
    label: Symbol,
    scale: float = 1.0,
    margin: float | None = None,
    use_ignore: bool = False,
    ignore_label: float = -1,
    name: str = 'triplet_loss',
) -> Symbol:
    """Batch-hard triplet loss: the farthest sample of the own class against the nearest of another class.

    | h_i = max_{p != i: y_p = y_i} ||x_i - x_p|| - min_{n: y_n != y_i} ||x_i - x_n||
    | output:   log(1 + exp(h_i)), or max(0, margin + h_i) if there is a margin          per sample
    | gradient: scale * d(sum of the output)                to the sample and the two that it is compared with

    Distances are Euclidean. A sample whose class has no other sample in the batch, or that sees no other
    class, has the loss 0 and no gradient. Serve batches of P classes with K samples each.

    `scale` is the weight lambda under Module's default `rescale_grad`: the gradient is that of the sum over
    the batch, as in the paper. The authors' code averages over the batch, which is the same step.

    Each device looks for triplets in its own slice of the batch: training on two devices gives other numbers
    than on one. Give each device whole classes.

    Parameters
    ----------
    data : Symbol
        Features x, shape (N, D), float32 or float64.
    label : Symbol
        Labels y, shape (N,): whole numbers >= 0.
    scale : float
        lambda, >= 0: weight of the gradient. The output is not scaled.
    margin : float or None
        m of the paper, >= 0; None: the soft margin, log(1 + exp(h)).
    use_ignore : bool
        Whether rows with the label `ignore_label` are ignored: their loss is 0, and no other row is compared
        with them.
    ignore_label : float
        A whole number.
    name : str
        Name of the MakeLoss node.

    Returns
    -------
    Symbol
        One output `<name>_output`, shape (N,). Distances of all pairs are an N x N matrix, without gradient;
        the gradient runs through the two distances of each sample.

    Raises
    ------
    ValueError
        A parameter that is out of its range.

    References
    ----------
    Hermans, Beyer and Leibe, In Defense of the Triplet Loss for Person Re-Identification, 2017: Eq. 5, also
    with the soft margin.

    Examples
    --------
    >>> loss = triplet_loss(mx.sym.Variable('embedding'), mx.sym.Variable('center_label'), margin=0.3)
    >>> loss.list_outputs()
    ['triplet_loss_output']
    """
    where = f'{name}: '
    check_number(where, 'scale', scale)
    if margin is not None:
        check_number(where, 'margin', margin)
    check_flag(where, 'use_ignore', use_ignore)
    check_whole_number(where, 'ignore_label', ignore_label)
    rows = LabelledRows(name, label, None, use_ignore, ignore_label)
    feature = rows.keep(data)
    positive, negative, compared = _hardest(rows, mxsym.BlockGrad(feature))
    difference = _distance(feature, positive) - _distance(feature, negative)
    if margin is None:
        loss = mxsym.Activation(difference, act_type='softrelu')
    else:
        loss = mxsym.relu(difference + margin)
    return rows.make_loss(mxsym.where(compared, loss, mxsym.zeros_like(loss)), scale)


def _hardest(rows: LabelledRows, feature: Symbol) -> tuple[Symbol, Symbol, Symbol]:
    """Return the rows of farthest positive and nearest negative, and whether there are both, each (N,)."""

    def pairs(operator: str, values: Symbol) -> Symbol:  # (N, N)
        one, other = mxsym.expand_dims(values, axis=1), mxsym.expand_dims(values, axis=0)
        return getattr(mxsym, operator)(one, other)

    both = pairs('broadcast_mul', rows.kept)
    same = pairs('broadcast_equal', rows.label)
    another = pairs('broadcast_not_equal', mxsym.contrib.arange_like(rows.label, axis=0))
    positive, negative = both * same * another, both * (1 - same)

    # Far from 0, differences of large squares would lose digits. A shift does not change distances.
    counted = mxsym.sum(rows.keep(mxsym.ones_like(feature)), axis=0, keepdims=True)  # (1, D)
    center = mxsym.sum(feature, axis=0, keepdims=True) / counted
    feature = mxsym.broadcast_sub(feature, center)
    squares = pairs('broadcast_add', squared_length(feature))
    squares = squares - 2 * mxsym.dot(feature, feature, transpose_b=True)
    none = mxsym.ones_like(squares) * math.inf
    farthest = mxsym.argmax(mxsym.where(positive, squares, -none), axis=1)
    nearest = mxsym.argmin(mxsym.where(negative, squares, none), axis=1)
    return farthest, nearest, mxsym.max(positive, axis=1) * mxsym.max(negative, axis=1)


def _distance(feature: Symbol, row: Symbol) -> Symbol:
    """Return ||x_i - x_row(i)||, (N,), at least 1e-12, so that its gradient is finite at distance 0."""
    return mxsym.sqrt(mxsym.maximum(squared_length(feature - mxsym.take(feature, row)), 1e-24))

"""Softmax with a margin: SphereFace, ArcFace, CosFace and their combination."""

from __future__ import annotations

import math

from mxnet import symbol as mxsym
from mxnet.symbol import Symbol

from .blocks import LabelledRows, lengths, unit_length
from .names import CLASS_LAYER

__all__ = ['margin_logits', 'margin_softmax']

_MOST = 1 - 1e-7  # of a cosine: the gradient of arccos grows without bound towards 1


def margin_softmax(
    features: Symbol,
    weight: Symbol,
    rows: LabelledRows,
    num_class: int,
    s: float,
    margins: tuple[float, float, float],
    smooth_alpha: float,
    normalize_features: bool,
    name: str,
) -> Symbol:
    """Return the posterior without margin and the loss with it: see `classifier`."""
    divisor = mxsym.expand_dims(lengths(weight), axis=0)  # (1, C)
    cos = _cosines(features, weight, divisor, num_class)
    logits, scores = margin_logits(cos, rows.label, num_class, s, margins), mxsym.BlockGrad(cos) * s
    if not normalize_features:
        logits = _times_lengths(logits, features)
        scores = _times_lengths(scores, mxsym.BlockGrad(features))
    loss = _cross_entropy(logits, rows.label, num_class, smooth_alpha)
    return mxsym.Group([mxsym.softmax(scores, name=name), rows.make_loss(loss, 1.0)])


def margin_logits(
    cos: Symbol, label: Symbol, num_class: int, s: float, margins: tuple[float, float, float]
) -> Symbol:
    """Return s times the cosines, with psi(theta) in place of the cosine of each row with its own class.

    | psi(theta) = (-1)^k cos(m1 theta + m2) - 2 k - m3,   k = floor((m1 theta + m2) / pi)

    With margins (1, 0, m3), psi is cos(theta) - m3, without an angle.

    Parameters
    ----------
    cos : Symbol
        Cosines of features and classes, shape (N, num_class). The classes may be a sample of all classes.
    label : Symbol
        The column of each row's own class, shape (N,), 0..num_class-1.
    num_class : int
        Number of columns.
    s : float
        Scale of the logits, > 0.
    margins : (float, float, float)
        m1 > 0, m2 >= 0 and m3 >= 0.

    Returns
    -------
    Symbol
        Shape (N, num_class).
    """
    m1, m2, m3 = margins
    own = mxsym.pick(cos, label)  # (N,)
    if (m1, m2) != (1, 0):
        angle = mxsym.arccos(mxsym.clip(own, -_MOST, _MOST)) * m1 + m2
        k = mxsym.floor(angle / math.pi)
        own = (1 - 2 * (k % 2)) * mxsym.cos(angle) - 2 * k
    psi = mxsym.broadcast_axis(mxsym.expand_dims(own - m3, axis=1), axis=1, size=num_class)
    return mxsym.where(mxsym.one_hot(label, depth=num_class), psi, cos) * s


def _cosines(features: Symbol, weight: Symbol, divisor: Symbol, num_class: int) -> Symbol:
    """Return the cosines (N, C) of features (N, D) and weights (C, D), which have the lengths (1, C)."""
    unit = unit_length(features)
    products = mxsym.FullyConnected(unit, weight, num_hidden=num_class, no_bias=True, name=CLASS_LAYER)
    return mxsym.broadcast_div(products, divisor)


def _times_lengths(logits: Symbol, features: Symbol) -> Symbol:
    return mxsym.broadcast_mul(logits, mxsym.expand_dims(lengths(features), axis=1))


def _cross_entropy(logits: Symbol, label: Symbol, num_class: int, smooth_alpha: float) -> Symbol:
    """Return the cross-entropy of each row, (N,), with the targets that `SoftmaxOutput` smooths."""
    log_posterior = mxsym.log_softmax(logits)
    own = -mxsym.pick(log_posterior, label)
    if not smooth_alpha:
        return own
    share = smooth_alpha / (num_class - 1)
    return own * (1 - smooth_alpha - share) - mxsym.sum(log_posterior, axis=1) * share

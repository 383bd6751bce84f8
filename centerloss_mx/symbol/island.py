"""Island loss."""

from __future__ import annotations

from mxnet import symbol as mxsym
from mxnet.symbol import Symbol

from .blocks import Rows, check_arguments, learned_centers, squared_length

__all__ = ['island_loss']


def island_loss(
    data: Symbol,
    label: Symbol,
    num_class: int,
    embedding_dim: int,
    scale: float = 1.0,
    inter_scale: float = 1.0,
    lr_mult: float = 1.0,
    use_ignore: bool = False,
    ignore_label: float = -1,
    name: str = 'island_loss',
) -> Symbol:
    """Island loss, with learned centers: center loss plus the cosines between all pairs of centers.

    | P = sum over pairs j != k of (cos(c_j, c_k) + 1) = ||sum_j u_j||^2 + C^2 - 2C,  u_j = c_j / ||c_j||
    | output:    1/2 ||x_i - c_{y_i}||^2 + inter_scale * P                     per sample
    | gradients: scale * d(sum of the output)

    `scale` is lambda of L = L_S + lambda * L_IL, `inter_scale` is lambda_1. P does not depend on the sample.
    It is added to the loss of every sample, so that the step under Module is that of mean_i(1/2 ||x_i -
    c_{y_i}||^2) + lambda_1 * P for any batch and any number of devices. The paper adds P once to a sum over
    the batch: its lambda_1 is N times this one.

    The paper moves the centers by alpha times (the step of Eq. 4 of Wen et al. + lambda_1 / (C - 1) times the
    gradient of the cosines). Here the base optimizer moves them along the gradient. Every step moves all
    centers.

    P grows with C^2: from about a thousand classes on, the float32 output no longer shows the first term
    beside it. The gradients stay exact.

    A center shorter than 1e-6 has no direction: its cosines count as 0 and do not push it. The gradient of a
    cosine grows as 1 / ||c||, so start the centers well away from 0, with `mx.init.Xavier()` or
    `model.start_centers`.

    Parameters
    ----------
    data : Symbol
        Features x, shape (N, embedding_dim), float32 or float64.
    label : Symbol
        Labels y, shape (N,).
    num_class : int
        Number of classes C, > 0.
    embedding_dim : int
        D, the length of a feature, > 0. Another length raises an error when the symbol is bound.
    scale : float
        lambda, >= 0: weight of all gradients. The output is not scaled. 0.1 and below suits MNIST.
    inter_scale : float
        lambda_1, >= 0: weight of P beside the center loss of one sample.
    lr_mult : float
        Multiplies the learning rate of the centers, >= 0. They have no weight decay.
    use_ignore : bool
        Whether rows with the label `ignore_label` are ignored; their loss is 0.
    ignore_label : float
        A whole number.
    name : str
        Name of the MakeLoss node.

    Returns
    -------
    Symbol
        One output `<name>_output`, shape (N,). Parameter `<name>_center_weight`, shape (num_class,
        embedding_dim), which the module's initializer initializes. Its gradient is dense. There is no C x C
        matrix.

    Raises
    ------
    ValueError
        A parameter that is out of its range.

    References
    ----------
    Cai et al., Island Loss for Learning Discriminative Features in Facial Expression Recognition, FG 2018:
    the definition of L_IL.

    Examples
    --------
    >>> loss = island_loss(mx.sym.Variable('embedding'), mx.sym.Variable('center_label'), 10, 2, scale=0.01)
    >>> loss.list_outputs()
    ['island_loss_output']
    """
    weights = {'scale': scale, 'inter_scale': inter_scale, 'lr_mult': lr_mult}
    check_arguments(name, num_class, embedding_dim, use_ignore, ignore_label, weights)
    rows = Rows(name, data, label, num_class, use_ignore, ignore_label)
    centers = learned_centers(name, num_class, embedding_dim, lr_mult)
    own = 0.5 * squared_length(rows.keep(rows.data - mxsym.take(centers, rows.label)))

    length = squared_length(centers)  # (C,)
    directed = length > 1e-12
    length = mxsym.sqrt(mxsym.where(directed, length, mxsym.ones_like(length)))
    unit = mxsym.broadcast_div(centers, mxsym.expand_dims(length, axis=1))
    unit = mxsym.where(directed, unit, mxsym.zeros_like(unit))
    cosines = mxsym.sum(mxsym.square(mxsym.sum(unit, axis=0))) - mxsym.sum(directed)
    pairs = cosines + num_class * (num_class - 1)  # (1,)
    return rows.make_loss(mxsym.broadcast_add(own, pairs * inter_scale), scale)

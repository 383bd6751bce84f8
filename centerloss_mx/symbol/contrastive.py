"""Contrastive-center loss."""

from __future__ import annotations

from mxnet import symbol as mxsym
from mxnet.symbol import Symbol

from .._checks import check_number
from .blocks import Rows, check_arguments, learned_centers, squared_length

__all__ = ['contrastive_center_loss']


def contrastive_center_loss(
    data: Symbol,
    label: Symbol,
    num_class: int,
    embedding_dim: int,
    scale: float = 1.0,
    delta: float = 1.0,
    lr_mult: float = 1.0,
    use_ignore: bool = False,
    ignore_label: float = -1,
    name: str = 'contrastive_center_loss',
) -> Symbol:
    """Contrastive-center loss, with learned centers: near the own center, far from all other centers.

    | output:    1/2 ||x_i - c_{y_i}||^2 / (sum_{j != y_i} ||x_i - c_j||^2 + delta)     per sample
    | gradients: scale * d(sum of the output)

    The output is the squared distance to the sample's center, divided by the sum of those to all other
    centers. `scale` is lambda of L = L_S + lambda * L_ct-c. The sum over all centers is C ||x_i - m||^2 +
    sum_j ||c_j - m||^2, with m the mean of the centers, so there is no N x C matrix. In float32 the
    denominator has an error of about 1e-7 of the squared distances; choose a much larger delta.

    The paper moves the centers along this gradient with a separate learning rate. Here the base optimizer
    moves them, with its learning rate times `lr_mult`, the weight `scale` and its momentum. Every step moves
    all centers.

    Parameters
    ----------
    data : Symbol
        Features x, shape (N, embedding_dim), float32 or float64.
    label : Symbol
        Labels y, shape (N,).
    num_class : int
        Number of classes C, > 1.
    embedding_dim : int
        D, the length of a feature, > 0. Another length raises an error when the symbol is bound.
    scale : float
        lambda, >= 0: weight of all gradients. The output is not scaled.
    delta : float
        Keeps the quotient finite where all other centers coincide with the feature, > 0; the paper uses 1.
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
        embedding_dim), which the module's initializer initializes. Its gradient is dense.

    Raises
    ------
    ValueError
        A parameter that is out of its range.

    References
    ----------
    Qi and Su, Contrastive-Center Loss for Deep Neural Networks, ICIP 2017: the definition of L_ct-c.

    Examples
    --------
    >>> data, label = mx.sym.Variable('embedding'), mx.sym.Variable('center_label')
    >>> contrastive_center_loss(data, label, num_class=10, embedding_dim=2).list_outputs()
    ['contrastive_center_loss_output']
    """
    weights = {'scale': scale, 'lr_mult': lr_mult}
    check_arguments(name, num_class, embedding_dim, use_ignore, ignore_label, weights, least_class=2)
    check_number(f'{name}: ', 'delta', delta, above=True)
    rows = Rows(name, data, label, num_class, use_ignore, ignore_label)
    centers = learned_centers(name, num_class, embedding_dim, lr_mult)
    feature = rows.keep(rows.data)
    own = squared_length(feature - mxsym.take(centers, rows.label))

    mean = mxsym.mean(centers, axis=0, keepdims=True)  # (1, D)
    spread = mxsym.sum(squared_length(mxsym.broadcast_sub(centers, mean)))  # (1,)
    total = mxsym.broadcast_add(squared_length(mxsym.broadcast_sub(feature, mean)) * num_class, spread)
    others = mxsym.maximum(total - own, 0)  # rounding can take it below 0, and delta with it
    return rows.make_loss(0.5 * own / (others + delta), scale)

"""Center loss with learned centers."""

from __future__ import annotations

from mxnet import symbol as mxsym
from mxnet.symbol import Symbol

from .._checks import check_choice
from .blocks import DTYPES, Rows, check_arguments, learned_centers, squared_length

__all__ = ['learned_center_loss']


def learned_center_loss(
    data: Symbol,
    label: Symbol,
    num_class: int,
    embedding_dim: int,
    scale: float = 1.0,
    lr_mult: float = 1.0,
    dtype: str = 'float32',
    sparse_grad: bool = True,
    use_ignore: bool = False,
    ignore_label: float = -1,
    name: str = 'learned_center_loss',
) -> Symbol:
    """Center loss with learned centers: an `Embedding` of the labels, which the base optimizer moves.

    | output:    ||x_i - c_{y_i}||^2                                         per sample
    | gradients: scale * (x_i - c_{y_i}), and scale * sum_{i: y_i = j} (c_j - x_i) to c_j

    This is the Keras recipe of two inputs, `Embedding(num_class, dim)` and the output ||x - c||^2. `scale` is
    the paper's lambda: the output is weighted by scale / 2, as Keras does with loss weights 1 : lambda/2 (5 :
    1 is lambda = 0.4).

    Learned centers are much slower than running centers. One step of plain SGD under Module, with learning
    rate eta and batches of N, moves c_j by eta * lr_mult * scale / N times sum(x_i - c_j); the paper's rule
    moves it by alpha / (1 + n_j) times that sum. They agree for lr_mult = alpha * N / (eta * scale * (1 +
    n_j)): 914 for eta = 0.05, scale = 0.1, N = 128, n_j = 13 and alpha = 0.5. Momentum mu multiplies the
    total distance by 1 / (1 - mu). Adam moves each coordinate by about eta * lr_mult, however far the feature
    is.

    Parameters
    ----------
    data : Symbol
        Features x, shape (N, embedding_dim), of the given dtype.
    label : Symbol
        Labels y, shape (N,).
    num_class : int
        Number of classes, > 0.
    embedding_dim : int
        D, the length of a feature, > 0. Another length raises an error when the symbol is bound.
    scale : float
        The paper's lambda, >= 0: weight of the gradients to features and centers. The output is not scaled.
        0.1 and below suits MNIST; 1 was seen to diverge there.
    lr_mult : float
        Multiplies the learning rate of the centers, >= 0; with 0 they do not move. They have no weight decay.
    dtype : {'float32', 'float64'}
        Of features and centers.
    sparse_grad : bool
        True: the gradient of the centers is row_sparse and holds the rows of the batch's classes only, and a
        step of sgd, adam or adagrad does not cost more with more classes; other optimizers make it dense.
        Several devices then need a KVStore that updates, 'device', or 'local' below 2^24 elements.
        `grad_req='add'` ends in an `MXNetError`: MXNet cannot add such gradients. False: it is dense, as
        large as the centers.
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
        embedding_dim), which the module's initializer initializes.

    Raises
    ------
    ValueError
        A parameter that is out of its range.

    References
    ----------
    Wen et al., ECCV 2016, Eqs. 2 and 3; the centers follow the gradient of Eq. 2 instead of Eq. 4.

    Examples
    --------
    >>> loss = learned_center_loss(mx.sym.Variable('embedding'), mx.sym.Variable('center_label'), 10, 2)
    >>> loss.list_arguments()
    ['center_label', 'embedding', 'learned_center_loss_center_weight']
    """
    check_arguments(
        name, num_class, embedding_dim, use_ignore, ignore_label, {'scale': scale, 'lr_mult': lr_mult}
    )
    check_choice(f'{name}: ', 'dtype', dtype, DTYPES)
    rows = Rows(name, data, label, num_class, use_ignore, ignore_label)
    centers = mxsym.Embedding(
        rows.label,
        learned_centers(name, num_class, embedding_dim, lr_mult),
        input_dim=num_class,
        output_dim=embedding_dim,
        dtype=dtype,
        sparse_grad=sparse_grad,
        name=f'{name}_center',
    )
    square = squared_length(rows.keep(rows.data - centers))
    return rows.make_loss(square, scale / 2)

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
    """Center loss with learned centers: an `Embedding` of the labels, moved by the base optimizer.

    | output:    ||x_i - c_{y_i}||^2                                         per sample
    | gradients: scale * (x_i - c_{y_i}), and scale * sum_{i: y_i = j} (c_j - x_i) to c_j

    This is the Keras recipe of two inputs, `Embedding(num_class, dim)` and the output ||x - c||^2, in which
    `scale` is the paper's lambda: the output weighs scale / 2, as Keras's does with loss weights 1 :
    lambda/2 (5 : 1 is lambda = 0.4). The gradients sum over the batch; Module divides them by its size. A
    factor behind this loss changes nothing.

    Such a center is much slower than one that moves by the paper's rule. One step of plain SGD under Module
    with learning rate eta and batches of N moves c_j by eta * lr_mult * scale / N times sum(x_i - c_j); the
    paper's rule moves it by alpha / (1 + n_j) times that sum. They agree for lr_mult = alpha * N / (eta *
    scale * (1 + n_j)): 914 for eta = 0.05, scale = 0.1, N = 128, n_j = 13 and alpha = 0.5. Momentum
    mu multiplies the way in the long run by 1 / (1 - mu); Adam and its like step by about eta * lr_mult
    whatever the distance.

    Parameters
    ----------
    data : Symbol
        Features x, shape (N, embedding_dim), of the given dtype.
    label : Symbol
        Classes y, shape (N,), whole numbers in 0..num_class-1, any numeric dtype that holds them all: float16
        does to 2^11, float32 to 2^24. A symbol cannot raise: a row with another label takes no part in
        training and makes its loss NaN; `module.Module` raises `ValueError`.
    num_class : int
        Number of classes, > 0.
    embedding_dim : int
        D, the length of a feature, > 0. Another length is reported when the symbol is bound.
    scale : float
        The paper's lambda, >= 0: weight of the gradients to features and centers. The output is not scaled.
        0.1 and below suits MNIST; 1 was seen to diverge there.
    lr_mult : float
        Multiplies the centers' learning rate, >= 0; 0 keeps them where they are. They have no weight decay.
    dtype : {'float32', 'float64'}
        Of features and centers.
    sparse_grad : bool
        True: the centers' gradient is row_sparse and has the rows of the batch's classes only, and no step of
        sgd, adam or adagrad costs more with more classes; other optimizers make it dense. Then several
        devices need a KVStore that updates, 'device', or 'local' below 2^24 elements, and `grad_req='add'`
        ends in an `MXNetError`: MXNet cannot add such gradients. False: it is dense, as large as the
        centers.
    use_ignore : bool
        Whether rows labelled `ignore_label` take no part; they may hold anything, and their loss is 0.
    ignore_label : float
        A whole number.
    name : str
        Name of the MakeLoss node.

    Returns
    -------
    Symbol
        One output `<name>_output`, shape (N,). Parameter `<name>_center_weight`, shape (num_class,
        embedding_dim), which the module's initializer starts.

    Raises
    ------
    ValueError
        A parameter that is out of its range. Features that are not finite are not noticed: losses and
        gradients are not finite either.

    References
    ----------
    Wen et al., ECCV 2016, Eqs. 2 and 3; the centers follow the gradient of Eq. 2 in place of Eq. 4.

    Examples
    --------
    >>> loss = learned_center_loss(mx.sym.Variable('embedding'), mx.sym.Variable('center_label'), 10, 2)
    >>> loss.list_arguments()
    ['center_label', 'embedding', 'learned_center_loss_center_weight']
    """
    check_arguments(name, num_class, embedding_dim, use_ignore, ignore_label, scale=scale, lr_mult=lr_mult)
    check_choice(f'{name}: ', 'dtype', dtype, DTYPES)
    rows = Rows(label, num_class, use_ignore, ignore_label)
    centers = mxsym.Embedding(
        rows.label,
        learned_centers(name, num_class, embedding_dim, lr_mult),
        input_dim=num_class,
        output_dim=embedding_dim,
        dtype=dtype,
        sparse_grad=sparse_grad,
        name=f'{name}_center',
    )
    square = squared_length(rows.keep(data - centers))
    return rows.make_loss(square, scale / 2, name, data)

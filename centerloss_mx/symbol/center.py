"""Center loss with running centers in auxiliary states: the operator `centerloss`."""

from __future__ import annotations

from mxnet import symbol as mxsym
from mxnet.symbol import Symbol

from ..operator import CenterLossParam

__all__ = ['center_loss']


def center_loss(
    data: Symbol,
    label: Symbol,
    num_class: int,
    alpha: float = 0.5,
    scale: float = 1.0,
    batchsize: int | None = None,
    normalization: str = 'batch',
    use_ignore: bool = False,
    ignore_label: float = -1,
    update: str = 'paper',
    name: str = 'center_loss',
) -> Symbol:
    """Center loss with running centers: the operator `centerloss` under a `MakeLoss`.

    It takes no head gradient: `scale` is its only weight, and a factor behind it changes nothing.

    L_C = 1/2 sum_i ||x_i - c_{y_i}||^2; the features get scale * (x_i - c_{y_i}), both divided as
    `normalization` says; backward moves the centers by c_j += alpha * sum(x_i - c_j) / (1 + n_j).
    This is the raw form of the classic script: `scale` weighs the gradient alone (the output stays
    unscaled), and under Module's default `rescale_grad` = 1/N it equals the paper's lambda only with
    `normalization='null'`; with 'batch' the gradient is divided by N twice.

    Parameters
    ----------
    data : Symbol
        Features x, shape (N, D); float16, float32 or float64.
    label : Symbol
        Classes y, shape (N,); whole numbers in 0..num_class-1, any numeric dtype.
    num_class : int
        Number of classes, > 0.
    alpha : float
        Step of the centers, in [0, 1].
    scale : float
        Weight of the gradient, >= 0.
    batchsize : int or None
        The largest batch that one device will see; None pins the batch to the bound size.
    normalization : {'batch', 'null', 'valid'}
        Divide loss and gradient by N, by 1, or by max(1, samples not ignored), of the device's slice.
    use_ignore : bool
        Whether rows labelled `ignore_label` take no part.
    ignore_label : float
        A whole number.
    update : {'paper', 'moving_average'}
        'moving_average' divides by n_j in place of 1 + n_j: momentum 1 - alpha.
    name : str
        Name of the MakeLoss node; the operator's node is `<name>_`.

    Returns
    -------
    Symbol
        One output `<name>_output`, shape (1,): the loss. Auxiliary states `<name>__diff_bias`
        (batchsize, D), `<name>__center_bias` (num_class, D) and `<name>__sum_bias` (D,).

    Raises
    ------
    ValueError
        A parameter that is out of its range. Wrong shapes, dtypes and labels are reported when the symbol
        is bound or run.

    References
    ----------
    Wen et al., A Discriminative Feature Learning Approach for Deep Face Recognition, ECCV 2016:
    Eqs. 2, 3, 4 and Algorithm 1.

    Examples
    --------
    >>> loss = center_loss(mx.sym.Variable('embedding'), mx.sym.Variable('center_label'), num_class=10)
    >>> loss.list_outputs()
    ['center_loss_output']
    """
    parameters = CenterLossParam.parse(
        num_class=num_class,
        alpha=alpha,
        scale=scale,
        batchsize=batchsize,
        normalization=normalization,
        use_ignore=use_ignore,
        ignore_label=ignore_label,
        update=update,
    )
    loss = mxsym.Custom(data=data, label=label, name=f'{name}_', op_type='centerloss', **parameters._asdict())
    return mxsym.MakeLoss(loss, name=name)

"""Center loss with running centers in auxiliary states: the operator `centerloss`."""

from __future__ import annotations

from mxnet import symbol as mxsym
from mxnet.symbol import Symbol

from ..operator import CenterLossParam
from ..operator.parameters import INPUT

__all__ = ['center_loss']


def center_loss(
    data: Symbol,
    label: Symbol,
    num_class: int,
    alpha: float = 0.5,
    scale: float | Symbol = 1.0,
    batchsize: int | None = None,
    normalization: str = 'batch',
    use_ignore: bool = False,
    ignore_label: float = -1,
    update: str = 'paper',
    name: str = 'center_loss',
) -> Symbol:
    """Center loss with running centers: the operator `centerloss` under a `MakeLoss`.

    | output:   1/2 sum_i ||x_i - c_{y_i}||^2 / z                                         (Eq. 2)
    | gradient: scale * (x_i - c_{y_i}) / z                        to the features        (Eq. 3)
    | backward: c_j += alpha * sum_{i: y_i = j} (x_i - c_j) / (1 + n_j)                   (Eq. 4)

    z is N for 'batch', 1 for 'null', and max(1, samples not ignored) for 'valid'. `scale` multiplies the
    gradient, not the output. It is the paper's lambda only with `normalization='null'`. Module already
    divides gradients by the batch size N; 'batch', the default of the classic script, divides by N again (use
    scale = lambda * N there).

    Parameters
    ----------
    data : Symbol
        Features x, shape (N, D); float16, float32 or float64.
    label : Symbol
        Labels y, shape (N,).
    num_class : int
        Number of classes, > 0.
    alpha : float
        Step of the centers, in [0, 1].
    scale : float or Symbol
        Weight of the gradient, >= 0; a Symbol of shape (1,), as `scale_variable` makes it: the weight may
        change from step to step.
    batchsize : int or None
        The largest batch that one device runs; None: every batch must have the size of the first bound batch.
    normalization : {'batch', 'null', 'valid'}
        Divide loss and gradient by N, by 1, or by max(1, samples not ignored), of the device's slice.
    use_ignore : bool
        Whether rows with the label `ignore_label` are ignored.
    ignore_label : float
        A whole number.
    update : {'paper', 'moving_average'}
        'moving_average' divides by n_j instead of 1 + n_j; this is an average with momentum 1 - alpha.
    name : str
        Name of the MakeLoss node; the operator's node is `<name>_`.

    Returns
    -------
    Symbol
        One output `<name>_output`, shape (1,): the loss. Auxiliary states `<name>__diff_bias` (batchsize, D),
        `<name>__center_bias` (num_class, D) and `<name>__sum_bias` (D,).

    Raises
    ------
    ValueError
        A parameter that is out of its range. Invalid shapes, dtypes and labels raise an error when the symbol
        is bound or run.

    References
    ----------
    Wen et al., A Discriminative Feature Learning Approach for Deep Face Recognition, ECCV 2016: Eqs. 2, 3, 4
    and Algorithm 1.

    Examples
    --------
    >>> loss = center_loss(mx.sym.Variable('embedding'), mx.sym.Variable('center_label'), num_class=10)
    >>> loss.list_outputs()
    ['center_loss_output']
    """
    weight = [scale] if isinstance(scale, Symbol) else []
    parameters = CenterLossParam.parse(
        num_class=num_class,
        alpha=alpha,
        scale=INPUT if weight else scale,
        batchsize=batchsize,
        normalization=normalization,
        use_ignore=use_ignore,
        ignore_label=ignore_label,
        update=update,
    )
    inputs = data, label, *weight
    loss = mxsym.Custom(*inputs, name=f'{name}_', op_type='centerloss', **parameters._asdict())
    return mxsym.MakeLoss(loss, name=name)

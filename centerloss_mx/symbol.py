"""Factories that return Symbols: the center loss, and joint supervision with softmax."""

from __future__ import annotations

from mxnet import symbol as mxsym
from mxnet.symbol import Symbol

from .operator import CenterLossParam

__all__ = ['center_loss', 'joint_supervision']


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


def joint_supervision(
    embedding: Symbol,
    num_class: int,
    scale: float,
    alpha: float = 0.5,
    softmax_label: Symbol | None = None,
    center_label: Symbol | None = None,
    centers: str = 'aux',
    *,
    batchsize: int | None = None,
    use_ignore: bool = False,
    ignore_label: float = -1,
    update: str = 'paper',
) -> Symbol:
    """Joint supervision, L = L_S + scale * L_C: class layer, softmax and center loss on one embedding.

    Neither loss takes a head gradient: `scale` is the only weight, and a factor behind them changes nothing.

    `scale` is the paper's lambda, under Module's default `rescale_grad` = 1/batch_size: both losses sum
    over the batch here (`normalization='null'`), and Module divides the sum of both once.

    Parameters
    ----------
    embedding : Symbol
        Features x, shape (N, D), float32, or float64 with labels of that dtype. Cast float16 ones to float32:
        MXNet's `SoftmaxOutput` takes data and labels of one dtype only.
    num_class : int
        Number of classes, > 0.
    scale : float
        The paper's lambda, >= 0. 0.1 and below suits MNIST; 1 was seen to diverge there.
    alpha : float
        Step of the centers, in [0, 1].
    softmax_label, center_label : Symbol or None
        Classes y, shape (N,), for each loss; None: Variables `softmax_label` and `center_label`.
    centers : {'aux'}
        Where the centers live: auxiliary states of the operator.
    batchsize : int or None
        The largest batch that one device will see; None pins the batch to the bound size.
    use_ignore : bool
        Whether rows labelled `ignore_label` take no part, in either loss.
    ignore_label : float
        A whole number.
    update : {'paper', 'moving_average'}
        How the centers move; see `center_loss`.

    Returns
    -------
    Symbol
        Outputs `softmax_output` (N, num_class), probabilities, and `center_loss_output` (1,), the
        unscaled L_C of the device's slice. The class layer is `fc2`.

    Raises
    ------
    ValueError
        A parameter that is out of its range.

    References
    ----------
    Wen et al., ECCV 2016, Eq. 5.

    Examples
    --------
    >>> net = joint_supervision(mx.sym.Variable('embedding'), num_class=10, scale=0.1, batchsize=128)
    >>> net.list_outputs()
    ['softmax_output', 'center_loss_output']
    """
    if centers != 'aux':
        raise ValueError(
            f"joint_supervision: centers={centers!r} is not 'aux', the one home this version has"
        )
    softmax_label = mxsym.Variable('softmax_label') if softmax_label is None else softmax_label
    center_label = mxsym.Variable('center_label') if center_label is None else center_label
    l_c = center_loss(
        embedding,
        center_label,
        num_class,
        alpha,
        scale,
        batchsize,
        normalization='null',
        use_ignore=use_ignore,
        ignore_label=ignore_label,
        update=update,
    )
    logits = mxsym.FullyConnected(embedding, num_hidden=num_class, name='fc2')
    l_s = mxsym.SoftmaxOutput(
        logits,
        softmax_label,
        normalization='null',
        use_ignore=use_ignore,
        ignore_label=ignore_label,
        name='softmax',
    )
    return mxsym.Group([l_s, l_c])

"""Factories that return Symbols: the center loss, joint supervision, and the other forms of center loss.

`center_loss`, `sync_center_loss` and `joint_supervision` have running centers, which the operator or the
optimizer `centers` moves. In the other losses the centers are a parameter that the base optimizer moves by
its gradient. They stand beside a softmax, as in `mx.sym.Group([softmax, island_loss(...)])`; L-GM brings its
own.
"""

from __future__ import annotations

import math
import numbers
from inspect import signature
from typing import Any, Callable

from mxnet import symbol as mxsym
from mxnet.initializer import Zero
from mxnet.symbol import Symbol

from .operator import NORMALIZATIONS, CenterLossParam

__all__ = [
    'LOSSES',
    'center_loss',
    'contrastive_center_loss',
    'island_loss',
    'joint_supervision',
    'large_margin_gaussian_mixture',
    'learned_center_loss',
    'loss_options',
    'supervised',
    'sync_center_loss',
]

DTYPES = ('float32', 'float64')


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


def sync_center_loss(
    data: Symbol,
    label: Symbol,
    num_class: int,
    embedding_dim: int,
    scale: float = 1.0,
    normalization: str = 'null',
    use_ignore: bool = False,
    ignore_label: float = -1,
    dtype: str = 'float32',
    name: str = 'center_loss',
) -> Symbol:
    """Center loss with running centers on the KVStore: one set of centers for all devices and workers.

    | output:    1/2 sum_i ||x_i - c_{y_i}||^2 / z                                        (Eq. 2)
    | gradients: scale * (x_i - c_{y_i}) / z                       to the features        (Eq. 3)
    |            [sum_{i: y_i = j} (c_j - x_i), -n_j]              to row j of the centers

    z is 1, N or max(1, samples not ignored), as `normalization` says. Stock symbols only. The centers are a
    parameter; the KVStore sums its gradient, which nothing scales, over devices and workers, and the
    optimizer `centers` then moves them by alpha * sum(x_i - c_j) / (1 + n_j): name it in `fit`, with alpha
    and the update rule among `optimizer_params`. Within an epoch only the rows of a batch's classes travel.

    It takes no head gradient: `scale` is its only weight, and a factor behind it changes nothing. With
    `normalization='null'` and Module's default `rescale_grad`, 1 / (samples of all devices and synchronous
    workers), `scale` is the paper's lambda. N and the samples not ignored are those of one device's slice:
    the other normalizations depend on the number of devices.

    Parameters
    ----------
    data : Symbol
        Features x, shape (N, embedding_dim); float16, float32 or float64.
    label : Symbol
        Classes y, shape (N,), whole numbers in 0..num_class-1, any numeric dtype that holds them all: float16
        does to 2^11, float32 to 2^24. A Variable. A symbol cannot raise: a row with another label takes no
        part in training and makes the loss NaN; `module.Module` raises `ValueError`.
    num_class : int
        Number of classes, > 0.
    embedding_dim : int
        D, the length of a feature, > 0. Another length is reported when the symbol is bound.
    scale : float
        Weight of the gradient to the features, >= 0. Neither the output nor the centers' gradient is scaled.
        0.1 and below suits MNIST; 1 was seen to diverge there.
    normalization : {'null', 'batch', 'valid'}
        Divide the loss and the gradient to the features by 1, by N, or by max(1, samples not ignored), of the
        device's slice.
    use_ignore : bool
        Whether rows labelled `ignore_label` take no part; they may hold anything.
    ignore_label : float
        A whole number.
    dtype : {'float32', 'float64'}
        Of centers and output; features are cast to it.
    name : str
        Name of the MakeLoss node.

    Returns
    -------
    Symbol
        One output `<name>_output`, shape (1,): the loss. Parameter `<name>_center_weight`, shape (num_class,
        embedding_dim + 1), row_sparse, which starts at 0: the centers, and in the last column how many
        samples of each class have been seen, exact to 2^24 in float32.

    Raises
    ------
    ValueError
        A parameter that is out of its range. Features that are not finite make the loss so; `module.Module`
        and the optimizer refuse them before any center moves.

    References
    ----------
    Wen et al., ECCV 2016, Eqs. 2, 3, 4 and Algorithm 1.

    Examples
    --------
    >>> data, label = mx.sym.Variable('embedding'), mx.sym.Variable('center_label')
    >>> loss = sync_center_loss(data, label, num_class=10, embedding_dim=2)
    >>> loss.list_arguments(), loss.list_outputs()
    (['center_label', 'embedding', 'center_loss_center_weight'], ['center_loss_output'])
    """
    _check(name, num_class, embedding_dim, scale, 1, use_ignore, ignore_label)
    _check_one_of(name, NORMALIZATIONS, normalization=normalization)
    _check_one_of(name, DTYPES, dtype=dtype)
    centers = mxsym.Variable(
        f'{name}_center_weight',
        shape=(num_class, embedding_dim + 1),
        stype='row_sparse',
        init=Zero(),  # its rows are all there; a server ends at an array without
        wd_mult=0,
        attr={'__centers__': name},
    )
    rows = _Rows(label, num_class, use_ignore, ignore_label, stored=name)
    looked_up = mxsym.Embedding(
        rows.label,
        centers,
        input_dim=num_class,
        output_dim=embedding_dim + 1,
        dtype=dtype,
        sparse_grad=True,
        name=f'{name}_center',
    )
    looked_up = rows.keep(looked_up)
    center = mxsym.slice_axis(looked_up, axis=1, begin=0, end=embedding_dim)
    seen = mxsym.slice_axis(looked_up, axis=1, begin=embedding_dim, end=embedding_dim + 1)
    data = rows.keep(mxsym.cast(data, dtype=dtype))

    def half_squares(x: Symbol, c: Symbol) -> Symbol:
        return 0.5 * _square(x - c)  # (N,)

    own = half_squares(data, center)
    loss = rows.total(own + rows.unknown(own), normalization)
    to_features = rows.total(half_squares(data, mxsym.BlockGrad(center)), normalization) * scale
    to_centers = mxsym.sum(half_squares(mxsym.BlockGrad(data), center)) - mxsym.sum(seen)
    # the loss's value, and two gradients that ride along on zeros
    loss = mxsym.BlockGrad(loss) + _only_gradient(to_features) + _only_gradient(to_centers)
    return mxsym.MakeLoss(loss, name=name, attr={'__loss_of__': name})


def _only_gradient(value: Symbol) -> Symbol:
    return value - mxsym.BlockGrad(value)


def joint_supervision(
    embedding: Symbol,
    num_class: int,
    scale: float,
    alpha: float | None = None,
    softmax_label: Symbol | None = None,
    center_label: Symbol | None = None,
    centers: str = 'aux',
    embedding_dim: int | None = None,
    *,
    batchsize: int | None = None,
    use_ignore: bool = False,
    ignore_label: float = -1,
    update: str | None = None,
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
    alpha : float or None
        Step of the centers, in [0, 1]; None: 0.5. With `centers='kvstore'` it belongs to `optimizer_params`.
    softmax_label, center_label : Symbol or None
        Classes y, shape (N,), for each loss; None: Variables `softmax_label` and `center_label`.
    centers : {'aux', 'kvstore'}
        Where the centers live: in auxiliary states of the operator, see `center_loss`, one set for each
        device; or in a parameter on the KVStore, see `sync_center_loss`, one set for all devices and workers,
        which the optimizer `centers` moves.
    embedding_dim : int or None
        D, the length of a feature, > 0; needed with `centers='kvstore'`.
    batchsize : int or None
        The largest batch that one device will see; None pins the batch to the bound size. With
        `centers='kvstore'` any batch runs.
    use_ignore : bool
        Whether rows labelled `ignore_label` take no part, in either loss.
    ignore_label : float
        A whole number.
    update : {'paper', 'moving_average'} or None
        How the centers move, see `center_loss`; None: 'paper'. With `centers='kvstore'` it belongs to
        `optimizer_params`.

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
    _check_one_of('joint_supervision', ('aux', 'kvstore'), centers=centers)
    softmax_label = mxsym.Variable('softmax_label') if softmax_label is None else softmax_label
    center_label = mxsym.Variable('center_label') if center_label is None else center_label
    ignored: dict[str, Any] = {'use_ignore': use_ignore, 'ignore_label': ignore_label}
    if centers == 'kvstore':
        if embedding_dim is None:
            raise ValueError(
                "joint_supervision: embedding_dim, a feature's length, is missing; centers='kvstore' needs it"
            )
        for key, value in {'alpha': alpha, 'update': update}.items():
            if value is not None:
                raise ValueError(
                    f"joint_supervision: {key}={value!r} is not for centers='kvstore'; "
                    "give it to the optimizer 'centers', in optimizer_params"
                )
        l_c = sync_center_loss(embedding, center_label, num_class, embedding_dim, scale, **ignored)
    else:
        alpha, update = 0.5 if alpha is None else alpha, update or 'paper'
        l_c = center_loss(
            embedding, center_label, num_class, alpha, scale, batchsize, 'null', update=update, **ignored
        )
    logits = mxsym.FullyConnected(embedding, num_hidden=num_class, name='fc2')
    l_s = mxsym.SoftmaxOutput(logits, softmax_label, normalization='null', name='softmax', **ignored)
    return mxsym.Group([l_s, l_c])


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
    _check(name, num_class, embedding_dim, scale, lr_mult, use_ignore, ignore_label)
    _check_one_of(name, DTYPES, dtype=dtype)
    rows = _Rows(label, num_class, use_ignore, ignore_label)
    centers = mxsym.Embedding(
        rows.label,
        _centers(name, num_class, embedding_dim, lr_mult),
        input_dim=num_class,
        output_dim=embedding_dim,
        dtype=dtype,
        sparse_grad=sparse_grad,
        name=f'{name}_center',
    )
    square = _square(rows.keep(data - centers))
    return rows.make_loss(square, scale / 2, name)


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
    """Island loss: center loss, and the cosines between all centers; learned centers.

    | P = sum over pairs j != k of (cos(c_j, c_k) + 1) = ||sum_j u_j||^2 + C^2 - 2C,  u_j = c_j / ||c_j||
    | output:    1/2 ||x_i - c_{y_i}||^2 + inter_scale * P                     per sample
    | gradients: scale * d(sum of the output)

    `scale` is lambda of L = L_S + lambda * L_IL, `inter_scale` is lambda_1. The gradients sum over the
    batch, and Module divides them by its size. P has no sum over samples; here every sample carries it, so
    that the step under Module is that of mean_i(1/2 ||x_i - c_{y_i}||^2) + lambda_1 * P for any batch and
    any number of devices. The source adds P once to a sum over the batch: its lambda_1 is N times this one.
    A factor behind this loss changes nothing.

    The source moves the centers by a rule of its own: by alpha times the sum of the pull of Wen et al., Eq.
    4, and lambda_1 / (C - 1) times the gradient of the cosines. Here the base optimizer moves them along the
    gradient; every step touches all centers.

    P grows with C^2: from about a thousand classes on, the float32 output no longer shows the first term
    beside it. The gradients do not suffer.

    A center shorter than 1e-6 has no direction: its cosines count as 0 and do not push it. The gradient of a
    cosine grows as 1 / ||c||, so start the centers well away from 0, with `mx.init.Xavier()` or
    `model.start_centers`.

    Parameters
    ----------
    data : Symbol
        Features x, shape (N, embedding_dim), float32 or float64.
    label : Symbol
        Classes y, shape (N,), whole numbers in 0..num_class-1, any numeric dtype that holds them all: float16
        does to 2^11, float32 to 2^24. A symbol cannot raise: a row with another label takes no part in
        training and makes its loss NaN; `module.Module` raises `ValueError`.
    num_class : int
        Number of classes C, > 0.
    embedding_dim : int
        D, the length of a feature, > 0. Another length is reported when the symbol is bound.
    scale : float
        lambda, >= 0: weight of all gradients. The output is not scaled. 0.1 and below suits MNIST.
    inter_scale : float
        lambda_1, >= 0: weight of P beside the center loss of one sample.
    lr_mult : float
        Multiplies the centers' learning rate, >= 0. They have no weight decay.
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
        embedding_dim), which the module's initializer starts. Its gradient is dense; no C x C matrix is
        made.

    Raises
    ------
    ValueError
        A parameter that is out of its range. Features that are not finite are not noticed: losses and
        gradients are not finite either.

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
    _check(name, num_class, embedding_dim, scale, lr_mult, use_ignore, ignore_label, inter_scale=inter_scale)
    rows = _Rows(label, num_class, use_ignore, ignore_label)
    centers = _centers(name, num_class, embedding_dim, lr_mult)
    own = 0.5 * _square(rows.keep(data - mxsym.take(centers, rows.label)))

    length = _square(centers)  # (C,)
    directed = length > 1e-12
    length = mxsym.sqrt(mxsym.where(directed, length, mxsym.ones_like(length)))
    unit = mxsym.broadcast_div(centers, mxsym.expand_dims(length, axis=1))
    unit = mxsym.where(directed, unit, mxsym.zeros_like(unit))
    cosines = mxsym.sum(mxsym.square(mxsym.sum(unit, axis=0))) - mxsym.sum(directed)
    pairs = cosines + num_class * (num_class - 1)  # (1,)
    return rows.make_loss(mxsym.broadcast_add(own, pairs * inter_scale), scale, name)


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
    """Contrastive-center loss: the distance to the own center over those to all others; learned centers.

    | output:    1/2 ||x_i - c_{y_i}||^2 / (sum_{j != y_i} ||x_i - c_j||^2 + delta)     per sample
    | gradients: scale * d(sum of the output)

    `scale` is lambda of L = L_S + lambda * L_ct-c. The gradients sum over the batch, and Module divides them
    by its size. A factor behind this loss changes nothing.

    The sum over all centers is C ||x_i - m||^2 + sum_j ||c_j - m||^2, with m the mean of the centers; no N x
    C matrix is made.

    That sum less the own distance is exact to some 1e-7 of the squared distances in float32: delta should be
    well above this, where a sample may lie on the center of another class.

    The source moves the centers along this gradient with a rate of their own; here the base optimizer
    does, with its learning rate times `lr_mult` and the weight `scale`, and with its momentum; every step
    touches all centers.

    Parameters
    ----------
    data : Symbol
        Features x, shape (N, embedding_dim), float32 or float64.
    label : Symbol
        Classes y, shape (N,), whole numbers in 0..num_class-1, any numeric dtype that holds them all: float16
        does to 2^11, float32 to 2^24. A symbol cannot raise: a row with another label takes no part in
        training and makes its loss NaN; `module.Module` raises `ValueError`.
    num_class : int
        Number of classes C, > 1.
    embedding_dim : int
        D, the length of a feature, > 0. Another length is reported when the symbol is bound.
    scale : float
        lambda, >= 0: weight of all gradients. The output is not scaled.
    delta : float
        Keeps the quotient finite where all other centers coincide with the feature, > 0; the source's is 1.
    lr_mult : float
        Multiplies the centers' learning rate, >= 0. They have no weight decay.
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
        embedding_dim), which the module's initializer starts. Its gradient is dense.

    Raises
    ------
    ValueError
        A parameter that is out of its range. Features that are not finite are not noticed: losses and
        gradients are not finite either.

    References
    ----------
    Qi and Su, Contrastive-Center Loss for Deep Neural Networks, ICIP 2017: the definition of L_ct-c.

    Examples
    --------
    >>> data, label = mx.sym.Variable('embedding'), mx.sym.Variable('center_label')
    >>> contrastive_center_loss(data, label, num_class=10, embedding_dim=2).list_outputs()
    ['contrastive_center_loss_output']
    """
    _check(name, num_class, embedding_dim, scale, lr_mult, use_ignore, ignore_label, least_class=2)
    if not (_is_number(delta) and delta > 0):
        raise ValueError(f'{name}: delta={delta!r} is not a finite number > 0')
    rows = _Rows(label, num_class, use_ignore, ignore_label)
    centers = _centers(name, num_class, embedding_dim, lr_mult)
    data = rows.keep(data)
    own = _square(data - mxsym.take(centers, rows.label))

    mean = mxsym.mean(centers, axis=0, keepdims=True)  # (1, D)
    spread = mxsym.sum(_square(mxsym.broadcast_sub(centers, mean)))  # (1,)
    total = mxsym.broadcast_add(_square(mxsym.broadcast_sub(data, mean)) * num_class, spread)
    others = mxsym.maximum(total - own, 0)  # rounding can take it below 0, and delta with it
    return rows.make_loss(0.5 * own / (others + delta), scale, name)


def large_margin_gaussian_mixture(
    data: Symbol,
    label: Symbol,
    num_class: int,
    embedding_dim: int,
    scale: float = 0.1,
    margin: float = 1.0,
    covariance: str = 'identity',
    lr_mult: float = 1.0,
    use_ignore: bool = False,
    ignore_label: float = -1,
    name: str = 'gaussian_mixture',
) -> Symbol:
    """Large-margin Gaussian mixture loss, L-GM: a Gaussian for each class in place of `fc2` and softmax.

    | d_k = 1/2 (x_i - c_k)^T S_k^-1 (x_i - c_k),   m_k = -(1 + margin * [k = y_i]) d_k - 1/2 log|S_k|
    | output:    -log softmax(m)_{y_i} + scale * (d_{y_i} + 1/2 log|S_{y_i}|)          per sample
    | `softmax_output`: softmax(-d_k - 1/2 log|S_k|), the posterior, without margin

    L_GM = L_cls + lambda * L_lkd with classes of equal prior; `scale` is lambda and weighs the likelihood
    term alone, which is the center loss when S_k is the identity. The gradients sum over the batch, and
    Module divides them by its size. A factor behind this loss changes nothing.

    The source trains means and covariances by gradient, as here. Here the covariance is kept as its
    logarithm, so that no step can make it negative; constants of L_lkd are left out.

    Parameters
    ----------
    data : Symbol
        Features x, shape (N, embedding_dim), float32 or float64.
    label : Symbol
        Classes y, shape (N,), whole numbers in 0..num_class-1, any numeric dtype that holds them all: float16
        does to 2^11, float32 to 2^24. A symbol cannot raise: a row with another label takes no part in
        training and makes its loss NaN; `module.Module` raises `ValueError`.
    num_class : int
        Number of classes C, > 0.
    embedding_dim : int
        D, the length of a feature, > 0. Another length is reported when the symbol is bound.
    scale : float
        lambda, >= 0: weight of the likelihood term; with 0 nothing keeps features near their centers but the
        margin.
    margin : float
        alpha of the source, >= 0: how much farther the own center is made to look in training. With 1, a
        learning rate that suits softmax may collapse all features; start with 0.3 or a smaller rate.
    covariance : {'identity', 'diagonal'}
        S_k: the identity, or the diagonal matrix exp(`<name>_log_variance_bias`[k]), which is learned.
    lr_mult : float
        Multiplies the learning rate of centers and covariances, >= 0. They have no weight decay.
    use_ignore : bool
        Whether rows labelled `ignore_label` take no part; they may hold anything, and their loss is 0.
    ignore_label : float
        A whole number.
    name : str
        Name of the MakeLoss node.

    Returns
    -------
    Symbol
        Outputs `softmax_output` (N, num_class), probabilities, without gradient, and `<name>_output` (N,),
        the loss. Parameter `<name>_center_weight`, shape (num_class, embedding_dim), which the module's
        initializer starts; with 'diagonal' also `<name>_log_variance_bias` of this shape, which MXNet's
        initializers start at 0. Distances are an N x C matrix, as logits are.

    Raises
    ------
    ValueError
        A parameter that is out of its range. Features that are not finite are not noticed: losses and
        gradients are not finite either.

    References
    ----------
    Wan et al., Rethinking Feature Distribution for Loss Functions in Image
    Classification, CVPR 2018, Section 3: the definitions of L_cls with margin, L_lkd and L_GM.

    Examples
    --------
    >>> data, label = mx.sym.Variable('embedding'), mx.sym.Variable('softmax_label')
    >>> net = large_margin_gaussian_mixture(data, label, num_class=10, embedding_dim=2)
    >>> net.list_outputs()
    ['softmax_output', 'gaussian_mixture_output']
    """
    _check(name, num_class, embedding_dim, scale, lr_mult, use_ignore, ignore_label, margin=margin)
    _check_one_of(name, ('identity', 'diagonal'), covariance=covariance)
    rows = _Rows(label, num_class, use_ignore, ignore_label)
    centers = _centers(name, num_class, embedding_dim, lr_mult)
    log_variance = None
    if covariance == 'diagonal':
        log_variance = mxsym.Variable(
            f'{name}_log_variance_bias', shape=(num_class, embedding_dim), lr_mult=lr_mult, wd_mult=0
        )
    half_log_det = 0 if log_variance is None else 0.5 * mxsym.sum(log_variance, axis=1)  # (C,)

    def minus(distance: Symbol) -> Symbol:
        return -distance if log_variance is None else -mxsym.broadcast_add(distance, half_log_det)

    distance = _mahalanobis(rows.keep(data), centers, log_variance)  # (N, C)
    own = mxsym.one_hot(rows.label, depth=num_class)
    with_margin = mxsym.where(own, distance * (1 + margin), distance)
    classification = -mxsym.pick(mxsym.log_softmax(minus(with_margin)), rows.label)
    likelihood = -mxsym.pick(minus(distance), rows.label)
    loss = rows.make_loss(classification + likelihood * scale, 1.0, name)

    # Of all rows: who scores without labels still wants probabilities.
    posterior = mxsym.softmax(minus(_mahalanobis(data, centers, log_variance)))
    return mxsym.Group([mxsym.BlockGrad(posterior, name='softmax'), loss])


_FACTORIES: dict[str, Callable[..., Symbol]] = {
    factory.__name__: factory
    for factory in (
        center_loss,
        sync_center_loss,
        learned_center_loss,
        island_loss,
        contrastive_center_loss,
        large_margin_gaussian_mixture,
    )
}
LOSSES = ('softmax', *_FACTORIES)  # the names that `supervised` takes


def supervised(
    embedding: Symbol,
    num_class: int,
    loss: str,
    embedding_dim: int,
    softmax_label: Symbol | None = None,
    center_label: Symbol | None = None,
    **options: Any,
) -> Symbol:
    """An embedding under softmax and one of the losses here, by its name.

    L = L_S + L_loss: both sum over the batch, so that under Module's default `rescale_grad` = 1/batch_size
    the loss's `scale` is its weight lambda. `large_margin_gaussian_mixture` takes softmax's place.

    Parameters
    ----------
    embedding : Symbol
        Features x, shape (N, embedding_dim).
    num_class : int
        Number of classes, > 0.
    loss : str
        One of `LOSSES`: ``'softmax'`` alone, or the name of a factory in this module.
    embedding_dim : int
        D, the length of a feature, > 0.
    softmax_label, center_label : Symbol or None
        Classes y, shape (N,), for softmax and for the loss; None: Variables `softmax_label` and
        `center_label`.
    **options
        For the factory: `scale`, `use_ignore`, `ignore_label` and its own, such as `alpha`, `batchsize` or
        `lr_mult`. Softmax takes none.

    Returns
    -------
    Symbol
        `softmax_output` (N, num_class), probabilities, and `<loss>_output`, which `sync_center_loss` calls
        `center_loss_output`, and `large_margin_gaussian_mixture` `gaussian_mixture_output`.

    Raises
    ------
    ValueError
        An unknown loss, an option that it does not have, or one that is out of its range.

    References
    ----------
    Wen et al., ECCV 2016, Eq. 5, with any of the losses for L_C.

    Examples
    --------
    >>> supervised(mx.sym.Variable('data'), 10, 'island_loss', embedding_dim=2, scale=0.1).list_outputs()
    ['softmax_output', 'island_loss_output']
    """
    _check_one_of('supervised', LOSSES, loss=loss)
    taken = loss_options(loss)
    for name in options:
        if name not in taken:
            raise ValueError(f'{loss} takes no {name}; it takes {", ".join(taken) or "no option"}')
    softmax_label = mxsym.Variable('softmax_label') if softmax_label is None else softmax_label
    center_label = mxsym.Variable('center_label') if center_label is None else center_label
    if loss in ('center_loss', 'sync_center_loss'):
        if loss == 'sync_center_loss':
            options = {'centers': 'kvstore', 'embedding_dim': embedding_dim, **options}
        options = {'scale': 1.0, 'softmax_label': softmax_label, 'center_label': center_label, **options}
        return joint_supervision(embedding, num_class, **options)
    if loss == 'large_margin_gaussian_mixture':
        return large_margin_gaussian_mixture(embedding, softmax_label, num_class, embedding_dim, **options)
    logits = mxsym.FullyConnected(embedding, num_hidden=num_class, name='fc2')
    softmax = mxsym.SoftmaxOutput(logits, softmax_label, name='softmax')
    if loss == 'softmax':
        return softmax
    return mxsym.Group(
        [softmax, _FACTORIES[loss](embedding, center_label, num_class, embedding_dim, **options)]
    )


def loss_options(loss: str) -> tuple[str, ...]:
    """The options that `supervised` hands to a loss.

    Parameters
    ----------
    loss : str
        One of `LOSSES`.

    Returns
    -------
    tuple of str

    Raises
    ------
    ValueError
        An unknown loss.

    References
    ----------
    The factories of this module.

    Examples
    --------
    >>> loss_options('island_loss')
    ('scale', 'inter_scale', 'lr_mult', 'use_ignore', 'ignore_label')
    """
    _check_one_of('loss_options', LOSSES, loss=loss)
    if loss == 'softmax':
        return ()
    fixed = ('data', 'label', 'num_class', 'embedding_dim', 'normalization', 'dtype', 'name')
    return tuple(name for name in signature(_FACTORIES[loss]).parameters if name not in fixed)


def _mahalanobis(data: Symbol, centers: Symbol, log_variance: Symbol | None) -> Symbol:
    """1/2 (x_i - c_k)^T S_k^-1 (x_i - c_k), shape (N, C), without an N x C x D array."""
    # Squares of what is far from 0 would cancel each other's digits; a shift changes no distance.
    origin = mxsym.BlockGrad(mxsym.mean(centers, axis=0, keepdims=True))
    data, centers = mxsym.broadcast_sub(data, origin), mxsym.broadcast_sub(centers, origin)
    if log_variance is None:
        cross = mxsym.dot(data, centers, transpose_b=True)
        squares = mxsym.broadcast_add(mxsym.sum(mxsym.square(data), axis=1, keepdims=True), _square(centers))
    else:
        precision = mxsym.exp(-log_variance)
        weighted = centers * precision
        cross = mxsym.dot(data, weighted, transpose_b=True)
        squares = mxsym.dot(mxsym.square(data), precision, transpose_b=True)
        squares = mxsym.broadcast_add(squares, mxsym.sum(centers * weighted, axis=1))
    return 0.5 * squares - cross


class _Rows:
    """The rows of a batch that take part in a loss: those whose label is a class, and is not ignored."""

    def __init__(
        self,
        label: Symbol,
        num_class: int,
        use_ignore: bool,
        ignore_label: float,
        stored: str | None = None,
    ) -> None:
        # The attributes tell module.Module what to check on the host, and which loss has centers on the
        # KVStore.
        attributes = {'__num_class__': str(num_class)}
        if use_ignore:
            attributes['__ignore_label__'] = str(ignore_label)
        if stored:
            attributes['__centers__'] = stored
        label = mxsym.BlockGrad(label, attr=attributes)
        label = mxsym.cast(label, dtype='float64')  # MXNet compares in the label's dtype: -1 is 255 in uint8
        self.known = self.kept = (label >= 0) * (label <= num_class - 1) * (label % 1 == 0)
        if use_ignore:
            ignored = label == ignore_label
            self.known = mxsym.maximum(self.known, ignored)
            self.kept = self.kept * (1 - ignored)
        # A class in any case: a sparse gradient fails on an index that is none.
        self.label = mxsym.where(self.kept, label, mxsym.zeros_like(label))

    def keep(self, array: Symbol) -> Symbol:
        """Zeros, and no gradient, where a row takes no part, even if it holds NaN."""
        return mxsym.where(self.kept, array, mxsym.zeros_like(array))

    def total(self, values: Symbol, normalization: str) -> Symbol:
        """The sum, shape (1,), divided by 1, by N or by the samples that take part."""
        total = mxsym.sum(values)
        if normalization == 'null':
            return total
        counted = mxsym.ones_like(values)
        if normalization == 'valid':
            counted = mxsym.where(self.kept, counted, mxsym.zeros_like(values))
        return total / mxsym.maximum(mxsym.sum(counted), 1)

    def unknown(self, values: Symbol) -> Symbol:
        """0 for each sample, but NaN where the label is no class."""
        nothing = mxsym.zeros_like(values)
        return mxsym.where(self.known, nothing, nothing * math.nan)

    def make_loss(self, value: Symbol, grad_scale: float, name: str) -> Symbol:
        """The loss per sample, (N,): 0 where it is ignored, NaN where the label is no class."""
        value = mxsym.where(self.kept, value, self.unknown(value))
        return mxsym.MakeLoss(value, grad_scale=grad_scale, name=name)


def _centers(name: str, num_class: int, embedding_dim: int, lr_mult: float) -> Symbol:
    shape = (num_class, embedding_dim)
    return mxsym.Variable(f'{name}_center_weight', shape=shape, lr_mult=lr_mult, wd_mult=0)


def _square(array: Symbol) -> Symbol:
    """Squared Euclidean length of each row."""
    return mxsym.sum(mxsym.square(array), axis=1)


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


def _check_one_of(name: str, choices: tuple[str, ...], **given: str) -> None:
    for key, value in given.items():
        if value not in choices:
            raise ValueError(f'{name}: {key}={value!r} is not one of {", ".join(choices)}')


def _check(
    name: str,
    num_class: int,
    embedding_dim: int,
    scale: float,
    lr_mult: float,
    use_ignore: bool,
    ignore_label: float,
    least_class: int = 1,
    **weights: float,
) -> None:
    for key, size, least in ('num_class', num_class, least_class), ('embedding_dim', embedding_dim, 1):
        if isinstance(size, bool) or not (isinstance(size, numbers.Integral) and least <= size < 2**31):
            raise ValueError(f'{name}: {key}={size!r} is not a whole number >= {least} and < 2^31')
    for key, value in {'scale': scale, 'lr_mult': lr_mult, **weights}.items():
        if not (_is_number(value) and value >= 0):
            raise ValueError(f'{name}: {key}={value!r} is not a finite number >= 0')
    if use_ignore not in (True, False):
        raise ValueError(f'{name}: use_ignore={use_ignore!r} is not True or False')
    if not (_is_number(ignore_label) and float(ignore_label).is_integer()):
        raise ValueError(f'{name}: ignore_label={ignore_label!r} is not a whole number')

"""Joint supervision: class layer, softmax and center loss on one embedding."""

from __future__ import annotations

from typing import Any, Mapping

from mxnet.symbol import Symbol

from .._checks import check_choice
from .supervision import supervised

__all__ = ['joint_supervision']


def joint_supervision(
    embedding: Symbol,
    num_class: int,
    scale: float | Symbol,
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
    classifier: Mapping[str, Any] | None = None,
    triplet: Mapping[str, Any] | None = None,
    normalize: bool = False,
) -> Symbol:
    """Joint supervision, L = L_S + scale * L_C: class layer, softmax and center loss on one embedding.

    Under Module's default `rescale_grad` = 1/batch_size, `scale` is the paper's lambda: both losses sum over
    the batch (`normalization='null'`), and Module divides the sum of both once. Weight the center loss with
    `scale` only: both losses ignore incoming gradients, so multiplying their outputs has no effect.

    Parameters
    ----------
    embedding : Symbol
        Features x, shape (N, D), float32, or float64 with labels of that dtype. Cast float16 features to
        float32: MXNet's `SoftmaxOutput` needs data and labels of the same dtype.
    num_class : int
        Number of classes, > 0.
    scale : float or Symbol
        The paper's lambda, >= 0. 0.1 and below suits MNIST; 1 was seen to diverge there. A Symbol, as
        `scale_variable` makes it: lambda may change from step to step.
    alpha : float or None
        Step of the centers, in [0, 1]; None: 0.5. With centers on the KVStore, pass it in `optimizer_params`
        of `fit` instead.
    softmax_label, center_label : Symbol or None
        Labels y, shape (N,), for each loss; None: Variables `softmax_label` and `center_label`.
    centers : {'aux', 'kvstore', 'table'}
        Where the centers are stored: in auxiliary states of the operator, one set for each device, see
        `center_loss`; or on the KVStore, one set for all devices and workers, which the optimizer `centers`
        moves, in a parameter or in a row table, see `sync_center_loss`.
    embedding_dim : int or None
        D, the length of a feature, > 0; required with `centers='kvstore'` and `centers='table'`, and with a
        sampled class layer.
    batchsize : int or None
        The largest batch that one device runs; None: every batch must have the size of the first bound batch.
        With centers on the KVStore any batch runs.
    use_ignore : bool
        Whether the losses ignore rows with the label `ignore_label`.
    ignore_label : float
        A whole number.
    update : {'paper', 'moving_average'} or None
        The rule that moves the centers, see `center_loss`; None: 'paper'. With centers on the KVStore, pass
        it in `optimizer_params` of `fit` instead.
    classifier, triplet, normalize
        As for `supervised`.

    Returns
    -------
    Symbol
        Outputs `softmax_output` (N, num_class), probabilities, (N, num_sampled) of a sampled class layer, and
        `center_loss_output` (1,), the unscaled L_C of the device's slice. The class layer is `fc2`. A
        classifier with a margin and a triplet loss have outputs of their own, see `supervised`.

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
    check_choice('joint_supervision: ', 'centers', centers, ('aux', 'kvstore', 'table'))
    loss = 'sync_center_loss'
    options: dict[str, Any] = {'scale': scale, 'use_ignore': use_ignore, 'ignore_label': ignore_label}
    rule = {name: value for name, value in {'alpha': alpha, 'update': update}.items() if value is not None}
    if centers == 'aux':
        loss, options = 'center_loss', {**options, **rule, 'batchsize': batchsize}
    elif embedding_dim is None:
        raise ValueError(f'joint_supervision: {centers=} needs embedding_dim, the length of a feature')
    elif rule:
        name, value = next(iter(rule.items()))
        raise ValueError(
            f'joint_supervision: {name}={value!r} is not for {centers=}; '
            "give it to the optimizer 'centers', in optimizer_params"
        )
    else:
        options['centers'] = centers
    return supervised(
        embedding,
        num_class,
        loss,
        embedding_dim,
        softmax_label,
        center_label,
        classifier,
        triplet,
        normalize,
        **options,
    )

"""Joint supervision: class layer, softmax and one of the losses on one embedding."""

from __future__ import annotations

from inspect import signature
from typing import Any, Callable, NamedTuple

from mxnet import symbol as mxsym
from mxnet.symbol import Symbol

from .._checks import check_choice
from .._choices import LOSSES
from .center import center_loss
from .contrastive import contrastive_center_loss
from .gaussian_mixture import large_margin_gaussian_mixture
from .island import island_loss
from .learned import learned_center_loss
from .names import CENTER_LABEL, CLASS_LAYER, SOFTMAX_LABEL
from .sync import sync_center_loss

__all__ = ['joint_supervision', 'loss_options', 'supervised']


class _Form(NamedTuple):
    """How a loss is composed with an embedding."""

    factory: Callable[..., Symbol]
    label: str = CENTER_LABEL  # the label that it reads
    classifies: bool = False  # whether it takes the place of class layer and softmax


_FORMS = {
    form.factory.__name__: form
    for form in (
        _Form(center_loss),
        _Form(sync_center_loss),
        _Form(learned_center_loss),
        _Form(island_loss),
        _Form(contrastive_center_loss),
        _Form(large_margin_gaussian_mixture, label=SOFTMAX_LABEL, classifies=True),
    )
}


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
        Step of the centers, in [0, 1]; None: 0.5. With `centers='kvstore'`, pass it in `optimizer_params` of
        `fit` instead.
    softmax_label, center_label : Symbol or None
        Labels y, shape (N,), for each loss; None: Variables `softmax_label` and `center_label`.
    centers : {'aux', 'kvstore'}
        Where the centers are stored: in auxiliary states of the operator, one set for each device, see
        `center_loss`; or in a parameter on the KVStore, one set for all devices and workers, which the
        optimizer `centers` moves, see `sync_center_loss`.
    embedding_dim : int or None
        D, the length of a feature, > 0; required with `centers='kvstore'`.
    batchsize : int or None
        The largest batch that one device runs; None: every batch must have the size of the first bound batch.
        With `centers='kvstore'` any batch runs.
    use_ignore : bool
        Whether both losses ignore rows with the label `ignore_label`.
    ignore_label : float
        A whole number.
    update : {'paper', 'moving_average'} or None
        The rule that moves the centers, see `center_loss`; None: 'paper'. With `centers='kvstore'`, pass it
        in `optimizer_params` of `fit` instead.

    Returns
    -------
    Symbol
        Outputs `softmax_output` (N, num_class), probabilities, and `center_loss_output` (1,), the unscaled
        L_C of the device's slice. The class layer is `fc2`.

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
    check_choice('joint_supervision: ', 'centers', centers, ('aux', 'kvstore'))
    options: dict[str, Any] = {'scale': scale, 'use_ignore': use_ignore, 'ignore_label': ignore_label}
    rule = {name: value for name, value in {'alpha': alpha, 'update': update}.items() if value is not None}
    if centers == 'aux':
        options = {**options, **rule, 'batchsize': batchsize}
        return _compose('center_loss', embedding, num_class, None, softmax_label, center_label, options)
    if embedding_dim is None:
        raise ValueError("joint_supervision: centers='kvstore' needs embedding_dim, the length of a feature")
    for name, value in rule.items():
        raise ValueError(
            f"joint_supervision: {name}={value!r} is not for centers='kvstore'; "
            "give it to the optimizer 'centers', in optimizer_params"
        )
    return _compose(
        'sync_center_loss', embedding, num_class, embedding_dim, softmax_label, center_label, options
    )


def supervised(
    embedding: Symbol,
    num_class: int,
    loss: str,
    embedding_dim: int,
    softmax_label: Symbol | None = None,
    center_label: Symbol | None = None,
    **options: Any,
) -> Symbol:
    """An embedding under softmax and one of the losses of this package, chosen by its name.

    L = L_S + L_loss: both sum over the batch, so that under Module's default `rescale_grad` = 1/batch_size
    the loss's `scale` is its weight lambda. `large_margin_gaussian_mixture` replaces class layer and softmax.

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
        Labels y, shape (N,), for softmax and for the loss; None: Variables `softmax_label` and
        `center_label`.
    **options
        For the factory: `scale`, `use_ignore`, `ignore_label` and its own, such as `alpha`, `batchsize` or
        `lr_mult`; see `loss_options`.

    Returns
    -------
    Symbol
        `softmax_output` (N, num_class), probabilities, and `<loss>_output`; for `sync_center_loss`:
        `center_loss_output`; for L-GM: `gaussian_mixture_output`. With 'softmax', only the first.

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
    allowed = loss_options(loss)
    for name in options:
        if name not in allowed:
            raise ValueError(f'{loss} has no option {name}; it has {", ".join(allowed) or "none"}')
    return _compose(loss, embedding, num_class, embedding_dim, softmax_label, center_label, options)


def loss_options(loss: str) -> tuple[str, ...]:
    """The options that `supervised` passes to a loss.

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
    The parameters of the factories of this module.

    Examples
    --------
    >>> loss_options('island_loss')
    ('scale', 'inter_scale', 'lr_mult', 'use_ignore', 'ignore_label')
    """
    check_choice('', 'loss', loss, LOSSES)
    if loss not in _FORMS:
        return ()
    fixed = ('data', 'label', 'num_class', 'embedding_dim', 'normalization', 'dtype', 'name')
    return tuple(name for name in signature(_FORMS[loss].factory).parameters if name not in fixed)


def _compose(
    loss: str,
    embedding: Symbol,
    num_class: int,
    embedding_dim: int | None,
    softmax_label: Symbol | None,
    center_label: Symbol | None,
    options: dict[str, Any],
) -> Symbol:
    labels = {
        name: mxsym.Variable(name) if label is None else label
        for name, label in {SOFTMAX_LABEL: softmax_label, CENTER_LABEL: center_label}.items()
    }
    form = _FORMS.get(loss)
    losses = []
    if form is not None:  # first, because its errors name the argument
        accepted = signature(form.factory).parameters
        fixed = {'embedding_dim': embedding_dim, 'normalization': 'null'}
        fixed = {name: value for name, value in fixed.items() if name in accepted}
        losses.append(form.factory(embedding, labels[form.label], num_class, **fixed, **options))
    if form is None or not form.classifies:
        logits = mxsym.FullyConnected(embedding, num_hidden=num_class, name=CLASS_LAYER)
        ignored = {name: options[name] for name in ('use_ignore', 'ignore_label') if name in options}
        losses.insert(0, mxsym.SoftmaxOutput(logits, labels[SOFTMAX_LABEL], name='softmax', **ignored))
    return mxsym.Group(losses) if len(losses) > 1 else losses[0]

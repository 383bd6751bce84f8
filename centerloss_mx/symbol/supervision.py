"""Supervision by name: a classifier, one of the losses, and a triplet loss on one embedding."""

from __future__ import annotations

from functools import partial
from inspect import signature
from typing import Any, Callable, Iterable, Mapping, NamedTuple, Sequence

from mxnet import symbol as mxsym
from mxnet.symbol import Symbol

from .._checks import check_choice, check_flag
from .._choices import LOSSES
from .blocks import unit_length
from .center import center_loss
from .classifier import classifier as make_classifier
from .classifier import softmax_layer
from .contrastive import contrastive_center_loss
from .gaussian_mixture import large_margin_gaussian_mixture
from .island import island_loss
from .learned import learned_center_loss
from .names import CENTER_LABEL, NORMALIZED, SOFTMAX_LABEL
from .sampled import sampled_classifier
from .sync import sync_center_loss
from .triplet import triplet_loss

__all__ = ['loss_options', 'supervised']


class _Form(NamedTuple):
    """How a loss is composed with an embedding."""

    factory: Callable[..., Symbol]
    label: str = CENTER_LABEL  # the label that it reads
    classifies: bool = False  # whether it takes the place of class layer and softmax


_IGNORED = ('use_ignore', 'ignore_label')
# The parameters of factories that their composition decides.
_COMPOSED = ('data', 'embedding', 'label', 'num_class', 'embedding_dim', 'normalization', 'dtype', 'name')

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


def supervised(
    embedding: Symbol,
    num_class: int,
    loss: str,
    embedding_dim: int | None,
    softmax_label: Symbol | None = None,
    center_label: Symbol | None = None,
    classifier: Mapping[str, Any] | None = None,
    triplet: Mapping[str, Any] | None = None,
    normalize: bool = False,
    **options: Any,
) -> Symbol:
    """Put a classifier, a loss chosen by its name and, if wanted, a triplet loss on one embedding.

    L = L_S + L_loss + L_triplet: all sum over the batch, so that under Module's default `rescale_grad` =
    1/batch_size the `scale` of a loss is its weight lambda. `large_margin_gaussian_mixture` replaces class
    layer and softmax.

    Parameters
    ----------
    embedding : Symbol
        Features x, shape (N, embedding_dim).
    num_class : int
        Number of classes, > 0.
    loss : str
        One of `LOSSES`: ``'softmax'``, the classifier without center loss, or the name of a factory in this
        module.
    embedding_dim : int or None
        D, the length of a feature, > 0. ``'softmax'`` and ``'center_loss'`` need none, but beside a sampled
        class layer.
    softmax_label, center_label : Symbol or None
        Labels y, shape (N,), for the classifier, and for the loss and the triplet loss; None: Variables
        `softmax_label` and `center_label`.
    classifier : mapping or None
        Keywords of `classifier`: `kind`, `s`, `margins`, `smooth_alpha`, `neck` and `normalize_features`.
        With `num_sampled` or `sample_rate` it is a `sampled_classifier`, which has these and `seed`. None: a
        plain softmax.
    triplet : mapping or None
        Keywords of `triplet_loss`: `scale`, `margin`, `use_ignore` and `ignore_label`; {} for its defaults.
        It ignores the label that the loss ignores, if it is not given another. None: no triplet loss.
    normalize : bool
        Whether the loss and the triplet loss read features of unit length, `normalized_output`. The
        classifier reads the embedding.
    **options
        For the factory: `scale`, `use_ignore`, `ignore_label` and its own, such as `alpha`, `batchsize` or
        `lr_mult`; see `loss_options`. The classifier ignores the same label.

    Returns
    -------
    Symbol
        `softmax_output` (N, num_class), probabilities, (N, num_sampled) of a sampled class layer, and with a
        margin `margin_softmax_output` (N,); `<loss>_output`, for `sync_center_loss` `center_loss_output`, for
        L-GM `gaussian_mixture_output`, and none for 'softmax'; with a triplet loss `triplet_loss_output`
        (N,).

    Raises
    ------
    ValueError
        An unknown loss, an option that it does not have, or one that is out of its range; a classifier beside
        L-GM; or `normalize` without a loss that reads the features.

    References
    ----------
    Wen et al., ECCV 2016, Eq. 5, with any of the losses for L_C.

    Examples
    --------
    >>> supervised(mx.sym.Variable('data'), 10, 'island_loss', embedding_dim=2, scale=0.1).list_outputs()
    ['softmax_output', 'island_loss_output']
    >>> net = supervised(mx.sym.Variable('data'), 10, 'center_loss', 2, scale=0.1, normalize=True,
    ...                  classifier={'kind': 'margin', 's': 30}, triplet={'margin': 0.3})
    >>> net.list_outputs()
    ['softmax_output', 'margin_softmax_output', 'center_loss_output', 'triplet_loss_output']
    """
    form = _FORMS.get(loss)
    _check_keywords(loss, options, loss_options(loss))
    _check_beside(loss, form, embedding_dim, classifier, triplet, normalize)
    labels = {
        name: mxsym.Variable(name) if label is None else label
        for name, label in {SOFTMAX_LABEL: softmax_label, CENTER_LABEL: center_label}.items()
    }
    ignored = {name: options[name] for name in _IGNORED if name in options}
    features = unit_length(embedding, NORMALIZED) if normalize else embedding
    losses = []
    if form is not None:  # first, because its errors name the argument
        accepted = signature(form.factory).parameters
        offered = {'embedding_dim': embedding_dim, 'normalization': 'null'}
        fixed = {name: value for name, value in offered.items() if name in accepted}
        losses.append(form.factory(features, labels[form.label], num_class, **fixed, **options))
    if form is None or not form.classifies:
        classify: Callable[..., Symbol] = softmax_layer
        if classifier and _is_sampled(classifier):
            sampled: dict[str, Any] = {'embedding_dim': embedding_dim, **classifier}
            classify = partial(sampled_classifier, **sampled)
        elif classifier:
            classify = partial(make_classifier, **classifier)
        losses.insert(0, classify(embedding, labels[SOFTMAX_LABEL], num_class, **ignored))
    if triplet is not None:
        losses.append(triplet_loss(features, labels[CENTER_LABEL], **{**ignored, **triplet}))
    return mxsym.Group(losses) if len(losses) > 1 else losses[0]


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
    return _keywords(_FORMS[loss].factory)


def _check_beside(
    loss: str,
    form: _Form | None,
    embedding_dim: int | None,
    classifier: Mapping[str, Any] | None,
    triplet: Mapping[str, Any] | None,
    normalize: bool,
) -> None:
    if classifier and form is not None and form.classifies:
        raise ValueError(
            f'{loss}, classifier={dict(classifier)}: this loss is the classifier; expected classifier=None'
        )
    if classifier and _is_sampled(classifier):
        _check_keywords('sampled_classifier', classifier, _keywords(sampled_classifier, _IGNORED))
        if embedding_dim is None:
            raise ValueError(
                f'classifier={dict(classifier)}: a sampled class layer needs embedding_dim, '
                'the length of a feature'
            )
    else:
        _check_keywords('classifier', classifier or {}, _keywords(make_classifier, _IGNORED))
    _check_keywords('triplet_loss', triplet or {}, _keywords(triplet_loss))
    check_flag('', 'normalize', normalize)
    if normalize and form is None and triplet is None:
        raise ValueError(
            'normalize=True: no loss reads the features; expected a center loss or a triplet loss'
        )


def _is_sampled(classifier: Mapping[str, Any]) -> bool:
    return 'num_sampled' in classifier or 'sample_rate' in classifier


def _keywords(factory: Callable[..., Symbol], fixed: Sequence[str] = ()) -> tuple[str, ...]:
    """The parameters of a factory that its caller chooses."""
    return tuple(name for name in signature(factory).parameters if name not in (*_COMPOSED, *fixed))


def _check_keywords(factory: str, given: Iterable[str], allowed: Sequence[str]) -> None:
    for name in given:
        if name not in allowed:
            raise ValueError(f'{factory} has no option {name}; it has {", ".join(allowed) or "none"}')

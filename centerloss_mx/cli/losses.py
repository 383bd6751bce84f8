"""What the options of `centerloss-mx train` say about the losses."""

from __future__ import annotations

from typing import Any, Mapping

from ..symbol import loss_options, scale_variable
from ..training import IGNORE_LABEL
from .arguments import flag
from .loss_arguments import LOSS_ARGUMENTS
from .train_options import TrainOptions

_DEFAULT_SCALE = 0.01

_OF_OPTIMIZER = ('alpha', 'update')  # with sync_center_loss, options of the optimizer `centers`

_WITH_RUNNING_CENTERS = ('center_loss', 'sync_center_loss')

# The options whose keyword has another name.
_OPTION_OF = {'s': 'logit_scale', 'kind': 'classifier', 'smooth_alpha': 'label_smoothing'}

_IGNORED = {'use_ignore': True, 'ignore_label': IGNORE_LABEL}  # the rows that pad a batch


def loss_arguments(options: TrainOptions) -> dict[str, Any]:
    """Return the keywords of the loss for `symbol.supervised`: those given, and those that a training sets.

    Raises
    ------
    ValueError
        An option of another loss.
    """
    accepted = loss_options(options.loss)
    given = _given(options)
    of_optimizer = _OF_OPTIMIZER if options.loss == 'sync_center_loss' else ()
    offered = [name for name in LOSS_ARGUMENTS if name in (*accepted, *of_optimizer)]
    for name in given:
        if name not in offered:
            flags = ', '.join(map(flag, offered)) or 'no options of a center loss'
            raise ValueError(f'{flag(name)} has no effect with --loss {options.loss}, which has {flags}')
    fixed = {'scale': _DEFAULT_SCALE, 'batchsize': options.batch_size, **_IGNORED}
    arguments = {name: value for name, value in {**fixed, **given}.items() if name in accepted}
    if options.scale_warmup is not None:
        if options.loss not in _WITH_RUNNING_CENTERS:
            losses = ' and '.join(_WITH_RUNNING_CENTERS)
            raise ValueError(f'--scale-warmup has no effect with --loss {options.loss}; it is for {losses}')
        arguments['scale'] = scale_variable(arguments['scale'])
    return arguments


def final_scale(options: TrainOptions) -> float:
    """Return the weight of the loss after its warm-up."""
    return _DEFAULT_SCALE if options.scale is None else options.scale


def check_start(options: TrainOptions) -> None:
    """Raise ValueError for options that start centers, where they have no effect or exclude each other."""
    given = [flag(name) for name in ('start_centers', 'start_centers_from') if getattr(options, name)]
    if len(given) > 1:
        raise ValueError(f'{" and ".join(given)}: each says where centers start; expected one of them')
    if given and options.loss == 'softmax':
        raise ValueError(f'{given[0]} has no effect with --loss softmax, which has no centers')


def supervision_arguments(options: TrainOptions) -> dict[str, Any]:
    """Return the keywords of `symbol.supervised` that do not belong to the center loss.

    Raises
    ------
    ValueError
        An option that has no effect with the others.
    """
    if options.normalize_features and options.loss == 'softmax' and not options.triplet:
        raise ValueError('--normalize-features has no effect with --loss softmax and without --triplet')
    return {
        'classifier': _classifier_arguments(options),
        'triplet': _triplet_arguments(options),
        'normalize': options.normalize_features,
    }


def _classifier_arguments(options: TrainOptions) -> dict[str, Any] | None:
    of_margin = {'margins': options.margins, 's': options.logit_scale}
    of_neck = {'neck_feature': options.neck_feature}
    if options.classifier != 'margin':
        _check_not_given(of_margin, '--classifier softmax')
    if options.neck is None:
        _check_not_given(of_neck, 'a network without --neck')
    given = {
        'kind': None if options.classifier == 'softmax' else options.classifier,
        **of_margin,
        'smooth_alpha': options.label_smoothing or None,
        'neck': options.neck,
        'sample_rate': options.sample_rate,
        'seed': None if options.sample_rate is None else options.seed,
    }
    if options.loss == 'large_margin_gaussian_mixture':
        _check_not_given(given, f'--loss {options.loss}, which is a classifier itself')
    return {name: value for name, value in given.items() if value is not None} or None


def _triplet_arguments(options: TrainOptions) -> dict[str, Any] | None:
    given = {'scale': options.triplet_scale, 'margin': options.triplet_margin}
    if not options.triplet:
        of_triplet = {f'triplet_{name}': value for name, value in given.items()}
        _check_not_given(of_triplet, 'a training without --triplet')
        return None
    return {**{name: value for name, value in given.items() if value is not None}, **_IGNORED}


def _check_not_given(values: Mapping[str, Any], what: str) -> None:
    """Raise ValueError for an option that has no effect."""
    for name, value in values.items():
        if value is not None:
            raise ValueError(f'{flag(_OPTION_OF.get(name, name))} has no effect with {what}')


def centers_arguments(options: TrainOptions) -> dict[str, Any]:
    """Return the options that the optimizer `centers` has instead of the loss: with sync_center_loss only."""
    if options.loss != 'sync_center_loss':
        return {}
    return {name: value for name, value in _given(options).items() if name in _OF_OPTIMIZER}


def _given(options: TrainOptions) -> dict[str, Any]:
    values = options._asdict()
    return {name: values[name] for name in LOSS_ARGUMENTS if values[name] is not None}

"""What the options of `centerloss-mx train` say about the loss."""

from __future__ import annotations

from typing import Any

from ..symbol import loss_options
from ..training import IGNORE_LABEL
from .train_arguments import LOSS_ARGUMENTS
from .train_options import TrainOptions

_OF_OPTIMIZER = ('alpha', 'update')  # with sync_center_loss, options of the optimizer `centers`


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
            flags = ', '.join(map(_flag, offered)) or 'no options of a center loss'
            raise ValueError(f'{_flag(name)} has no effect with --loss {options.loss}, which has {flags}')
    fixed = {'scale': 0.01, 'batchsize': options.batch_size, 'use_ignore': True, 'ignore_label': IGNORE_LABEL}
    return {name: value for name, value in {**fixed, **given}.items() if name in accepted}


def centers_arguments(options: TrainOptions) -> dict[str, Any]:
    """Return the options that the optimizer `centers` has instead of the loss: with sync_center_loss only."""
    if options.loss != 'sync_center_loss':
        return {}
    return {name: value for name, value in _given(options).items() if name in _OF_OPTIMIZER}


def _flag(name: str) -> str:
    return f'--{name.replace("_", "-")}'


def _given(options: TrainOptions) -> dict[str, Any]:
    values = options._asdict()
    return {name: values[name] for name in LOSS_ARGUMENTS if values[name] is not None}

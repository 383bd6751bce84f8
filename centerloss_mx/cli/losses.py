"""The losses that `centerloss-mx train` offers, and their options."""

from __future__ import annotations

from typing import Any

from ..symbol import loss_options
from ..training import IGNORE_LABEL
from .arguments import number
from .train_options import TrainOptions

# Name of an option of the losses: how argparse reads it.
LOSS_ARGUMENTS: dict[str, dict[str, Any]] = {
    'scale': {'type': number(0), 'help': "weight of the loss, the paper's lambda (default: 0.01)"},
    'alpha': {'type': number(0), 'help': 'step of running centers, 0 to 1 (default: 0.5)'},
    'update': {'choices': ('paper', 'moving_average'), 'help': 'rule of running centers (default: paper)'},
    'lr_mult': {'type': number(0), 'help': 'factor of the learning rate of learned centers (default: 1)'},
    'inter_scale': {'type': number(0), 'help': 'of island_loss: weight between centers (default: 1)'},
    'delta': {
        'type': number(0),
        'help': 'of contrastive_center_loss: added to the denominator (default: 1)',
    },
    'margin': {'type': number(0), 'help': 'of large_margin_gaussian_mixture (default: 1)'},
    'covariance': {
        'choices': ('identity', 'diagonal'),
        'help': 'of large_margin_gaussian_mixture (default: identity)',
    },
}

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
            flag, flags = name.replace('_', '-'), ', '.join(offered) or 'none of these'
            raise ValueError(f'--{flag}: not for {options.loss}, which takes {flags}')
    fixed = {'scale': 0.01, 'batchsize': options.batch_size, 'use_ignore': True, 'ignore_label': IGNORE_LABEL}
    return {name: value for name, value in {**fixed, **given}.items() if name in accepted}


def centers_arguments(options: TrainOptions) -> dict[str, Any]:
    """Return the options of the loss that the optimizer `centers` takes, where that moves the centers."""
    if options.loss != 'sync_center_loss':
        return {}
    return {name: value for name, value in _given(options).items() if name in _OF_OPTIMIZER}


def _given(options: TrainOptions) -> dict[str, Any]:
    values = options._asdict()
    return {name: values[name] for name in LOSS_ARGUMENTS if values[name] is not None}

"""The optimizers of MXNet that `centerloss-mx train` offers, and their parameters."""

from __future__ import annotations

import argparse
from typing import Any

from mxnet.optimizer import Optimizer

from .train_options import MOMENTA, TrainOptions

_NOT_FOR_TRAINING = {
    'test': "MXNet's tests need it",
    'ccsgd': 'an old name of sgd',
    'centers': 'it comes with --loss sync_center_loss',
    'groupadagrad': 'it takes sparse gradients only',
    'ftml': 'it fails when the learning rate reaches 0',
    'ftrl': 'it fails when the learning rate reaches 0',
    'sgld': 'it fails when the learning rate reaches 0',
    'nadam': 'MXNet does not save its schedule, so a resumed training would differ',
}

OPTIMIZERS = sorted({*Optimizer.opt_registry} - {*_NOT_FOR_TRAINING})


def optimizer_name(text: str) -> str:
    """Refuse an optimizer of MXNet that is not for training, with the reason."""
    if text in _NOT_FOR_TRAINING:
        raise argparse.ArgumentTypeError(f'{text} is not for training: {_NOT_FOR_TRAINING[text]}')
    return text


def optimizer_arguments(options: TrainOptions) -> dict[str, Any]:
    """Return the arguments `optimizer` and `optimizer_params` of `Training`.

    Raises
    ------
    ValueError
        A momentum for an optimizer that has none.
    """
    with_momentum = options.optimizer in MOMENTA
    default_wd = 0.0005 if with_momentum else 0
    params: dict[str, Any] = {
        'learning_rate': options.lr,
        'wd': default_wd if options.wd is None else options.wd,
    }
    if with_momentum:
        params['momentum'] = 0.9 if options.momentum is None else options.momentum
    elif options.momentum is not None:
        names = ' and '.join(MOMENTA)
        raise ValueError(
            f'--momentum has no effect with --optimizer {options.optimizer}; only {names} have one'
        )
    return {'optimizer': options.optimizer, 'optimizer_params': params}

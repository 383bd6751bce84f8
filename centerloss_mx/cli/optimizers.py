"""What the options of `centerloss-mx train` say about the optimizer and its learning rate."""

from __future__ import annotations

from typing import Any

from ..training import lr_schedule
from .losses import centers_arguments
from .train_options import MOMENTA, TrainOptions


def optimizer_arguments(options: TrainOptions, num_batches: int, begin_epoch: int) -> dict[str, Any]:
    """Return the arguments `optimizer` and `optimizer_params` of `Training`.

    Raises
    ------
    ValueError
        An option that the optimizer or the schedule does not have.
    """
    with_momentum = options.optimizer in MOMENTA
    default_wd = 0.0005 if with_momentum else 0
    params = _learning_rate(options, num_batches, begin_epoch)
    params['wd'] = default_wd if options.wd is None else options.wd
    if with_momentum:
        params['momentum'] = 0.9 if options.momentum is None else options.momentum
    elif options.momentum is not None:
        names = ' and '.join(MOMENTA)
        raise ValueError(
            f'--momentum has no effect with --optimizer {options.optimizer}; only {names} have one'
        )
    if options.loss == 'sync_center_loss':
        params.update(base=options.optimizer, **centers_arguments(options))
        return {'optimizer': 'centers', 'optimizer_params': params}
    return {'optimizer': options.optimizer, 'optimizer_params': params}


def _learning_rate(options: TrainOptions, num_batches: int, begin_epoch: int) -> dict[str, Any]:
    """Return the learning rate with its schedule."""
    of_steps = {'--lr-steps': options.lr_steps, '--lr-factor': options.lr_factor}
    if options.lr_schedule == 'step' and options.lr_steps is None:
        raise ValueError('--lr-schedule step: expected --lr-steps, the epochs after which it falls, as 40,70')
    for flag, value in of_steps.items():
        if value is not None and options.lr_schedule != 'step':
            raise ValueError(f'{flag} has no effect with --lr-schedule {options.lr_schedule}')
    return lr_schedule(
        options.lr_schedule,
        options.lr,
        num_batches,
        options.num_epochs,
        begin_epoch,
        options.lr_warmup,
        options.lr_steps or (),
        0.1 if options.lr_factor is None else options.lr_factor,
    )

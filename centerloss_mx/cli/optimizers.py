"""What the options of `centerloss-mx train` say about the optimizer and its learning rate."""

from __future__ import annotations

from typing import Any

from ..training import lr_schedule
from .train_options import MOMENTA, TrainOptions


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


def learning_rate_schedule(options: TrainOptions, num_batches: int) -> dict[str, Any]:
    """Return what `optimizer_params` have of the learning rate and its schedule.

    Raises
    ------
    ValueError
        An option that the schedule does not have.
    """
    of_steps = {'--lr-steps': options.lr_steps, '--lr-factor': options.lr_factor}
    if options.lr_schedule == 'step' and options.lr_steps is None:
        raise ValueError('--lr-schedule step: expected --lr-steps, the epochs after which it falls, as 40,70')
    for flag, value in of_steps.items():
        if value is not None and options.lr_schedule != 'step':
            raise ValueError(f'{flag} has no effect with --lr-schedule {options.lr_schedule}')
    assert options.lr is not None  # `with_defaults` has set it
    return lr_schedule(
        options.lr_schedule,
        options.lr,
        num_batches,
        options.num_epochs,
        warmup=options.lr_warmup,
        steps=options.lr_steps or (),
        factor=0.1 if options.lr_factor is None else options.lr_factor,
    )

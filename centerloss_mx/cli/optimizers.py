"""What the options of `centerloss-mx train` say about the optimizer."""

from __future__ import annotations

from typing import Any

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

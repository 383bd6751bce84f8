"""Optimizers that move the rows of a gradient only."""

from __future__ import annotations

from mxnet.optimizer import SGD, AdaGrad, Adam, Ftrl, Optimizer

__all__ = ['check_lazy']


def check_lazy(optimizer: Optimizer) -> None:
    """Refuse an optimizer that would pass over all rows of a row table for the gradient of some.

    'sgd' and 'adam' (with lazy_update=True, MXNet's default), 'adagrad' (without weight decay) and 'ftrl'
    move the rows that a gradient has. Momentum and weight decay act on a row only in the steps in which it
    has a gradient. Adam counts all steps.

    Parameters
    ----------
    optimizer : mxnet.optimizer.Optimizer
        The optimizer, or `optimizer.Centers`, whose base is meant.

    Raises
    ------
    ValueError
        It is not lazy; or AdaGrad with weight decay, which MXNet has for dense gradients only.
    """
    base = getattr(optimizer, 'base', optimizer)
    if not isinstance(base, (SGD, Adam, AdaGrad, Ftrl)) or not getattr(base, 'lazy_update', True):
        lazy = '' if getattr(base, 'lazy_update', True) else ' with lazy_update=False'
        raise ValueError(
            f'optimizer {type(base).__name__}{lazy} moves all rows of a row table in each step; expected '
            "'sgd', 'adam', 'adagrad' or 'ftrl' with lazy_update=True, which move those of the batch"
        )
    if isinstance(base, AdaGrad) and base.wd:
        raise ValueError(
            f'optimizer AdaGrad with wd={base.wd} cannot move rows of a row table: MXNet has no weight decay '
            "for it there; expected wd=0, or 'sgd', 'adam' or 'ftrl'"
        )

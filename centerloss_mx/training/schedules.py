"""Learning rates in time."""

from __future__ import annotations

from typing import Any

from mxnet.lr_scheduler import CosineScheduler


def cosine(learning_rate: float, batches: int, num_epoch: int, begin_epoch: int = 0) -> dict[str, Any]:
    """A learning rate that warms up for an epoch, then falls to 0 by a cosine.

    Parameters
    ----------
    learning_rate : float
        After the warm-up, > 0.
    batches : int
        Of an epoch.
    num_epoch, begin_epoch : int
        Of the training, and those that it has had.

    Returns
    -------
    dict
        For `optimizer_params`.

    Examples
    --------
    >>> sorted(cosine(0.05, batches=100, num_epoch=10))
    ['begin_num_update', 'learning_rate', 'lr_scheduler']
    """
    updates = batches * num_epoch
    warmup = min(batches, updates // 4)  # at full speed from the start, center loss was seen to diverge
    return {
        'learning_rate': learning_rate,
        'lr_scheduler': CosineScheduler(updates, learning_rate, warmup_steps=warmup),
        'begin_num_update': batches * begin_epoch,
    }


def sgd(
    learning_rate: float, batches: int, num_epoch: int, begin_epoch: int = 0, momentum: float = 0.9
) -> dict[str, Any]:
    """SGD with momentum, weight decay 0.0005 and the learning rate of `cosine`.

    Parameters
    ----------
    learning_rate, batches, num_epoch, begin_epoch
        As for `cosine`.
    momentum : float
        0 or more, and less than 1.

    Returns
    -------
    dict
        For `optimizer_params`.

    Examples
    --------
    >>> sgd(0.05, batches=100, num_epoch=10)['momentum']
    0.9
    """
    return {'momentum': momentum, 'wd': 0.0005, **cosine(learning_rate, batches, num_epoch, begin_epoch)}

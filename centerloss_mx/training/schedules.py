"""Learning rates that change during a training."""

from __future__ import annotations

from typing import Any

from mxnet.lr_scheduler import CosineScheduler


def cosine(learning_rate: float, batches: int, num_epoch: int, begin_epoch: int = 0) -> dict[str, Any]:
    """Warm the learning rate up for an epoch, then let it fall to 0 along a cosine.

    Parameters
    ----------
    learning_rate : float
        Learning rate after the warm-up, > 0.
    batches : int
        Batches an epoch, see `num_batches`.
    num_epoch : int
        Number of epochs of the training, > 0.
    begin_epoch : int
        Number of epochs trained before, where it is resumed.

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
    warmup = min(batches, updates // 4)  # without a warm-up, center loss was seen to diverge
    return {
        'learning_rate': learning_rate,
        'lr_scheduler': CosineScheduler(updates, learning_rate, warmup_steps=warmup),
        'begin_num_update': batches * begin_epoch,
    }


def sgd(
    learning_rate: float, batches: int, num_epoch: int, begin_epoch: int = 0, momentum: float = 0.9
) -> dict[str, Any]:
    """Make the options of SGD with momentum, weight decay 0.0005 and the learning rate of `cosine`.

    Parameters
    ----------
    learning_rate, batches, num_epoch, begin_epoch
        As for `cosine`.
    momentum : float
        In [0, 1).

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

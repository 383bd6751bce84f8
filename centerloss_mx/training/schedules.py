"""Learning rates and weights that change during a training."""

from __future__ import annotations

import sys
from typing import Any, Callable, Sequence

from mxnet.lr_scheduler import CosineScheduler, LRScheduler, MultiFactorScheduler
from mxnet.model import BatchEndParam

from .._checks import check_choice, check_number, check_size
from .._choices import ENDLESS_SCHEDULES, LR_SCHEDULES
from .hooks import Hook, TrainingState


def lr_schedule(
    kind: str,
    learning_rate: float,
    batches: int,
    num_epoch: int,
    begin_epoch: int = 0,
    warmup: float | None = None,
    steps: Sequence[float] = (),
    factor: float = 0.1,
) -> dict[str, Any]:
    """Make a schedule of the learning rate, after a linear warm-up from 0.

    | n < W:       learning_rate * n / W
    | 'constant':  learning_rate
    | 'step':      learning_rate * factor^(how many of `steps` are over)
    | 'cosine':    learning_rate * (1 + cos(pi * (n - W) / (M - W))) / 2

    n is the number of the update, from 1; W = batches * warmup, rounded; M = batches * num_epoch. 'constant'
    and 'step' do not depend on `num_epoch`: a training may be resumed for more epochs. 'cosine' ends at 0.

    Parameters
    ----------
    kind : {'cosine', 'step', 'constant'}
        One of `LR_SCHEDULES`.
    learning_rate : float
        Learning rate after the warm-up, >= 0.
    batches : int
        Batches an epoch, see `num_batches`, > 0.
    num_epoch : int
        Number of epochs of the training, > 0.
    begin_epoch : int
        Number of epochs trained before, where `Module.fit` goes on; `Training.fit` needs none.
    warmup : float or None
        Length of the warm-up in epochs, >= 0; for 'cosine' less than `num_epoch`. None: 0, but for 'cosine'
        an epoch, or a quarter of the training if that is shorter.
    steps : sequence of float
        For 'step': the epochs after which the learning rate is multiplied by `factor`, > 0, ascending.
    factor : float
        For 'step': > 0 and <= 1.

    Returns
    -------
    dict
        For `optimizer_params`.

    Raises
    ------
    ValueError
        An argument that is out of its range; steps for another kind, or none for 'step'.

    References
    ----------
    Goyal et al., Accurate, Large Minibatch SGD, 2017 (warm-up); Loshchilov and Hutter, SGDR, ICLR 2017
    (cosine). The schedulers are those of `mx.lr_scheduler`.

    Examples
    --------
    >>> options = lr_schedule('step', 0.1, batches=10, num_epoch=6, warmup=1, steps=[2, 4])
    >>> scheduler = options['lr_scheduler']
    >>> [round(scheduler(n), 4) for n in (1, 10, 20, 21, 41)]
    [0.01, 0.1, 0.1, 0.01, 0.001]
    """
    check_choice('', 'kind', kind, LR_SCHEDULES)
    check_number('', 'learning_rate', learning_rate)
    check_size('', 'batches', batches)
    check_size('', 'num_epoch', num_epoch)
    warmup_steps = _warmup_steps(kind, warmup, batches, num_epoch)
    ends = _ends_of_steps(kind, steps, batches)
    check_number('', 'factor', factor, above=True)
    if factor > 1:
        raise ValueError(f'factor={factor!r} is not a number > 0 and <= 1')
    if kind == 'cosine':
        scheduler: LRScheduler = CosineScheduler(
            batches * num_epoch, learning_rate, warmup_steps=warmup_steps
        )
    elif kind == 'step':
        scheduler = MultiFactorScheduler(ends, factor, learning_rate, warmup_steps)
    else:  # constant: a step that never comes
        assert kind == 'constant'
        scheduler = MultiFactorScheduler([sys.maxsize], 1, learning_rate, warmup_steps)
    options = {'learning_rate': learning_rate, 'lr_scheduler': scheduler}
    return {**options, 'begin_num_update': batches * begin_epoch} if begin_epoch else options


def _warmup_steps(kind: str, warmup: float | None, batches: int, num_epoch: int) -> int:
    """Return the length of the warm-up in updates."""
    if warmup is None:  # center loss was seen to diverge under a cosine without one
        return min(batches, batches * num_epoch // 4) if kind == 'cosine' else 0
    check_number('', 'warmup', warmup)
    steps = round(batches * warmup)
    if kind not in ENDLESS_SCHEDULES and steps >= batches * num_epoch:
        raise ValueError(f'warmup={warmup!r}: expected less than num_epoch={num_epoch} for kind={kind!r}')
    return steps


def _ends_of_steps(kind: str, steps: Sequence[float], batches: int) -> list[int]:
    """Return the updates after which the learning rate falls."""
    if kind != 'step':
        if len(steps):
            raise ValueError(f"steps={steps!r} are for kind='step', not for kind={kind!r}")
        return []
    for step in steps:
        check_number('', 'steps', step, above=True)
    ends = [round(batches * step) for step in steps]
    if not ends or ends != sorted(set(ends)) or ends[0] < 1:
        raise ValueError(
            f"steps={steps!r}: kind='step' expects epochs in ascending order, of one batch or more"
        )
    return ends


def cosine(learning_rate: float, batches: int, num_epoch: int, begin_epoch: int = 0) -> dict[str, Any]:
    """Warm the learning rate up for an epoch, then let it fall to 0 along a cosine.

    Parameters
    ----------
    learning_rate : float
        Learning rate after the warm-up, >= 0.
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

    Raises
    ------
    ValueError
        An argument that is out of its range.

    Examples
    --------
    >>> sorted(cosine(0.05, batches=100, num_epoch=10))
    ['learning_rate', 'lr_scheduler']
    """
    return lr_schedule('cosine', learning_rate, batches, num_epoch, begin_epoch)


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

    Raises
    ------
    ValueError
        As `cosine`.

    Examples
    --------
    >>> sgd(0.05, batches=100, num_epoch=10)['momentum']
    0.9
    """
    return {'momentum': momentum, 'wd': 0.0005, **cosine(learning_rate, batches, num_epoch, begin_epoch)}


class ScaleSchedule(Hook):
    """A hook that sets the weight lambda of a center loss before each batch.

    The loss reads its weight from a Variable, see `symbol.scale_variable`. A resumed training goes on as an
    uninterrupted one. Every worker of a distributed training sets the same.

    Parameters
    ----------
    schedule : callable
        Takes the number of the update, from 1 in the first epoch, and returns the weight, finite and >= 0:
        `scale_warmup`, a scheduler of `mx.lr_scheduler` or any function.
    name : str or None
        Name of the loss; None: as for `Module.set_scale`.

    Raises
    ------
    ValueError
        In the training: as `Module.set_scale`.

    References
    ----------
    lambda of Wen et al., ECCV 2016, Eq. 5.

    Examples
    --------
    >>> from centerloss_mx.symbol import scale_variable
    >>> net = supervised(embedding, 10, 'center_loss', 16, scale=scale_variable(0.0))  # doctest: +SKIP
    >>> hook = ScaleSchedule(scale_warmup(0.01, num_updates=500))
    >>> training = Training(net, train, test, hooks=[hook])  # doctest: +SKIP
    """

    every_worker = True

    def __init__(self, schedule: Callable[[int], float], name: str | None = None) -> None:
        self.schedule, self.name = schedule, name

    def begin(self, training: TrainingState, begin_epoch: int) -> None:
        """Set the weight for the first batch."""
        self._set(training, training.num_batches * begin_epoch)

    def batch_end(self, training: TrainingState, param: BatchEndParam) -> None:
        """Set the weight for the next batch."""
        self._set(training, training.num_batches * param.epoch + param.nbatch + 1)

    def _set(self, training: TrainingState, done: int) -> None:
        if training.module is not None:
            training.module.set_scale(self.schedule(done + 1), self.name)


def scale_warmup(scale: float, num_updates: int) -> Callable[[int], float]:
    """Make a schedule that raises a weight linearly from 0: scale * min(n / num_updates, 1) in update n.

    Parameters
    ----------
    scale : float
        The weight after the warm-up, finite and >= 0.
    num_updates : int
        Length of the warm-up in updates, > 0; see `num_batches` for those of an epoch.

    Returns
    -------
    callable
        For `ScaleSchedule`.

    Raises
    ------
    ValueError
        An argument that is out of its range.

    Examples
    --------
    >>> schedule = scale_warmup(0.01, num_updates=4)
    >>> [schedule(n) for n in (1, 2, 4, 1000)]
    [0.0025, 0.005, 0.01, 0.01]
    """
    check_number('', 'scale', scale)
    check_size('', 'num_updates', num_updates)
    return lambda num_update: scale * min(num_update / num_updates, 1)

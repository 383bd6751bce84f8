"""The loop of a training: `Module.fit`, whose callbacks call the hooks."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Sequence

from mxnet.io import DataIter
from mxnet.model import BatchEndParam

from .best import check_can_stop
from .hooks import Hook, TrainingState
from .seeds import seed_epoch
from .start import Start


class _Stopped(Exception):
    """How `Module.fit` is left: it asks no callback whether to go on."""


def fit_with_hooks(
    training: TrainingState, hooks: Sequence[Hook], data_iter: DataIter, start: Start, begin_epoch: int
) -> None:
    """Train until the last epoch, or until a hook has set `training.stop`."""

    def call(event: str, *arguments: Any) -> None:
        for hook in hooks:
            getattr(hook, event)(training, *arguments)

    def batch_end(param: BatchEndParam) -> None:
        call('batch_end', param)
        if (param.epoch, param.nbatch) == (begin_epoch, 0):
            call('first_batch_end')

    def epoch_end(epoch: int, *_: Any) -> None:
        seed_epoch(training.seed, epoch + 1, training.rand_mirror)  # before the iterator shuffles
        call('epoch_end', epoch + 1)
        if training.stop is not None:
            check_can_stop(training, 'training.stop')
            raise _Stopped
        if epoch + 1 < training.num_epoch:
            call('epoch_begin')

    training.stop = None
    call('begin', begin_epoch)
    num_epoch = training.num_epoch if training.stop is None else begin_epoch
    if begin_epoch < num_epoch:
        call('epoch_begin')
    num_update = training.num_batches * begin_epoch
    with suppress(_Stopped):
        start.module.fit(
            data_iter,
            eval_metric=training.metric,
            batch_end_callback=batch_end,
            epoch_end_callback=epoch_end,
            kvstore=training.kvstore,
            optimizer=training.optimizer,
            optimizer_params={'begin_num_update': num_update, **training.optimizer_params},
            initializer=training.initializer,
            arg_params=start.arg_params,
            aux_params=start.aux_params,
            allow_missing=True,
            force_init=True,
            begin_epoch=begin_epoch,
            num_epoch=num_epoch,
        )
    if training.stop is not None:
        training.logger.info('%s stops: %s', training.title, training.stop)
    call('end')

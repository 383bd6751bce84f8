"""`centerloss-mx train`."""

from __future__ import annotations

from mxnet import kvstore as mxkvstore
from mxnet.kvstore import KVStore

from ..dataset import Samples
from ..io import Augmentation
from ..model_zoo import INITIALIZER, NETWORKS
from ..training import Training, check_workers, cosine, num_batches
from .losses import centers_arguments
from .network import network, network_name
from .optimizers import optimizer_arguments
from .output import print_table
from .resume import last_epoch, remove_training, save_options
from .samples import train_and_test_samples
from .train_options import (
    TrainOptions,
    augmentation,
    history_path,
    options_path,
    saved_options,
    with_defaults,
)

_PRINTED = ('train_accuracy', 'test_accuracy', 'test_precision_at_1', 'own', 'between', 'ratio')


def train(options: TrainOptions) -> None:
    """Train a network with one of the losses; write checkpoint, history and options."""
    last = last_epoch(options)
    samples, test = train_and_test_samples(options)
    _check_batch_size(options, len(samples.labels))
    options = with_defaults(options, samples)
    distributed = options.kv_store.startswith('dist')
    kvstore = mxkvstore.create(options.kv_store) if distributed else options.kv_store
    training = _training(options, samples, test, kvstore, last)
    saved, path = saved_options(options), options_path(options.output)
    if last:
        save_options(path, saved, resume=True, leads=False)

    def replace_files() -> None:
        if not last:
            remove_training(options)
        save_options(path, saved, resume=False, leads=True)

    if training.leads:
        options.output.parent.mkdir(parents=True, exist_ok=True)
    # After the first batch every check has passed: only then files of another training are replaced.
    training.fit(options.output, history_path(options.output), last, on_begin=replace_files)
    if training.leads:
        row = {name: value for name, value in training.history[-1].items() if name in _PRINTED}
        print_table(f'{options.output}-{options.num_epochs:04d}.params', row)


def _check_batch_size(options: TrainOptions, num_samples: int) -> None:
    size, workers = options.batch_size, check_workers(options.kv_store)
    if size % workers or size < workers * len(options.ctx):
        raise ValueError(
            f'--batch-size {size}: expected a multiple of the {workers} workers, and one sample or more for '
            'each device'
        )
    if size > num_samples:
        raise ValueError(f'--batch-size {size}: expected {num_samples} or less, the samples to train with')


def _training(
    options: TrainOptions, samples: Samples, test: Samples | None, kvstore: str | KVStore, last: int
) -> Training:
    symbol, params = network(options, samples)
    optimizer = optimizer_arguments(options)
    if options.lr_schedule == 'cosine':
        batches = num_batches(samples, options.batch_size)
        schedule = cosine(optimizer['optimizer_params']['learning_rate'], batches, options.num_epochs, last)
        optimizer['optimizer_params'].update(schedule)
    if options.loss == 'sync_center_loss':
        optimizer['optimizer_params'].update(base=optimizer['optimizer'], **centers_arguments(options))
        optimizer['optimizer'] = 'centers'
    return Training(
        symbol,
        samples,
        test,
        title=options.loss,
        batch_size=options.batch_size,
        num_epoch=options.num_epochs,
        seed=options.seed,
        context=options.ctx,
        kvstore=kvstore,
        image_size=options.source.image_size,
        augmentation=Augmentation(**augmentation(options)),
        initializer=None if network_name(options, samples) in NETWORKS else INITIALIZER,
        arg_params=params,
        aux_params=params,
        **optimizer,
    )

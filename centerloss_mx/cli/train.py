"""`centerloss-mx train`."""

from __future__ import annotations

import math

from mxnet import kvstore as mxkvstore
from mxnet.kvstore import KVStore

from .._checks import quantity
from ..dataset import Samples
from ..io import Augmentation
from ..model import best_checkpoint, load_features
from ..model_zoo import INITIALIZER, NETWORKS
from ..symbol.names import EMBEDDING_OUTPUT, NECK
from ..training import Training, check_workers, num_batches
from .losses import centers_arguments, check_start
from .network import network, network_name
from .optimizers import learning_rate_schedule, optimizer_arguments
from .output import print_table
from .resume import check_same_options, last_epoch, remove_training, save_options
from .samples import train_and_test_samples
from .selection import check_selection, hooks
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
    check_start(options)
    check_selection(options, test, samples.class_names)
    options = with_defaults(options, samples)
    distributed = options.kv_store.startswith('dist')
    kvstore = mxkvstore.create(options.kv_store) if distributed else options.kv_store
    training = _training(options, samples, test, kvstore)
    if last:
        check_same_options(options)

    def replace_files() -> None:
        if not last:
            remove_training(options)
        save_options(options_path(options.output), saved_options(options), resume=False, leads=True)

    if training.leads:
        options.output.parent.mkdir(parents=True, exist_ok=True)
    # After the first batch every check has passed: only then files of another training are replaced.
    training.fit(options.output, history_path(options.output), last, on_begin=replace_files)
    if training.leads:
        _print_result(options, training)


def _print_result(options: TrainOptions, training: Training) -> None:
    """Print the last row of the history, and the best epoch."""
    last = training.history[-1]
    row = {name: value for name, value in last.items() if name in _PRINTED or name.startswith('validation')}
    if math.isnan(last['train_accuracy']):  # a sampled class layer has none
        del row['train_accuracy']
    print_table(f'{options.output}-{last["epoch"]:04d}.params', row)
    if training.stop is not None:
        print(f'stopped after epoch {last["epoch"]}: {training.stop}')
    best = best_checkpoint(options.output)
    if best is not None and options.select is not None:
        value = training.history[best - 1][options.select]
        print(f'{options.output}-{best:04d}.params: the best epoch, {options.select} {value:.4f}')


def _check_batch_size(options: TrainOptions, num_samples: int) -> None:
    size, workers, devices = options.batch_size, check_workers(options.kv_store), len(options.ctx)
    if size % workers or size < workers * devices:
        raise ValueError(
            f'--batch-size {size}: expected a multiple of the {workers} workers, and one sample or more for '
            'each device'
        )
    if size > num_samples:
        raise ValueError(f'--batch-size {size}: expected {num_samples} or less, the samples to train with')
    whole = workers * devices * (options.samples_per_class or 1)
    if options.samples_per_class and size % whole:
        raise ValueError(
            f'--batch-size {size}: expected a multiple of {whole}, --samples-per-class for each of '
            f'{quantity(workers * devices, "device")}'
        )


def _training(
    options: TrainOptions, samples: Samples, test: Samples | None, kvstore: str | KVStore
) -> Training:
    symbol, params = network(options, samples)
    batches = num_batches(samples, options.batch_size)
    features = options.start_centers_from
    optimizer = optimizer_arguments(options)
    optimizer['optimizer_params'].update(learning_rate_schedule(options, batches))
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
        hooks=hooks(options, batches),
        samples_per_class=options.samples_per_class,
        layer=f'{NECK}_output' if options.neck_feature == 'after' else EMBEDDING_OUTPUT,
        start_centers=options.start_centers if features is None else load_features(features, labelled=True),
        select=options.select,
        **optimizer,
    )

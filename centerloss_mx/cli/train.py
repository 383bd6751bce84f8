"""`centerloss-mx train`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mxnet import kvstore as mxkvstore
from mxnet.kvstore import KVStore

from ..dataset import Samples
from ..model_zoo import INITIALIZER, NETWORKS
from ..symbol import LOSSES
from ..training import KV_STORES, Training, check_workers, cosine, num_batches
from .arguments import (
    SOURCE_HELP,
    add_batches,
    add_command,
    add_output,
    add_pictures,
    number,
    random_seed,
    whole_number,
)
from .losses import LOSS_ARGUMENTS, centers_arguments
from .network import network, network_name
from .optimizers import OPTIMIZERS, optimizer_arguments, optimizer_name
from .output import print_table
from .resume import last_epoch, remove_training, save_options
from .samples import train_and_test_samples
from .train_options import TrainOptions, saved_options, with_defaults

_PRINTED = ('train_accuracy', 'test_accuracy', 'own', 'between', 'ratio')


def train(options: TrainOptions) -> None:
    """Train a network with one of the losses; write checkpoint, history and options."""
    last = last_epoch(options)
    samples, test = train_and_test_samples(options)
    _check_batch_size(options, len(samples.labels))
    options = with_defaults(options, samples)
    distributed = options.kv_store.startswith('dist')
    kvstore = mxkvstore.create(options.kv_store) if distributed else options.kv_store
    training = _training(options, samples, test, kvstore, last)
    saved, path = saved_options(options), Path(f'{options.output}-options.json')
    if last:
        save_options(path, saved, resume=True, leads=False)

    def replace_files() -> None:
        if not last:
            remove_training(options)
        save_options(path, saved, resume=False, leads=True)

    if training.leads:
        options.output.parent.mkdir(parents=True, exist_ok=True)
    # After the first batch every check has passed: only then files of another training are replaced.
    training.fit(options.output, f'{options.output}-history.csv', last, on_begin=replace_files)
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
        image_size=options.image_size,
        rand_mirror=options.rand_mirror,
        initializer=None if network_name(options, samples) in NETWORKS else INITIALIZER,
        arg_params=params,
        aux_params=params,
        **optimizer,
    )


def add_train(commands: Any) -> None:
    """Add the command."""
    example = 'train digits -o runs/digits --embedding-dim 2 --scale 0.1'
    command = add_command(
        commands, 'train', train, TrainOptions, 'train a network with one of the losses', example
    )
    add = command.add_argument
    add('data', metavar='DATA', help=f'what to train with: {SOURCE_HELP}')
    add_output(command, 'prefix of the files to write', metavar='PREFIX')
    add('--test', metavar='DATA', help='what to test with (default: the test part of DATA, or a share of it)')
    add('--test-share', type=number(0, 1), default=0.2, help='share to hold out; 0: nothing is tested')
    add_pictures(command, '64')
    add('--rand-mirror', action='store_true', help='mirror pictures in files at random')
    _add_network(command.add_argument_group('network'))
    _add_loss(command.add_argument_group('loss'))
    _add_training(command.add_argument_group('training'))


def _add_network(group: Any) -> None:
    add = group.add_argument
    add(
        '--network',
        help=f"{', '.join(NETWORKS)}, a name of MXNet's gluon.model_zoo.vision, or a symbol in a .json file "
        '(default: lenet for arrays with one channel, else resnet18_v2)',
    )
    add(
        '--embedding-dim',
        type=whole_number(1),
        default=128,
        help='length of a feature; a .json file has its own',
    )
    add('--layer', default='embedding_output', help='the output of a .json file that is the embedding')
    add(
        '--params',
        type=Path,
        metavar='FILE',
        help='.params file to start from, of a checkpoint or of the model zoo',
    )


def _add_loss(group: Any) -> None:
    group.add_argument(
        '--loss',
        choices=LOSSES,
        default='center_loss',
        metavar='LOSS',
        help=f'softmax alone, or the loss beside it: {", ".join(LOSSES)}',
    )
    for name, options in LOSS_ARGUMENTS.items():
        group.add_argument(f'--{name.replace("_", "-")}', **options)


def _add_training(group: Any) -> None:
    add = group.add_argument
    add(
        '--optimizer',
        type=optimizer_name,
        choices=OPTIMIZERS,
        default='sgd',
        metavar='NAME',
        help=f'one of {", ".join(OPTIMIZERS)}',
    )
    add('--lr', type=number(0, above=True), help='learning rate (default: 0.05 for sgd and nag, else 0.001)')
    add(
        '--lr-schedule',
        choices=('cosine', 'constant'),
        default='cosine',
        help='cosine: warms up for an epoch, then falls to 0',
    )
    add('--momentum', type=number(0, 1), help='momentum of sgd and nag (default: 0.9)')
    add('--wd', type=number(0), help='weight decay (default: 0.0005 for sgd and nag, else 0)')
    add('--num-epochs', type=whole_number(1, 9999), default=12, help='epochs')
    add('--seed', type=random_seed, default=1, help='seed of the held-out samples, the weights and the order')
    add_batches(
        group, 32, 'samples a batch, over all devices and workers', 'devices: cpu, gpu:0, cpu:0,cpu:1, ...'
    )
    add('--kv-store', choices=KV_STORES, default='local', help='dist_*: see centerloss_mx.launch')
    add('--resume', action='store_true', help='go on after the last complete epoch, with the same options')

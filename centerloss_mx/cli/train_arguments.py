"""The arguments of `centerloss-mx train`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .._checks import MOST
from .._choices import KV_STORES
from .arguments import (
    Parser,
    add_batches,
    add_command,
    add_output,
    number,
    random_seed,
    read_options,
    whole_number,
)
from .loss_arguments import add_losses
from .optimizer_arguments import add_optimizer
from .selection_arguments import add_selection
from .source_arguments import SOURCE_HELP, add_reading, add_split
from .train_options import TrainOptions


def add_train(commands: Any) -> None:
    """Add the command."""
    example = 'train digits -o runs/digits --embedding-dim 2 --scale 0.1'
    command = add_command(commands, 'train', TrainOptions, 'train a network with one of the losses', example)
    add = command.add_argument
    add('data', metavar='DATA', help=f'what to train with: {SOURCE_HELP}')
    add_output(command, 'prefix of the files to write', metavar='PREFIX')
    add_reading(command, '64', '')
    add_split(command)
    _add_augmentation(command.add_argument_group('random changes of pictures in files'))
    _add_network(command.add_argument_group('network'))
    add_losses(command)
    add_optimizer(command.add_argument_group('optimizer'))
    _add_training(command.add_argument_group('training'))
    add_selection(command.add_argument_group('the checkpoint that counts'))


def default_options() -> TrainOptions:
    """Return the options of a command line that gives none."""
    parser = argparse.ArgumentParser()
    add_train(parser.add_subparsers(parser_class=Parser))
    options: TrainOptions = read_options(TrainOptions, parser.parse_args(['train', 'digits', '-o', 'net']))
    return options


def _add_augmentation(group: Any) -> None:
    add, share = group.add_argument, number(0, most=1)
    add('--rand-mirror', action='store_true', help='mirror them')
    add('--rand-crop', action='store_true', help='resize them to 8/7 of their size, and crop anywhere')
    for name in ('brightness', 'contrast', 'saturation'):
        add(
            f'--{name}', type=share, default=0.0, metavar='S', help=f'multiply their {name} by 1 - S to 1 + S'
        )
    add('--rand-erasing', type=share, default=0.0, metavar='P', help='erase a rectangle, with probability P')


def _add_network(group: Any) -> None:
    add = group.add_argument
    add(
        '--network',
        help="lenet, lenet++, mlp, a name of MXNet's gluon.model_zoo.vision, or a symbol in a .json file "
        '(default: mlp for vectors, lenet for arrays with one channel, else resnet18_v2)',
    )
    add(
        '--embedding-dim',
        type=whole_number(1, MOST),
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


def _add_training(group: Any) -> None:
    add = group.add_argument
    add('--num-epochs', type=whole_number(1, 9999), default=12, help='epochs')
    add('--seed', type=random_seed, default=1, help='seed of the held-out samples, the weights and the order')
    add_batches(
        group, 32, 'samples a batch, over all devices and workers', 'devices: cpu, gpu:0, cpu:0,cpu:1, ...'
    )
    add(
        '--samples-per-class',
        type=whole_number(2),
        metavar='K',
        help='batches of K samples of each of --batch-size / K classes (default: any samples)',
    )
    add('--kv-store', choices=KV_STORES, default='local', help='dist_*: see centerloss_mx.launch')
    add('--resume', action='store_true', help='go on after the last complete epoch, with the same options')

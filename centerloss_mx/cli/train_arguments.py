"""The arguments of `centerloss-mx train`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .._checks import MOST
from .._choices import KV_STORES, LOSSES
from .arguments import (
    add_batches,
    add_command,
    add_output,
    number,
    random_seed,
    whole_number,
)
from .source_arguments import SOURCE_HELP, add_reading, add_split
from .train_options import TrainOptions

# Name of an option of the losses: how argparse reads it.
LOSS_ARGUMENTS: dict[str, dict[str, Any]] = {
    'scale': {'type': number(0), 'help': "weight of the loss, the paper's lambda (default: 0.01)"},
    'alpha': {'type': number(0, most=1), 'help': 'step of running centers, 0 to 1 (default: 0.5)'},
    'update': {'choices': ('paper', 'moving_average'), 'help': 'rule of running centers (default: paper)'},
    'lr_mult': {'type': number(0), 'help': 'factor of the learning rate of learned centers (default: 1)'},
    'inter_scale': {
        'type': number(0),
        'help': 'island_loss: weight of the cosines between centers, lambda_1 (default: 1)',
    },
    'delta': {
        'type': number(0, above=True),
        'help': 'contrastive_center_loss: added to the denominator (default: 1)',
    },
    'margin': {
        'type': number(0),
        'help': 'large_margin_gaussian_mixture: factor of the margin (default: 1)',
    },
    'covariance': {
        'choices': ('identity', 'diagonal'),
        'help': 'large_margin_gaussian_mixture: form of the covariances (default: identity)',
    },
}

_NOT_FOR_TRAINING = {
    'test': "MXNet's tests need it",
    'ccsgd': 'an old name of sgd',
    'centers': 'it comes with --loss sync_center_loss',
    'groupadagrad': 'it takes sparse gradients only',
    'ftml': 'it fails when the learning rate reaches 0',
    'ftrl': 'it fails when the learning rate reaches 0',
    'sgld': 'it fails when the learning rate reaches 0',
    'nadam': 'MXNet does not save its schedule, so a resumed training would differ',
}

OPTIMIZERS = (  # the others of MXNet
    'adadelta',
    'adagrad',
    'adam',
    'adamax',
    'dcasgd',
    'lamb',
    'lars',
    'lbsgd',
    'nag',
    'rmsprop',
    'sgd',
    'signum',
)


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
    _add_loss(command.add_argument_group('loss'))
    _add_training(command.add_argument_group('training'))


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


def optimizer_name(text: str) -> str:
    """Refuse an optimizer of MXNet that is not for training, with the reason."""
    if text in _NOT_FOR_TRAINING:
        raise argparse.ArgumentTypeError(f'{text} is not for training: {_NOT_FOR_TRAINING[text]}')
    return text

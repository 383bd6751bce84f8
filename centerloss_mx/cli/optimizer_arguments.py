"""The arguments of `centerloss-mx train` for the optimizer and its learning rate."""

from __future__ import annotations

import argparse
from typing import Any

from .._choices import LR_SCHEDULES
from .arguments import number

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


def add_optimizer(group: Any) -> None:
    """Add the arguments."""
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
        choices=LR_SCHEDULES,
        default='cosine',
        help='cosine: falls to 0 until the last epoch; step: is multiplied by --lr-factor at --lr-steps',
    )
    add(
        '--lr-warmup',
        type=number(0),
        metavar='EPOCHS',
        help='it rises from 0 during so many epochs (default: 1 for cosine, else 0)',
    )
    add('--lr-steps', type=epochs, metavar='E1,E2,...', help='step: after these epochs, such as 40,70')
    add('--lr-factor', type=number(0, 1, above=True), metavar='F', help='step: the factor (default: 0.1)')
    add('--momentum', type=number(0, 1), help='momentum of sgd and nag (default: 0.9)')
    add('--wd', type=number(0), help='weight decay (default: 0.0005 for sgd and nag, else 0)')


def optimizer_name(text: str) -> str:
    """Refuse an optimizer of MXNet that is not for training, with the reason."""
    if text in _NOT_FOR_TRAINING:
        raise argparse.ArgumentTypeError(f'{text} is not for training: {_NOT_FOR_TRAINING[text]}')
    return text


def epochs(text: str) -> tuple[float, ...]:
    """Read ascending numbers of epochs, such as 40,70."""
    numbers = tuple(number(0, above=True)(one) for one in text.split(','))
    if list(numbers) != sorted(set(numbers)):
        raise argparse.ArgumentTypeError(f'{text}: expected ascending numbers of epochs, such as 40,70')
    return numbers


epochs.__name__ = 'numbers'

"""The arguments of `centerloss-mx train` for the losses: center loss, classifier, triplet loss."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .._choices import CLASSIFIERS, LOSSES, NECKS
from .arguments import flag, number

# Name of an option of the losses: how argparse reads it.
LOSS_ARGUMENTS: dict[str, dict[str, Any]] = {
    'scale': {'type': number(0), 'help': "weight of the loss, the paper's lambda (default: 0.01)"},
    'alpha': {'type': number(0, most=1), 'help': 'step of running centers, 0 to 1 (default: 0.5)'},
    'update': {'choices': ('paper', 'moving_average'), 'help': 'rule of running centers (default: paper)'},
    'centers': {
        'choices': ('kvstore', 'table'),
        'help': 'sync_center_loss: where centers are; table: in a row table, for very many classes '
        '(default: kvstore)',
    },
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


def add_losses(command: Any) -> None:
    """Add the groups of the losses."""
    _add_loss(command.add_argument_group('loss'))
    _add_classifier(command.add_argument_group('classifier: class layer and softmax'))
    _add_triplet(command.add_argument_group('triplet loss'))


def _add_loss(group: Any) -> None:
    add = group.add_argument
    add(
        '--loss',
        choices=LOSSES,
        default='center_loss',
        metavar='LOSS',
        help=f'softmax alone, or the loss beside it: {", ".join(LOSSES)}',
    )
    for name, options in LOSS_ARGUMENTS.items():
        add(flag(name), **options)
    add(
        '--scale-warmup',
        type=number(0, above=True),
        metavar='EPOCHS',
        help='running centers: --scale rises from 0 during so many epochs (default: it is constant)',
    )
    add(
        '--normalize-features',
        action='store_true',
        help='the loss and the triplet loss read features of length 1',
    )
    add('--start-centers', action='store_true', help='start the centers at the class means of 20 batches')
    add(
        '--start-centers-from',
        type=Path,
        metavar='FILE',
        help='start the centers at the class means of the features in an .npz file of `embed`',
    )


def _add_classifier(group: Any) -> None:
    add = group.add_argument
    add(
        '--classifier',
        choices=CLASSIFIERS,
        default='softmax',
        help='margin: a softmax of cosines, in which the own class has a margin',
    )
    add(
        '--margins',
        type=margins,
        metavar='M1,M2,M3',
        help='margin: cos(M1 * angle + M2) - M3, as in SphereFace, ArcFace and CosFace (default: 1,0.5,0)',
    )
    add(
        '--logit-scale',
        type=number(0, above=True),
        metavar='S',
        help='margin: factor of the cosines (default: 64)',
    )
    add(
        '--label-smoothing',
        type=number(0, 1),
        default=0.0,
        metavar='P',
        help='share of the other classes in the target',
    )
    add(
        '--sample-rate',
        type=number(0, most=1, above=True),
        metavar='RATE',
        help='for very many classes: the softmax is over the classes of the batch and others, drawn at '
        'random, up to this share of all (default: over all)',
    )
    add('--neck', choices=NECKS, help='the classifier is behind a BatchNorm, the other losses are before it')
    add(
        '--neck-feature',
        choices=('before', 'after'),
        help='side of the neck whose features are measured, and embedded by default (default: before)',
    )


def _add_triplet(group: Any) -> None:
    add = group.add_argument
    add('--triplet', action='store_true', help='batch-hard triplet loss beside the others')
    add('--triplet-scale', type=number(0), metavar='SCALE', help='its weight (default: 1)')
    add('--triplet-margin', type=number(0), metavar='M', help='its margin (default: the soft margin)')


def margins(text: str) -> tuple[float, float, float]:
    """Read the three margins, such as 1,0.5,0."""
    numbers = [float(one) for one in text.split(',')]
    if len(numbers) != 3:
        raise argparse.ArgumentTypeError(f'{text}: expected three numbers, such as 1,0.5,0 for ArcFace')
    return numbers[0], numbers[1], numbers[2]


margins.__name__ = 'numbers'

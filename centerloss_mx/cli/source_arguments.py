"""The arguments that say how samples are read from a source, and which of them are held out."""

from __future__ import annotations

import argparse
from typing import Any

from .._checks import MOST
from .._choices import FITS, LAYOUTS, SOURCES, SPLITS
from .._source_options import SourceOptions
from .arguments import number, whole_number

SOURCE_HELP = (
    f'{", ".join(SOURCES)}; a folder of class folders; a .rec file; an .npz file of images or vectors and '
    'labels (uint8 is scaled to [0, 1]); a .csv file of vectors; an idx file, or a folder with those of MNIST'
)


# The options that say how pictures become arrays.
PREPROCESSING = ('image_size', 'fit', 'mean', 'std')


def add_reading(command: Any, default_size: str, default_mean: str) -> None:
    """Add the arguments that say how samples are read."""
    command.set_defaults(read_source=read_source)
    group = command.add_argument_group('samples')
    add = group.add_argument
    add('--layout', choices=LAYOUTS, help='layout of images in an array (default: told from their shape)')
    add(
        '--label-column',
        metavar='NAME',
        help="column of a .csv file with the labels (default: label), or number of a record's label, from 0 "
        '(default: 0)',
    )
    add(
        '--test-column',
        metavar='NAME',
        help='column of a .csv file, or array of an .npz file, that marks the samples to test with',
    )
    add_selection(group)
    add(
        '--image-size',
        type=image_size,
        metavar='SIZE|H,W',
        help=f'height and width that pictures in files get (default: {default_size})',
    )
    add('--fit', choices=FITS, help=f'how pictures get this size (default: {default_mean or "crop"})')
    mean = default_mean or 'those of ImageNet'
    add(
        '--mean',
        type=channels,
        metavar='R,G,B',
        help=f'what is subtracted from pictures in files, 0 to 255 (default: {mean})',
    )
    add('--std', type=channels, metavar='R,G,B', help=f'what they are then divided by (default: {mean})')
    add(
        '--no-normalize',
        action='store_true',
        help='the network normalizes pictures itself: --mean 0 --std 1',
    )


def add_selection(command: Any) -> None:
    """Add the arguments that leave samples out."""
    command.add_argument(
        '--min-images',
        type=whole_number(1),
        default=1,
        metavar='N',
        help='leave out classes of fewer samples',
    )
    add_skip_bad(command)


def add_skip_bad(command: Any) -> None:
    """Add `--skip-bad`."""
    summary = 'leave out pictures that cannot be decoded, and name them'
    command.add_argument('--skip-bad', action='store_true', help=summary)


def add_split(command: Any) -> None:
    """Add the arguments that say what is held out."""
    add = command.add_argument_group('what to test with').add_argument
    add(
        '--test',
        metavar='DATA',
        help='another source, or a .txt file with the names of samples of DATA (default: the test part of '
        'DATA, or a share of it)',
    )
    add('--test-share', type=number(0, 1), default=0.2, help='share to hold out; 0: nothing is tested')
    add(
        '--split',
        choices=SPLITS,
        default='samples',
        help='hold out a share of the samples of every class, or of the classes',
    )


def read_source(args: argparse.Namespace) -> SourceOptions:
    """Make the options of a source from the arguments; those that are not arguments keep their defaults."""
    given = {name: value for name, value in vars(args).items() if name in SourceOptions._fields}
    if args.no_normalize:
        if given['mean'] is not None or given['std'] is not None:
            args.command_parser.error('argument --no-normalize: not allowed with --mean or --std')
        given.update(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    return SourceOptions(**given)


def image_size(text: str) -> int | tuple[int, int]:
    """Read height and width, such as 112 or 128,64."""
    sizes = [whole_number(1, MOST)(size) for size in text.split(',')]
    if len(sizes) > 2:
        raise argparse.ArgumentTypeError(f'{text}: expected one number, or height and width')
    return sizes[0] if len(sizes) == 1 else (sizes[0], sizes[1])


image_size.__name__ = 'size'


def channels(text: str) -> tuple[float, float, float]:
    """Read a number for each of red, green and blue, or one for all, such as 127.5."""
    numbers = [number(0)(one) for one in text.split(',')]
    if len(numbers) not in (1, 3):
        raise argparse.ArgumentTypeError(f'{text}: expected one number, or three, of red, green and blue')
    red, green, blue = numbers * (3 // len(numbers))
    return red, green, blue


channels.__name__ = 'numbers'

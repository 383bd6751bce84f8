"""Parsers, types of arguments, and the arguments that commands share."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any, NoReturn

import mxnet as mx

from .. import dataset
from ..training import contexts

PROGRAM = 'centerloss-mx'

# The arguments that do not change the numbers, or may differ when a training is resumed.
NOT_KEPT = ('command', 'function', 'debug', 'resume', 'force', 'output')

SOURCE_HELP = (
    f'{", ".join(dataset.SOURCES)}; a folder of class folders; a .rec file; an .npz file of images and '
    'labels (uint8 is brought to [0, 1]); an idx file, or a folder of those of MNIST'
)


class Help(argparse.ArgumentDefaultsHelpFormatter):
    """Tell the default of an option where it has one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        tells = action.default not in (None, False, argparse.SUPPRESS)
        return super()._get_help_string(action) if tells else action.help


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Exit with status 2.

        Parameters
        ----------
        message : str
            What is wrong with the arguments.
        """
        self.exit(2, f'{self.prog}: {message} (see {self.prog} --help)\n')


def whole_number(least: int, most: float = math.inf) -> Any:
    """An argument's type: a whole number within bounds."""

    def whole(text: str) -> int:
        number = int(text)
        if number < least:
            raise argparse.ArgumentTypeError(f'{number}: expected {least} or more')
        if number > most:
            raise argparse.ArgumentTypeError(f'{number}: expected {most} or less')
        return number

    whole.__name__ = 'whole number'
    return whole


def number(least: float, below: float = math.inf, above: bool = False) -> Any:
    """An argument's type: a number within bounds; `above`: the lower one is left out."""

    def number(text: str) -> float:
        value = float(text)
        if not (least < value < below if above else least <= value < below):
            bounds = f'{"more than " if above else ""}{least:g}{"" if above else " or more"}'
            bounds += '' if below == math.inf else f', and less than {below:g}'
            raise argparse.ArgumentTypeError(f'{text}: expected {bounds}')
        return value

    return number


def devices(text: str) -> list[mx.Context]:
    try:
        return contexts(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def data_shape(text: str) -> tuple[int, ...]:
    shape = tuple(int(size) for size in text.split(','))
    if not all(size > 0 for size in shape):
        raise argparse.ArgumentTypeError(f'{text}: expected numbers > 0 with commas between them')
    return shape


def add_command(
    commands: Any, name: str, function: Any, summary: str, example: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name,
        help=summary,
        description=f'{summary[0].upper()}{summary[1:]}.',
        epilog=f'example: {PROGRAM} {example}',
        formatter_class=Help,
    )
    command.add_argument('--debug', action='store_true', help='show where an error comes from')
    command.set_defaults(function=function)
    return command


def add_output(command: argparse.ArgumentParser, summary: str, **options: Any) -> None:
    options = {'required': True, 'type': Path, 'metavar': 'FILE', **options}
    command.add_argument('-o', '--output', help=summary, **options)
    command.add_argument('--force', action='store_true', help='replace what is there already')


def add_checkpoint(command: argparse.ArgumentParser) -> None:
    command.add_argument('prefix', metavar='PREFIX', help='of the checkpoint, as given to train')
    command.add_argument('--epoch', type=whole_number(0, 9999), help='of the checkpoint (default: the last)')
    command.add_argument('--layer', default='embedding_output', help='output of the network to cut it off at')

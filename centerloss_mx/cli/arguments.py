"""Parsers, types of arguments, and the arguments that commands share."""

from __future__ import annotations

import argparse
import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, NoReturn, Sequence

from .. import _choices
from .._checks import MOST
from .._program import NAME as PROGRAM

if TYPE_CHECKING:
    from mxnet.context import Context


class Help(argparse.ArgumentDefaultsHelpFormatter):
    """Show the default of an option if it has one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        shows = action.default not in (None, False, argparse.SUPPRESS)
        return super()._get_help_string(action) if shows else action.help


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.words: dict[str, Sequence[str]] = {}

    def add_word(self, option: str, words: Sequence[str], summary: str) -> None:
        """Add an option that may be followed by one of some words; alone, it means the first."""
        self.words[option] = words
        self.add_argument(option, nargs='?', const=words[0], choices=words, help=summary)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Give an option that stands alone its word; argparse would take PREFIX in `--flip PREFIX DATA`."""
        args = [*(sys.argv[1:] if args is None else args)]
        for i, (option, after) in enumerate(zip(args, [*args[1:], None])):
            if option in self.words and after not in self.words[option]:
                args[i] = f'{option}={self.words[option][0]}'
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Exit with status 2.

        Parameters
        ----------
        message : str
            What is wrong with the arguments.
        """
        self.exit(2, f'{self.prog}: {" ".join(message.split())} (see {self.prog} --help)\n')


def flag(name: str) -> str:
    """Return the option whose value has this name: '--batch-size' of 'batch_size'."""
    return f'--{name.replace("_", "-")}'


def whole_number(least: int, most: float = math.inf) -> Callable[[str], int]:
    """Make the type of an argument that is a whole number within bounds."""

    def whole(text: str) -> int:
        number = int(text)
        if number < least:
            raise argparse.ArgumentTypeError(f'{number}: expected {least} or more')
        if number > most:
            raise argparse.ArgumentTypeError(f'{number}: expected {most} or less')
        return number

    whole.__name__ = 'whole number'
    return whole


def number(
    least: float, below: float = math.inf, above: bool = False, most: float = math.inf
) -> Callable[[str], float]:
    """Make the type of an argument that is a number within bounds.

    `above` excludes `least`. `below` is an excluded upper bound, `most` an included one.
    """

    def number(text: str) -> float:
        value = float(text)
        if not (value > least if above else value >= least) or not (value < below and value <= most):
            bounds = f'{"more than " if above else ""}{least:g}{"" if above else " or more"}'
            bounds += '' if below == math.inf else f', and less than {below:g}'
            bounds += '' if most == math.inf else f', and {most:g} or less'
            raise argparse.ArgumentTypeError(f'{text}: expected {bounds}')
        return value

    return number


BEST = 'best'  # in place of the number of an epoch


def _epoch(text: str) -> int | str:
    return text if text == BEST else whole_number(0, 9999)(text)


_epoch.__name__ = 'epoch'

random_seed = whole_number(0, 2**32 - 1)


def devices(text: str) -> list[Context]:
    """Read devices, see `training.contexts`; this loads MXNet."""
    from ..training import contexts

    try:
        return contexts(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _device_names(text: str) -> str:
    """Check the names of devices; `read_options` makes the devices of them, once MXNet is loaded."""
    try:
        _choices.devices(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def data_shape(text: str) -> tuple[int, ...]:
    """Read the shape of a sample, such as 1,28,28."""
    shape = tuple(int(size) for size in text.split(','))
    if not all(size > 0 for size in shape):
        raise argparse.ArgumentTypeError(f'{text}: expected numbers > 0, separated by commas')
    return shape


def add_command(
    commands: Any, name: str, options: Any, summary: str, example: str, module: str | None = None
) -> Parser:
    """Add a command.

    Parameters
    ----------
    commands : object
        What `ArgumentParser.add_subparsers` returned.
    name : str
        Name of the command.
    options : type of NamedTuple
        Its fields are the arguments of the command that its function needs.
    summary : str
        One line for the help.
    example : str
        Arguments that can be parsed.
    module : str or None
        The module of this package that runs the command; its function of the same name is called with the
        options. None: `name`.

    Returns
    -------
    Parser
        For the command's arguments.
    """
    command = commands.add_parser(
        name,
        help=summary,
        description=f'{summary[0].upper()}{summary[1:]}.',
        epilog=f'example: {PROGRAM} {example}',
        formatter_class=Help,
    )
    command.add_argument('--debug', action='store_true', help='show the traceback of an error')
    command.set_defaults(command_parser=command, options=options, module=module or name)
    return command


def read_options(options: Any, args: argparse.Namespace) -> Any:
    """Make a command's options from the arguments with the names of their fields."""
    values = {name: getattr(args, name) for name in options._fields if name != 'source'}
    if 'source' in options._fields:
        values['source'] = args.read_source(args)
    if 'ctx' in values:
        try:
            values['ctx'] = devices(args.ctx)
        except argparse.ArgumentTypeError as error:
            args.command_parser.error(f'argument --ctx: {error}')
    return options(**values)


def output_path(text: str) -> Path:
    """Read the name of a file; a slash at the end, which `Path` would drop, makes it a folder."""
    path = Path(text)
    if text.endswith(os.sep) and path.name not in ('', '..'):  # those, commands refuse themselves
        raise argparse.ArgumentTypeError(f'{text} is a folder; expected a file, or a prefix such as runs/net')
    return path


def add_output(command: argparse.ArgumentParser, summary: str, **options: Any) -> None:
    """Add `--output` and `--force`."""
    options = {'required': True, 'type': output_path, 'metavar': 'FILE', **options}
    command.add_argument('-o', '--output', help=summary, **options)
    command.add_argument('--force', action='store_true', help='replace files that exist')


def add_checkpoint(command: argparse.ArgumentParser) -> None:
    """Add the prefix and the epoch of a checkpoint, and the layer that is the network's output."""
    command.add_argument('prefix', metavar='PREFIX', help='prefix of the checkpoint, as passed to `train -o`')
    command.add_argument(
        '--epoch',
        type=_epoch,
        metavar='EPOCH',
        help=f'epoch of the checkpoint, or {BEST}, as `train --select` found it (default: the last)',
    )
    command.add_argument(
        '--layer',
        help='output of the network that is the feature (default: that of the training, embedding_output or '
        'neck_output)',
    )


def add_batches(command: Any, batch_size: int, batch: str, ctx: str) -> None:
    """Add the size of batches and the devices that they run on."""
    command.add_argument('--batch-size', type=whole_number(1, MOST), default=batch_size, help=batch)
    command.add_argument('--ctx', type=_device_names, default='cpu', help=ctx)

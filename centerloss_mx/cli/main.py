"""The command line: train, embed, evaluate, plot, identify, export, pack, info.

    centerloss-mx train digits -o runs/digits
    centerloss-mx embed runs/digits digits -o digits.npz
    centerloss-mx evaluate retrieve digits.npz
    centerloss-mx plot digits.npz -o digits.png
    centerloss-mx identify known.npz photo.jpg
    centerloss-mx export runs/digits -o digits.onnx
    centerloss-mx pack birds -o birds
    centerloss-mx info

`python -m centerloss_mx` is the same. Exit status: 0 done; 1 failed, with one line on standard error that
says why; 2 called with invalid arguments; 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from typing import Any, Callable, Sequence

from .. import _compat
from .arguments import PROGRAM, Parser, read_options
from .embed_options import add_embed
from .evaluate_options import add_evaluate
from .export_options import add_export
from .identify_options import add_identify
from .info_options import add_info
from .pack_options import add_pack
from .plot_options import add_plot
from .train_arguments import add_train


def parser() -> argparse.ArgumentParser:
    """Make the command line's parser.

    Returns
    -------
    argparse.ArgumentParser
    """
    top = Parser(
        prog=PROGRAM,
        description='Train with center loss; evaluate, draw and deploy the features.',
        epilog=f'example: {PROGRAM} train digits -o runs/digits. Exit status: 0 done, 1 failed, 2 called '
        'with invalid arguments, 130 interrupted.',
    )
    top.add_argument('--version', action='version', version=f'%(prog)s {_compat.VERSION}')
    commands = top.add_subparsers(dest='command', required=True, metavar='COMMAND')
    add_train(commands)
    add_embed(commands)
    add_evaluate(commands)
    add_plot(commands)
    add_identify(commands)
    add_export(commands)
    add_pack(commands)
    add_info(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str or None
        None: those of this process.

    Raises
    ------
    SystemExit
        With the exit status.
    """
    args, unknown = parser().parse_known_args(arguments)
    if unknown:
        args.command_parser.error(f'unrecognized arguments: {" ".join(unknown)}')
    command = _load(args)
    from .process import run  # not before MXNet is loaded

    resumable = args.command == 'train'
    run(
        lambda: command(read_options(args.options, args)),
        'interrupted; --resume with the same options goes on' if resumable else 'interrupted',
        PROGRAM,
        args.debug,
    )


def _load(args: argparse.Namespace) -> Callable[[Any], None]:
    """Load MXNet, what this package registers there, and the function that runs the command."""
    try:
        import_module('.._register', __package__)
        return getattr(import_module(f'.{args.module}', __package__), args.module)
    except ImportError as error:
        if args.debug:
            raise
        sys.exit(f'{PROGRAM}: {error}')

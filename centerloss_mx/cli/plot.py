"""`centerloss-mx plot`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from ..model import load_features
from .arguments import add_command, add_output, whole_number
from .output import check_output


def plot(args: argparse.Namespace) -> None:
    """Draw features side by side, in the plane."""
    from ..visualization import Panel, embedding_figure, save_figure

    for path in args.output:
        check_output(path, args.force, '.png', '.svg')
    sets = [load_features(path) for path in args.features]
    names = list(dict.fromkeys(name for features in sets for name in features.class_names))
    stems = [Path(path).stem for path in args.features]
    titles = args.titles or (stems if len(set(stems)) == len(stems) else args.features)
    if len(titles) != len(sets):
        raise ValueError(f'--titles: {len(titles)} of them, for {len(sets)} files of features')
    panels = []
    for title, features in zip(titles, sets):
        rows = np.arange(len(features.labels))
        if args.num_samples is not None and args.num_samples < len(rows):
            rows = np.random.RandomState(args.seed).permutation(rows)[: args.num_samples]
        number_of = np.array([names.index(name) for name in features.class_names])
        centers = None if args.no_centers else features.centers
        panels.append(Panel(title, features.features[rows], number_of[features.labels[rows]], centers))
    figure = embedding_figure(panels, projection=args.projection, class_names=names)
    for path in args.output:
        save_figure(figure, path)
    print(f'Look at {" and ".join(map(str, args.output))}')


def add_plot(commands: Any) -> None:
    command = add_command(
        commands, 'plot', plot, 'draw features in the plane, with the centers',
        'plot softmax.npz center_loss.npz -o both.png',
    )  # fmt: skip
    add = command.add_argument
    add('features', nargs='+', metavar='FEATURES', help='.npz files, drawn side by side on one scale')
    add_output(command, 'a picture to write, .png or .svg; several may be given', action='append')
    add(
        '--projection', choices=('pca', 'tsne'), default='pca', help='of features of more than two dimensions'
    )
    add('--titles', nargs='+', metavar='TITLE', help="of the features (default: the files' names)")
    add('--no-centers', action='store_true', help='draw no centers')
    add('--num-samples', type=whole_number(2), help='draw that many at most, taken at random (default: all)')
    add('--seed', type=whole_number(0, 2**32 - 1), default=0, help='of which are drawn')

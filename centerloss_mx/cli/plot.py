"""`centerloss-mx plot`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .._checks import quantity
from ..model import Features, load_features
from .arguments import add_command, add_output, random_seed, whole_number
from .output import check_output


class PlotOptions(NamedTuple):
    """The options of `plot`."""

    features: list[str]
    output: list[Path]
    force: bool
    projection: str
    titles: list[str] | None
    no_centers: bool
    num_samples: int | None
    seed: int
    highlight: list[str] | None


def plot(options: PlotOptions) -> None:
    """Draw the features of each file in a panel."""
    from ..visualization import Panel, embedding_figure, save_figure

    for path in options.output:
        check_output(path, options.force, '.png', '.svg')
    sets = [load_features(path) for path in options.features]
    names = list(dict.fromkeys(name for features in sets for name in features.class_names))
    numbers = {name: number for number, name in enumerate(names)}
    panels = []
    for title, features in zip(_titles(options), sets):
        rows = _rows(features, options.num_samples, options.seed)
        number_of = np.array([numbers[name] for name in features.class_names])
        centers = None if options.no_centers else features.centers
        center_labels = [numbers.get(name, -1) for name in features.trained_on or ()]
        panels.append(
            Panel(
                title,
                features.features[rows],
                number_of[features.labels[rows]],
                centers,
                None if centers is None else np.array(center_labels),
            )
        )
    figure = embedding_figure(
        panels, projection=options.projection, class_names=names, highlight=options.highlight
    )
    for path in options.output:
        save_figure(figure, path)
    print(f'Look at {" and ".join(map(str, options.output))}')


def _titles(options: PlotOptions) -> list[str]:
    """Return the titles given, or the files' names, with their folders where two files have one name."""
    stems = [Path(path).stem for path in options.features]
    titles = options.titles or (stems if len(set(stems)) == len(stems) else options.features)
    if len(titles) != len(options.features):
        raise ValueError(
            f'--titles: {quantity(len(titles), "title")} for {quantity(len(options.features), "file")}; '
            'expected one for each file'
        )
    return titles


def _rows(features: Features, num_samples: int | None, seed: int) -> np.ndarray:
    """Select rows at random if there are more than `num_samples`."""
    rows = np.arange(len(features.labels))
    if num_samples is None or num_samples >= len(rows):
        return rows
    return np.random.RandomState(seed).permutation(rows)[:num_samples]


def add_plot(commands: Any) -> None:
    """Add the command."""
    summary, example = (
        'draw features in two dimensions, with the centers',
        'plot softmax.npz center_loss.npz -o both.png',
    )
    command = add_command(commands, 'plot', plot, PlotOptions, summary, example)
    add = command.add_argument
    add('features', nargs='+', metavar='FEATURES', help='.npz files, drawn side by side on one scale')
    add_output(command, 'a picture to write, .png or .svg; several may be given', action='append')
    add(
        '--projection',
        choices=('pca', 'tsne'),
        default='pca',
        help='projection of features with more than two dimensions',
    )
    add('--titles', nargs='+', metavar='TITLE', help="titles of the panels (default: the files' names)")
    add('--highlight', nargs='+', metavar='CLASS', help='draw only these classes in color, all others grey')
    add('--no-centers', action='store_true', help='draw no centers')
    add('--num-samples', type=whole_number(2), help='number of samples to draw, at random (default: all)')
    add('--seed', type=random_seed, default=0, help='seed of the selected samples')

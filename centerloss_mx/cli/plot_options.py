"""The options of `centerloss-mx plot`, and its arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from .arguments import add_command, add_output, output_path, random_seed, whole_number


class PlotOptions(NamedTuple):
    """The options of `plot`."""

    features: list[str]
    output: list[Path]
    html: Path | None
    pictures: str | None
    part: str | None
    force: bool
    projection: str
    titles: list[str] | None
    no_centers: bool
    num_samples: int | None
    seed: int
    highlight: list[str] | None


def add_plot(commands: Any) -> None:
    """Add the command."""
    summary, example = (
        'draw features in two dimensions, with the centers',
        'plot softmax.npz center_loss.npz -o both.png',
    )
    command = add_command(commands, 'plot', PlotOptions, summary, example)
    add = command.add_argument
    add('features', nargs='+', metavar='FEATURES', help='.npz files, drawn side by side on one scale')
    summary = 'a picture to write, .png or .svg; several may be given'
    add_output(command, summary, action='append', required=False, default=[])
    add(
        '--html',
        type=output_path,
        metavar='FILE',
        help='a page to write, .html: class and picture of the sample under the pointer; several files '
        'of the same samples, such as one for each epoch, are the steps of a slider',
    )
    add(
        '--pictures',
        metavar='DATA',
        help='for --html: what was embedded (default: the files that FEATURES names)',
    )
    add('--part', choices=('train', 'test'), help='of --pictures, as for `embed` (default: test)')
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

"""The picture of a step's time over C and over N: a curve for each rival, and its name at the end."""

from __future__ import annotations

import os

from centerloss_mx.visualization.files import save_figure
from centerloss_mx.visualization.style import COLORS, SMALL, STYLE, TITLE, axes_grid

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, StrMethodFormatter

Curves = 'dict[str, list[tuple[int, float]]]'  # for each rival its points

NUMBERS = (0, 9, 2, 6, 3, 7)  # of the rivals' colors
BETWEEN = 0.16  # inches from one name to the next, at least


def draw(
    path: str | os.PathLike, over_classes: Curves, over_batches: Curves, n: int, dim: int, c: int
) -> None:
    """Draw ms a step over C in batches of n, and over N with c classes, of features with dim dimensions."""
    colors = {name: COLORS[number] for name, number in zip(over_classes, NUMBERS)}
    titles = [f'N = {n}, D = {dim}', f'D = {dim}, C = {c:,}']
    with rc_context(STYLE):
        figure, both = axes_grid(2, 2, (3.6, 4.2), 1.1, 1.1, titles, sharey=True)
        for axes, curves, title in zip(both, (over_classes, over_batches), titles):
            for name, points in curves.items():
                axes.loglog(*zip(*points), color=colors[name], marker='o', markersize=4)
            axes.set_title(title, fontsize=TITLE)
            axes.grid(axis='y')
            axes.spines[['top', 'right']].set_visible(False)
            axes.minorticks_off()
            axes.yaxis.set_major_formatter(StrMethodFormatter('{x:,g}'))
        both[0].set(xlabel='classes C', ylabel='forward + backward + update, ms')
        both[1].set(xlabel='samples in a batch N')
        both[1].xaxis.set(
            major_locator=FixedLocator([position for position, _ in next(iter(over_batches.values()))]),
            major_formatter=StrMethodFormatter('{x:g}'),
        )
        for axes, curves in zip(both, (over_classes, over_batches)):
            write_names(axes, curves, colors)
        save_figure(figure, path)


def write_names(axes: Axes, curves: Curves, colors: dict[str, str]) -> None:
    """Each name right of its curve's last point, moved up where it would touch the name below."""
    to_inches = axes.figure.dpi_scale_trans.inverted().transform
    ends = to_inches(axes.transData.transform([points[-1] for points in curves.values()])).tolist()
    below: dict[float, float] = {}  # the last height at each position
    for (x, y), name in sorted(zip(ends, curves), key=lambda end: end[0][1]):
        below[x] = max(y, below.get(x, 0) + BETWEEN)
        axes.annotate(
            name, curves[name][-1], (7, (below[x] - y) * 72), textcoords='offset points',
            color=colors[name], fontsize=SMALL, va='center',
        )  # fmt: skip

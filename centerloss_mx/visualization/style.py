"""The style of all pictures: colors, shapes, lines, text and grids of axes."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

# Paul Tol's muted scheme: ten colours that the colour-blind tell apart.
COLORS = (
    '#332288', '#88ccee', '#44aa99', '#117733', '#999933',
    '#ddcc77', '#cc6677', '#882255', '#aa4499', '#888888',
)  # fmt: skip

SHAPES = ('o', '^', 's', 'D')

CURVE_COLORS = (0, 6, 3, 5, 8)  # the most different ones first

RUN_STYLES = ((COLORS[1], 'o'), (COLORS[7], 'D'), (COLORS[3], 's'), (COLORS[5], '^'))


def axes_grid(
    count: int,
    columns: int,
    size: tuple[float, float],
    right: float,
    between: tuple[float, float],
    **shared: Any,
) -> tuple[Figure, list[Axes]]:
    """A figure of `count` panels of a size in inches, in rows of `columns`."""
    rows = -(-count // columns)
    width, height = size[0] * columns + 0.6 + right, size[1] * rows + 0.56
    figure = Figure(figsize=(width, height), dpi=100)
    figure.subplots_adjust(0.8 / width, 0.56 / height, 1 - right / width, 1 - 0.56 / height, *between)
    grid = figure.subplots(rows, columns, squeeze=False, **{'sharex': True, 'sharey': True, **shared}).ravel()
    for axes in grid[count:]:
        axes.remove()
    return figure, list(grid[:count])


def legend_mark(marker: str, color: str, label: str, **style: Any) -> Line2D:
    return Line2D([], [], linestyle='', marker=marker, color=color, label=label, **style)


def line_style(number: int) -> dict[str, Any]:
    return {
        'color': COLORS[CURVE_COLORS[number % len(CURVE_COLORS)]],
        'linestyle': ['-', '--', '-.', ':'][number % 4],
    }


def shortened(name: str, length: int) -> str:
    return plain_text(name if len(name) <= length else f'{name[: length - 1]}…')


def plain_text(text: str) -> str:
    """A text that matplotlib takes for no formula, and for no line that the legend leaves out."""
    lines = [''.join(c if c.isprintable() else ' ' for c in line) for line in text.split('\n')]
    plain = '\n'.join(lines).replace('$', r'\$')
    return f' {plain}' if plain.startswith('_') else plain

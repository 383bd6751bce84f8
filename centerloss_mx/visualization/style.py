"""The style of all pictures: sizes, colors, shapes, lines, text and grids of axes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import TextPath

# Every picture is drawn under these settings, so that a user's matplotlibrc does not change some of them.
STYLE = {
    'figure.dpi': 100,
    'font.size': 10,
    'axes.titlesize': 12,
    'axes.labelsize': 10,
    'xtick.labelsize': 10,
    'ytick.labelsize': 10,
    'legend.fontsize': 10,
    'legend.title_fontsize': 10,
    'legend.frameon': False,
    'axes.grid': False,
    'axes.axisbelow': True,
    'grid.color': '0.9',
}
TEXT, SMALL, TITLE, NAME = 10, 9, 12, 13  # font sizes in points; NAME: of names at clusters

# Paul Tol's muted scheme: ten colors that the color-blind can tell apart.
COLORS = (
    '#332288', '#88ccee', '#44aa99', '#117733', '#999933',
    '#ddcc77', '#cc6677', '#882255', '#aa4499', '#888888',
)  # fmt: skip

SHAPES = ('o', '^', 's', 'D')

CURVE_COLORS = (0, 6, 3, 5, 8)  # the most different ones first

RUN_STYLES = ((COLORS[1], 'o'), (COLORS[7], 'D'), (COLORS[3], 's'), (COLORS[5], '^'))


def axes_grid(
    count: int, columns: int, size: tuple[float, float], between: float, right: float, titles: Sequence[str],
    **shared: Any,
) -> tuple[Figure, list[Axes]]:  # fmt: skip
    """Make a figure of `count` axes in rows.

    `size` is that of one axes, `between` the gap between columns and `right` the margin for a legend, all in
    inches. Margins and rows leave the height that the titles need. `shared` is for `Figure.subplots`.
    """
    rows = -(-count // columns)
    left, bottom, top = 0.8, 0.56, title_height(titles)
    gap = bottom + top
    width = left + columns * size[0] + (columns - 1) * between + right
    height = bottom + rows * size[1] + (rows - 1) * gap + top
    figure = Figure(figsize=(width, height))
    figure.subplots_adjust(
        left=left / width, right=1 - right / width, bottom=bottom / height, top=1 - top / height,
        wspace=between / size[0], hspace=gap / size[1],
    )  # fmt: skip
    grid = figure.subplots(rows, columns, squeeze=False, **shared).ravel()
    for axes in grid[count:]:
        axes.remove()
    return figure, list(grid[:count])


def title_height(titles: Sequence[str]) -> float:
    """Return the inches that the tallest of these titles needs above its axes."""
    return 0.15 + 0.2 * max(len(title.splitlines()) for title in titles)


def legend_mark(marker: str, color: str, label: str, **style: Any) -> Line2D:
    """Return a handle that shows a marker in a legend."""
    return Line2D([], [], linestyle='', marker=marker, color=color, label=label, **style)


def legend_width(labels: Sequence[str], columns: int, title: str | None = None) -> float:
    """Return the inches that a legend at a figure's right side needs."""
    widest = max((text_width(label, TEXT) for label in labels), default=0)
    entries = columns * (widest + 0.39) + 0.28 * (columns - 1)  # with marks; gaps between columns
    return 0.25 + max(entries, text_width(title or '', TEXT))


def line_style(number: int) -> dict[str, Any]:
    """Return color and dashes of the curve with this number."""
    return {
        'color': COLORS[CURVE_COLORS[number % len(CURVE_COLORS)]],
        'linestyle': ['-', '--', '-.', ':'][number % 4],
    }


@lru_cache(maxsize=1000)
def text_width(text: str, size: float, weight: str = 'normal') -> float:
    """Return the width of a text's longest line in inches; `size` is in points."""
    font = FontProperties(size=size, weight=weight)
    lines = [line for line in text.splitlines() if line.strip()]
    return max((TextPath((0, 0), line, prop=font).get_extents().x1 / 72 for line in lines), default=0.0)


def short_name(name: str, length: int) -> str:
    """Return a short name, see `shortened`, as matplotlib draws it."""
    return plain_text(shortened(name, length))


def shortened(name: str, length: int) -> str:
    """Return a name on one line, its middle left out beyond a length: names often differ at their ends."""
    name = ' '.join(name.splitlines())
    if len(name) > length:
        tail = (length - 1) // 3
        name = f'{name[: length - 1 - tail]}…{name[-tail:]}'
    return name


def fitted_title(title: str, width: float) -> str:
    """Return a title, the middle of each line left out as far as it is wider than these inches."""
    lines = []
    for line in title.splitlines():
        length = len(line)
        while length > 8 and (needed := text_width(short_name(line, length), TITLE)) > width:
            length = min(length - 1, int(length * width / needed) + 1)
        lines.append(short_name(line, length))
    return '\n'.join(lines)


def plain_text(text: str) -> str:
    """Return a text that matplotlib neither reads as a formula nor leaves out of a legend."""
    lines = [''.join(c if c.isprintable() else ' ' for c in line) for line in text.split('\n')]
    plain = '\n'.join(lines).replace('$', r'\$')
    return f' {plain}' if plain.startswith('_') else plain

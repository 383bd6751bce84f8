"""Pictures of curves."""

from __future__ import annotations

from typing import NamedTuple, Sequence

from matplotlib import rc_context
from matplotlib.figure import Figure

from .style import STYLE, axes_grid, legend_width, line_style


class Curve(NamedTuple):
    """One line of a `CurvePanel`.

    Parameters
    ----------
    label : str
        Its name in the legend.
    x, y : sequence of float
        Its points.
    error : sequence of float or None
        Half the length of the error bar at each point; None: no bars.
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]
    error: Sequence[float] | None = None


class CurvePanel(NamedTuple):
    """One diagram of curves.

    Parameters
    ----------
    title : str
        The title above it.
    x_label, y_label : str
        The labels of the axes; the panels of a row share the second.
    curves : sequence of Curve
        The curves, in the order of the legend; a label has the same color in every panel.
    ticks : sequence of str or None
        Names of the points x = 0, 1, 2, ...; None: numbers.
    """

    title: str
    x_label: str
    y_label: str
    curves: Sequence[Curve]
    ticks: Sequence[str] | None = None


def curve_figure(panels: Sequence[CurvePanel], columns: int) -> Figure:
    """Draw diagrams of curves in rows; those of one row have the same vertical scale.

    Parameters
    ----------
    panels : sequence of CurvePanel
        Row by row.
    columns : int
        Panels in a row, >= 1.

    Returns
    -------
    matplotlib.figure.Figure
        For `save_figure`.

    Examples
    --------
    >>> curve = Curve('paper', [0, 1], [1.0, 0.5])
    >>> figure = curve_figure([CurvePanel('one class', 'step', 'distance', [curve])], columns=1)
    """
    labels = list(dict.fromkeys(curve.label for panel in panels for curve in panel.curves))
    right = 0.2 + (0 if len(labels) == 1 else legend_width(labels, columns=1))
    titles = [panel.title for panel in panels]
    handles = {}
    with rc_context(STYLE):
        figure, grid = axes_grid(len(panels), columns, (4.1, 2.7), 0.35, right, titles, sharey='row')
        for i, (axes, panel) in enumerate(zip(grid, panels)):
            for curve in panel.curves:
                number = labels.index(curve.label)
                handles[curve.label] = axes.errorbar(
                    curve.x, curve.y, curve.error, label=curve.label, marker='os^Dv'[number % 5], capsize=3,
                    **line_style(number),
                )  # fmt: skip
            axes.set(title=panel.title, xlabel=panel.x_label)
            if i % columns == 0:
                axes.set_ylabel(panel.y_label)
            if panel.ticks is not None:
                axes.set_xticks(range(len(panel.ticks)))
                axes.set_xticklabels(panel.ticks)
            axes.grid(True)
        if len(labels) > 1:
            figure.legend(handles=[handles[label] for label in labels], loc='center right')
    return figure

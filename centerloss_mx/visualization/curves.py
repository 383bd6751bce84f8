"""Diagrams of curves."""

from __future__ import annotations

from typing import Mapping, NamedTuple, Sequence

import numpy as np
from matplotlib.figure import Figure

from .style import axes_grid, line_style, plain_text


class Curve(NamedTuple):
    """One line of a `CurvePanel`.

    Parameters
    ----------
    label : str
        What it is, for the legend.
    x, y : sequence of float
        Its points.
    error : sequence of float or None
        Half the length of an error bar at each point; None: no bars.
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
        Written above it.
    x_label, y_label : str
        Written at the axes; panels of a row share the second.
    curves : sequence of Curve
        The curves, in the order of the legend; the same label has the same colour in every panel.
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
    right = 0.4 if len(labels) == 1 else 2.6
    figure, grid = axes_grid(len(panels), columns, (4.4, 3.4), right, (0.08, 0.3), sharex=False, sharey='row')
    handles = {}
    for i, (axes, panel) in enumerate(zip(grid, panels)):
        for curve in panel.curves:
            number = labels.index(curve.label)
            handles[curve.label] = axes.errorbar(
                curve.x,
                curve.y,
                curve.error,
                label=curve.label,
                marker='os^Dv'[number % 5],
                capsize=3,
                **line_style(number),
            )
        axes.set(title=panel.title, xlabel=panel.x_label)
        if i % columns == 0:
            axes.set_ylabel(panel.y_label)
        if panel.ticks is not None:
            axes.set_xticks(range(len(panel.ticks)))
            axes.set_xticklabels(panel.ticks)
        axes.grid(alpha=0.3)
    if len(labels) > 1:
        figure.legend(handles=[handles[label] for label in labels], loc='center right', frameon=False)
    return figure


def roc_figure(
    runs: Mapping[str, Sequence[tuple[np.ndarray, np.ndarray]]],
    least: float = 1e-3,
    title: str = 'Verification of people that were not trained on',
) -> Figure:
    """Draw ROC curves: thin ones for the splits of a run, a thick one for their mean.

    Parameters
    ----------
    runs : mapping of str to sequence of (numpy.ndarray, numpy.ndarray)
        By name, the false accept and true accept rates of each split, both (T,) and ascending, 0 to 1.
    least : float
        Where the logarithmic axis of the false accept rate begins.
    title : str
        Written above it.

    Returns
    -------
    matplotlib.figure.Figure
        For `save_figure`.

    Examples
    --------
    >>> figure = roc_figure({'softmax only': [(np.array([0, 0.5, 1]), np.array([0.4, 0.9, 1]))]})
    """
    figure = Figure(figsize=(6.4, 4.6), dpi=100)
    axes = figure.add_axes((0.12, 0.13, 0.84, 0.78))
    far = np.geomspace(least, 1, 200)
    for i, (name, splits) in enumerate(runs.items()):
        # of several points at one false accept rate, the last and highest
        tars = [tar[np.searchsorted(fars, far, side='right') - 1] for fars, tar in splits]
        for tar in tars:
            axes.plot(far, tar, **line_style(i), linewidth=0.6, alpha=0.5)
        label = f'{plain_text(name)}, mean of {len(tars)}' if len(tars) > 1 else plain_text(name)
        axes.plot(far, np.mean(tars, axis=0), **line_style(i), linewidth=2.2, label=label)
    axes.set(
        xscale='log', xlim=(least, 1), ylim=(0, 1.01), xlabel='false accept rate', ylabel='true accept rate',
        title=title,
    )  # fmt: skip
    axes.grid(alpha=0.3)
    axes.legend(loc='lower right')
    return figure

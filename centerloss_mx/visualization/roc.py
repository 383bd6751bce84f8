"""Pictures of ROC curves."""

from __future__ import annotations

from typing import Mapping, Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from .style import STYLE, line_style, plain_text


def roc_figure(
    runs: Mapping[str, Sequence[tuple[np.ndarray, np.ndarray]]],
    least: float = 1e-3,
    title: str = 'Verification of people that were not trained on',
) -> Figure:
    """Draw ROC curves: a thin one for each split of a run, a thick one for their mean.

    Parameters
    ----------
    runs : mapping of str to sequence of (numpy.ndarray, numpy.ndarray)
        By name, the false accept and true accept rates of each split, both (T,) and ascending, 0 to 1.
    least : float
        The smallest false accept rate on the logarithmic axis, > 0 and < 1.
    title : str
        The title above it.

    Returns
    -------
    matplotlib.figure.Figure
        For `save_figure`.

    Examples
    --------
    >>> figure = roc_figure({'softmax only': [(np.array([0, 0.5, 1]), np.array([0.4, 0.9, 1]))]})
    """
    far = np.geomspace(least, 1, 200)
    with rc_context(STYLE):
        figure = Figure(figsize=(6.4, 4.6))
        axes = figure.add_axes((0.12, 0.13, 0.84, 0.78))
        for i, (name, splits) in enumerate(runs.items()):
            # of several points at one false accept rate, the last and highest
            tars = [tar[np.searchsorted(fars, far, side='right') - 1] for fars, tar in splits]
            for tar in tars:
                axes.plot(far, tar, **line_style(i), linewidth=0.6, alpha=0.5)
            label = f'{plain_text(name)}, mean of {len(tars)}' if len(tars) > 1 else plain_text(name)
            axes.plot(far, np.mean(tars, axis=0), **line_style(i), linewidth=2.2, label=label)
        axes.set(
            xscale='log', xlim=(least, 1), ylim=(0, 1.01), xlabel='false accept rate',
            ylabel='true accept rate', title=title,
        )  # fmt: skip
        axes.grid(True)
        axes.legend(loc='lower right', frameon=True)
    return figure

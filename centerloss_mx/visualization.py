"""Pictures of embeddings with matplotlib; imported only when asked for."""

from __future__ import annotations

import os
from typing import Any, NamedTuple, Sequence

import numpy as np

try:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patheffects import withStroke
    from PIL import Image
    from sklearn.decomposition import PCA
except ImportError as error:
    raise ImportError(
        f'centerloss_mx.visualization needs matplotlib and scikit-learn ({error}): '
        "pip install 'centerloss_mx[examples]'"
    ) from error

from .evaluation import class_means, cluster_ratio
from .model import write_whole

__all__ = ['Panel', 'embedding_figure', 'save_animation', 'save_figure']

# Paul Tol's muted scheme: ten colours that the colour-blind tell apart.
COLORS = (
    '#332288', '#88ccee', '#44aa99', '#117733', '#999933',
    '#ddcc77', '#cc6677', '#882255', '#aa4499', '#888888',
)  # fmt: skip


class Panel(NamedTuple):
    """One embedding to draw.

    Parameters
    ----------
    title : str
        Written above it.
    features : numpy.ndarray
        Shape (N, D), D >= 2.
    labels : numpy.ndarray
        Shape (N,), whole numbers >= 0.
    centers : numpy.ndarray or None
        Shape (num_class, D): the trained centers, drawn as crosses; None: there are none.
    """

    title: str
    features: np.ndarray
    labels: np.ndarray
    centers: np.ndarray | None = None


def embedding_figure(panels: Sequence[Panel], limit: float | None = None) -> Figure:
    """Draw embeddings side by side on one scale.

    The unit of every panel is the mean distance between its class means, its origin their mean, so that
    the size of a cluster is what `evaluation.cluster_ratio` measures, and panels of different networks
    compare. Features of more than two dimensions are projected on their first two principal components.

    Parameters
    ----------
    panels : sequence of Panel
        From left to right.
    limit : float or None
        Half the width of every panel, in its unit; None: all but the farthest 0.05 % of the features fit.

    Returns
    -------
    matplotlib.figure.Figure
        For `save_figure`.

    Raises
    ------
    ValueError
        A panel with fewer than two classes, or features that are not finite or not (N, D) with D >= 2.

    Examples
    --------
    >>> figure = embedding_figure([Panel('test', features, labels)])  # doctest: +SKIP
    """
    drawn = [_in_units(panel) for panel in panels]
    if limit is None:
        limit = 1.05 * max(float(np.quantile(np.abs(panel.features), 0.9995)) for panel in drawn)
    width = 5 * len(panels) + 1.6
    figure = Figure(figsize=(width, 5.6), dpi=100)
    figure.subplots_adjust(left=0.8 / width, right=1 - 1 / width, bottom=0.1, top=0.9, wspace=0.05)
    for axes, panel in zip(
        figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0], drawn
    ):
        _scatter(axes, panel)
        axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect='equal', title=panel.title)
        axes.set_xlabel(f'{_axis(panels)} 1 / mean distance between class means')
    figure.axes[0].set_ylabel(f'{_axis(panels)} 2 / mean distance between class means')
    figure.legend(handles=_legend(drawn), loc='center right', frameon=False, title='class')
    return figure


def _axis(panels: Sequence[Panel]) -> str:
    return 'feature' if all(panel.features.shape[1] == 2 for panel in panels) else 'principal component'


def _in_units(panel: Panel) -> Panel:
    if np.ndim(panel.features) != 2 or panel.features.shape[1] < 2:
        raise ValueError(
            f'panel {panel.title!r}: features of shape {panel.features.shape}; expected (N, D), D >= 2'
        )
    unit = cluster_ratio(panel.features, panel.labels).between
    origin = class_means(panel.features, panel.labels)[1].mean(axis=0)
    features = (panel.features - origin) / unit
    centers = None if panel.centers is None else (panel.centers - origin) / unit
    if features.shape[1] > 2:
        pca = PCA(n_components=2).fit(features)
        features = pca.transform(features)
        centers = None if centers is None else pca.transform(centers)
    return panel._replace(features=features, centers=centers)


def _scatter(axes: Axes, panel: Panel) -> None:
    classes, means = class_means(panel.features, panel.labels)
    for j in classes:
        of_class = panel.features[panel.labels == j]
        color = COLORS[int(j) % len(COLORS)]
        axes.scatter(of_class[:, 0], of_class[:, 1], s=4, color=color, linewidths=0)
    if panel.centers is not None:
        x, y = panel.centers[:, 0], panel.centers[:, 1]
        axes.scatter(x, y, marker='P', s=45, color='white', edgecolors='black', linewidths=1)
    for j, mean in zip(classes, means):
        text = axes.annotate(
            f'{int(j)}', mean, (9, 9), textcoords='offset points', fontsize=13, fontweight='bold'
        )
        text.set_path_effects([withStroke(linewidth=3, foreground='white')])


def _legend(panels: Sequence[Panel]) -> list[Line2D]:
    classes = np.unique(np.concatenate([panel.labels for panel in panels]))
    handles = [_mark('o', COLORS[int(j) % len(COLORS)], f'{int(j)}') for j in classes]
    if any(panel.centers is not None for panel in panels):
        handles.append(_mark('P', 'white', 'center', markeredgecolor='black', markersize=9))
    return handles


def _mark(marker: str, color: str, label: str, **style: Any) -> Line2D:
    return Line2D([], [], linestyle='', marker=marker, color=color, label=label, **style)


def save_figure(figure: Figure, path: str | os.PathLike) -> None:
    """Write a figure as PNG, whole or not at all.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure.
    path : path-like
        The file, ending in .png.

    Raises
    ------
    OSError
        The folder cannot be written to.

    Examples
    --------
    >>> save_figure(figure, 'embedding.png')  # doctest: +SKIP
    """
    write_whole(path, lambda name: figure.savefig(name, format='png'))


def save_animation(
    pictures: Sequence[str | os.PathLike], path: str | os.PathLike, seconds: float = 0.7
) -> None:
    """Join pictures of one size to an animated GIF that repeats.

    Parameters
    ----------
    pictures : sequence of path-like
        PNG files, in order.
    path : path-like
        The file, ending in .gif.
    seconds : float
        How long each picture stands, > 0; the last one stands four times as long.

    Raises
    ------
    OSError
        A picture cannot be read, or the folder not be written to.

    Examples
    --------
    >>> save_animation(['epoch-001.png', 'epoch-002.png'], 'epochs.gif')  # doctest: +SKIP
    """
    frames = []
    for picture in pictures:
        with Image.open(picture) as image:
            frames.append(image.convert('P', palette=Image.ADAPTIVE))
    durations = [int(1000 * seconds)] * (len(frames) - 1) + [int(4000 * seconds)]
    write_whole(
        path,
        lambda name: frames[0].save(
            name, format='GIF', save_all=True, append_images=frames[1:], duration=durations, loop=0
        ),
    )

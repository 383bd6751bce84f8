"""Pictures of embeddings."""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from ..evaluation import class_means, cluster_ratio
from .style import COLORS, SHAPES, axes_grid, legend_mark, plain_text, shortened

PROJECTIONS = {'pca': 'principal component', 'tsne': 't-SNE'}  # and what their axes are called


class Panel(NamedTuple):
    """One embedding to draw.

    Parameters
    ----------
    title : str
        Written above it.
    features : numpy.ndarray
        Shape (N, D), D >= 2.
    labels : numpy.ndarray
        Shape (N,), whole numbers >= 0; the same number is the same class in every panel.
    centers : numpy.ndarray or None
        Shape (num_class, D): the trained centers, drawn as crosses; None: there are none.
    """

    title: str
    features: np.ndarray
    labels: np.ndarray
    centers: np.ndarray | None = None


def embedding_figure(
    panels: Sequence[Panel],
    limit: float | None = None,
    columns: int | None = None,
    projection: str = 'pca',
    class_names: Sequence[str] | None = None,
) -> Figure:
    """Draw embeddings side by side on one scale.

    The unit of every panel is the mean distance between its class means, its origin their mean, so that
    the size of a cluster is what `evaluation.cluster_ratio` measures, and panels of different networks
    compare. Features of more than two dimensions are projected on two, each panel's by itself; t-SNE keeps
    neighborhoods and not distances, so that its clusters and the gaps between them have no size.

    Up to ten classes have a colour each, and their clusters bear their names; up to 40, a colour and a shape;
    of more, only the clusters can be told apart.

    Parameters
    ----------
    panels : sequence of Panel
        From left to right.
    limit : float or None
        Half the width of every panel, in its unit; None: all but the farthest 0.05 % of the features fit.
    columns : int or None
        Panels in a row, >= 1; None: one row.
    projection : {'pca', 'tsne'}
        How features of more than two dimensions are projected: on their first two principal components, or by
        scikit-learn's t-SNE (perplexity 30, or less for few samples), together with the centers.
    class_names : sequence of str or None
        The name of each class; None: its number.

    Returns
    -------
    matplotlib.figure.Figure
        For `save_figure`.

    Raises
    ------
    ValueError
        A panel with fewer than two classes, features that are not finite or not (N, D) with D >= 2, or an
        unknown projection.

    References
    ----------
    van der Maaten and Hinton, Visualizing Data using t-SNE, JMLR 2008.

    Examples
    --------
    >>> figure = embedding_figure([Panel('test', features, labels)])  # doctest: +SKIP
    """
    if projection not in PROJECTIONS:
        raise ValueError(f'projection={projection!r} is not one of {", ".join(PROJECTIONS)}')
    drawn = [_in_units(panel, projection) for panel in panels]
    if limit is None:
        limit = 1.05 * max(float(np.quantile(np.abs(panel.features), 0.9995)) for panel in drawn)
    classes = np.unique(np.concatenate([panel.labels for panel in panels])).tolist()
    names = {j: shortened(str(j if class_names is None else class_names[j]), 12) for j in classes}
    styles = _styles(classes)
    handles = _handles(styles, names, any(panel.centers is not None for panel in panels))
    across = 1 if len(handles) <= 24 else 2  # columns of the legend
    columns = len(panels) if columns is None else columns
    axis_of = ['feature' if panel.features.shape[1] == 2 else PROJECTIONS[projection] for panel in panels]
    right = across * (0.8 + 0.1 * max(2, max(map(len, names.values())) - 3))  # inches
    figure, grid = axes_grid(len(panels), columns, (5, 5.04), right, between=(0.05, 0.17))
    for i, (axes, panel) in enumerate(zip(grid, drawn)):
        _scatter(axes, panel, styles, names)
        axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect='equal', title=plain_text(panel.title))
        if i % columns == 0:
            axes.set_ylabel(f'{axis_of[i]} 2 / mean distance between class means')
        if i + columns >= len(grid):  # the last of its column
            axes.set_xlabel(f'{axis_of[i]} 1 / mean distance between class means')
            axes.tick_params(labelbottom=True)
    if handles:
        title = 'class' if len(handles) > 1 else None
        figure.legend(handles=handles, loc='center right', frameon=False, title=title, ncol=across)
    return figure


def _in_units(panel: Panel, projection: str) -> Panel:
    if np.ndim(panel.features) != 2 or panel.features.shape[1] < 2:
        raise ValueError(
            f'panel {panel.title!r}: features of shape {panel.features.shape}; expected (N, D), D >= 2'
        )
    panel = _scaled(panel)
    if panel.features.shape[1] == 2:
        return panel
    if projection == 'tsne':
        return _scaled(_tsne(panel))
    pca = PCA(n_components=2).fit(panel.features)
    centers = None if panel.centers is None else pca.transform(panel.centers)
    return panel._replace(features=pca.transform(panel.features), centers=centers)


def _scaled(panel: Panel) -> Panel:
    """From the mean of the class means, in units of the mean distance between them."""
    unit = cluster_ratio(panel.features, panel.labels).between
    origin = class_means(panel.features, panel.labels)[1].mean(axis=0)
    centers = None if panel.centers is None else (panel.centers - origin) / unit
    return panel._replace(features=(panel.features - origin) / unit, centers=centers)


def _tsne(panel: Panel) -> Panel:
    count = len(panel.features)
    both = panel.features if panel.centers is None else np.concatenate([panel.features, panel.centers])
    both = TSNE(perplexity=min(30, (len(both) - 1) / 3), init='pca', random_state=0).fit_transform(both)
    return panel._replace(
        features=both[:count].astype(np.float64), centers=None if panel.centers is None else both[count:]
    )


def _scatter(
    axes: Axes, panel: Panel, styles: Mapping[int, dict[str, Any]], names: Mapping[int, str]
) -> None:
    classes, means = class_means(panel.features, panel.labels)
    few = len(styles) <= len(COLORS)
    size = 4 if few and len(panel.labels) > 500 else 16
    for j in classes:
        of_class = panel.features[panel.labels == j]
        axes.scatter(of_class[:, 0], of_class[:, 1], s=size, linewidths=0, **styles[j])
    if panel.centers is not None:
        x, y = panel.centers[:, 0], panel.centers[:, 1]
        axes.scatter(
            x,
            y,
            marker='P',
            s=45 if few else 18,
            color='white',
            edgecolors='black',
            linewidths=1 if few else 0.5,
        )
    for j, mean in zip(classes, means) if few else ():
        text = axes.annotate(
            names[j], mean, (9, 9), textcoords='offset points', fontsize=13, fontweight='bold'
        )
        text.set_path_effects([withStroke(linewidth=3, foreground='white')])


def _styles(classes: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Colour and shape of each class; the classes 0 to 9 have the same colours in every picture of them."""
    numbers = classes if max(classes) < len(COLORS) else range(len(classes))
    shapes = SHAPES if len(COLORS) < len(classes) <= len(COLORS) * len(SHAPES) else SHAPES[:1]
    return {
        j: {
            'color': COLORS[number % len(COLORS)],
            'marker': shapes[number // len(COLORS) % len(shapes)],
        }
        for j, number in zip(classes, numbers)
    }


def _handles(styles: Mapping[int, dict[str, Any]], names: Mapping[int, str], centers: bool) -> list[Line2D]:
    told = len(styles) <= len(COLORS) * len(SHAPES)
    handles = [legend_mark(label=names[j], **style) for j, style in styles.items()] if told else []
    if centers:
        handles.append(legend_mark('P', 'white', 'center', markeredgecolor='black', markersize=9))
    return handles

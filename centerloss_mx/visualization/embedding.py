"""Pictures of embeddings."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from .._checks import check_number, check_size
from .key import Key, class_key
from .placement import NEAR, gap, place_boxes
from .projection import Panel, away, axis_label, checked_panels, extent, in_plane
from .style import COLORS, NAME, SMALL, STYLE, TEXT, axes_grid, fitted_title, legend_width, text_width

SIZE = 4.48  # inches of a panel's side
FEW = len(COLORS)  # names that have room for large letters
HALO = withStroke(linewidth=3, foreground='white')  # around letters, over marks


def embedding_figure(
    panels: Sequence[Panel],
    limit: float | None = None,
    columns: int | None = None,
    projection: str = 'pca',
    class_names: Sequence[str] | None = None,
    highlight: Sequence[str | int] | None = None,
) -> Figure:
    """Draw embeddings side by side on one scale.

    The unit of every panel is the mean distance between its class means, its origin their mean. So the size
    of a cluster is what `evaluation.cluster_ratio` measures, and panels of different networks compare.
    Features of more than two dimensions are projected on two, each panel's by itself. t-SNE keeps
    neighborhoods and not distances: its clusters and gaps have no size, and its axes no scale.

    Up to ten classes have a color each, and names at their clusters; up to 40 have a color and a shape. With
    more classes colors repeat, and the picture says so; `highlight` shows a few of them.

    Parameters
    ----------
    panels : sequence of Panel
        From left to right.
    limit : float or None
        Half the width of every panel, in its unit. None: everything fits, except what is more than twice as
        far out as 99 % of the samples. The picture says how many samples and centers lie outside.
    columns : int or None
        Panels in a row, >= 1; None: one row.
    projection : {'pca', 'tsne'}
        How features of more than two dimensions are projected: on their first two principal components, or by
        scikit-learn's t-SNE (perplexity 30, or less for few samples), together with the centers.
    class_names : sequence of str or None
        The name of each class; None: its number.
    highlight : sequence of str or int, or None
        Names or numbers of up to 40 classes that are drawn in color, with names and centers; all other
        classes are grey. None: all classes are in color.

    Returns
    -------
    matplotlib.figure.Figure
        For `save_figure`.

    Raises
    ------
    ValueError
        No panels; a panel with fewer than two classes, features or centers of the wrong shape or not finite;
        a label without a name; a highlighted class that no panel has; an argument outside its range.

    References
    ----------
    van der Maaten and Hinton, Visualizing Data using t-SNE, JMLR 2008.

    Examples
    --------
    >>> figure = embedding_figure([Panel('test', features, labels)], highlight=[3, 7])  # doctest: +SKIP
    """
    panels = checked_panels(panels, class_names, projection)
    if columns is not None:
        check_size('', 'columns', columns)
    if limit is not None:
        check_number('', 'limit', limit, above=True)
    planes = [in_plane([panel], projection)[0] for panel in panels]
    classes = np.unique(np.concatenate([panel.labels for panel in panels])).tolist()
    key = class_key(classes, class_names, highlight, max(len(panel.labels) for panel in panels))
    drawn = [_in_color(plane, key) for plane in planes]
    limit = max(map(extent, drawn)) if limit is None else limit
    with rc_context(STYLE):
        figure, grid = _panels(
            panels, projection, key, any(panel.centers is not None for panel in drawn), columns
        )
        for axes, panel in zip(grid, drawn):
            axes.set(xlim=(-limit, limit), ylim=(-limit, limit))
            _draw(axes, panel, key, limit)
    return figure


def _in_color(panel: Panel, key: Key) -> Panel:
    """Leave out the centers of classes that are drawn in grey."""
    if panel.centers is None or panel.center_labels is None:
        return panel
    shown = np.isin(panel.center_labels, list(key.styles))
    if not shown.any():
        return panel._replace(centers=None, center_labels=None)
    return panel._replace(centers=panel.centers[shown], center_labels=panel.center_labels[shown])


def _panels(
    panels: Sequence[Panel], projection: str, key: Key, centers: bool, columns: int | None
) -> tuple[Figure, list[Axes]]:
    """Make the figure with empty panels, their titles and axes, and the legend."""
    columns = len(panels) if columns is None else columns
    handles = key.handles(centers)
    across = 1 if len(handles) <= 24 else 2  # columns of the legend
    right = legend_width([str(handle.get_label()) for handle in handles], across, key.title)
    titles = [fitted_title(panel.title, SIZE) for panel in panels]
    figure, grid = axes_grid(
        len(panels), columns, (SIZE, SIZE), 0.55, right, titles, sharex=True, sharey=True
    )
    for i, (axes, panel, title) in enumerate(zip(grid, panels, titles)):
        axes.set(aspect='equal', title=title)
        label = axis_label(panel, projection)
        last = i + columns >= len(grid)  # of its column
        if i % columns == 0 or label != axis_label(panels[i - i % columns], projection):
            axes.set_ylabel(label.format(2))
        if last:
            axes.set_xlabel(label.format(1))
            axes.tick_params(labelbottom=True)
        if label.startswith('t-SNE'):
            axes.tick_params(left=False, labelleft=False, bottom=False, labelbottom=False)
    figure.legend(handles=handles, loc='center right', title=key.title, ncol=across)
    return figure, grid


def _draw(axes: Axes, panel: Panel, key: Key, limit: float) -> None:
    """Draw the samples, centers and names that lie within the limit, and say what does not."""
    inside = away(panel.features) <= limit
    if key.num_grey:
        _draw_samples(axes, panel.features[inside & ~np.isin(panel.labels, [*key.styles])], key.grey_style)
    for j, style in key.styles.items():
        if (panel.labels == j).any():
            _draw_samples(axes, panel.features[inside & (panel.labels == j)], style)
    outside = [_share(inside, 'samples')]
    centers = np.zeros((0, 2))
    if panel.centers is not None:
        within = away(panel.centers) <= limit
        outside.append(_share(within, 'centers'))
        centers = panel.centers[within]
        colors = None if panel.center_labels is None else key.center_colors(panel.center_labels[within])
        axes.scatter(centers[:, 0], centers[:, 1], color=colors, clip_on=False, **key.center_style)
    _draw_names(axes, panel, key, centers, limit)
    if any(outside):
        note = f'not shown: {", ".join(filter(None, outside))}, beyond the axes'
        text = axes.text(0.01, 0.01, note, transform=axes.transAxes, fontsize=SMALL)
        text.set_path_effects([HALO])


def _draw_samples(axes: Axes, points: np.ndarray, style: Mapping[str, Any]) -> None:
    """Draw a mark for each sample; one at the frame is drawn completely, not cut by it."""
    axes.scatter(points[:, 0], points[:, 1], linewidths=0, clip_on=False, **style)


def _share(inside: np.ndarray, noun: str) -> str | None:
    return None if inside.all() else f'{(~inside).sum()} of {len(inside)} {noun}'


def _draw_names(axes: Axes, panel: Panel, key: Key, centers: np.ndarray, limit: float) -> None:
    """Write the names of classes near their middles, none over another; a line leads to one farther away."""
    middles = {j: _middle(panel.features[panel.labels == j]) for j in key.names if (panel.labels == j).any()}
    shown = [j for j, middle in middles.items() if np.abs(middle).max() <= limit]
    names = [key.names[j] for j in shown]
    middle_of = np.reshape([middles[j] for j in shown], (-1, 2))
    large = len(names) <= FEW and max(map(len, names), default=0) <= 8
    size = NAME if large else TEXT
    side = 72 * SIZE  # points
    points, crosses = ((where / limit + 1) * side / 2 for where in (middle_of, centers))
    boxes = np.array([(72 * text_width(name, size, 'bold') + 2, 1.1 * size) for name in names])
    obstacles = [(x - 4, y - 4, x + 4, y + 4) for x, y in crosses]
    places = place_boxes(points, boxes, (side, side), obstacles)
    for name, middle, point, box in zip(names, middle_of, points, places):
        if box is None:
            continue  # the legend has it
        offset = box[0] + 1 - point[0], box[1] + 0.24 * size - point[1]  # of the line that letters stand on
        line = {'arrowstyle': '-', 'color': '0.3', 'linewidth': 0.8, 'shrinkA': 0, 'shrinkB': 0}
        text = axes.annotate(
            name, middle, offset, textcoords='offset points', fontsize=size, fontweight='bold',
            arrowprops=line if gap(box, point) > NEAR else None,
        )  # fmt: skip
        text.set_path_effects([HALO])


def _middle(points: np.ndarray) -> np.ndarray:
    """Return the point nearest to the median: where a class has several clusters, their mean is in none."""
    return points[np.abs(points - np.median(points, axis=0)).sum(axis=1).argmin()]

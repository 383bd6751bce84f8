"""Pictures of embeddings with matplotlib; imported only when asked for."""

from __future__ import annotations

import os
from typing import Any, Mapping, NamedTuple, Sequence

import numpy as np

try:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patheffects import withStroke
    from matplotlib.textpath import TextPath
    from matplotlib.ticker import MaxNLocator, PercentFormatter
    from PIL import Image
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
except ImportError as error:
    raise ImportError(
        f'centerloss_mx.visualization needs matplotlib and scikit-learn ({error}): '
        "pip install 'centerloss_mx[examples]'"
    ) from error

from .evaluation import class_accuracies, class_means, cluster_ratio, confused_pairs
from .model import write_whole

__all__ = [
    'Curve',
    'CurvePanel',
    'Panel',
    'class_accuracy_figure',
    'curve_figure',
    'embedding_figure',
    'pairs_figure',
    'roc_figure',
    'save_animation',
    'save_figure',
]

# Paul Tol's muted scheme: ten colours that the colour-blind tell apart.
COLORS = (
    '#332288', '#88ccee', '#44aa99', '#117733', '#999933',
    '#ddcc77', '#cc6677', '#882255', '#aa4499', '#888888',
)  # fmt: skip

FORMATS = ('png', 'svg')
PROJECTIONS = {'pca': 'principal component', 'tsne': 't-SNE'}  # and what their axes are called
SHAPES = ('o', '^', 's', 'D')

CURVE_COLORS = (0, 6, 3, 5, 8)  # the most different ones first


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
    names = {j: _shortened(str(j if class_names is None else class_names[j]), 12) for j in classes}
    styles = _styles(classes)
    handles = _handles(styles, names, any(panel.centers is not None for panel in panels))
    across = 1 if len(handles) <= 24 else 2  # columns of the legend
    columns = len(panels) if columns is None else columns
    axis_of = ['feature' if panel.features.shape[1] == 2 else PROJECTIONS[projection] for panel in panels]
    right = across * (0.8 + 0.1 * max(2, max(map(len, names.values())) - 3))  # inches
    figure, grid = _grid(len(panels), columns, (5, 5.04), right, between=(0.05, 0.17))
    for i, (axes, panel) in enumerate(zip(grid, drawn)):
        _scatter(axes, panel, styles, names)
        axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect='equal', title=_plain(panel.title))
        if i % columns == 0:
            axes.set_ylabel(f'{axis_of[i]} 2 / mean distance between class means')
        if i + columns >= len(grid):  # the last of its column
            axes.set_xlabel(f'{axis_of[i]} 1 / mean distance between class means')
            axes.tick_params(labelbottom=True)
    if handles:
        title = 'class' if len(handles) > 1 else None
        figure.legend(handles=handles, loc='center right', frameon=False, title=title, ncol=across)
    return figure


def _grid(
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
    handles = [_mark(label=names[j], **style) for j, style in styles.items()] if told else []
    if centers:
        handles.append(_mark('P', 'white', 'center', markeredgecolor='black', markersize=9))
    return handles


def _shortened(name: str, length: int) -> str:
    return _plain(name if len(name) <= length else f'{name[: length - 1]}…')


def _plain(text: str) -> str:
    """A text that matplotlib takes for no formula, and for no line that the legend leaves out."""
    lines = [''.join(c if c.isprintable() else ' ' for c in line) for line in text.split('\n')]
    plain = '\n'.join(lines).replace('$', r'\$')
    return f' {plain}' if plain.startswith('_') else plain


def _mark(marker: str, color: str, label: str, **style: Any) -> Line2D:
    return Line2D([], [], linestyle='', marker=marker, color=color, label=label, **style)


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
    figure, grid = _grid(len(panels), columns, (4.4, 3.4), right, (0.08, 0.3), sharex=False, sharey='row')
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
                **_line(number),
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


def _line(number: int) -> dict[str, Any]:
    return {
        'color': COLORS[CURVE_COLORS[number % len(CURVE_COLORS)]],
        'linestyle': ['-', '--', '-.', ':'][number % 4],
    }


def save_figure(figure: Figure, path: str | os.PathLike) -> None:
    """Write a figure as PNG or SVG, whole or not at all.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure.
    path : path-like
        The file, ending in .png or .svg.

    Raises
    ------
    ValueError
        Another ending.
    OSError
        The folder cannot be written to.

    Examples
    --------
    >>> save_figure(figure, 'embedding.png')  # doctest: +SKIP
    """
    kind = os.path.splitext(path)[1][1:].lower()
    if kind not in FORMATS:
        raise ValueError(f'{path}: expected a file that ends in .{" or .".join(FORMATS)}')
    write_whole(path, lambda name: figure.savefig(name, format=kind))


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


def class_accuracy_figure(
    confusions: Mapping[str, np.ndarray], class_names: Sequence[str], num_rows: int = 40, num_pairs: int = 15
) -> Figure:
    """Draw the accuracy of every class, and the pairs of classes that were confused most.

    Networks are compared on the same rows, chosen and sorted by the mean accuracy and the total count over
    all of them: sorted by one of them, chance alone would make another look better at the top and worse at
    the bottom.

    Parameters
    ----------
    confusions : mapping of str to numpy.ndarray
        For each network, four at most, by its title: how many test samples of class j (row) it predicted as
        class k (column), shape (num_class, num_class).
    class_names : sequence of str
        The num_class names.
    num_rows : int
        Of more classes than these, the worst are drawn. Classes without samples never are.
    num_pairs : int
        How many pairs to draw at most.

    Returns
    -------
    matplotlib.figure.Figure
        For `save_figure`.

    Raises
    ------
    ValueError
        A confusion matrix of another shape.

    Examples
    --------
    >>> figure = class_accuracy_figure({'softmax only': np.eye(2, dtype=int)}, ['cat', 'dog'])
    """
    for title, confusion in confusions.items():
        if confusion.shape != (len(class_names), len(class_names)):
            raise ValueError(
                f'{title!r}: confusion of shape {confusion.shape}; expected ({len(class_names)}, '
                f'{len(class_names)}), one row and column for each class name'
            )
    accuracies = np.array([class_accuracies(confusion) for confusion in confusions.values()])
    order = np.argsort(accuracies.mean(axis=0), kind='stable')  # NaN comes last
    classes = order[: np.isfinite(accuracies[0]).sum()]
    shown = classes[:num_rows]
    pairs = confused_pairs(np.sum(list(confusions.values()), axis=0), num_pairs)
    names = [_shortened(name, 24) for name in class_names]
    samples = next(iter(confusions.values())).sum(axis=1)
    figure, (left, right) = _rows_of_text(
        [f'{names[j]} ({samples[j]})' for j in shown], [f'{names[j]} → {names[k]}' for j, k, _ in pairs]
    )
    which = 'all' if len(shown) == len(classes) else f'the worst {len(shown)} of'
    left.set_title(f'Accuracy: {which} {len(classes)} classes (test samples)')
    right.set_title('Most confused: true → predicted' if pairs else 'No sample was confused')
    _draw_accuracies(left, accuracies[:, shown])
    _draw_pairs(right, list(confusions.values()), pairs)
    handles = [
        _mark(marker, color, f'{title}: {np.trace(confusion) / confusion.sum():.2%} right', markersize=8)
        for (title, confusion), (color, marker) in zip(confusions.items(), RUN_STYLES)
    ]
    figure.legend(handles=handles, loc='upper center', ncol=len(handles), frameon=False)
    return figure


RUN_STYLES = ((COLORS[1], 'o'), (COLORS[7], 'D'), (COLORS[3], 's'), (COLORS[5], '^'))


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
            axes.plot(far, tar, **_line(i), linewidth=0.6, alpha=0.5)
        label = f'{_plain(name)}, mean of {len(tars)}' if len(tars) > 1 else _plain(name)
        axes.plot(far, np.mean(tars, axis=0), **_line(i), linewidth=2.2, label=label)
    axes.set(
        xscale='log', xlim=(least, 1), ylim=(0, 1.01), xlabel='false accept rate', ylabel='true accept rate',
        title=title,
    )  # fmt: skip
    axes.grid(alpha=0.3)
    axes.legend(loc='lower right')
    return figure


def pairs_figure(rows: Mapping[str, Sequence[tuple[np.ndarray, np.ndarray, str]]]) -> Figure:
    """Draw pairs of pictures in rows, each with a caption.

    Parameters
    ----------
    rows : mapping of str to sequence of (numpy.ndarray, numpy.ndarray, str)
        By title, the pairs: two pictures (channels, height, width), of 1 or 3 channels, and a caption. Each
        picture is drawn from its own darkest to its own brightest value.

    Returns
    -------
    matplotlib.figure.Figure
        For `save_figure`.

    Examples
    --------
    >>> figure = pairs_figure({'alike': [(np.zeros((1, 8, 8)), np.ones((1, 8, 8)), 'cosine 0.9')]})
    """
    count = max(map(len, rows.values()))
    height, width = next(pair[0].shape[1:] for pairs in rows.values() for pair in pairs)
    across, margin = 0.95, 0.2  # inches of a picture, and between pairs
    down = across * height / width
    row_height = down + 0.62
    size = (count * (2 * across + margin) + margin, len(rows) * row_height + 0.1)
    figure = Figure(figsize=size, dpi=100)
    for i, (title, pairs) in enumerate(rows.items()):
        top = size[1] - i * row_height - 0.3
        figure.text(margin / size[0], (top + 0.06) / size[1], title, fontsize=11, weight='bold')
        for k, (*pictures, caption) in enumerate(pairs):
            left = margin + k * (2 * across + margin)
            for side, picture in enumerate(pictures):
                place = (
                    (left + side * across) / size[0],
                    (top - down) / size[1],
                    across / size[0],
                    down / size[1],
                )
                axes = figure.add_axes(place)
                axes.axis('off')
                span = np.ptp(picture) or 1
                axes.imshow(((picture - picture.min()) / span).transpose(1, 2, 0).squeeze(), cmap='gray')
            figure.text(
                (left + across) / size[0], (top - down - 0.17) / size[1], caption, ha='center', fontsize=9
            )
    return figure


def _rows_of_text(*columns: Sequence[str]) -> tuple[Figure, list[Axes]]:
    """Make axes side by side with a row for each line of text, the rows as high in all of them."""
    row, panel, top, bottom = 0.22, 4.2, 0.8, 0.6  # inches
    margins = [
        0.3 + max((TextPath((0, 0), text, size=10).get_extents().x1 / 72 for text in column), default=0)
        for column in columns
    ]
    width = sum(margins) + panel * len(columns) + 0.3
    height = top + row * max(1, *map(len, columns)) + bottom
    figure = Figure(figsize=(width, height), dpi=100)
    for i, column in enumerate(columns):
        left, rows = sum(margins[: i + 1]) + panel * i, max(1, len(column))
        axes = figure.add_axes(
            (left / width, 1 - (top + row * rows) / height, panel / width, row * rows / height)
        )
        axes.set_yticks(range(len(column)), column, fontsize=10)
        axes.set_ylim(rows - 0.5, -0.5)
        axes.grid(axis='x', color='0.9')
        axes.set_axisbelow(True)
    return figure, figure.axes


def _draw_accuracies(axes: Axes, accuracies: np.ndarray) -> None:
    """Draw a mark for each network (row) and class (column), those of a class joined by a line."""
    rows = np.arange(accuracies.shape[1])
    axes.hlines(rows, accuracies.min(axis=0), accuracies.max(axis=0), color='0.7', linewidth=1, zorder=1)
    for i, ((color, marker), of_network) in enumerate(zip(RUN_STYLES, accuracies)):
        # The first is the largest, so that a mark of equal accuracy does not hide it.
        size = 70 if i == 0 else 22
        axes.scatter(of_network, rows, s=size, color=color, marker=marker, clip_on=False, zorder=2)
    axes.set(xlim=(0, 1), xlabel='accuracy')
    axes.xaxis.set_major_formatter(PercentFormatter(1))


def _draw_pairs(axes: Axes, confusions: Sequence[np.ndarray], pairs: Sequence[tuple[int, int, int]]) -> None:
    """Draw a bar for each pair and network."""
    height = 0.8 / len(confusions)
    for i, ((color, _), confusion) in enumerate(zip(RUN_STYLES, confusions)):
        rows = np.arange(len(pairs)) + (i - (len(confusions) - 1) / 2) * height
        axes.barh(rows, [confusion[j, k] for j, k, _ in pairs], height, color=color)
    most = max((int(confusion[j, k]) for confusion in confusions for j, k, _ in pairs), default=1)
    axes.set(xlim=(0, 1.05 * most), xlabel='test samples')
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))

"""Pictures of class accuracies and confused classes."""

from __future__ import annotations

from typing import Mapping, Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from ..evaluation import class_accuracies, confused_pairs
from .style import RUN_STYLES, STYLE, TEXT, legend_mark, plain_text, short_name, text_width


def class_accuracy_figure(
    confusions: Mapping[str, np.ndarray], class_names: Sequence[str], num_rows: int = 40, num_pairs: int = 15
) -> Figure:
    """Draw the accuracy of every class, and the pairs of classes that were confused most.

    Classes are chosen and sorted by their mean accuracy over all networks, and pairs by their total count.
    If they were sorted by one network, chance alone would make the others look better at the top and worse
    at the bottom.

    Parameters
    ----------
    confusions : mapping of str to numpy.ndarray
        By title, the confusion matrix of each network, at most four: how many test samples of class j (row)
        it predicted as class k (column), shape (num_class, num_class).
    class_names : sequence of str
        The num_class names of the classes.
    num_rows : int
        The largest number of classes; of more, the worst are drawn. A class without samples is not drawn.
    num_pairs : int
        The largest number of pairs.

    Returns
    -------
    matplotlib.figure.Figure
        For `save_figure`.

    Raises
    ------
    ValueError
        A confusion matrix of another shape, or more than four.

    Examples
    --------
    >>> figure = class_accuracy_figure({'softmax only': np.eye(2, dtype=int)}, ['cat', 'dog'])
    """
    _check_confusions(confusions, len(class_names))
    accuracies = np.array([class_accuracies(confusion) for confusion in confusions.values()])
    order = np.argsort(accuracies.mean(axis=0), kind='stable')  # NaN comes last
    classes = order[: np.isfinite(accuracies[0]).sum()]
    shown = classes[:num_rows]
    pairs = confused_pairs(np.sum(list(confusions.values()), axis=0), num_pairs)
    names = [short_name(name, 24) for name in class_names]
    samples = next(iter(confusions.values())).sum(axis=1)
    which = 'all' if len(shown) == len(classes) else f'the worst {len(shown)} of'
    with rc_context(STYLE):
        figure, (left, right) = _rows_of_text(
            [f'{names[j]} ({samples[j]})' for j in shown], [f'{names[j]} → {names[k]}' for j, k, _ in pairs]
        )
        left.set_title(f'Accuracy: {which} {len(classes)} classes (test samples)')
        right.set_title('Most confused: true → predicted' if pairs else 'No sample was confused')
        _draw_accuracies(left, accuracies[:, shown])
        _draw_pairs(right, list(confusions.values()), pairs)
        handles = [
            legend_mark(
                marker,
                color,
                f'{plain_text(title)}: {np.trace(confusion) / confusion.sum():.2%} right',
                markersize=8,
            )
            for (title, confusion), (color, marker) in zip(confusions.items(), RUN_STYLES)
        ]
        figure.legend(handles=handles, loc='upper center', ncol=len(handles))
    return figure


def _check_confusions(confusions: Mapping[str, np.ndarray], num_class: int) -> None:
    if not 0 < len(confusions) <= len(RUN_STYLES):
        raise ValueError(f'{len(confusions)} networks to compare; expected 1 to {len(RUN_STYLES)}')
    for title, confusion in confusions.items():
        if confusion.shape != (num_class, num_class):
            raise ValueError(
                f'{title!r}: confusion of shape {confusion.shape}; expected ({num_class}, {num_class}), '
                'one row and column for each class name'
            )


def _rows_of_text(*columns: Sequence[str]) -> tuple[Figure, list[Axes]]:
    """Make axes side by side with a row for each line of text; rows have one height in all of them."""
    row, panel, top, bottom = 0.22, 4.2, 0.8, 0.6  # inches
    margins = [0.3 + max((text_width(text, TEXT) for text in column), default=0) for column in columns]
    width = sum(margins) + panel * len(columns) + 0.3
    height = top + row * max(1, *map(len, columns)) + bottom
    figure = Figure(figsize=(width, height))
    for i, column in enumerate(columns):
        left, rows = sum(margins[: i + 1]) + panel * i, max(1, len(column))
        axes = figure.add_axes(
            (left / width, 1 - (top + row * rows) / height, panel / width, row * rows / height)
        )
        axes.set_yticks(range(len(column)), column)
        axes.set_ylim(rows - 0.5, -0.5)
        axes.grid(axis='x')
    return figure, figure.axes


def _draw_accuracies(axes: Axes, accuracies: np.ndarray) -> None:
    """Draw a mark for each network (row) and class (column); a line joins the marks of a class."""
    rows = np.arange(accuracies.shape[1])
    axes.hlines(rows, accuracies.min(axis=0), accuracies.max(axis=0), color='0.7', linewidth=1, zorder=1)
    for i, ((color, marker), of_network) in enumerate(zip(RUN_STYLES, accuracies)):
        # the first is the largest, so that a mark of equal accuracy does not hide it
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

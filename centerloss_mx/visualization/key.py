"""The key of a picture of classes: which have a color, a shape, a name and a place in the legend."""

from __future__ import annotations

import numbers
from typing import Any, Mapping, NamedTuple, Sequence

import numpy as np
from matplotlib.lines import Line2D

from .._checks import first_names
from .style import COLORS, SHAPES, legend_mark, short_name

GREY = '#d4d4d4'  # of classes that are not highlighted
HIGHLIGHTS = (*COLORS[:-1], '#000000')  # no grey among them
MOST = len(COLORS) * len(SHAPES)  # classes that can be told apart


class Key(NamedTuple):
    """How the classes of a picture are drawn.

    Parameters
    ----------
    styles : mapping of int to dict
        Color, marker and size of each class that is drawn in color.
    names : mapping of int to str
        The names at clusters, short; empty: no cluster bears a name.
    labels : mapping of int to str
        The names in the legend, longer; empty: it lists no classes.
    title : str
        Written above the legend.
    num_grey : int
        The number of other classes, which are drawn in grey without centers.
    grey_style, center_style : mapping of str to Any
        The marks of other classes and of centers.
    """

    styles: Mapping[int, Mapping[str, Any]]
    names: Mapping[int, str]
    labels: Mapping[int, str]
    title: str
    num_grey: int
    grey_style: Mapping[str, Any]
    center_style: Mapping[str, Any]

    @property
    def grey_label(self) -> str:
        """What the legend says of the other classes."""
        return f'{self.num_grey} other class{"es" if self.num_grey > 1 else ""}'

    def handles(self, centers: bool) -> list[Line2D]:
        """Return what the legend lists, with centers or without."""
        marks = [(label, self.styles[j]) for j, label in self.labels.items()]
        if self.num_grey:
            marks.append((self.grey_label, self.grey_style))
        handles = [legend_mark(mark['marker'], mark['color'], label) for label, mark in marks]
        if centers:
            handles.append(legend_mark('P', 'white', 'center', markeredgecolor='black', markersize=9))
        return handles

    def center_colors(self, classes: np.ndarray) -> list[str]:
        """Return the color of each center: white, or among grey classes its class's, as it may hide them."""
        return [self.styles[j]['color'] if self.num_grey else 'white' for j in classes.tolist()]


def class_key(
    classes: Sequence[int],
    class_names: Sequence[str] | None,
    highlight: Sequence[str | int] | None,
    num_samples: int,
) -> Key:
    """Give each class its color, shape and name, or only the highlighted ones; marks for so many samples."""
    names = {j: str(j if class_names is None else class_names[j]) for j in classes}
    colored = classes if highlight is None else _chosen(highlight, names)
    few, apart = len(colored) <= len(COLORS), len(colored) <= MOST
    size = 16 if num_samples <= 500 else 4
    colored_size = 25 if highlight is not None else 16 if not few else size
    center = {'marker': 'P', 's': 45 if few else 18 if apart else 8, 'linewidths': 1 if few else 0.5}
    return Key(
        styles=_styles(colored, COLORS if highlight is None else HIGHLIGHTS, colored_size),
        names={j: short_name(names[j], 12) for j in colored if few or highlight is not None},
        labels={j: short_name(names[j], 24) for j in colored if apart},
        title='class' if apart else f'{len(colored)} classes: colors repeat',
        num_grey=len(classes) - len(colored),
        grey_style={'marker': 'o', 'color': GREY, 's': size},
        center_style={**center, 'edgecolors': 'black'},
    )


def _styles(classes: Sequence[int], palette: Sequence[str], size: int) -> dict[int, dict[str, Any]]:
    """Color and shape of each class; the classes 0 to 9 have the same colors in every picture of them."""
    places = classes if max(classes) < len(palette) else range(len(classes))
    shapes = SHAPES if len(palette) < len(classes) <= MOST else SHAPES[:1]
    return {
        j: {
            'color': palette[place % len(palette)],
            'marker': shapes[place // len(palette) % len(shapes)],
            's': size,
        }
        for j, place in zip(classes, places)
    }


def _chosen(highlight: Sequence[str | int], names: Mapping[int, str]) -> list[int]:
    """The numbers of the highlighted classes, in the order given."""
    chosen: dict[int, None] = {}
    for wanted in highlight:
        if isinstance(wanted, numbers.Integral):
            found = [j for j in names if j == wanted]
        else:
            found = [j for j, name in names.items() if name == wanted]
        if not found:
            raise ValueError(
                f'highlight: no sample is of class {wanted!r}; expected numbers or names of classes drawn: '
                f'{first_names([*names.values()])}'
            )
        chosen.update(dict.fromkeys(found))
    if not 0 < len(chosen) <= MOST:
        raise ValueError(f'highlight: {len(chosen)} classes; expected 1 to {MOST}, which can be told apart')
    return list(chosen)

"""`centerloss-mx plot`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Sequence

import numpy as np

from .._checks import quantity
from ..model import Features, load_features
from .output import check_output
from .plot_options import PlotOptions
from .plot_pictures import check_same_samples, names_of, thumbnails_of

if TYPE_CHECKING:
    from ..visualization import Panel


def plot(options: PlotOptions) -> None:
    """Draw the features of each file in a panel, and as a step of a page."""
    from ..visualization import embedding_figure, embedding_page, save_figure, save_page

    _check_outputs(options)
    sets = [load_features(path, labelled=True) for path in options.features]
    class_names = list(dict.fromkeys(name for features in sets for name in features.class_names))
    rows = [_rows(features, options.num_samples, options.seed) for features in sets]
    panels = [
        _panel(*of_one, class_names, options.no_centers) for of_one in zip(_titles(options), sets, rows)
    ]
    drawn: dict[str, Any] = {
        'projection': options.projection,
        'class_names': class_names,
        'highlight': options.highlight,
    }
    if options.html is not None:
        check_same_samples(options.features, sets)
        names = names_of(sets[0], rows[0])
        pictures = thumbnails_of(options, sets[0], rows[0])
        save_page(embedding_page(panels, names=names, pictures=pictures, **drawn), options.html)
    if options.output:
        figure = embedding_figure(panels, **drawn)
        for path in options.output:
            save_figure(figure, path)
    written = [*options.output, *([] if options.html is None else [options.html])]
    print(f'Look at {" and ".join(map(str, written))}')


def _check_outputs(options: PlotOptions) -> None:
    """Refuse files that cannot be written and options that would be ignored, before anything is read."""
    for path in options.output:
        check_output(path, options.force, '.png', '.svg')
    if options.html is not None:
        check_output(options.html, options.force, '.html')
    elif options.pictures is not None:
        raise ValueError(f'--pictures {options.pictures}: they are for --html FILE')
    elif not options.output:
        raise ValueError('nothing to write; expected -o FILE, --html FILE or both')
    if options.part is not None and options.pictures is None:
        raise ValueError(f'--part {options.part}: it is a part of --pictures DATA')


def _panel(
    title: str, features: Features, rows: np.ndarray, class_names: Sequence[str], no_centers: bool
) -> Panel:
    """Make a panel, with the classes numbered as in `class_names`."""
    from ..visualization import Panel

    numbers = {name: number for number, name in enumerate(class_names)}
    number_of = np.array([numbers[name] for name in features.class_names])
    centers = None if no_centers else features.centers
    center_labels = [numbers.get(name, -1) for name in features.trained_on or ()]
    return Panel(
        title,
        features.features[rows],
        number_of[features.labels[rows]],
        centers,
        None if centers is None else np.array(center_labels),
    )


def _titles(options: PlotOptions) -> list[str]:
    """Return the titles given, or the files' names, with their folders where two files have one name."""
    stems = [Path(path).stem for path in options.features]
    titles = options.titles or (stems if len(set(stems)) == len(stems) else options.features)
    if len(titles) != len(options.features):
        raise ValueError(
            f'--titles: {quantity(len(titles), "title")} for {quantity(len(options.features), "file")}; '
            'expected one for each file'
        )
    return titles


def _rows(features: Features, num_samples: int | None, seed: int) -> np.ndarray:
    """Select rows at random if there are more than `num_samples`."""
    rows = np.arange(len(features.labels))
    if num_samples is None or num_samples >= len(rows):
        return rows
    return np.random.RandomState(seed).permutation(rows)[:num_samples]

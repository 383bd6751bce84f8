"""`centerloss-mx plot`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .._checks import quantity
from ..model import Features, load_features
from .output import check_output
from .plot_options import PlotOptions


def plot(options: PlotOptions) -> None:
    """Draw the features of each file in a panel."""
    from ..visualization import Panel, embedding_figure, save_figure

    for path in options.output:
        check_output(path, options.force, '.png', '.svg')
    sets = [load_features(path, labelled=True) for path in options.features]
    names = list(dict.fromkeys(name for features in sets for name in features.class_names))
    numbers = {name: number for number, name in enumerate(names)}
    panels = []
    for title, features in zip(_titles(options), sets):
        rows = _rows(features, options.num_samples, options.seed)
        number_of = np.array([numbers[name] for name in features.class_names])
        centers = None if options.no_centers else features.centers
        center_labels = [numbers.get(name, -1) for name in features.trained_on or ()]
        panels.append(
            Panel(
                title,
                features.features[rows],
                number_of[features.labels[rows]],
                centers,
                None if centers is None else np.array(center_labels),
            )
        )
    figure = embedding_figure(
        panels, projection=options.projection, class_names=names, highlight=options.highlight
    )
    for path in options.output:
        save_figure(figure, path)
    print(f'Look at {" and ".join(map(str, options.output))}')


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

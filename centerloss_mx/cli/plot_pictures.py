"""The samples on a page of `centerloss-mx plot`: their names and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

import numpy as np

from ..dataset import Samples, has_parts, load_samples
from ..io import Images
from ..model import Features
from .plot_options import PlotOptions


def check_same_samples(paths: Sequence[str], sets: Sequence[Features]) -> None:
    """Raise ValueError unless all files are of the same samples in the same order."""
    first = sets[0]
    for path, features in zip(paths, sets):
        if features.names != first.names or not np.array_equal(features.classes, first.classes):
            raise ValueError(
                f'{path} and {paths[0]} are of other samples; --html shows files of the same samples, one '
                'after the other'
            )


def names_of(features: Features, rows: np.ndarray) -> list[str]:
    """Return what the page calls each sample: its file without the folders, or its row."""
    if features.names is None:
        return [f'row {row}' for row in rows]
    return [Path(features.names[row]).name for row in rows]


def thumbnails_of(options: PlotOptions, features: Features, rows: np.ndarray) -> list[str] | None:
    """Make pictures of rows of features; None, with a line that says why, if there are no files of them."""
    from ..visualization import thumbnails

    if options.pictures is not None:
        return thumbnails(_embedded(options.pictures, options.part, features).take(rows))
    names = features.names or []
    missing = next((name for name in names if not Path(name).is_file()), None)
    if not names or missing is not None:
        reason = 'the features name no files' if missing is None else f'there is no file {missing}'
        print(f'without pictures: {reason}; --pictures names what was embedded')
        return None
    return thumbnails(Images(features.labels, features.class_names, names).take(rows))


def _embedded(source: str, part: str | None, features: Features) -> Samples:
    """Load the samples of a source in the order of their features."""
    part = 'test' if part is None and has_parts(source) else part
    samples = load_samples(source, part, labelled=None)
    if isinstance(samples, Images) and features.names is not None:
        row_of = {name: row for row, name in enumerate(samples.names)}
        other = next((name for name in features.names if name not in row_of), None)
        if other is not None:
            raise ValueError(f'--pictures: {source} has no {other}; expected the samples that were embedded')
        return samples.take([row_of[name] for name in features.names])
    classes = np.array(samples.class_names)[samples.labels] if samples.class_names else features.classes
    if len(samples.labels) != len(features.labels) or not np.array_equal(classes, features.classes):
        raise ValueError(
            f'--pictures: {source} has {len(samples.labels)} samples of other classes than the '
            f'{len(features.labels)} features; expected the samples that were embedded'
        )
    return samples

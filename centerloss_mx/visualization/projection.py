"""Embeddings in the plane: projected on two dimensions, moved and scaled to compare."""

from __future__ import annotations

from typing import NamedTuple, Sequence

import numpy as np

from .._checks import check_choice
from ..evaluation import class_means, cluster_ratio
from ..evaluation.estimators import principal_components, tsne
from ..evaluation.inputs import checked_features

PROJECTIONS = ('pca', 'tsne')


class Panel(NamedTuple):
    """One embedding to draw.

    Parameters
    ----------
    title : str
        The title above it.
    features : numpy.ndarray
        Shape (N, D), D >= 2.
    labels : numpy.ndarray
        Shape (N,), whole numbers >= 0. A number is the same class in every panel.
    centers : numpy.ndarray or None
        Shape (C, D): the trained centers, drawn as crosses for the classes in `labels`; None: no centers.
    center_labels : numpy.ndarray or None
        Shape (C,): the class of each center, -1 for none; None: row j is the center of class j.
    """

    title: str
    features: np.ndarray
    labels: np.ndarray
    centers: np.ndarray | None = None
    center_labels: np.ndarray | None = None


def checked_panels(
    panels: Sequence[Panel], class_names: Sequence[str] | None, projection: str
) -> list[Panel]:
    """Return the panels with arrays; ValueError: there are none, or a label has no name."""
    check_choice('', 'projection', projection, PROJECTIONS)
    if not panels:
        raise ValueError('no panels to draw; expected at least one')
    panels = [
        panel._replace(features=np.asarray(panel.features), labels=np.asarray(panel.labels))
        for panel in panels
    ]
    for panel in panels:
        if class_names is not None:
            _check_named(panel, len(class_names))
    return panels


def in_plane(panels: Sequence[Panel], projection: str) -> list[Panel]:
    """Return panels of two dimensions, each in its unit, with the centers of the classes in it only.

    Features of more than two dimensions are projected together, so that a place is the same in all panels.
    """
    panels = [_prepared(panel) for panel in panels]
    dims = [panel.features.shape[1] for panel in panels]
    other = next((i for i, dim in enumerate(dims) if dim != dims[0]), None)
    if other is not None:
        raise ValueError(
            f'panel {panels[other].title!r} has {dims[other]} dimensions and panel {panels[0].title!r} '
            f'{dims[0]}; expected one number, to project them together'
        )
    if dims[0] == 2:
        return panels
    try:
        return _tsne(panels) if projection == 'tsne' else _principal(panels)
    except ValueError as error:
        titles = ' and '.join(repr(panel.title) for panel in panels)
        together = f'panel {titles}' if len(panels) == 1 else f'panels {titles}, one after the other'
        raise ValueError(f'{together}: {error}') from None


def extent(panel: Panel) -> float:
    """Half the width in which a panel fits, but for outliers: one of them would make all clusters tiny."""
    distances = away(panel.features)
    farthest = max(distances.max(), 0 if panel.centers is None else away(panel.centers).max())
    return 1.05 * float(min(farthest, 2 * np.quantile(distances, 0.99)))


def away(points: np.ndarray) -> np.ndarray:
    """How far points (N, 2) are from the origin along the axis where it is farther, (N,)."""
    return np.abs(points).max(axis=1)


def axis_label(panel: Panel, projection: str) -> str:
    """Return what the axes of a panel (before its projection) show, '{}' for the number of the axis."""
    if panel.features.shape[1] == 2:
        return 'feature {} / mean distance between class means'
    if projection == 'tsne':
        return 't-SNE {}'  # its distances have no unit
    return 'principal component {} / mean distance between class means'


def _check_named(panel: Panel, num_class: int) -> None:
    unnamed = (panel.labels < 0) | (panel.labels >= num_class)
    if unnamed.any():
        row = int(unnamed.argmax())
        raise ValueError(
            f'panel {panel.title!r}: label {panel.labels[row]} at row {row} is outside 0..{num_class - 1}, '
            'the classes in class_names'
        )


def _prepared(panel: Panel) -> Panel:
    try:
        features = checked_features(panel.features)
        if features.shape[1] < 2:
            raise ValueError(f'features of shape {features.shape}; expected (N, D), D >= 2')
        return _in_units(_with_shown_centers(panel._replace(features=features)))
    except ValueError as error:
        raise ValueError(f'panel {panel.title!r}: {error}') from None


def _with_shown_centers(panel: Panel) -> Panel:
    if panel.centers is None:
        return panel
    centers, dim = np.asarray(panel.centers), panel.features.shape[1]
    if centers.ndim != 2 or centers.shape[1] != dim:
        raise ValueError(f'centers of shape {centers.shape}; expected (C, {dim})')
    labels = np.arange(len(centers)) if panel.center_labels is None else np.asarray(panel.center_labels)
    if labels.shape != centers.shape[:1]:
        raise ValueError(f'center_labels of shape {labels.shape}; expected ({len(centers)},)')
    shown = np.isin(labels, panel.labels)
    if not shown.any():
        return panel._replace(centers=None, center_labels=None)
    return panel._replace(
        centers=checked_features(centers[shown], name='centers'), center_labels=labels[shown]
    )


def _in_units(panel: Panel) -> Panel:
    """Move the mean of the class means to 0, and divide by the mean distance between them."""
    origin, unit = _frame(panel.features, panel.labels)
    centers = None if panel.centers is None else (panel.centers - origin) / unit
    return panel._replace(features=(panel.features - origin) / unit, centers=centers)


def _frame(features: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the mean of the class means, and the mean distance between them."""
    unit = cluster_ratio(features, labels).between
    return class_means(features, labels)[1].mean(axis=0), unit


def _principal(panels: Sequence[Panel]) -> list[Panel]:
    project = principal_components(np.concatenate([panel.features for panel in panels]), 2)
    return [
        panel._replace(
            features=project(panel.features),
            centers=None if panel.centers is None else project(panel.centers),
        )
        for panel in panels
    ]


def _tsne(panels: Sequence[Panel]) -> list[Panel]:
    """Embed features and centers together, as t-SNE has no mapping for points that come later."""
    parts = [panel.features for panel in panels]
    parts += [panel.centers for panel in panels if panel.centers is not None]
    placed = tsne(np.concatenate(parts))
    labels = np.concatenate([panel.labels for panel in panels])
    origin, unit = _frame(placed[: len(labels)], labels)
    ends = np.cumsum([len(part) for part in parts])
    split = iter(np.split((placed - origin) / unit, ends[:-1]))
    panels = [panel._replace(features=next(split)) for panel in panels]
    return [panel._replace(centers=None if panel.centers is None else next(split)) for panel in panels]

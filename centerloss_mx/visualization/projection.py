"""Embeddings in the plane: projected on two dimensions, moved and scaled to compare."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

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


def in_plane(panel: Panel, projection: str) -> Panel:
    """Return a panel of two dimensions, in its unit, with the centers of the classes in it only."""
    try:
        features = checked_features(panel.features)
        if features.shape[1] < 2:
            raise ValueError(f'features of shape {features.shape}; expected (N, D), D >= 2')
        panel = _in_units(_with_shown_centers(panel._replace(features=features)))
        if features.shape[1] == 2:
            return panel
        if projection == 'tsne':
            return _in_units(_tsne(panel))
        return _principal(panel)
    except ValueError as error:
        raise ValueError(f'panel {panel.title!r}: {error}') from None


def axis_label(panel: Panel, projection: str) -> str:
    """Return what the axes of a panel (before its projection) show, '{}' for the number of the axis."""
    if panel.features.shape[1] == 2:
        return 'feature {} / mean distance between class means'
    if projection == 'tsne':
        return 't-SNE {}'  # its distances have no unit
    return 'principal component {} / mean distance between class means'


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
    unit = cluster_ratio(panel.features, panel.labels).between
    origin = class_means(panel.features, panel.labels)[1].mean(axis=0)
    centers = None if panel.centers is None else (panel.centers - origin) / unit
    return panel._replace(features=(panel.features - origin) / unit, centers=centers)


def _principal(panel: Panel) -> Panel:
    project = principal_components(panel.features, 2)
    centers = None if panel.centers is None else project(panel.centers)
    return panel._replace(features=project(panel.features), centers=centers)


def _tsne(panel: Panel) -> Panel:
    """Embed features and centers together, as t-SNE has no mapping for points that come later."""
    count = len(panel.features)
    both = panel.features if panel.centers is None else np.concatenate([panel.features, panel.centers])
    both = tsne(both)
    return panel._replace(features=both[:count], centers=None if panel.centers is None else both[count:])

"""Features of samples in .npz files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple, Sequence

import numpy as np

from .._checks import quantity
from .._files import read_npz, write_npz
from ..dataset import numbered


class Features(NamedTuple):
    """Features of samples with their classes, and what their network was trained on.

    Parameters
    ----------
    features : numpy.ndarray
        (N, D).
    labels : numpy.ndarray
        int (N,), 0..num_class-1.
    class_names : list of str
        Names of the classes, num_class of them.
    names : list of str or None
        Names of the samples, their files or records, N of them; None: they have none.
    centers : numpy.ndarray or None
        (C, D): the trained centers, a row for each name in `trained_on`; None: there are none.
    trained_on : list of str or None
        Names of the classes that the network was trained on; None: unknown.
    network : str or None
        Digest of the network up to the layer, as `FeatureExtractor.digest` makes it; None: unknown.
    """

    features: np.ndarray
    labels: np.ndarray
    class_names: list[str]
    names: list[str] | None = None
    centers: np.ndarray | None = None
    trained_on: list[str] | None = None
    network: str | None = None

    @property
    def classes(self) -> np.ndarray:
        """Name of the class of each sample, (N,)."""
        return np.array(self.class_names)[self.labels]


def save_features(path: str | os.PathLike, features: Features) -> None:
    """Write features to an .npz file, without pickled objects, completely or not at all.

    Parameters
    ----------
    path : path-like
        The file, ending in .npz.
    features : Features
        What to write; each field is an array of that name.

    Raises
    ------
    ValueError
        The path does not end in .npz, or features are not finite.
    OSError
        The folder does not exist or cannot be written to.

    Examples
    --------
    >>> save_features('test.npz', features)  # doctest: +SKIP
    """
    if Path(path).suffix != '.npz':
        raise ValueError(f'{path}: expected a file that ends in .npz')
    try:
        _check_finite(features.features, features.names)
    except ValueError as error:
        raise ValueError(f'{path} is not written: {error}') from None
    arrays = {name: np.array(value) for name, value in features._asdict().items() if value is not None}
    write_npz(path, arrays)


def load_features(path: str | os.PathLike) -> Features:
    """Read features from an .npz file: one of `save_features`, or any with the arrays features and labels.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    Features
        If the file has no `class_names`, the classes are numbered in the order of their labels.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is damaged, contains pickled objects, lacks an array, or has arrays that do not fit each
        other or features that are not finite.

    Examples
    --------
    >>> features = load_features('test.npz')  # doctest: +SKIP
    """
    arrays = read_npz(path, ['features', 'labels'], Features._fields[2:])
    try:
        return _from_arrays(arrays)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from None


def _from_arrays(arrays: dict[str, np.ndarray]) -> Features:
    features, labels = arrays['features'], arrays['labels']
    if features.ndim != 2 or features.dtype.kind not in 'fiu' or labels.shape != features.shape[:1]:
        raise ValueError(
            f'features {features.dtype} {features.shape} and labels of shape {labels.shape}; '
            'expected numbers (N, D), and (N,)'
        )
    _check_finite(features, arrays.get('names'))
    names = _lists_of_names(arrays)
    if len(names.get('names', features)) != len(features):
        raise ValueError(f'{len(features)} features, but {quantity(len(names["names"]), "name")}')
    if 'class_names' in names:
        _check_labels(labels, len(names['class_names']))
    else:
        names['class_names'], labels = numbered(labels)
    centers = arrays.get('centers')
    if centers is not None:
        _check_centers(centers, (len(names.get('trained_on', ())), features.shape[1]))
    network = str(arrays['network']) if 'network' in arrays else None
    return Features(features, labels.astype(np.int64), centers=centers, network=network, **names)


def _check_finite(features: np.ndarray, names: Sequence[str] | np.ndarray | None) -> None:
    with np.errstate(over='ignore'):  # beyond float32, squares would overflow in float64, too
        finite = np.isfinite(features.astype(np.float32)).all(axis=1)
    if not finite.all():
        row = int(finite.argmin())
        name = f' ({names[row]})' if names is not None and len(names) == len(features) else ''
        raise ValueError(f'features at row {row}{name} are not finite')


def _lists_of_names(arrays: dict[str, np.ndarray]) -> dict[str, list[str]]:
    found = {key: arrays[key] for key in ('class_names', 'names', 'trained_on') if key in arrays}
    for key, names in found.items():
        if names.ndim != 1:
            raise ValueError(f'{key} of shape {names.shape}; expected a list of names')
    return {key: [*map(str, names)] for key, names in found.items()}


def _check_labels(labels: np.ndarray, num_class: int) -> None:
    integers = labels.dtype.kind in 'iu'
    outside = (labels < 0) | (labels >= num_class) if integers else np.ones(len(labels), bool)
    if outside.any():
        row = int(outside.argmax())
        raise ValueError(f'label {labels[row]} at row {row} is outside 0..{num_class - 1}')


def _check_centers(centers: np.ndarray, expected: tuple[int, int]) -> None:
    if centers.dtype.kind != 'f':
        raise ValueError(f'centers are {centers.dtype}; expected float')
    if centers.shape != expected:
        raise ValueError(
            f'centers of shape {centers.shape}; expected a row of {expected[1]} for each class in trained_on'
        )
    if not np.isfinite(centers).all():
        raise ValueError('the centers are not finite')

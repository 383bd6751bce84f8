"""Features in .npz files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple, Sequence

import numpy as np

from .._files import read_npz, write_whole
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
        The name of each class, num_class of them.
    names : list of str or None
        Of each sample, its file or record; None: the samples have no names.
    centers : numpy.ndarray or None
        (C, D): the trained centers, a row for each name in `trained_on`; None: there are none.
    trained_on : list of str or None
        The names of the classes that the network was trained on; None: nobody knows.
    """

    features: np.ndarray
    labels: np.ndarray
    class_names: list[str]
    names: list[str] | None = None
    centers: np.ndarray | None = None
    trained_on: list[str] | None = None

    @property
    def classes(self) -> np.ndarray:
        """Of each sample, the name of its class; (N,)."""
        return np.array(self.class_names)[self.labels]


def save_features(path: str | os.PathLike, features: Features) -> None:
    """Write features as an .npz file, whole or not at all; nothing in it is pickled.

    Parameters
    ----------
    path : path-like
        The file, ending in .npz.
    features : Features
        What to write; each field is an array of that name.

    Raises
    ------
    ValueError
        A path that does not end in .npz, or features that are not finite.
    OSError
        The folder is not there or cannot be written to.

    Examples
    --------
    >>> save_features('test.npz', features)  # doctest: +SKIP
    """
    if Path(path).suffix != '.npz':
        raise ValueError(f'{path}: expected a file that ends in .npz')
    _check_finite(features.features, f'{path} is not written', features.names)
    arrays = {name: np.array(value) for name, value in features._asdict().items() if value is not None}
    write_whole(path, lambda name: np.savez(name, **arrays))


def load_features(path: str | os.PathLike) -> Features:
    """Read features from an .npz file: one of `save_features`, or any with the arrays features and labels.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    Features
        Where the file has no `class_names`, the classes are numbered in the order of their labels.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is damaged or pickled, lacks an array, or has arrays that do not fit each other, or features
        that are not finite.

    Examples
    --------
    >>> features = load_features('test.npz')  # doctest: +SKIP
    """
    arrays = read_npz(path, ['features', 'labels'], Features._fields[2:])
    features, labels = arrays['features'], arrays['labels']
    if features.ndim != 2 or features.dtype.kind not in 'fiu' or labels.shape != features.shape[:1]:
        raise ValueError(
            f'{path}: features {features.dtype} {features.shape} and labels of shape {labels.shape}; '
            'expected numbers (N, D), and (N,)'
        )
    _check_finite(features, path, arrays.get('names'))
    for name in ('class_names', 'names', 'trained_on'):
        if name in arrays and arrays[name].ndim != 1:
            raise ValueError(f'{path}: {name} of shape {arrays[name].shape}; expected a list of names')
    if 'names' in arrays and len(arrays['names']) != len(features):
        raise ValueError(f'{path}: {len(arrays["names"])} names of {len(features)} features')
    if 'class_names' not in arrays:
        try:
            class_names, labels = numbered(labels)
            arrays['class_names'] = np.array(class_names)
        except ValueError as error:
            raise ValueError(f'{path}: {error}') from None
    num_class = len(arrays['class_names'])
    outside = (
        (labels < 0) | (labels >= num_class) if labels.dtype.kind in 'iu' else np.ones(len(labels), bool)
    )
    if outside.any():
        row = int(outside.argmax())
        raise ValueError(f'{path}: label {labels[row]} at row {row} is outside 0..{num_class - 1}')
    centers, trained_on = arrays.get('centers'), arrays.get('trained_on')
    if centers is not None and centers.dtype.kind != 'f':
        raise ValueError(f'{path}: centers are {centers.dtype}; expected float')
    if centers is not None and (trained_on is None or centers.shape != (len(trained_on), features.shape[1])):
        raise ValueError(
            f'{path}: centers of shape {centers.shape}; expected a row of {features.shape[1]} for each class '
            'in trained_on'
        )
    if centers is not None and not np.isfinite(centers).all():
        raise ValueError(f'{path}: the centers are not finite')
    names = {key: [*map(str, arrays[key])] for key in ('class_names', 'names', 'trained_on') if key in arrays}
    return Features(features, labels.astype(np.int64), centers=centers, **names)


def _check_finite(features: np.ndarray, where: object, names: Sequence[str] | np.ndarray | None) -> None:
    with np.errstate(over='ignore'):  # beyond float32, squares would overflow in float64, too
        finite = np.isfinite(features.astype(np.float32)).all(axis=1)
    if not finite.all():
        row = int(finite.argmin())
        name = f' ({names[row]})' if names is not None and len(names) == len(features) else ''
        raise ValueError(f'{where}: features at row {row}{name} are not finite')

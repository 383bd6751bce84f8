"""Features of samples in .npz files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NamedTuple, Sequence

import numpy as np

from .._checks import quantity
from .._files import read_npz, write_npz
from ..dataset import numbered
from ..io.class_names import as_text, check_distinct

_NAMES = ('class_names', 'names', 'trained_on')
_CHECKPOINT: dict[str, Any] = {
    'prefix': str,
    'epoch': int,
    'layer': str,
    'flip': (str, bool, type(None)),
    'preprocessing': dict,
}
_MOST_SETTINGS = 2**16  # characters: some ten times those of `train`
_NO_LABELS = 'the features have no labels; expected those of samples with labels'


class Features(NamedTuple):
    """Features of samples with their classes, and what their network was trained on.

    Parameters
    ----------
    features : numpy.ndarray
        (N, D).
    labels : numpy.ndarray
        int (N,), 0..num_class-1; -1 for samples without labels.
    class_names : list of str
        Names of the classes, num_class of them; none for samples without labels.
    names : list of str or None
        Names of the samples, their files or records, N of them; None: they have none.
    centers : numpy.ndarray or None
        (C, D): the trained centers, a row for each name in `trained_on`; None: there are none.
    trained_on : list of str or None
        Names of the classes that the network was trained on; None: unknown.
    network : str or None
        Digest of the network up to the layer, as `FeatureExtractor.digest` makes it; None: unknown.
    checkpoint : dict or None
        The checkpoint: 'prefix', 'epoch', 'layer'; 'flip', as given to `FeatureExtractor.predict`; and
        'preprocessing', as given to `dataset.load_samples`. None: unknown.
    training_settings : dict or None
        What the training was done with, and what was embedded: JSON values by name, 65,536 characters at
        most. If it has a 'seed', an int, then files that are equal but for it are of trainings that differ in
        the seed only: `evaluate` averages them. None: unknown.
    """

    features: np.ndarray
    labels: np.ndarray
    class_names: list[str]
    names: list[str] | None = None
    centers: np.ndarray | None = None
    trained_on: list[str] | None = None
    network: str | None = None
    checkpoint: dict[str, Any] | None = None
    training_settings: dict[str, Any] | None = None

    @property
    def classes(self) -> np.ndarray:
        """Name of the class of each sample, (N,); ValueError: they have no labels."""
        if not self.class_names:
            raise ValueError(_NO_LABELS)
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
        The path does not end in .npz, or `load_features` would refuse the file, or read other names.
    OSError
        The folder does not exist or cannot be written to.

    Examples
    --------
    >>> save_features('test.npz', features)  # doctest: +SKIP
    """
    if Path(path).suffix != '.npz':
        raise ValueError(f'{path}: expected a file that ends in .npz')
    try:
        values = features._asdict()
        for name in (name for name in ('checkpoint', 'training_settings') if values[name] is not None):
            values[name] = json.dumps(values[name])
        arrays = {name: np.array(value) for name, value in values.items() if value is not None}
        read = _from_arrays(arrays)
        for name in (name for name in _NAMES if name in arrays):
            _check_kept(name, getattr(features, name), getattr(read, name))
    except ValueError as error:
        raise ValueError(f'{path} is not written: {error}') from None
    write_npz(path, arrays)


def load_features(path: str | os.PathLike, labelled: bool = False) -> Features:
    """Read features from an .npz file: one of `save_features`, or any with the arrays features and labels.

    Parameters
    ----------
    path : path-like
        The file.
    labelled : bool
        Whether features without labels are refused.

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
        other, features that are not finite, or two classes of one name. Or `labelled`, and it has no labels.

    Examples
    --------
    >>> features = load_features('test.npz')  # doctest: +SKIP
    """
    arrays = read_npz(path, ['features', 'labels'], Features._fields[2:])
    try:
        features = _from_arrays(arrays)
        if labelled and not features.class_names:
            raise ValueError(_NO_LABELS)
        return features
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from None


def _from_arrays(arrays: dict[str, np.ndarray]) -> Features:
    features, labels = arrays['features'], arrays['labels']
    if features.ndim != 2 or features.dtype.kind not in 'fiu' or labels.shape != features.shape[:1]:
        raise ValueError(
            f'features {features.dtype} {features.shape} and labels of shape {labels.shape}; '
            'expected numbers (N, D), and (N,)'
        )
    names = _lists_of_names(arrays)
    _check_finite(features, names.get('names'))
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
    return Features(
        features,
        labels.astype(np.int64),
        centers=centers,
        network=network,
        checkpoint=_checkpoint(str(arrays['checkpoint'])) if 'checkpoint' in arrays else None,
        training_settings=(
            _settings(str(arrays['training_settings'])) if 'training_settings' in arrays else None
        ),
        **names,
    )


def _checkpoint(text: str) -> dict[str, Any]:
    found = _object(text)
    if found is None or not all(isinstance(found.get(name, ...), kind) for name, kind in _CHECKPOINT.items()):
        raise ValueError(f'checkpoint is {text[:100]!r}; expected JSON with {", ".join(_CHECKPOINT)}')
    return found


def _settings(text: str) -> dict[str, Any]:
    if len(text) > _MOST_SETTINGS:
        raise ValueError(f'training_settings are {len(text)} characters; expected {_MOST_SETTINGS} at most')
    found = _object(text)
    if found is None or type(found.get('seed', 0)) is not int:
        raise ValueError(
            f'training_settings are {text[:100]!r}; expected an object in JSON, whose seed is an integer'
        )
    return found


def _object(text: str) -> dict[str, Any] | None:
    """Read an object in JSON; None: the text is something else."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _check_finite(features: np.ndarray, names: Sequence[str] | None) -> None:
    with np.errstate(over='ignore'):  # beyond float32, squares would overflow in float64, too
        finite = np.isfinite(features.astype(np.float32)).all(axis=1)
    if not finite.all():
        row = int(finite.argmin())
        name = f' ({names[row]})' if names is not None and len(names) == len(features) else ''
        raise ValueError(f'features at row {row}{name} are not finite')


def _lists_of_names(arrays: dict[str, np.ndarray]) -> dict[str, list[str]]:
    found = {}
    for key in _NAMES:
        if key in arrays:
            if arrays[key].ndim != 1 or arrays[key].dtype.hasobject:
                raise ValueError(f'{key} of shape {arrays[key].shape}; expected a list of names')
            try:
                found[key] = as_text(arrays[key])
            except ValueError as error:
                raise ValueError(f'{key}: {error}') from None
    check_distinct('class_names', found.get('class_names', []))
    return found


def _check_kept(key: str, given: Sequence[object], read: list[str]) -> None:
    """Raise ValueError if NumPy's arrays do not keep a name: they drop NULs at its end."""
    for row, (name, kept) in enumerate(zip(given, read)):
        if kept != (name.decode() if isinstance(name, bytes) else str(name)):
            raise ValueError(f'{key}: {name!r} at row {row} would be read as {kept!r}')


def _check_labels(labels: np.ndarray, num_class: int) -> None:
    integers = labels.dtype.kind in 'iu'
    if integers and not num_class and (labels == -1).all():
        return  # samples without labels
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

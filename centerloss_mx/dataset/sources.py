"""Samples by the name of a set, a folder or a file."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .._checks import check_choice, first_names
from .._optional import require
from ..io import list_images, load_mnist, read_idx
from .arrays import Arrays, Samples, as_arrays, load_arrays

SOURCES = ('digits', 'lfw', 'olivetti')  # that `load_samples` knows by name


def load_samples(
    source: str | os.PathLike,
    part: str | None = None,
    class_names: Sequence[str] | None = None,
    min_classes: int = 1,
) -> Samples:
    """Find samples and their classes, whatever they are in.

    Parameters
    ----------
    source : str or path-like
        - ``'digits'``: the 12,000 digits of MNIST in the package;
        - ``'lfw'`` (people with 5 pictures at least) or ``'olivetti'``: faces that scikit-learn downloads;
        - a folder of idx files with MNIST's names (``train-images-idx3-ubyte``, ``t10k-…``, gzipped or not);
        - an idx file of images, with that of the labels beside it (``…-images-idx3-ubyte`` and
          ``…-labels-idx1-ubyte``);
        - an .npz file, see `load_arrays`;
        - a folder of class folders, or a .rec file, see `io.list_images`.
    part : {'train', 'test'} or None
        Of the digits and of a folder of idx files, which part; None: the one to train with. The other sources
        have no parts.
    class_names : sequence of str, optional
        The classes of a training set, to load the test set that goes with it: labels then count in these.
    min_classes : int
        How many classes are expected at least.

    Returns
    -------
    io.Images or Arrays
        For `samples_iter`.

    Raises
    ------
    FileNotFoundError
        There is nothing of that name.
    ValueError
        What is there cannot be read, has no parts, or too few classes, or has one that is not in
        `class_names`.
    ImportError
        Faces, and scikit-learn is not installed.

    Examples
    --------
    >>> load_samples('digits', 'test').images.shape
    (2000, 1, 28, 28)
    """
    if part is not None:
        check_choice('', 'part', part, ('train', 'test'))
    if part is not None and not has_parts(source):
        raise ValueError(f'{source} has no parts to train and to test with')
    path = Path(source)
    if str(source) in SOURCES:
        samples = _named(str(source), part)
    elif has_parts(source):
        samples = _idx_arrays(_part_of(path, part or 'train'))
    elif path.suffix == '.npz' and path.exists():
        samples = load_arrays(path)
    elif path.is_file() and path.suffix != '.rec':
        samples = _idx_arrays(path)
    elif path.exists():
        return list_images(path, class_names, min_classes)
    else:
        raise FileNotFoundError(
            f'{source}: not there; expected a folder of class folders, a .rec, .npz or idx file, or one of '
            f'{", ".join(SOURCES)}'
        )
    found = len(np.unique(samples.labels))
    if found < min_classes:
        raise ValueError(f'{source}: {found} classes; expected {min_classes} at least')
    return samples if class_names is None else _in_classes(samples, class_names, source)


def has_parts(source: str | os.PathLike) -> bool:
    """Whether a source of `load_samples` has parts of its own to train and to test with.

    Parameters
    ----------
    source : str or path-like
        As for `load_samples`.

    Returns
    -------
    bool

    Examples
    --------
    >>> has_parts('digits'), has_parts('olivetti')
    (True, False)
    """
    if str(source) in SOURCES:
        return str(source) == 'digits'
    return Path(source).is_dir() and any(_PARTS.fullmatch(name) for name in os.listdir(source))


_PARTS = re.compile(r'(train|t10k)-images[-.]idx3-ubyte(\.gz)?')


def _named(source: str, part: str | None) -> Arrays:
    if source == 'digits':
        images, labels = load_mnist()[2:] if part == 'test' else load_mnist()[:2]
        return as_arrays(images, labels)
    datasets = require('sklearn.datasets', source)
    if source == 'lfw':
        found = datasets.fetch_lfw_people(min_faces_per_person=5, resize=0.5)
        return as_arrays(found.images, found.target_names[found.target])
    found = datasets.fetch_olivetti_faces()
    return as_arrays(found.images, found.target)


def _part_of(folder: Path, part: str) -> Path:
    """The idx file of images of a part."""
    prefix = {'train': 'train-', 'test': 't10k-'}[part]
    found = sorted(path for path in folder.iterdir() if _PARTS.fullmatch(path.name))
    of_part = [path for path in found if path.name.startswith(prefix)]
    if not of_part:
        raise FileNotFoundError(f'{folder}: expected {prefix}images-idx3-ubyte beside {found[0].name}')
    return of_part[0]


def _idx_arrays(images_path: Path) -> Arrays:
    labels_path = _labels_beside(images_path)
    images, labels = read_idx(images_path), read_idx(labels_path)
    if images.dtype != np.uint8 or images.ndim not in (3, 4):
        raise ValueError(
            f'{images_path}: {images.dtype} {images.shape}; expected images, uint8 (N, height, width)'
        )
    if labels.shape != images.shape[:1]:
        raise ValueError(f'{labels_path}: labels of shape {labels.shape}; expected {images.shape[:1]}')
    return as_arrays(images, labels)


def _labels_beside(images_path: Path) -> Path:
    name = images_path.name.replace('images', 'labels').replace('idx3', 'idx1')
    if name == images_path.name:
        raise ValueError(
            f'{images_path}: expected a folder, an .npz or .rec file, or the idx file …-images-idx3-ubyte, '
            'with its labels beside it'
        )
    plain = name[: -len('.gz')] if name.endswith('.gz') else name
    paths = [images_path.with_name(other) for other in (name, plain, f'{plain}.gz')]
    return next((path for path in paths if path.is_file()), paths[0])


def _in_classes(samples: Arrays, class_names: Sequence[str], source: Any) -> Arrays:
    """The same samples, their labels counting in `class_names`."""
    numbers_of = {name: number for number, name in enumerate(class_names)}
    unknown = [name for name in samples.class_names if name not in numbers_of]
    if unknown:
        known = first_names(class_names)
        raise ValueError(f'{source}: class {unknown[0]} is not one of the {len(class_names)}: {known}')
    to = np.array([numbers_of[name] for name in samples.class_names])
    return samples._replace(labels=to[samples.labels], class_names=list(class_names))

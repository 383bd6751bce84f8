"""`load_samples`: samples by the name of a set, a folder or a file."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .._checks import check_choice
from .._choices import SOURCES
from .._optional import require
from ..io import list_images, load_mnist, read_idx
from ..io.class_names import check_class_count, class_numbers
from .arrays import Arrays, Samples, as_arrays, load_arrays

_IMAGES_OF_A_PART = re.compile(r'(train|t10k)-images[-.]idx3-ubyte(\.gz)?')


def load_samples(
    source: str | os.PathLike,
    part: str | None = None,
    class_names: Sequence[str] | None = None,
    min_classes: int = 1,
    layout: str | None = None,
    image_size: int | tuple[int, int] | None = None,
    fit: str | None = None,
    mean: tuple[float, float, float] | None = None,
    std: tuple[float, float, float] | None = None,
    label_column: str | None = None,
    min_images: int = 1,
) -> Samples:
    """Load samples and their classes from any kind of source.

    Parameters
    ----------
    source : str or path-like
        - ``'digits'``: the 12,000 digits of MNIST in the package;
        - ``'lfw'`` (people with at least 5 pictures) or ``'olivetti'``: faces that scikit-learn downloads;
        - a folder of idx files with MNIST's names (``train-images-idx3-ubyte``, ``t10k-…``, gzipped or not);
        - an idx file of images, with that of the labels beside it (``…-images-idx3-ubyte`` and
          ``…-labels-idx1-ubyte``);
        - an .npz file, see `load_arrays`;
        - a folder of class folders, or a .rec file, see `io.list_images`.
    part : {'train', 'test'} or None
        The part of the digits or of a folder of idx files; None: ``'train'``. Other sources have no parts.
    class_names : sequence of str, optional
        For a test set: the classes of the training set. The labels are then numbers of these classes.
    min_classes : int
        The least number of classes.
    layout, image_size, fit, mean, std, label_column, min_images
        How the samples are read, see `SourceOptions`.

    Returns
    -------
    io.Images or Arrays
        For `samples_iter`.

    Raises
    ------
    FileNotFoundError
        There is no source of that name.
    ValueError
        The source cannot be read, has no parts, has fewer classes than `min_classes`, or has a class that is
        not one of `class_names`.
    ImportError
        ``'lfw'`` or ``'olivetti'``, and scikit-learn is not installed.

    Examples
    --------
    >>> load_samples('digits', 'test').images.shape
    (2000, 1, 28, 28)
    """
    if part is not None:
        check_choice('', 'part', part, ('train', 'test'))
    if part is not None and not has_parts(source):
        raise ValueError(f'part={part!r}: {source} is not divided into a training and a test part')
    path = Path(source)
    if str(source) in SOURCES:
        samples = _named_set(str(source), part)
    elif has_parts(source):
        samples = _idx_arrays(_images_of_part(path, part or 'train'))
    elif path.suffix == '.npz' and path.exists():
        samples = load_arrays(path)
    elif path.is_file() and path.suffix != '.rec':
        samples = _idx_arrays(path)
    elif path.exists():
        return list_images(path, class_names, min_classes)
    else:
        what = 'is a link to what does not exist' if path.is_symlink() else 'does not exist'
        raise FileNotFoundError(
            f'{source} {what}; expected a folder of class folders, a .rec, .npz or idx file, or one of '
            f'{", ".join(SOURCES)}'
        )
    check_class_count(samples.labels, min_classes, source)
    if class_names is None:
        return samples
    numbers = class_numbers(class_names, samples.class_names, source)
    new_number = np.array([numbers[name] for name in samples.class_names])
    return samples._replace(labels=new_number[samples.labels], class_names=list(class_names))


def has_parts(source: str | os.PathLike) -> bool:
    """Whether a source of `load_samples` has one part for training and one for testing.

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
    return Path(source).is_dir() and any(_IMAGES_OF_A_PART.fullmatch(name) for name in os.listdir(source))


def _named_set(source: str, part: str | None) -> Arrays:
    if source == 'digits':
        images, labels = load_mnist()[2:] if part == 'test' else load_mnist()[:2]
        return as_arrays(images, labels)
    datasets = require('sklearn.datasets', source)
    if source == 'lfw':
        found = datasets.fetch_lfw_people(min_faces_per_person=5, resize=0.5)
        return as_arrays(found.images, found.target_names[found.target])
    found = datasets.fetch_olivetti_faces()
    return as_arrays(found.images, found.target)


def _images_of_part(folder: Path, part: str) -> Path:
    """The idx file of images of a part."""
    prefix = {'train': 'train-', 'test': 't10k-'}[part]
    found = sorted(path for path in folder.iterdir() if _IMAGES_OF_A_PART.fullmatch(path.name))
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
    try:
        return as_arrays(images, labels)
    except ValueError as error:
        raise ValueError(f'{images_path}: {error}') from None


def _labels_beside(images_path: Path) -> Path:
    """The idx file of labels that belongs to one of images, gzipped or not."""
    name = images_path.name.replace('images', 'labels').replace('idx3', 'idx1')
    if name == images_path.name:
        raise ValueError(
            f'{images_path}: expected a folder, an .npz or .rec file, or the idx file …-images-idx3-ubyte, '
            'with its labels beside it'
        )
    plain = name[: -len('.gz')] if name.endswith('.gz') else name
    paths = [images_path.with_name(other) for other in (name, plain, f'{plain}.gz')]
    return next((path for path in paths if path.is_file()), paths[0])

"""`load_samples`: samples by the name of a set, a folder or a file."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .._checks import check_choice
from .._choices import SOURCES
from .._optional import require
from ..io import list_images, load_mnist, read_idx
from ..io.class_names import check_class_count, class_numbers
from ..io.listing import is_picture
from ..io.preprocessing import OF_ARRAYS, preprocessing_of
from .arrays import Arrays, Samples, as_arrays, load_arrays
from .small_classes import without_small_classes
from .tables import load_table

_IMAGES_OF_A_PART = re.compile(r'(train|t10k)-images[-.]idx3-ubyte(\.gz)?')


def load_samples(
    source: str | os.PathLike | Sequence[str | os.PathLike],
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
    test_column: str | None = None,
    labelled: bool | None = True,
) -> Samples:
    """Load samples and their classes from any kind of source.

    Parameters
    ----------
    source : str, path-like, or sequence of path-like
        - ``'digits'``: the 12,000 digits of MNIST in the package;
        - ``'lfw'`` (people with at least 5 pictures) or ``'olivetti'``: faces that scikit-learn downloads;
        - a folder of idx files with MNIST's names (``train-images-idx3-ubyte``, ``t10k-…``, gzipped or not);
        - an idx file of images, with that of the labels beside it (``…-images-idx3-ubyte`` and
          ``…-labels-idx1-ubyte``);
        - an .npz file, see `load_arrays`, or a .csv file, see `load_table`;
        - a folder of class folders, a .rec file, or pictures, also those of InsightFace's .bin file of pairs,
          see `io.list_images`.
    part : {'train', 'test'} or None
        The part of the digits or of a folder of idx files; None: ``'train'``. Other sources have no parts.
    class_names : sequence of str, optional
        For a test set: the classes of the training set. The labels are then numbers of these classes.
    min_classes : int
        The least number of classes.
    layout, image_size, fit, mean, std, label_column, min_images, test_column
        How the samples are read, see `SourceOptions`; for `test_column`, `split_by_rows`.
    labelled : bool or None
        Whether the samples have labels; None: as the source has them. Samples without labels have no
        `class_names`, and their labels are -1.

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
    preprocessing = preprocessing_of(image_size, fit, mean, std)
    if min_images < 1:
        raise ValueError(f'min_images={min_images} is not > 0')
    of_labels = {'min_images': min_images if min_images > 1 else None}
    if not isinstance(source, (str, os.PathLike)):
        of_files = {'layout': layout, 'label_column': label_column, 'test_column': test_column}
        _check_not_given('a list', 'pictures', part=part, **of_files)
        images = list_images(source, labelled=labelled)
        _check_not_given('a list', 'samples without labels', **of_labels)
        return images._replace(preprocessing=preprocessing)
    if part is not None:
        check_choice('', 'part', part, ('train', 'test'))
        if not has_parts(source):
            raise ValueError(f'part={part!r}: {source} is not divided into a training and a test part')
    samples: Samples
    if _is_of_pictures(Path(source)):
        _check_not_given(source, 'pictures in files', layout=layout, test_column=test_column)
        images = list_images(source, class_names, 1, _label_number(source, label_column), labelled)
        samples = images._replace(preprocessing=preprocessing)
    else:
        _check_not_given(source, 'arrays', image_size=image_size, fit=fit)
        if preprocessing.over(OF_ARRAYS)[2:] != OF_ARRAYS[2:]:
            _check_not_given(source, 'arrays of mean 0 and std 255', mean=mean, std=std)
        samples = _with_class_names(
            _arrays(source, part, layout, label_column, labelled, test_column), class_names, source
        )
    if not samples.class_names:
        _check_not_given(source, 'samples without labels', **of_labels)
        return samples
    if class_names is None:
        samples = without_small_classes(samples, min_images, source)
    hint = ', each a folder of its pictures' if os.path.isdir(source) else ''
    check_class_count(samples.labels, min_classes, source, hint)
    return samples


def _is_of_pictures(path: Path) -> bool:
    """Whether a path is of pictures: one, a .rec file, or a folder that has none of MNIST's idx files."""
    if str(path) in SOURCES or has_parts(path):
        return False
    return path.is_dir() or (path.is_file() and (path.suffix in ('.rec', '.bin') or is_picture(path)))


def _label_number(source: Any, label_column: str | int | None) -> int | None:
    """The number of a label among those of a record."""
    if label_column is None:
        return None
    if str(source).endswith('.rec') and str(label_column).isdecimal():
        return int(label_column)
    expected = '0 for the first label of a record, 1, ...' if str(source).endswith('.rec') else 'None'
    raise ValueError(f'label_column={label_column!r}: {source} holds pictures; expected {expected}')


def _check_not_given(source: Any, what: str, **options: Any) -> None:
    """Raise ValueError for an option that samples of this kind do not have."""
    for name, value in options.items():
        if value is not None:
            raise ValueError(f'{name}={value!r}: {source} holds {what}, which have no such option')


def _arrays(
    source: str | os.PathLike,
    part: str | None,
    layout: str | None,
    label_column: str | None,
    labelled: bool | None,
    test_column: str | None,
) -> Arrays:
    """Load samples that are arrays: of a name, an .npz, .csv or idx file, or a folder of idx files."""
    path = Path(source)
    if path.suffix == '.csv' and path.exists():
        _check_not_given(source, 'vectors', layout=layout)
        return load_table(path, label_column, labelled, test_column)
    _check_not_given(source, 'arrays without columns', label_column=label_column)
    if path.suffix == '.npz' and path.exists():
        return load_arrays(path, layout, labelled)
    _check_not_given(source, 'arrays without columns', test_column=test_column)
    if str(source) in SOURCES:
        samples = _named_set(str(source), part)
    elif has_parts(source):
        samples = _idx_arrays(_images_of_part(path, part or 'train'), layout)
    elif path.is_file():
        samples = _idx_arrays(path, layout)
    else:
        what = 'is a link to what does not exist' if path.is_symlink() else 'does not exist'
        picture = '' if labelled else 'a picture, '
        raise FileNotFoundError(
            f'{source} {what}; expected {picture}a folder of class folders, a .rec, .npz, .csv or idx file, '
            f'or one of {", ".join(SOURCES)}'
        )
    return samples if labelled in (None, True) else as_arrays(samples.images, None)


def _with_class_names(samples: Arrays, class_names: Sequence[str] | None, source: Any) -> Arrays:
    """Number the classes of a test set as those of the training set."""
    if class_names is None or not samples.class_names:
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


def _idx_arrays(images_path: Path, layout: str | None = None) -> Arrays:
    labels_path = _labels_beside(images_path)
    images, labels = read_idx(images_path), read_idx(labels_path)
    if images.dtype != np.uint8 or images.ndim not in (3, 4):
        raise ValueError(
            f'{images_path}: {images.dtype} {images.shape}; expected images, uint8 (N, height, width)'
        )
    if labels.shape != images.shape[:1]:
        raise ValueError(f'{labels_path}: labels of shape {labels.shape}; expected {images.shape[:1]}')
    try:
        return as_arrays(images, labels, layout)
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

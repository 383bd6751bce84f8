"""`list_images`: pictures and their classes in a folder, a list or a .rec file."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Iterable, Union

import numpy as np

from .._checks import quantity
from .._files import check_file
from .._mxnet.pictures import SUFFIXES
from ..operator.labels import check_labels, exact_below
from .bin_pairs import bin_images
from .class_names import check_class_count, class_numbers, numbered
from .images import Images
from .records import labelled_records

_LOGGER = logging.getLogger(__name__)

PathLike = Union[str, 'os.PathLike[str]']


def list_images(
    path: PathLike | Sequence[PathLike],
    class_names: Sequence[str] | None = None,
    min_classes: int = 2,
    label_column: int | None = None,
    labelled: bool | None = True,
) -> Images:
    """List the pictures in a folder of class folders, or in a .rec file with its index.

    All labels are read and checked; no picture is read. Files that are no pictures are passed over, and
    counted in a line of the log.

    Parameters
    ----------
    path : path-like, or sequence of path-like
        A folder of class folders, each with the pictures of one class: .jpg, .jpeg, .png, .bmp, .tif; and
        .pgm, .ppm and .webp, for which Pillow has to be installed. Classes are numbered in the order of their
        names; hidden files are skipped. Or a .rec file with its .idx beside it, as MXNet's `im2rec.py` or
        InsightFace write them. Without labels also a folder of pictures, a picture, several, or
        InsightFace's .bin file of pairs.
    class_names : sequence of str, optional
        For a test set: the classes of the training set. They must contain the names of the class folders; the
        labels of a .rec file are names of theirs, or else their numbers. None: the classes found. Those of a
        .rec file are named after their labels, '0', '1', ..., and numbered in this order.
    min_classes : int
        The least number of classes.
    label_column : int or None
        Which label counts in a .rec file whose records have several, from 0.
    labelled : bool or None
        Whether the pictures have labels. If not, `labels` are -1, and there are no `class_names`. None: those
        of class folders and .rec files have.

    Returns
    -------
    Images
        For `image_iter`.

    Raises
    ------
    FileNotFoundError
        `path` is neither a folder nor a .rec file, or there is no .idx beside it.
    ValueError
        A class folder has no pictures or is not one of `class_names`, there are fewer than `min_classes`, a
        record cannot be read, or its label is not a whole number >= 0.

    Examples
    --------
    >>> images = list_images('birds')  # doctest: +SKIP
    >>> len(images.files), images.class_names[images.labels[0]]  # doctest: +SKIP
    (11788, 'Acadian_Flycatcher')
    """
    if not (_has_labels(path) if labelled is None else labelled):
        return _without_labels(path)
    if not isinstance(path, (str, os.PathLike)):
        raise ValueError(
            f'{quantity(len(path), "picture")} in a list have no labels; expected labelled=False'
        )
    path = Path(path)
    if path.is_dir():
        images = _list_folder(path, class_names)
        hint = ', each a folder of its pictures'
    elif path.suffix == '.rec' and path.is_file():
        images = _list_records(path, class_names, label_column)
        hint = ''
    elif path.suffix == '.bin' and path.is_file():
        raise ValueError(f'{path}: the pictures of a .bin file have no labels; expected labelled=False')
    else:
        expected = 'expected a folder of class folders, or a .rec file'
        check_file(path, expected)
        raise FileNotFoundError(f'{path} is another file; {expected}')
    check_class_count(images.labels, min_classes, path, hint)
    return images


def is_picture(path: PathLike) -> bool:
    """Whether the name of a file is that of a picture."""
    return os.path.splitext(path)[1].lower() in SUFFIXES


def _has_labels(path: PathLike | Sequence[PathLike]) -> bool:
    """Whether a path is a .rec file, or a folder of folders."""
    if not isinstance(path, (str, os.PathLike)):
        return False
    if not os.path.isdir(path):
        return Path(path).suffix == '.rec'
    return any(entry.is_dir() and not entry.name.startswith('.') for entry in Path(path).iterdir())


def _without_labels(path: PathLike | Sequence[PathLike]) -> Images:
    """One picture or several, or all of a folder or of a .rec file."""
    if isinstance(path, (str, os.PathLike)) and os.path.isdir(path):
        pictures = _pictures(Path(path), Path(path).iterdir())
        if not pictures:
            raise ValueError(f'{path}: no picture in this folder; expected {", ".join(SUFFIXES)}')
    elif isinstance(path, (str, os.PathLike)) and Path(path).suffix == '.bin':
        return bin_images(path)
    elif isinstance(path, (str, os.PathLike)) and Path(path).suffix == '.rec':
        keys, _ = labelled_records(Path(path), 0)
        return Images(np.full(len(keys), -1), [], path_imgrec=str(path), records=keys)
    else:
        pictures = [Path(path)] if isinstance(path, (str, os.PathLike)) else [*map(Path, path)]
        for picture in pictures:
            check_file(picture, 'expected a picture, a folder or a .rec file')
    return Images(np.full(len(pictures), -1), [], files=[*map(str, pictures)])


def _list_folder(path: Path, class_names: Sequence[str] | None) -> Images:
    # Gluon's ImageFolderDataset counts hidden and empty folders as classes, and lists hidden files.
    entries = _visible(path.iterdir())
    folders = [entry for entry in entries if entry.is_dir()]
    loose = [entry for entry in entries if not entry.is_dir()]
    if not folders and any(map(is_picture, loose)):
        raise ValueError(
            f'{path}: pictures without class folders; expected a folder for each class, or labelled=False'
        )
    found = [folder.name for folder in folders]
    names = found if class_names is None else list(class_names)
    numbers = class_numbers(names, found, path)
    pictures = _pictures(path, (entry for folder in folders for entry in folder.iterdir()), loose)
    labels = [numbers[picture.parent.name] for picture in pictures]
    filled = set(labels)
    empty = next((folder for folder in folders if numbers[folder.name] not in filled), None)
    if empty is not None:
        raise ValueError(f'{empty}: no picture in this class folder; expected {", ".join(SUFFIXES)}')
    return Images(np.array(labels, np.int64), names, files=[*map(str, pictures)])


def _pictures(path: Path, entries: Iterable[Path], others: Sequence[Path] = ()) -> list[Path]:
    """The files that are pictures, sorted within their folders; the others are counted in the log."""
    files = _visible(entries)
    others = [*others, *(file for file in files if not is_picture(file) and file.is_file())]
    if others:
        suffixes = Counter(file.suffix.lower() or 'without a suffix' for file in others)
        counts = ', '.join(f'{count} {suffix}' for suffix, count in sorted(suffixes.items()))
        _LOGGER.warning('%s: passed over %s: %s', path, quantity(len(others), 'file'), counts)
    return [file for file in files if is_picture(file)]


def _visible(entries: Iterable[Path]) -> list[Path]:
    """Sorted, without those that are hidden."""
    return sorted(entry for entry in entries if not entry.name.startswith('.'))


def _list_records(path: Path, class_names: Sequence[str] | None, label_column: int | None) -> Images:
    keys, labels = labelled_records(path, label_column)
    try:
        numbers, _ = check_labels(labels, exact_below(labels.dtype))
        names, classes = numbered(numbers)
        if class_names is not None and not set(names) <= set(class_names):
            classes, names = check_labels(labels, len(class_names))[0], list(class_names)
        elif class_names is not None:
            number = class_numbers(class_names, names, path)
            classes, names = np.array([number[name] for name in names])[classes], list(class_names)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from None
    return Images(classes.astype(np.int64), names, path_imgrec=str(path), records=keys)

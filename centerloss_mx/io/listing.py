"""`list_images`: pictures and their classes in a folder of class folders, or in a .rec file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Iterable

import numpy as np

from .._files import check_file
from ..operator.labels import check_labels
from .class_names import check_class_count, class_numbers
from .images import Images
from .records import record_labels

_SUFFIXES = ('.jpg', '.jpeg', '.png')


def list_images(
    path: str | os.PathLike[str], class_names: Sequence[str] | None = None, min_classes: int = 2
) -> Images:
    """List the pictures in a folder of class folders, or in a .rec file with its index.

    All labels are read and checked; no picture is decoded.

    Parameters
    ----------
    path : path-like
        A folder of class folders, each with the .jpg, .jpeg and .png files of one class. Classes are numbered
        in the order of their names; hidden and other files are skipped. Or a .rec file with its .idx beside
        it, as MXNet's `im2rec.py` writes them, with one label for each record.
    class_names : sequence of str, optional
        For a test set: the classes of the training set. They must contain the names of the class folders; the
        labels of a .rec file are their numbers. None: the classes found. The labels of a .rec file must then
        be 0..C-1, each at least once; their names are '0', '1', ...
    min_classes : int
        The least number of classes.

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
        record cannot be read, or its label is not one whole number of the expected range.

    Examples
    --------
    >>> images = list_images('birds')  # doctest: +SKIP
    >>> len(images.files), images.class_names[images.labels[0]]  # doctest: +SKIP
    (11788, 'Acadian_Flycatcher')
    """
    path = Path(path)
    if path.is_dir():
        images = _list_folder(path, class_names)
        hint = ', each a folder of its pictures'
    elif path.suffix == '.rec' and path.is_file():
        images = _list_records(path, class_names)
        hint = ''
    else:
        expected = 'expected a folder of class folders, or a .rec file'
        check_file(path, expected)
        raise FileNotFoundError(f'{path} is another file; {expected}')
    check_class_count(images.labels, min_classes, path, hint)
    return images


def _list_folder(path: Path, class_names: Sequence[str] | None) -> Images:
    # Gluon's ImageFolderDataset counts hidden and empty folders as classes, and lists hidden files.
    folders = _visible(entry for entry in path.iterdir() if entry.is_dir())
    found = [folder.name for folder in folders]
    names = found if class_names is None else list(class_names)
    numbers = class_numbers(names, found, path)
    files: list[str] = []
    labels: list[int] = []
    for folder in folders:
        pictures = _visible(entry for entry in folder.iterdir() if entry.suffix.lower() in _SUFFIXES)
        if not pictures:
            raise ValueError(f'{folder}: no {", ".join(_SUFFIXES)} in this class folder')
        files += map(str, pictures)
        labels += [numbers[folder.name]] * len(pictures)
    return Images(np.array(labels, np.int64), names, files=files)


def _visible(entries: Iterable[Path]) -> list[Path]:
    """Sorted, without those that are hidden."""
    return sorted(entry for entry in entries if not entry.name.startswith('.'))


def _list_records(path: Path, class_names: Sequence[str] | None) -> Images:
    labels = record_labels(path)
    try:
        classes, _ = check_labels(labels, len(class_names or labels))
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from None
    if class_names is None:
        num_class = classes.max(initial=-1) + 1
        absent = np.setdiff1d(np.arange(num_class), classes)
        if len(absent):
            raise ValueError(
                f'{path}: no record of class {absent[0]}, though labels go up to {num_class - 1}; '
                'expected 0..C-1, each at least once'
            )
        class_names = [str(number) for number in range(num_class)]
    return Images(classes.astype(np.int64), list(class_names), path_imgrec=str(path))

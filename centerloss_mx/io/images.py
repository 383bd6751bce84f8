"""Pictures and their classes, in a folder of class folders or in a .rec file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Iterator, NamedTuple

import numpy as np
from mxnet import recordio

from .._checks import first_names
from .._mxnet.pictures import decode
from ..operator.labels import check_labels
from .records import open_records, record_keys, record_labels, record_name


class Images(NamedTuple):
    """Pictures and their classes, as `list_images` finds them.

    Parameters
    ----------
    labels : numpy.ndarray
        int64 (N,), 0..num_class-1.
    class_names : list of str
        The name of each class, num_class of them.
    files : list of str or None
        The N files; None: they are the records of a .rec file.
    path_imgrec : str or None
        The .rec file, its records in the order of its index; None: they are files.
    records : list of int or None
        The keys of the N records; None: all of the .rec file, or files.
    """

    labels: np.ndarray
    class_names: list[str]
    files: list[str] | None = None
    path_imgrec: str | None = None
    records: list[int] | None = None

    @property
    def names(self) -> list[str]:
        """Of each picture, its file, or the .rec file and its record."""
        if self.files is not None:
            return self.files
        return [record_name(str(self.path_imgrec), key) for key in self.record_keys]

    @property
    def record_keys(self) -> list[int]:
        """The keys of the N records of a .rec file."""
        return record_keys(str(self.path_imgrec)) if self.records is None else self.records

    def take(self, rows: Sequence[int] | np.ndarray) -> Images:
        """Some of the pictures, by their rows; the classes stay as they are.

        Parameters
        ----------
        rows : sequence of int
            Which, in 0..N-1.

        Returns
        -------
        Images
        """
        images = self._replace(labels=self.labels[rows])
        if self.files is not None:
            return images._replace(files=[self.files[i] for i in rows])
        keys = self.record_keys
        return images._replace(records=[keys[i] for i in rows])


def list_images(
    path: str | os.PathLike[str], class_names: Sequence[str] | None = None, min_classes: int = 2
) -> Images:
    """List the pictures in a folder of class folders, or in a .rec file with its index.

    Nothing is decoded yet, but all labels are read and checked.

    Parameters
    ----------
    path : path-like
        A folder, each folder in it a class with its .jpg, .jpeg and .png files; classes are numbered in the
        order of their names, and other files and hidden ones passed over. Or a .rec file with its .idx beside
        it, as MXNet's `im2rec.py` writes them, each record with one label.
    class_names : sequence of str, optional
        The classes of a training set, to list the test set that goes with it: a folder's classes are looked
        up there, and the labels of a .rec file are positions in it. Left out, classes are those found; the
        labels of a .rec file must then be 0..C-1, each there once at least, and are named '0', '1', ...
    min_classes : int
        How many classes are expected at least.

    Returns
    -------
    Images
        For `image_iter`.

    Raises
    ------
    FileNotFoundError
        If there is neither a folder nor a .rec file, or no .idx beside it.
    ValueError
        If a class folder has no pictures or is not in `class_names`, fewer than `min_classes` are there, a
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
    elif path.suffix == '.rec' and path.is_file():
        images = _list_records(path, class_names)
    else:
        raise FileNotFoundError(f'{path}: not there; expected a folder of class folders, or a .rec file')
    found = np.unique(images.labels)
    if len(found) < min_classes:
        least = {1: 'one', 2: 'two'}.get(min_classes, min_classes)
        hint = ', each a folder of its pictures' if path.is_dir() else ''
        raise ValueError(f'{path}: {len(found)} classes of pictures; expected {least} at least{hint}')
    return images


def readable_images(images: Images) -> tuple[Images, list[str]]:
    """Leave out the pictures that cannot be decoded, and name them; each is decoded once for that.

    Parameters
    ----------
    images : Images
        What `list_images` returned, or, for files, a part of it.

    Returns
    -------
    images : Images
        Those that can be decoded; the classes stay as they are.
    unreadable : list of str
        The files left out, or the .rec file and the record's key.

    Raises
    ------
    ValueError
        None can be decoded.

    Examples
    --------
    >>> images, unreadable = readable_images(list_images('birds'))  # doctest: +SKIP
    >>> print(f'{len(unreadable)} pictures left out:', *unreadable)  # doctest: +SKIP
    """
    kept, unreadable = [], []
    for i, (name, content) in enumerate(zip(images.names, _contents(images))):
        try:
            decode(content)
        except RuntimeError:
            unreadable.append(name)
        else:
            kept.append(i)
    if not kept:
        raise ValueError(
            f'none of the {len(unreadable)} pictures can be decoded; the first is {unreadable[0]}'
        )
    return images.take(kept), unreadable


_IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png')


def _list_folder(path: Path, class_names: Sequence[str] | None) -> Images:
    # Not ImageFolderDataset: it takes hidden and empty folders for classes, and hidden files for pictures.
    folders = sorted(entry for entry in path.iterdir() if entry.is_dir() and entry.name[0] != '.')
    names = [folder.name for folder in folders] if class_names is None else list(class_names)
    numbers_of = {name: number for number, name in enumerate(names)}
    files: list[str] = []
    labels: list[int] = []
    for folder in folders:
        if folder.name not in numbers_of:
            raise ValueError(f'{folder}: not one of the {len(names)} classes: {first_names(names)}')
        entries = sorted(entry for entry in folder.iterdir() if entry.name[0] != '.')
        of_class = [str(entry) for entry in entries if entry.suffix.lower() in _IMAGE_SUFFIXES]
        if not of_class:
            raise ValueError(f'{folder}: no {", ".join(_IMAGE_SUFFIXES)} in this class folder')
        files += of_class
        labels += [numbers_of[folder.name]] * len(of_class)
    return Images(np.array(labels, np.int64), names, files=files)


def _list_records(path: Path, class_names: Sequence[str] | None) -> Images:
    labels = record_labels(path)
    try:
        classes, _ = check_labels(labels, len(class_names or labels))
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from None
    if class_names is None:
        absent = np.setdiff1d(np.arange(classes.max(initial=-1)), classes)
        if len(absent):
            raise ValueError(
                f'{path}: no record of class {absent[0]}, though labels go up to {classes.max()}; '
                'expected 0..C-1, each of them there'
            )
        class_names = [str(number) for number in range(classes.max(initial=-1) + 1)]
    return Images(classes.astype(np.int64), list(class_names), path_imgrec=str(path))


def _contents(images: Images) -> Iterator[bytes]:
    """Each of the pictures, encoded."""
    if images.files is not None:
        for file in images.files:
            yield Path(file).read_bytes()
    else:
        records = open_records(str(images.path_imgrec))
        for key in images.record_keys:
            yield recordio.unpack(records.read_idx(key))[1]

"""`Images`: pictures in files, in a .rec file or in memory, and their classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Callable, NamedTuple

import numpy as np

from .._mxnet.pictures import decode
from .._mxnet.records import read_record
from .preprocessing import Preprocessing
from .records import record_name, record_positions


class Images(NamedTuple):
    """Pictures and their classes, as `list_images` finds them.

    Parameters
    ----------
    labels : numpy.ndarray
        int64 (N,), 0..num_class-1; -1 for pictures without classes.
    class_names : list of str
        The num_class names of the classes.
    files : list of str or None
        The N files, or the names of `contents`; None for pictures in a .rec file.
    path_imgrec : str or None
        The .rec file; None for pictures in files.
    records : list of int or None
        The keys of the N records; None for all records, in the order of the index, and for pictures in files.
    contents : list of bytes or None
        The N encoded pictures, of a .bin file; None for pictures in files.
    preprocessing : Preprocessing
        How the pictures become arrays; what is not given here follows from the network, or from defaults.
    """

    labels: np.ndarray
    class_names: list[str]
    files: list[str] | None = None
    path_imgrec: str | None = None
    records: list[int] | None = None
    contents: list[bytes] | None = None
    preprocessing: Preprocessing = Preprocessing()

    @property
    def names(self) -> list[str]:
        """The name of each picture for messages: its file, or the .rec file and the record's key."""
        if self.files is not None:
            return self.files
        return [record_name(str(self.path_imgrec), key) for key in self.record_keys]

    @property
    def record_keys(self) -> list[int]:
        """The keys of the N records of a .rec file."""
        return [*record_positions(str(self.path_imgrec))] if self.records is None else self.records

    def take(self, rows: Sequence[int] | np.ndarray) -> Images:
        """Select pictures by their rows; `class_names` does not change.

        Parameters
        ----------
        rows : sequence of int
            Rows, in 0..N-1.

        Returns
        -------
        Images
        """
        images = self._replace(labels=self.labels[rows])
        if self.contents is not None:
            images = images._replace(contents=[self.contents[i] for i in rows])
        if self.files is not None:
            return images._replace(files=[self.files[i] for i in rows])
        keys = self.record_keys
        return images._replace(records=[keys[i] for i in rows])


def readable_images(images: Images) -> tuple[Images, list[str]]:
    """Leave out pictures that cannot be decoded. Each picture is decoded once to find out.

    Parameters
    ----------
    images : Images
        What `list_images` returned, or a part of it.

    Returns
    -------
    images : Images
        The pictures that can be decoded; `class_names` does not change.
    unreadable : list of str
        The names of all other pictures: the file, or the .rec file and the record's key.

    Raises
    ------
    ValueError
        No picture can be decoded.

    Examples
    --------
    >>> images, unreadable = readable_images(list_images('birds'))  # doctest: +SKIP
    >>> print('left out:', *unreadable)  # doctest: +SKIP
    """
    rows, unreadable, read = [], [], picture_reader(images)
    for row, name in enumerate(images.names):
        try:
            decode(read(row))
        except (RuntimeError, ValueError):
            unreadable.append(name)
        else:
            rows.append(row)
    if not rows:
        raise ValueError(
            f'none of the {len(unreadable)} pictures can be decoded; the first is {unreadable[0]}'
        )
    return images.take(rows), unreadable


def picture_reader(images: Images) -> Callable[[int], bytes]:
    """Return a function that reads the file or record of a row; ValueError for a damaged record."""
    if images.contents is not None:
        return images.contents.__getitem__
    if images.files is not None:
        files = images.files
        return lambda row: Path(files[row]).read_bytes()
    path, keys = str(images.path_imgrec), images.record_keys
    positions = record_positions(path)
    return lambda row: read_record(path, positions[keys[row]])[1]

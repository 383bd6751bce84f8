"""`pack`: pictures in files become a .rec file with its index and list."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from mxnet.recordio import IRHeader
from mxnet.recordio import pack as record_of

from .._files import write_bytes, write_whole
from .._mxnet.records import MOST_BYTES, write_record
from .._optional import with_progress
from ..io import Images
from ..io.images import picture_reader


def pack(images: Images, prefix: str | os.PathLike, progress: bool = False) -> None:
    """Write pictures into a .rec file, as they are in their files, with their labels, index and list.

    The files are those of MXNet's `im2rec.py`: `list_images` and `mx.io.ImageRecordIter` read them. The index
    takes its name at the end: a .rec file without one has not been written completely.

    Parameters
    ----------
    images : io.Images
        The pictures, with labels.
    prefix : path-like
        Beginning of the files' names: .rec; .idx, key and position of each record; .lst, key, label and file.
    progress : bool
        Whether to show a tqdm bar.

    Raises
    ------
    ValueError
        No labels, a picture of 512 MB or more, or a name with a tab or a line break. Nothing is written.
    OSError
        A picture cannot be read, the folder does not exist, or the disk is full.
    ImportError
        `progress`, and tqdm is not installed.

    Examples
    --------
    >>> pack(list_images('birds'), 'birds')  # doctest: +SKIP
    """
    if not images.class_names:
        raise ValueError('pictures without labels; expected those of class folders or of a .rec file')
    names = _names_in_list(images)
    for name in names:
        if any(sign in name for sign in '\t\n\r'):
            raise ValueError(f'{name!r}: a name in a list has no tab and no line break; rename the file')
    read, labels = picture_reader(images), images.labels.astype(np.float32)
    positions: list[int] = []
    index = Path(f'{prefix}.idx')

    def write(temporary: str) -> None:
        with open(temporary, 'wb') as file:
            rows = range(len(labels))
            for row in with_progress(rows, 'pack', 'picture') if progress else rows:
                content = record_of(IRHeader(0, labels[row], row, 0), read(row))
                if len(content) > MOST_BYTES:
                    raise ValueError(
                        f'{images.names[row]}: {len(content)} bytes; expected at most {MOST_BYTES}'
                    )
                positions.append(file.tell())
                write_record(file, content)
        if index.exists():
            index.unlink()  # it does not belong to the file that takes its name now

    write_whole(f'{prefix}.rec', write)
    rows = [f'{row}\t{int(label)}\t{name}\n' for row, (label, name) in enumerate(zip(labels, names))]
    write_bytes(f'{prefix}.lst', ''.join(rows).encode('utf-8', 'surrogateescape'))
    write_bytes(index, ''.join(f'{row}\t{position}\n' for row, position in enumerate(positions)).encode())


def _names_in_list(images: Images) -> list[str]:
    """Folder and file of each picture; of a record, the .rec file and the key."""
    if images.files is None:
        file = Path(str(images.path_imgrec)).name
        return [f'{file}/{key}' for key in images.record_keys]
    return [f'{os.path.basename(os.path.dirname(name))}/{os.path.basename(name)}' for name in images.files]

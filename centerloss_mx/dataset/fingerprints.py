"""Fingerprints: what tells one sample from another, and one set of samples from another."""

from __future__ import annotations

import os
from hashlib import blake2b
from typing import Iterator, Sequence

import numpy as np

from .._checks import quantity
from ..io import Images
from ..io.records import record_sizes
from .arrays import Arrays, Samples

__all__ = ['difference', 'digest', 'fingerprints', 'rows_of', 'sample_names']


def fingerprints(samples: Samples) -> np.ndarray:
    """Compute a hash of each sample and its class.

    That of a picture in a file is of the file's name with its folder's, and of its size; that of a record of
    a .rec file, of its key and its length; that of a picture in memory, of its bytes; that of an array, of
    its numbers, shape and dtype. No file is read, and files that have been moved together keep their
    fingerprints.

    Parameters
    ----------
    samples : io.Images or Arrays
        What `load_samples` returned, or a part of it.

    Returns
    -------
    numpy.ndarray
        uint64 (N,): the first 8 bytes of BLAKE2b.

    Raises
    ------
    OSError
        A file is not there.

    Examples
    --------
    >>> samples = as_arrays(np.zeros((3, 8, 8), np.uint8), ['a', 'a', 'b'])
    >>> first, second, third = fingerprints(samples)
    >>> first == second, first == third
    (True, False)
    """
    classes = [_encoded(name) for name in (*samples.class_names, '')]  # label -1 is the last: no class
    contents = _of_images(samples) if isinstance(samples, Images) else _of_arrays(samples)
    found = (_hash(classes[label], *content) for label, content in zip(samples.labels, contents))
    return np.fromiter(found, np.uint64, len(samples.labels))


def sample_names(samples: Samples, of_what: str = '') -> list[str]:
    """Return the name of each sample for messages: its file or record, or its row with a few words."""
    if isinstance(samples, Images):
        return samples.names
    return [f'row {row}{of_what}' for row in range(len(samples.labels))]


def difference(before: np.ndarray, now: np.ndarray, names: Sequence[str]) -> str | None:
    """Say which samples are new and how many are missing, whatever their order.

    Parameters
    ----------
    before, now : numpy.ndarray
        Fingerprints, uint64 (M,) and (N,).
    names : sequence of str
        Names of the samples of `now`, N of them.

    Returns
    -------
    str or None
        None: they are the same samples.

    Examples
    --------
    >>> before, now = np.array([5, 6], np.uint64), np.array([5, 6, 7], np.uint64)
    >>> difference(before, now, ['a/1.jpg', 'a/2.jpg', 'a/3.jpg'])
    '1 of 3 samples is new or has changed (the first is a/3.jpg)'
    """
    _, kinds = np.unique(np.concatenate([before, now]), return_inverse=True)
    of_before, of_now = kinds[: len(before)], kinds[len(before) :]
    more = np.bincount(of_now, minlength=len(kinds)) - np.bincount(of_before, minlength=len(kinds))
    added, missing = int(more.clip(0).sum()), int(-more.clip(None, 0).sum())
    parts = []
    if added:
        first = names[int((more[of_now] > 0).argmax())]
        verb = 'is new or has' if added == 1 else 'are new or have'
        parts.append(f'{added} of {quantity(len(now), "sample")} {verb} changed (the first is {first})')
    if missing:
        verb = 'is missing or has' if missing == 1 else 'are missing or have'
        parts.append(f'{missing} of the {len(before)} before {verb} changed')
    return ', '.join(parts) or None


def digest(found: np.ndarray) -> str:
    """Compute one hash of fingerprints, in their order: BLAKE2b, 32 hexadecimal digits."""
    return blake2b(found.astype('<u8').tobytes(), digest_size=16).hexdigest()


def rows_of(some: np.ndarray, now: np.ndarray) -> np.ndarray:
    """Return the rows of `now` that hold some fingerprints, in their order; `now` has all of them."""
    order = np.argsort(now, kind='stable')
    return order[np.searchsorted(now, some, sorter=order)]


def _of_images(images: Images) -> Iterator[tuple[bytes, int]]:
    """Name and size of each picture; of those in memory, the bytes."""
    if images.contents is not None:
        return ((content, len(content)) for content in images.contents)
    if images.files is None:
        keys, sizes = images.record_keys, record_sizes(str(images.path_imgrec))
        return ((b'%d' % key, sizes[key]) for key in keys)
    return ((_encoded(_name_with_folder(file)), os.stat(file).st_size) for file in images.files)


def _of_arrays(arrays: Arrays) -> Iterator[tuple[bytes, str]]:
    images = arrays.images
    return ((image.tobytes(), f'{images.dtype.str} {images.shape[1:]}') for image in images)


def _name_with_folder(file: str) -> str:
    folder, name = os.path.split(file)
    return f'{os.path.basename(folder)}/{name}'


def _hash(label: bytes, content: bytes, form: object) -> int:
    """Hash the class and the content with their lengths, which tell where one ends and the next begins."""
    found = blake2b(b'%d %d %b %b ' % (len(label), len(content), label, str(form).encode()), digest_size=8)
    found.update(content)
    return int.from_bytes(found.digest(), 'little')


def _encoded(name: str) -> bytes:
    return name.encode('utf-8', 'backslashreplace')  # names of files may hold what UTF-8 does not

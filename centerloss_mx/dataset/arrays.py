"""`Arrays`: samples in memory and their classes, from an .npz file or from NumPy arrays."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple, Union

import numpy as np

from .._files import read_npz
from ..io import Images
from ..io.class_names import numbered


class Arrays(NamedTuple):
    """Samples in memory and their classes, as `load_arrays` reads them.

    Parameters
    ----------
    images : numpy.ndarray
        float32 (N, channels, height, width).
    labels : numpy.ndarray
        int64 (N,), 0..num_class-1.
    class_names : list of str
        The num_class names of the classes.
    """

    images: np.ndarray
    labels: np.ndarray
    class_names: list[str]

    def take(self, rows: Sequence[int] | np.ndarray) -> Arrays:
        """Select samples by their rows; `class_names` does not change.

        Parameters
        ----------
        rows : sequence of int
            Rows, in 0..N-1.

        Returns
        -------
        Arrays
        """
        return self._replace(images=self.images[rows], labels=self.labels[rows])


_CHANNELS = (1, 3, 4)  # grey, RGB, RGBA

Samples = Union[Images, Arrays]  # pictures in files, or arrays in memory


def load_arrays(path: str | os.PathLike) -> Arrays:
    """Load images and labels from an .npz file; pickled arrays are refused.

    Parameters
    ----------
    path : path-like
        The file, with the arrays ``images``, uint8 or float, of a shape that `as_arrays` takes, and
        ``labels`` (N,), numbers or names.

    Returns
    -------
    Arrays
        uint8 images divided by 255, float images as they are. Classes are numbered in the order of their
        labels.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is damaged, or its arrays are missing, of another shape or dtype, or not finite. Or it is
        not certain which axis holds the channels.

    Examples
    --------
    >>> faces = load_arrays('faces.npz')  # doctest: +SKIP
    """
    arrays = read_npz(path, ['images', 'labels'])
    images, labels = arrays['images'], arrays['labels']
    if images.ndim not in (3, 4) or labels.shape != images.shape[:1] or not len(labels):
        raise ValueError(
            f'{path}: images of shape {images.shape} and labels of shape {labels.shape}; expected '
            '(N, height, width), (N, height, width, channels) or (N, channels, height, width), and (N,), '
            'N > 0'
        )
    if images.dtype != np.uint8 and images.dtype.kind != 'f':
        raise ValueError(f'{path}: images are {images.dtype}; expected uint8, or float')
    if not images[0].size:
        raise ValueError(f'{path}: images of shape {images.shape} have no pixels')
    try:
        with np.errstate(over='ignore'):  # an overflow to infinity raises below
            samples = as_arrays(images, labels)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from None
    finite = np.isfinite(samples.images).all(axis=(1, 2, 3))
    if not finite.all():  # training would not show it: max pooling ignores NaN
        raise ValueError(f'{path}: images at row {int(finite.argmin())} are not finite')
    return samples


def as_arrays(images: np.ndarray, labels: np.ndarray) -> Arrays:
    """Make samples from images and labels in memory.

    Parameters
    ----------
    images : numpy.ndarray
        (N, height, width), (N, height, width, channels) or (N, channels, height, width). The channels are on
        the axis of these two that has 1, 3 or 4 entries. uint8 is divided by 255.
    labels : numpy.ndarray
        (N,), numbers or names. They are the names of the classes, which are numbered in their order.

    Returns
    -------
    Arrays

    Raises
    ------
    ValueError
        A label is not finite, or it is not certain which axis holds the channels: both have 1, 3 or 4
        entries, or neither.

    Examples
    --------
    >>> as_arrays(np.zeros((2, 28, 28), np.uint8), np.array(['dog', 'cat'])).labels
    array([1, 0])
    """
    images = images[:, np.newaxis] if images.ndim == 3 else _channels_first(images)
    scaled = images.astype(np.float32)
    if images.dtype == np.uint8:
        scaled /= np.float32(255)
    names, numbers = numbered(labels)
    return Arrays(scaled, numbers, names)


def _channels_first(images: np.ndarray) -> np.ndarray:
    """Bring images to (N, channels, height, width)."""
    first, last = images.shape[1] in _CHANNELS, images.shape[3] in _CHANNELS
    if first == last:
        found = 'both have' if first else 'neither has'
        raise ValueError(
            f'images of shape {images.shape}: the channels may be on axis 1 or 3, because {found} 1, 3 or 4 '
            'entries; pass grey images as (N, height, width), or make dataset.Arrays of images transposed to '
            '(N, channels, height, width)'
        )
    return images if first else images.transpose(0, 3, 1, 2)

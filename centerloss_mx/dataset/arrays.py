"""Samples in memory and their classes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple, Union

import numpy as np

from .._files import read_npz
from ..io import Images
from .classes import numbered


class Arrays(NamedTuple):
    """Samples in memory and their classes, as `load_arrays` reads them.

    Parameters
    ----------
    images : numpy.ndarray
        float32 (N, channels, height, width).
    labels : numpy.ndarray
        int64 (N,), 0..num_class-1.
    class_names : list of str
        The name of each class, num_class of them.
    """

    images: np.ndarray
    labels: np.ndarray
    class_names: list[str]

    def take(self, rows: Sequence[int] | np.ndarray) -> Arrays:
        """Some of the samples, by their rows; the classes stay as they are.

        Parameters
        ----------
        rows : sequence of int
            Which, in 0..N-1.

        Returns
        -------
        Arrays
        """
        return self._replace(images=self.images[rows], labels=self.labels[rows])


Samples = Union[Images, Arrays]  # pictures in files, which are listed only, or all in memory


def load_arrays(path: str | os.PathLike) -> Arrays:
    """Load images and labels from an .npz file; pickled ones are refused.

    Parameters
    ----------
    path : path-like
        The file, with the arrays ``images`` (N, height, width) or (N, height, width, channels), uint8 or
        float, and ``labels`` (N,): numbers or names.

    Returns
    -------
    Arrays
        Images in [0, 1] where they are uint8, else as they are. Classes are numbered in the order of their
        labels.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is damaged, or the arrays are not there, of other shapes or dtypes, or not finite.

    Examples
    --------
    >>> faces = load_arrays('faces.npz')  # doctest: +SKIP
    """
    arrays = read_npz(path, ['images', 'labels'])
    images, labels = arrays['images'], arrays['labels']
    if images.ndim not in (3, 4) or labels.shape != images.shape[:1] or not len(labels):
        raise ValueError(
            f'{path}: images of shape {images.shape} and labels of shape {labels.shape}; expected '
            '(N, height, width) or (N, height, width, channels), and (N,), N > 0'
        )
    if images.dtype != np.uint8 and images.dtype.kind != 'f':
        raise ValueError(f'{path}: images are {images.dtype}; expected uint8, or float')
    if not images[0].size:
        raise ValueError(f'{path}: images of shape {images.shape} have no pixels')
    try:
        with np.errstate(over='ignore'):  # beyond float32, which is told below
            samples = as_arrays(images, labels)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from None
    finite = np.isfinite(samples.images).all(axis=(1, 2, 3))
    if not finite.all():  # a max pooling layer would hide it
        raise ValueError(f'{path}: images at row {int(finite.argmin())} are not finite')
    return samples


def as_arrays(images: np.ndarray, labels: np.ndarray) -> Arrays:
    """Make samples of images and labels in memory.

    Parameters
    ----------
    images : numpy.ndarray
        (N, height, width) or (N, height, width, channels); uint8 is brought to [0, 1].
    labels : numpy.ndarray
        (N,), numbers or names, from which the classes get their names; they are numbered in this order.

    Returns
    -------
    Arrays

    Raises
    ------
    ValueError
        A label that is not finite.

    Examples
    --------
    >>> as_arrays(np.zeros((2, 28, 28), np.uint8), np.array(['dog', 'cat'])).labels
    array([1, 0])
    """
    images = images[:, np.newaxis] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
    scaled = images.astype(np.float32)
    if images.dtype == np.uint8:
        scaled /= np.float32(255)
    names, numbers = numbered(labels)
    return Arrays(scaled, numbers, names)

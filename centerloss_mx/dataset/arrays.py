"""`Arrays`: samples in memory and their classes, from an .npz file or from NumPy arrays."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple, Union

import numpy as np

from .._checks import check_choice
from .._choices import LAYOUTS
from .._files import read_npz
from ..io import Images
from ..io.class_names import numbered
from ..operator.labels import check_labels


class Arrays(NamedTuple):
    """Samples in memory and their classes, as `load_arrays` reads them.

    Parameters
    ----------
    images : numpy.ndarray
        float32 (N, channels, height, width); or vectors, (N, D).
    labels : numpy.ndarray
        int64 (N,), 0..num_class-1; -1 for samples without labels.
    class_names : list of str
        The num_class names of the classes; none for samples without labels.
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


def load_arrays(path: str | os.PathLike, layout: str | None = None, labelled: bool | None = True) -> Arrays:
    """Load images or vectors with their labels from an .npz file; pickled arrays are refused.

    Parameters
    ----------
    path : path-like
        The file, with the array ``images`` or ``features``, uint8 or float, of a shape that `as_arrays`
        takes, and ``labels`` (N,), numbers or names. Or a file of `model.save_features`, whose labels are
        numbers of its ``class_names``.
    layout : {'NHW', 'NHWC', 'NCHW'} or None
        As for `as_arrays`.
    labelled : bool or None
        Whether the labels are read. None: if the file has some.

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
    required = ['images or features', *(['labels'] if labelled else [])]
    arrays = read_npz(path, required, ['labels'] if labelled is None else [])
    if 'images' in arrays and 'features' in arrays:
        raise ValueError(f'{path} has both arrays, images and features; expected one of them')
    if 'images' in arrays:
        return samples_of(path, 'images', arrays['images'], arrays.get('labels'), layout)
    labels = _named_labels(path) if 'labels' in arrays else None
    if labels is None and labelled:
        raise ValueError(f'{path}: the features have no labels; expected those of samples with labels')
    return samples_of(path, 'features', arrays['features'], labels, layout)


def _named_labels(path: str | os.PathLike) -> np.ndarray | None:
    """Read the labels of features; those of `model.save_features` become names, or None if there are none."""
    arrays = read_npz(path, ['labels'], ['class_names'])
    labels, class_names = arrays['labels'], arrays.get('class_names')
    if class_names is None or labels.dtype.kind not in 'iuf':
        return labels
    if not len(class_names) and (labels == -1).all():
        return None
    try:
        return class_names[check_labels(labels, len(class_names))[0]]
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from None


def samples_of(
    path: str | os.PathLike, name: str, images: np.ndarray, labels: np.ndarray | None, layout: str | None
) -> Arrays:
    """Make samples from an array and labels of a file; errors name the file."""
    expected = images.shape[:1] if labels is None else labels.shape
    if images.ndim not in (2, 3, 4) or expected != images.shape[:1] or not len(images):
        of_labels = '' if labels is None else f' and labels of shape {labels.shape}'
        raise ValueError(
            f'{path}: {name} of shape {images.shape}{of_labels}; expected (N, D), '
            '(N, height, width), (N, height, width, channels) or (N, channels, height, width), and (N,), '
            'N > 0'
        )
    if images.dtype != np.uint8 and images.dtype.kind != 'f':
        raise ValueError(f'{path}: {name} are {images.dtype}; expected uint8, or float')
    if not images[0].size:
        raise ValueError(f'{path}: {name} of shape {images.shape} have no pixels')
    try:
        with np.errstate(over='ignore'):  # an overflow to infinity raises below
            samples = as_arrays(images, labels, layout)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from None
    finite = np.isfinite(samples.images).all(axis=tuple(range(1, samples.images.ndim)))
    if not finite.all():  # training would not show it: max pooling ignores NaN
        raise ValueError(f'{path}: {name} at row {int(finite.argmin())} are not finite')
    return samples


def as_arrays(images: np.ndarray, labels: np.ndarray | None, layout: str | None = None) -> Arrays:
    """Make samples from images or vectors, and labels, in memory.

    Parameters
    ----------
    images : numpy.ndarray
        (N, height, width), (N, height, width, channels) or (N, channels, height, width); or vectors, (N, D).
        uint8 is divided by 255.
    labels : numpy.ndarray or None
        (N,), numbers or names. They are the names of the classes, which are numbered in their order. None:
        the samples have no labels.
    layout : {'NHW', 'NHWC', 'NCHW'} or None
        Layout of the images. None: the channels are on the axis that has 1, 3 or 4 entries.

    Returns
    -------
    Arrays

    Raises
    ------
    ValueError
        A label is not finite, the layout has another number of axes, or it is not certain which axis holds
        the channels: both have 1, 3 or 4 entries, or neither.

    Examples
    --------
    >>> as_arrays(np.zeros((2, 28, 28), np.uint8), np.array(['dog', 'cat'])).labels
    array([1, 0])
    """
    images = _channels_first(images, layout)
    scaled = images.astype(np.float32)
    if images.dtype == np.uint8:
        scaled /= np.float32(255)
    if labels is None:
        return Arrays(scaled, np.full(len(images), -1), [])
    names, numbers = numbered(labels)
    return Arrays(scaled, numbers, names)


def _channels_first(images: np.ndarray, layout: str | None) -> np.ndarray:
    """Bring images to (N, channels, height, width); vectors stay as they are."""
    if layout is not None:
        check_choice('', 'layout', layout, LAYOUTS)
        if images.ndim != len(layout):
            raise ValueError(f'layout={layout!r}: images of shape {images.shape} have {images.ndim} axes')
    elif images.ndim == 4:
        layout = _layout_of(images)
    if images.ndim == 3:
        return images[:, np.newaxis]
    return images.transpose(0, 3, 1, 2) if layout == 'NHWC' else images


def _layout_of(images: np.ndarray) -> str:
    """Tell on which axis the channels are."""
    first, last = images.shape[1] in _CHANNELS, images.shape[3] in _CHANNELS
    if first == last:
        found = 'both have' if first else 'neither has'
        raise ValueError(
            f'images of shape {images.shape}: the channels may be on axis 1 or 3, because {found} 1, 3 or 4 '
            "entries; pass layout='NCHW' or 'NHWC'"
        )
    return 'NCHW' if first else 'NHWC'

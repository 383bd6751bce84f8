"""`Preprocessing`: how a picture becomes an array of a network's size."""

from __future__ import annotations

from typing import NamedTuple, Tuple, Union

import numpy as np

from .._checks import check_choice, check_number, check_size
from .._choices import FITS

Size = Union[int, Tuple[int, int]]  # height and width in pixels; one number is both

_CHANNELS = 3


class Preprocessing(NamedTuple):
    """How a picture becomes an array: x = (RGB - mean) / std, of `size`.

    Parameters
    ----------
    size : (int, int) or None
        Height and width in pixels; None: not given.
    fit : {'crop', 'stretch', 'pad'} or None
        How a picture of another shape gets this size. ``'crop'``: it is resized until it covers the size, and
        what is too much is cut off on both sides; ``'stretch'``: height and width are resized on their own;
        ``'pad'``: it is resized until it fits in, and the rest is filled with the mean, which becomes 0.
        None: not given.
    mean, std : tuple of 3 floats or None
        Mean and standard deviation of red, green and blue, in 0..255. With mean 0 and std 1 pictures are
        not normalized. None: not given.

    Examples
    --------
    >>> Preprocessing(size=(128, 64)).over(IMAGENET).fit
    'crop'
    """

    size: tuple[int, int] | None = None
    fit: str | None = None
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None

    def over(self, other: Preprocessing) -> Preprocessing:
        """Take the fields that are not given from another one.

        Parameters
        ----------
        other : Preprocessing
            It is used where this one has None.

        Returns
        -------
        Preprocessing
        """
        return other._replace(**{name: value for name, value in self._asdict().items() if value is not None})


# The networks of MXNet's model zoo expect this.
IMAGENET = Preprocessing(None, 'crop', (123.68, 116.28, 103.53), (58.395, 57.12, 57.375))

# Arrays of uint8 are divided by 255.
OF_ARRAYS = Preprocessing(None, None, (0.0, 0.0, 0.0), (255.0, 255.0, 255.0))


def preprocessing_of(
    image_size: Size | None = None,
    fit: str | None = None,
    mean: tuple[float, float, float] | None = None,
    std: tuple[float, float, float] | None = None,
) -> Preprocessing:
    """Check how pictures become arrays; an `image_size` of one number is height and width.

    Raises
    ------
    ValueError
        A value is outside its range; the message names the argument.
    """
    size = None if image_size is None else _height_and_width(image_size)
    if fit is not None:
        check_choice('', 'fit', fit, FITS)
    for name, channels in (('mean', mean), ('std', std)):
        if channels is not None and len(channels) != _CHANNELS:
            raise ValueError(f'{name}={channels}: expected three numbers, of red, green and blue')
        for channel in channels or ():
            check_number('', name, channel, above=name == 'std')
    return Preprocessing(size, fit, mean and _floats(mean), std and _floats(std))


def _height_and_width(image_size: Size) -> tuple[int, int]:
    sizes = tuple(image_size) if isinstance(image_size, (tuple, list)) else (image_size, image_size)
    if len(sizes) != 2:
        raise ValueError(f'image_size={image_size}: expected one number, or height and width')
    for size in sizes:
        check_size('', 'image_size', size)
    return int(sizes[0]), int(sizes[1])


def _floats(channels: tuple[float, float, float]) -> tuple[float, float, float]:
    red, green, blue = map(float, channels)
    return red, green, blue


def resized_shape(height: int, width: int, size: tuple[int, int], fit: str) -> tuple[int, int]:
    """Return the height and width that a picture is resized to, before it is cut or padded to `size`."""
    if fit == 'stretch':
        return size
    by_height = size[0] * width >= size[1] * height  # the scale of the height is the larger one
    if fit == 'pad':
        by_height = not by_height
    if by_height:
        return size[0], max(1, size[0] * width // height)
    return max(1, size[1] * height // width), size[1]


def place(length: int, room: int) -> int:
    """Return the first row of a picture that is shown in the middle of `room`; negative: rows of padding."""
    return (length - room) // 2 if length >= room else -((room - length) // 2)


def window(pixels: np.ndarray, top: int, left: int, out: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the part of a picture that is shown in `out`, and its place there; `out` is 0 elsewhere.

    Parameters
    ----------
    pixels : numpy.ndarray
        (height, width, 3).
    top, left : int
        Row and column of the picture where `out` begins; negative: so many of padding before the picture.
    out : numpy.ndarray
        (3, rows, columns).

    Returns
    -------
    shown, place : numpy.ndarray
        Views of `pixels`, (height, width, 3), and of `out`, (3, height, width).
    """
    rows, columns = out.shape[1:]
    shown = pixels[max(top, 0) : top + rows, max(left, 0) : left + columns]
    height, width, _ = shown.shape
    if (height, width) != (rows, columns):
        out[:] = 0
    return shown, out[:, max(-top, 0) :, max(-left, 0) :][:, :height, :width]


def normalize(pixels: np.ndarray, mean: np.ndarray, std: np.ndarray, out: np.ndarray) -> None:
    """Write (pixels - mean) / std in float32.

    Parameters
    ----------
    pixels : numpy.ndarray
        uint8 or float32 (height, width, 3).
    mean, std : numpy.ndarray
        float32 (3, 1, 1).
    out : numpy.ndarray
        float32 (3, height, width).
    """
    np.subtract(pixels.transpose(2, 0, 1), mean, out=out, dtype=np.float32)
    np.divide(out, std, out=out)


def as_channels(numbers: tuple[float, float, float]) -> np.ndarray:
    """Return a number for each channel as float32 (3, 1, 1)."""
    return np.array(numbers, np.float32).reshape(_CHANNELS, 1, 1)

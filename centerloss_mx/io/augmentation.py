"""`Augmentation`: what is changed at random in the pictures of a training."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .._checks import check_flag

_GREY = np.array([0.299, 0.587, 0.114], np.float32)  # weights of red, green and blue

_CROP_NUMERATOR, _CROP_DENOMINATOR = 8, 7  # 256 pixels for 224, as usual for ImageNet

_AREA, _ASPECT = (0.02, 0.4), (0.3, 1 / 0.3)  # of what is erased: its share, and height / width
_MOST_TRIES = 100  # to place it


class Augmentation(NamedTuple):
    """What is changed at random in the pictures of a training, each time that one is served.

    In this order: a crop, the mirror, brightness, contrast and saturation in random order, then an erased
    rectangle. a is drawn for each picture and each change, uniformly from 1 - s to 1 + s, where s is the
    number given. Values are not cut to 0..255.

    Parameters
    ----------
    rand_crop : bool
        The picture is resized to 8/7 of its size (256 pixels for 224), and a window of the size is cut out
        anywhere.
    rand_mirror : bool
        Each picture is mirrored with probability ½.
    brightness : float
        s of x ← a x, in 0..1.
    contrast : float
        s of x ← a x + (1 - a) g, in 0..1; g is the mean grey value, 0.299 R + 0.587 G + 0.114 B, of the
        picture.
    saturation : float
        s of x ← a x + (1 - a) g, in 0..1; g is the grey value of each pixel.
    rand_erasing : float
        Probability, in 0..1, that a rectangle is filled with random values, 0 to 255. Its area is 0.02 to 0.4
        of the picture's, its height / width 0.3 to 3.3.

    References
    ----------
    Colors as in `mxnet.image.CreateAugmenter`. Zhong, Zheng, Kang, Li, Yang: *Random Erasing Data
    Augmentation*, AAAI 2020, Algorithm 1.

    Examples
    --------
    >>> Augmentation(rand_mirror=True, brightness=0.4, rand_erasing=0.5).contrast
    0.0
    """

    rand_crop: bool = False
    rand_mirror: bool = False
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    rand_erasing: float = 0.0


def check_augmentation(augmentation: Augmentation) -> None:
    """Raise ValueError for a value outside its range."""
    for name, value in augmentation._asdict().items():
        if isinstance(Augmentation._field_defaults[name], bool):
            check_flag('', name, value)
        elif not 0 <= value <= 1:
            raise ValueError(f'{name}={value} is not in 0..1')


def draws(augmentation: Augmentation) -> bool:
    """Whether a picture needs random numbers besides that of the mirror."""
    return any(augmentation._replace(rand_mirror=False))


def larger(size: tuple[int, int]) -> tuple[int, int]:
    """Return height and width that a picture gets before a window of `size` is cut out."""
    height, width = (length * _CROP_NUMERATOR // _CROP_DENOMINATOR for length in size)
    return height, width


def crop(length: int, larger_room: int, room: int, generator: np.random.Generator) -> int:
    """Draw where a window of `room` begins in a picture of `length` in the middle of `larger_room`."""
    whole = max(length, larger_room)
    return int(generator.integers(whole - room + 1)) - (whole - length) // 2


def jitter(pixels: np.ndarray, augmentation: Augmentation, generator: np.random.Generator) -> np.ndarray:
    """Change brightness, contrast and saturation, in random order.

    Parameters
    ----------
    pixels : numpy.ndarray
        (height, width, 3), in 0..255.
    augmentation : Augmentation
        How far.
    generator : numpy.random.Generator
        It draws the order, and a number for each change.

    Returns
    -------
    numpy.ndarray
        float32, of the same shape; the same array where nothing changes.
    """
    changes = [name for name in ('brightness', 'contrast', 'saturation') if getattr(augmentation, name)]
    if not changes:
        return pixels
    x = pixels.astype(np.float32)
    for name in generator.permutation(changes):
        most = getattr(augmentation, name)
        a = np.float32(generator.uniform(1 - most, 1 + most))
        if name == 'contrast':
            x = a * x + (1 - a) * (x @ _GREY).mean()
        elif name == 'saturation':
            x = a * x + (1 - a) * (x @ _GREY)[..., np.newaxis]
        else:
            x = a * x
    return x


def erase(
    out: np.ndarray, probability: float, mean: np.ndarray, std: np.ndarray, generator: np.random.Generator
) -> None:
    """Fill a rectangle of a normalized picture with random values.

    Parameters
    ----------
    out : numpy.ndarray
        float32 (3, height, width).
    probability : float
        Probability that something is erased.
    mean, std : numpy.ndarray
        float32 (3, 1, 1), of the normalization: the random values are 0 to 255 before it.
    generator : numpy.random.Generator
        It draws whether, how large, where, and the values.
    """
    if generator.random() >= probability:
        return
    height, width = out.shape[1:]
    for _ in range(_MOST_TRIES):
        area, aspect = generator.uniform(*_AREA) * height * width, generator.uniform(*_ASPECT)
        rows, columns = round((area * aspect) ** 0.5), round((area / aspect) ** 0.5)
        if 0 < rows <= height and 0 < columns <= width:
            top, left = generator.integers((height - rows + 1, width - columns + 1))
            values = generator.uniform(0, 255, (3, rows, columns)).astype(np.float32)
            out[:, top : top + rows, left : left + columns] = (values - mean) / std
            return

"""`PictureLoader`: one picture, read, decoded, brought to its size and normalized."""

from __future__ import annotations

import numpy as np
from mxnet import image as mximage
from mxnet.ndarray import NDArray

from .._mxnet.arrays import host_view
from .._mxnet.picture_headers import MOST_PIXELS
from .._mxnet.pictures import decode
from .augmentation import Augmentation, crop, erase, jitter, larger
from .images import Images, picture_reader
from .preprocessing import Preprocessing, as_channels, normalize, place, resized_shape, window

_LINEAR, _CUBIC, _AREA = 1, 2, 3  # OpenCV's numbers of its interpolations


class PictureLoader:
    """Load the pictures of `Images`, in any thread; each error names its picture.

    Parameters
    ----------
    images : Images
        The pictures.
    preprocessing : Preprocessing
        How they become arrays; all fields are given.
    augmentation : Augmentation
        What is changed at random.
    """

    def __init__(self, images: Images, preprocessing: Preprocessing, augmentation: Augmentation) -> None:
        size, fit, mean, std = preprocessing
        assert size is not None and fit is not None and mean is not None and std is not None
        self.images, self.read = images, picture_reader(images)
        self.size, self.fit, self.augmentation = size, fit, augmentation
        self.room = larger(size) if augmentation.rand_crop else size  # that pictures are fitted to
        self.mean, self.std = as_channels(mean), as_channels(std)
        self.num_bytes = np.full(len(images.labels), -1)  # once a picture has been read

    def load(self, row: int, mirrored: bool, generator: np.random.Generator | None, out: np.ndarray) -> None:
        """Write the picture of a row, float32 (3, height, width).

        Parameters
        ----------
        row : int
            The row.
        mirrored : bool
            Whether it is mirrored.
        generator : numpy.random.Generator or None
            It draws the other changes; None: there are none.
        out : numpy.ndarray
            Where the picture is written.

        Raises
        ------
        ValueError
            The picture cannot be decoded, is too narrow, or has changed since it was read before.
        FileNotFoundError
            Its file is missing.
        """
        picture = self._fitted(row)  # it owns the memory of `pixels`
        pixels, out = host_view(picture), out[:, :, ::-1] if mirrored else out
        if generator is not None and self.augmentation.rand_crop:
            sizes = zip(pixels.shape, self.room, self.size)
            top, left = (crop(*lengths, generator) for lengths in sizes)
        else:
            top, left = map(place, pixels.shape, self.size)
        shown, there = window(pixels, top, left, out)
        if generator is not None:
            shown = jitter(shown, self.augmentation, generator)
        normalize(shown, self.mean, self.std, there)
        if generator is not None:
            erase(out, self.augmentation.rand_erasing, self.mean, self.std, generator)

    def _fitted(self, row: int) -> NDArray:
        """The picture of a row, resized as `fit` says, uint8 (height, width, 3)."""
        picture = self._decoded(row)
        height, width, _ = picture.shape
        shape = resized_shape(height, width, self.room, self.fit)
        if shape[0] * shape[1] > MOST_PIXELS:
            raise ValueError(
                f'{self.images.names[row]}: {width} x {height} pixels are too narrow to be resized to '
                f'{min(shape)} pixels on the shorter side; crop or remove it'
            )
        return _resized(picture, *shape)

    def _decoded(self, row: int) -> NDArray:
        """The picture of a row, uint8 (height, width, 3)."""
        try:
            return decode(self._content(row))
        except RuntimeError as error:
            raise ValueError(
                f'{self.images.names[row]}: not a picture that MXNet can decode ({error}); repair or remove '
                'it'
            ) from None

    def _content(self, row: int) -> bytes:
        """The bytes of a row, as many as in the epoch before.

        Without that, a JPEG that is truncated during a training would be completed with grey.
        """
        try:
            content = self.read(row)
        except FileNotFoundError:
            raise FileNotFoundError(f'{self.images.names[row]} does not exist any more') from None
        except ValueError as error:
            raise ValueError(f'{self.images.names[row]}: {error}') from None
        before = self.num_bytes[row]
        if before not in (-1, len(content)):
            raise ValueError(
                f'{self.images.names[row]} has changed: {len(content)} bytes, {before} in the epoch before'
            )
        self.num_bytes[row] = len(content)
        return content


def _resized(picture: NDArray, height: int, width: int) -> NDArray:
    """Resize by area if both sides shrink, cubic if both grow, bilinear if one shrinks and one grows."""
    before = picture.shape[:2]
    if before == (height, width):
        return picture
    shrinks, grows = height < before[0] and width < before[1], height > before[0] and width > before[1]
    return mximage.imresize(picture, width, height, interp=_AREA if shrinks else _CUBIC if grows else _LINEAR)

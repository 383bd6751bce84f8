"""`PictureLoader`: one picture, read, decoded, brought to its size and normalized."""

from __future__ import annotations

import numpy as np

from .._mxnet.picture_headers import MOST_PIXELS
from .._mxnet.pictures import decode, resize
from .images import Images, picture_reader
from .preprocessing import Preprocessing, as_channels, place, resized_shape, write_window


class PictureLoader:
    """Load the pictures of `Images`, in any thread; each error names its picture.

    Parameters
    ----------
    images : Images
        The pictures.
    preprocessing : Preprocessing
        How they become arrays; all fields are given.
    """

    def __init__(self, images: Images, preprocessing: Preprocessing) -> None:
        size, fit, mean, std = preprocessing
        assert size is not None and fit is not None and mean is not None and std is not None
        self.images, self.read = images, picture_reader(images)
        self.size, self.fit = size, fit
        self.mean, self.std = as_channels(mean), as_channels(std)
        self.num_bytes = np.full(len(images.labels), -1)  # once a picture has been read

    def load(self, row: int, mirror: bool, out: np.ndarray) -> None:
        """Write the picture of a row, float32 (3, height, width).

        Raises
        ------
        ValueError
            The picture cannot be decoded, is too narrow, or has changed since it was read before.
        FileNotFoundError
            Its file is missing.
        """
        pixels = self._decoded(row)
        height, width, _ = pixels.shape
        shape = resized_shape(height, width, self.size, self.fit)
        if shape[0] * shape[1] > MOST_PIXELS:
            raise ValueError(
                f'{self.images.names[row]}: {width} x {height} pixels are too narrow to be resized to '
                f'{min(shape)} pixels on the shorter side; crop or remove it'
            )
        pixels = resize(pixels, *shape)
        top, left = (place(length, room) for length, room in zip(shape, self.size))
        write_window(pixels, top, left, self.mean, self.std, out[:, :, ::-1] if mirror else out)

    def _decoded(self, row: int) -> np.ndarray:
        """The picture of a row, uint8 (height, width, 3)."""
        try:
            return decode(self._content(row)).asnumpy()
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

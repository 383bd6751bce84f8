"""`image_iter`: batches of pictures, decoded, resized and normalized."""

from __future__ import annotations

import numpy as np
from mxnet import image as mximage
from mxnet.ndarray import NDArray

from .._mxnet.picture_headers import MOST_PIXELS
from .._mxnet.pictures import decode
from .center_loss_iter import CenterLossIter
from .images import Images, picture_reader

_AREA_OR_CUBIC = 9  # MXNet's interpolation: by area if a picture shrinks, cubic if it grows


def image_iter(
    images: Images,
    batch_size: int,
    image_size: int,
    shuffle: bool = False,
    rand_mirror: bool = False,
    ignore_label: float | None = None,
) -> CenterLossIter:
    """Serve pictures in batches, with one label for both losses.

    Parameters
    ----------
    images : Images
        What `list_images` returned, or a part of it.
    batch_size : int
        Samples a batch, not more than there are pictures. The last batch is padded with the first samples.
    image_size : int
        Height and width in pixels: the shorter side is resized to it, then the middle square is cropped. The
        pictures are served as ``data``, float32 (batch_size, 3, image_size, image_size): RGB, also for grey
        pictures, minus the mean of ImageNet, divided by its standard deviation. The networks of MXNet's model
        zoo expect this.
    shuffle : bool
        Shuffle at every reset, with Python's global generator (seed it with `random.seed`).
    rand_mirror : bool
        Mirror each picture with probability ½, with the same generator.
    ignore_label : number, optional
        Replaces the center labels of padding, see `CenterLossIter`.

    Returns
    -------
    CenterLossIter
        Around an `mxnet.image.ImageIter`, which decodes in the calling process, and shows each picture
        upright, as its EXIF orientation says. Its `next` raises ValueError for a picture that cannot be
        decoded and names its file or record. (OpenCV fills the missing part of a truncated JPEG.) JPEG, PNG,
        BMP and TIFF files of up to 2^28 pixels can be decoded.

    Raises
    ------
    ValueError
        `batch_size` is more than the number of pictures.

    Examples
    --------
    >>> train = image_iter(images, batch_size=32, image_size=64, shuffle=True)  # doctest: +SKIP
    """
    if batch_size > len(images.labels):
        # ImageIter repeats the data set once to fill a batch. Rows beyond that are uninitialized memory.
        # https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/image/image.py#L1534
        raise ValueError(f'batch_size {batch_size} is more than the {len(images.labels)} pictures')
    data_shape = (3, image_size, image_size)
    augmenters = mximage.CreateAugmenter(
        data_shape,
        resize=image_size,
        rand_mirror=rand_mirror,
        mean=True,
        std=True,
        inter_method=_AREA_OR_CUBIC,
    )
    samples = _ImageIter(images, batch_size, data_shape, shuffle, augmenters)
    return CenterLossIter(samples, ignore_label=ignore_label)


class _ImageIter(mximage.ImageIter):
    """`ImageIter` of `Images`; it raises for a picture that cannot be decoded, at once and with its name."""

    def __init__(
        self,
        images: Images,
        batch_size: int,
        data_shape: tuple[int, int, int],
        shuffle: bool,
        augmenters: list[mximage.Augmenter],
    ) -> None:
        super().__init__(
            batch_size, data_shape, imglist=[], path_root='', shuffle=shuffle, aug_list=augmenters
        )
        self.images, self.read = images, picture_reader(images)
        self.sizes = np.full(len(images.labels), -1)  # in bytes, once a picture has been read
        self.seq = [*range(len(images.labels))]
        self.num_image, self.imglist = len(self.seq), [*zip(images.labels.tolist(), self.seq)]
        self.reset()

    def read_image(self, fname: int) -> bytes:
        """Read the picture of a row, which must have as many bytes as in the epoch before.

        Without that, a JPEG that is truncated during a training would be completed with grey.
        """
        try:
            content = self.read(fname)
        except FileNotFoundError:
            raise FileNotFoundError(f'{self._name()} does not exist any more') from None
        except ValueError as error:
            raise ValueError(f'{self._name()}: {error}') from None
        if self.sizes[fname] not in (-1, len(content)):
            raise ValueError(
                f'{self._name()} has changed: {len(content)} bytes, {self.sizes[fname]} in the epoch before'
            )
        self.sizes[fname] = len(content)
        return content

    def imdecode(self, s: bytes) -> NDArray:
        try:
            image = decode(s)
        except RuntimeError as error:
            raise ValueError(
                f'{self._name()}: not a picture that MXNet can decode ({error}); repair or remove it'
            ) from None
        height, width, _ = image.shape
        if self.data_shape[1] ** 2 * max(height, width) > MOST_PIXELS * min(height, width):
            raise ValueError(
                f'{self._name()}: {width} x {height} pixels are too narrow to be resized to '
                f'{self.data_shape[1]} pixels on the shorter side; crop or remove it'
            )
        return image

    def _name(self) -> str:
        """The name of the picture that was read last."""
        return self.images.names[self.seq[self.cur - 1]]

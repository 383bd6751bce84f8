"""`image_iter`: batches of pictures, decoded, resized and normalized."""

from __future__ import annotations

from typing import Any

from mxnet import image as mximage
from mxnet.ndarray import NDArray

from .._mxnet.pictures import decode
from .center_loss_iter import CenterLossIter
from .images import Images
from .records import index_of, record_name

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
        Around an `mxnet.image.ImageIter`, which decodes in the calling process. Its `next` raises ValueError
        for a picture that cannot be decoded and names its file or record. (OpenCV fills the missing part of a
        truncated JPEG.)

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
    if images.files is None:
        path_imgrec = str(images.path_imgrec)
        source: dict[str, Any] = {'path_imgrec': path_imgrec, 'path_imgidx': str(index_of(path_imgrec))}
    else:
        source = {'imglist': list(zip(images.labels.tolist(), images.files)), 'path_root': ''}
    augmenters = mximage.CreateAugmenter(
        data_shape,
        resize=image_size,
        rand_mirror=rand_mirror,
        mean=True,
        std=True,
        inter_method=_AREA_OR_CUBIC,
    )
    samples = _ImageIter(batch_size, data_shape, shuffle=shuffle, aug_list=augmenters, **source)
    if images.records is not None:
        samples.select(images.records)
    return CenterLossIter(samples, ignore_label=ignore_label)


class _ImageIter(mximage.ImageIter):
    """`ImageIter` that raises for a picture that cannot be decoded, at once and with its name."""

    def select(self, records: list[int]) -> None:
        """Serve only these records of the .rec file."""
        self.seq, self.num_image = list(records), len(records)
        self.reset()

    def imdecode(self, s: bytes) -> NDArray:
        try:
            return decode(s)
        except RuntimeError:
            key = self.seq[self.cur - 1]
            name = record_name(self.imgrec.uri.value.decode(), key) if self.imgrec else self.imglist[key][1]
            raise ValueError(f'{name}: not a picture that MXNet can decode; repair or remove it') from None

"""Small pictures of samples, to be written into a page."""

from __future__ import annotations

from base64 import b64encode
from io import BytesIO
from typing import Iterator

import numpy as np
from PIL import Image

from .._checks import check_size
from ..dataset import Samples, samples_iter
from ..io import Images, Preprocessing

_BATCH = 128
_WHITE = (255.0, 255.0, 255.0)  # the padding of pictures that are not square


def thumbnails(samples: Samples, side: int = 64) -> list[str]:
    """Make a small picture of each sample.

    Parameters
    ----------
    samples : io.Images or dataset.Arrays
        Pictures in files, in a .rec file or in memory, N of them. Arrays are shown from the darkest to the
        brightest value that they have all together.
    side : int
        Height and width, > 0. Pictures in files get this size, padded to a square; arrays that are larger
        are made smaller.

    Returns
    -------
    list of str
        N pictures, WebP as data URIs, for `embedding_page`.

    Raises
    ------
    ValueError
        The samples are vectors, or a picture cannot be decoded.

    Examples
    --------
    >>> from centerloss_mx.dataset import load_samples
    >>> thumbnails(load_samples('digits').take([0]))[0][:23]
    'data:image/webp;base64,'
    """
    check_size('', 'side', side)
    return [_data_uri(pixels, side) for pixels in _all_pixels(samples, side)]


def _all_pixels(samples: Samples, side: int) -> Iterator[np.ndarray]:
    """The pictures, uint8 (channels, height, width)."""
    if isinstance(samples, Images):
        count = len(samples.labels)
        white = Preprocessing((side, side), 'pad', _WHITE, (1.0, 1.0, 1.0))
        for batch in samples_iter(samples._replace(preprocessing=white), min(_BATCH, count)):
            white_is_0 = batch.data[0].asnumpy()
            yield from np.rint(white_is_0[: len(white_is_0) - batch.pad] + 255).astype(np.uint8)
        return
    images = samples.images
    if images.ndim != 4:
        raise ValueError(f'the samples are vectors of shape {images.shape}; expected pictures')
    darkest, span = images.min(), np.ptp(images) or 1
    for image in images:
        yield np.rint((image - darkest) * (255 / span)).astype(np.uint8)


def _data_uri(pixels: np.ndarray, side: int) -> str:
    image = Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))
    image.thumbnail((side, side))
    content = BytesIO()
    image.save(content, format='WEBP', quality=75)
    return f'data:image/webp;base64,{b64encode(content.getvalue()).decode()}'

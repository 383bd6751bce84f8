"""Faults of MXNet's decoder of pictures."""

from __future__ import annotations

import numpy as np
from mxnet import image as mximage
from mxnet import ndarray as nd
from mxnet.base import MXNetError
from mxnet.ndarray import NDArray

from .arrays import host_view
from .other_pictures import OTHER_SUFFIXES, decode_other, is_other
from .picture_headers import is_jpeg, read_header

__all__ = ['SUFFIXES', 'decode']

SUFFIXES = ('.bmp', '.dib', '.jpe', '.jpeg', '.jpg', '.png', '.tif', '.tiff', *OTHER_SUFFIXES)

_RGB_AS_STORED = 1 | 128  # OpenCV's IMREAD_COLOR and IMREAD_IGNORE_ORIENTATION
_EMPTY_COMMENT = b'\xff\xfe\x00\x02'

# Axes to flip for each EXIF orientation, after rows and columns have changed places for 5 to 8
_FLIPS = {1: (), 2: (1,), 3: (0, 1), 4: (0,), 5: (), 6: (1,), 7: (0, 1), 8: (0,)}


def decode(content: bytes) -> NDArray:
    """Decode a picture of `SUFFIXES`, upright; raise RuntimeError with the reason if that fails.

    MXNet allocates what a header promises: 5 GB for a JPEG of 749 bytes that says 30000 x 30000. Where
    OpenCV cannot read the header of a PNG or JFIF file, MXNet returns uninitialized memory as pixels. So the
    header is checked here. A JFIF file gets an empty comment in front, with which MXNet leaves its size to
    OpenCV and reports each error.
    https://github.com/apache/mxnet/blob/1.9.1/src/io/image_io.cc#L189

    OpenCV turns a picture upright as its EXIF orientation says, but MXNet switches that off for JFIF and PNG
    files. The array of a picture would depend on the program that saved it. So OpenCV turns none here; all
    are turned afterwards, as viewers show them.
    https://github.com/apache/mxnet/blob/1.9.1/src/io/image_io.cc#L154

    The engine decodes later than `imdecode` returns. Its error would be raised somewhere in training.
    https://github.com/apache/mxnet/blob/1.9.1/src/io/image_io.cc#L204
    """
    if is_other(content):
        return _as_array(decode_other(content))
    header = read_header(content)
    if is_jpeg(content):
        content = content[:2] + _EMPTY_COMMENT + content[2:]
    try:
        image = mximage.imdecode(_as_array(np.frombuffer(content, np.uint8)), flag=_RGB_AS_STORED)
        image.wait_to_read()
    except MXNetError:
        raise RuntimeError('damaged pixels') from None
    return _upright(image, header.orientation)


def _as_array(values: np.ndarray) -> NDArray:
    """Copy uint8 values to an array. `nd.array` takes 0.1 ms for this, a third of that of a small picture.

    https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/ndarray/ndarray.py#L3361
    """
    array = nd.empty(values.shape, dtype=np.uint8)
    host_view(array)[:] = values
    return array


def _upright(image: NDArray, orientation: int) -> NDArray:
    """Turn a picture, (height, width, 3), as its orientation says.

    NumPy turns it: MXNet's `flip` keeps 5 MB for each thread that has called it, also when the thread has
    ended.
    """
    if orientation == 1:
        return image
    pixels = host_view(image)
    pixels = pixels.swapaxes(0, 1) if orientation >= 5 else pixels
    return _as_array(np.flip(pixels, _FLIPS[orientation]))

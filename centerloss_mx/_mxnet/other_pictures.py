"""Pictures of formats that the OpenCV of MXNet does not decode: Pillow does."""

from __future__ import annotations

from io import BytesIO

import numpy as np

from .._optional import require

__all__ = ['OTHER_SUFFIXES', 'decode_other', 'is_other']

OTHER_SUFFIXES = ('.pbm', '.pgm', '.pnm', '.ppm', '.webp')


def is_other(content: bytes) -> bool:
    """Whether a file begins as a PBM, PGM, PPM or WebP file."""
    pnm = content[:1] == b'P' and content[1:2] in b'123456' and content[2:3].isspace()
    return pnm or (content[:4] == b'RIFF' and content[8:12] == b'WEBP')


def decode_other(content: bytes) -> np.ndarray:
    """Decode a PBM, PGM, PPM or WebP file, upright, without its transparency; uint8 (height, width, 3), RGB.

    MXNet leaves formats to OpenCV, and the OpenCV in its packages has none of these.
    https://github.com/apache/mxnet/blob/1.9.1/src/io/image_io.cc#L154

    Raises
    ------
    RuntimeError
        The file is damaged, has more pixels than Pillow allows (179 million), or more than 8 bits a channel.
    ImportError
        Pillow is not installed.
    """
    image_module = require('PIL.Image', 'decoding .pgm, .ppm and .webp files')
    image_ops = require('PIL.ImageOps', 'decoding .pgm, .ppm and .webp files')
    try:
        with image_module.open(BytesIO(content), formats=('PPM', 'WEBP')) as image:
            if image.mode not in ('1', 'L', 'RGB', 'RGBA'):
                raise RuntimeError(f'pixels of mode {image.mode}; expected 8 bits a channel')
            return np.array(image_ops.exif_transpose(image).convert('RGB'))
    except (OSError, SyntaxError, ValueError, image_module.DecompressionBombError) as error:
        raise RuntimeError(f'damaged: {error}') from None

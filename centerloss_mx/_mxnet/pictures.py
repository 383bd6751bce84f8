"""Faults of MXNet's decoder of pictures."""

from __future__ import annotations

import zlib

from mxnet import image as mximage
from mxnet.ndarray import NDArray

__all__ = ['decode']

_PNG_SIGNATURE = b'\x89PNG'  # the part that MXNet looks at
_PNG_END = b'IEND\xaeB`\x82'


def decode(content: bytes) -> NDArray:
    """Decode a picture; raise RuntimeError if that is not possible.

    MXNet takes the size of a PNG from its header without a check. For a wrong size it can allocate gigabytes,
    and for a truncated file it returns uninitialized memory as pixels, so an incomplete PNG is refused here.
    https://github.com/apache/mxnet/blob/1.9.1/src/io/image_io.cc#L89

    The engine decodes later than `imdecode` returns. Its error would be raised somewhere in training.
    https://github.com/apache/mxnet/blob/1.9.1/src/io/image_io.cc#L204
    """
    # MXNet recognizes a PNG by 4 bytes, which it reads from behind the end of a shorter file.
    if _PNG_SIGNATURE.startswith(content[:4]) and not _is_complete_png(content):
        raise RuntimeError('not a complete PNG')
    image = mximage.imdecode(content)
    image.wait_to_read()
    return image


def _is_complete_png(content: bytes) -> bool:
    """Whether a PNG has a header with the right checksum, and an end."""
    checksum = int.from_bytes(content[29:33], 'big')
    return len(content) > 33 and zlib.crc32(content[12:29]) == checksum and _PNG_END in content

"""What the header of a JPEG, PNG, BMP or TIFF file says of the picture, read before anything is decoded."""

from __future__ import annotations

import zlib
from typing import Iterator, Literal, NamedTuple

__all__ = ['MOST_PIXELS', 'Header', 'is_jpeg', 'read_header']

MOST_PIXELS = 2**28  # 805 MB as RGB; the largest cameras of telephones have 200 million pixels
_MOST_PIXELS_OF_A_SIDE = 1_000_000  # libpng's limit; those of JPEG and of OpenCV are near it

_NEEDED_CHUNKS = (b'IHDR', b'PLTE', b'IDAT', b'IEND')  # of a PNG
_PNG_SIGNATURE = b'\x89PNG\r\n\x1a\n'
_EXIF_MARK = b'Exif\0\0'
_BYTE_ORDERS: dict[bytes, Literal['little', 'big']] = {
    b'II*\0': 'little',
    b'MM\0*': 'big',
}  # by the first bytes of a TIFF file
_WIDTH_TAG, _HEIGHT_TAG, _ORIENTATION_TAG = 0x0100, 0x0101, 0x0112
_SIZES_OF_KINDS = {3: 2, 4: 4}  # SHORT, LONG

# Of a PNG, by color type: grey, RGB, palette, grey with alpha, RGB with alpha
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_BIT_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}

_DEFLATE_RATIO = 1032  # bytes that one compressed byte can become at most
_JPEG_RATIO = 512  # pixels: each block of 8 x 8 takes one bit at least
_RLE_RATIO = 255 * 255 / 4  # pixels: four bytes skip 255 columns and rows
_TIFF_RATIO = 2**16  # pixels, of black and white: LZW and fax codes of empty rows stay below it


class Header(NamedTuple):
    """Size in pixels as the file stores it, and the EXIF orientation, 1..8."""

    width: int
    height: int
    orientation: int = 1


def read_header(content: bytes) -> Header:
    """Read the header of an encoded picture; RuntimeError if it promises what cannot be.

    Parameters
    ----------
    content : bytes
        A JPEG, PNG, BMP or TIFF file.

    Returns
    -------
    Header

    Raises
    ------
    RuntimeError
        The picture is of another format, a header is damaged, it has more than `MOST_PIXELS` pixels or more
        than the file can hold, a PNG or BMP file is truncated, or a TIFF file is turned: OpenCV turns some
        of them, not all.

    References
    ----------
    ITU T.81, Annex B; PNG 1.2, Sections 3 to 5; TIFF 6.0, Section 2; JEITA CP-3451 (EXIF 2.2),
    Section 4.6.
    """
    if is_jpeg(content):
        header, held = _read_jpeg(content)
    elif _PNG_SIGNATURE.startswith(content[:4]):
        header, held = _read_png(content)
    elif content[:2] == b'BM':
        header, held = _read_bmp(content)
    elif content[:4] in _BYTE_ORDERS:
        header, held = _read_tiff(content)
    else:
        raise RuntimeError('not a JPEG, PNG, BMP, TIFF, PBM, PGM, PPM or WebP file')
    width, height, _ = header
    pixels = f'{width} x {height} pixels'
    if min(width, height) < 1:
        raise RuntimeError(f'{pixels}')
    if width * height > MOST_PIXELS or max(width, height) > _MOST_PIXELS_OF_A_SIDE:
        raise RuntimeError(f'{pixels}; expected at most {MOST_PIXELS}, {_MOST_PIXELS_OF_A_SIDE} a side')
    if width * height > held:
        raise RuntimeError(f'{pixels}, more than {len(content)} bytes can hold')
    return header


def is_jpeg(content: bytes) -> bool:
    """Whether a file begins as a JPEG."""
    return content[:3] == b'\xff\xd8\xff'


def _read_jpeg(content: bytes) -> tuple[Header, float]:
    """The header of a JPEG, and the number of pixels that the file can hold."""
    orientation = 1
    for marker, segment in _jpeg_segments(content):
        if marker == 0xE1 and segment[:6] == _EXIF_MARK and orientation == 1:
            orientation = _orientation(segment[6:])
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # a frame, not a table
            if len(segment) < 5:
                break
            height, width = _number(segment[1:3]), _number(segment[3:5])
            return Header(width, height, orientation), _JPEG_RATIO * len(content)
    raise RuntimeError('a JPEG without a size')


def _jpeg_segments(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield marker and data of each segment before the compressed pixels."""
    position = 2
    while True:
        position = content.find(b'\xff', position)  # like libjpeg, which skips what is between segments
        while content[position : position + 1] == b'\xff':
            position += 1
        marker = content[position : position + 1]
        if not marker or marker in b'\xd9\xda':  # the end, or the compressed pixels
            return
        position += 1
        if marker not in b'\x00\x01\xd0\xd1\xd2\xd3\xd4\xd5\xd6\xd7\xd8':  # those have no data
            size = max(2, _number(content[position : position + 2]))
            yield marker[0], content[position + 2 : position + size]
            position += size


def _read_png(content: bytes) -> tuple[Header, float]:
    """The header of a PNG, and the number of pixels that the file can hold.

    All chunks that a decoder needs are checked: libpng's errors before the pixels get lost in MXNet.
    """
    chunks: dict[bytes, bytes] = {}
    for kind, data in _png_chunks(content):
        chunks.setdefault(kind, data)
    if [kind for kind in chunks if kind in _NEEDED_CHUNKS and kind != b'PLTE'] != [b'IHDR', b'IDAT', b'IEND']:
        raise RuntimeError('not a complete PNG')
    header, palette = chunks[b'IHDR'], chunks.get(b'PLTE', b'')
    bit_depth, color_type, *methods = header[8:13]
    if (
        len(header) != 13
        or bit_depth not in _BIT_DEPTHS.get(color_type, ())
        or methods not in ([0, 0, 0], [0, 0, 1])
        or len(palette) % 3
        or (color_type == 3 and not palette)
    ):
        raise RuntimeError('a PNG with a damaged header')
    held = _DEFLATE_RATIO * len(content) * 8 / (bit_depth * _CHANNELS[color_type])
    orientation = _orientation(chunks.get(b'eXIf', b''))
    return Header(_number(header[:4]), _number(header[4:8]), orientation), held


def _png_chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and data of each chunk, up to the end or to a damaged one that a decoder needs."""
    position, kind = len(_PNG_SIGNATURE), b''
    if content[:position] != _PNG_SIGNATURE:
        return
    while kind != b'IEND':
        end = position + 8 + _number(content[position : position + 4])
        kind, data = content[position + 4 : position + 8], content[position + 8 : end]
        needed = not kind.isalpha() or kind[:1].isupper()
        if zlib.crc32(data, zlib.crc32(kind)) == _number(content[end : end + 4]):
            yield kind, data
        elif needed:
            return
        if needed and kind not in _NEEDED_CHUNKS:
            return
        position = end + 4


def _read_bmp(content: bytes) -> tuple[Header, float]:
    """The header of a BMP, and the number of pixels that the file can hold."""
    if len(content) < 34:
        raise RuntimeError('not a complete BMP')
    begin, size_of_header = _little(content[10:14]), _little(content[14:18])
    if size_of_header == 12:
        width, height, bits, compression = _little(content[18:20]), _little(content[20:22]), content[24], 0
    else:
        width = int.from_bytes(content[18:22], 'little', signed=True)
        height = abs(int.from_bytes(content[22:26], 'little', signed=True))  # < 0: the first row is on top
        bits, compression = _little(content[28:30]), _little(content[30:34])
    if compression in (1, 2):
        return Header(width, height), _RLE_RATIO * len(content)
    bytes_of_a_row = (width * bits + 31) // 32 * 4
    rows = (len(content) - begin) // max(1, bytes_of_a_row)
    return Header(width, height), rows * width


def _read_tiff(content: bytes) -> tuple[Header, float]:
    """The header of a TIFF, and the number of pixels that the file can hold."""
    entries = _tiff_entries(content)
    if entries.get(_ORIENTATION_TAG, 1) != 1:
        raise RuntimeError('a TIFF that is turned')
    return Header(entries.get(_WIDTH_TAG, 0), entries.get(_HEIGHT_TAG, 0)), _TIFF_RATIO * len(content)


def _orientation(exif: bytes) -> int:
    """The orientation in EXIF data, which has the layout of a TIFF file; 1 where none is recorded."""
    orientation = _tiff_entries(exif).get(_ORIENTATION_TAG, 1)
    return orientation if 1 <= orientation <= 8 else 1


def _tiff_entries(data: bytes) -> dict[int, int]:
    """The numbers in the first directory of a TIFF file, by their tags; the first of a tag counts."""
    order = _BYTE_ORDERS.get(data[:4])
    if order is None:
        return {}
    entries: dict[int, int] = {}
    begin = int.from_bytes(data[4:8], order)
    for number in range(int.from_bytes(data[begin : begin + 2], order)):
        entry = data[begin + 2 + 12 * number :][:12]
        tag, kind = (int.from_bytes(entry[at : at + 2], order) for at in (0, 2))
        if kind in _SIZES_OF_KINDS:
            entries.setdefault(tag, int.from_bytes(entry[8 : 8 + _SIZES_OF_KINDS[kind]], order))
    return entries


def _number(data: bytes) -> int:
    return int.from_bytes(data, 'big')


def _little(data: bytes) -> int:
    return int.from_bytes(data, 'little')

"""The same picture is the same array: upright as its EXIF orientation says, whatever file holds it."""

from __future__ import annotations

import io
import struct

import centerloss_mx.io as cio
from centerloss_mx._mxnet.pictures import decode

import mxnet as mx
import numpy as np
import pytest
from makers import write_folder, write_records
from PIL import Image, ImageOps

PIXELS = np.random.RandomState(20261128).randint(0, 256, (6, 9, 3)).astype('uint8').repeat(8, 0).repeat(8, 1)
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]  # of ImageNet


def exif(orientation, order, kind=3, before=()):
    """EXIF data with one directory, in which the orientation comes after other entries."""
    entries = [*before, struct.pack(f'{order}HHIHH', 0x0112, kind, 1, orientation, 0)]
    head = struct.pack(f'{order}2sHI', {'<': b'II', '>': b'MM'}[order], 42, 8)
    return head + struct.pack(f'{order}H', len(entries)) + b''.join(entries) + bytes(4)


def jpeg(data=None, jfif=True, before=b''):
    """A JPEG file with or without a JFIF header and EXIF data."""
    content = io.BytesIO()
    Image.fromarray(PIXELS).save(content, 'JPEG', quality=95, subsampling=0)
    content = content.getvalue()
    assert content[6:11] == b'JFIF\0'
    head, rest = content[: 20 if jfif else 2], content[20:]
    if data is not None:
        before += segment(0xE1, b'Exif\0\0' + data)
    return head + before + rest


def segment(marker, data):
    return struct.pack('>BBH', 0xFF, marker, len(data) + 2) + data


def png(data):
    """A PNG file with EXIF data in its eXIf chunk."""
    content = io.BytesIO()
    Image.fromarray(PIXELS).save(content, 'PNG', exif=b'Exif\0\0' + data)
    assert b'eXIf' + data in content.getvalue()
    return content.getvalue()


FILES = {
    'JFIF': jpeg,
    'no JFIF': lambda data: jpeg(data, jfif=False),
    'other segments': lambda data: jpeg(data, before=segment(0xE1, b'XMP\0') + segment(0xFE, b'\xff\xe1')),
    'PNG': png,
}  # fmt: skip


def shown(content):
    """What a viewer shows."""
    return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert('RGB'))


@pytest.mark.parametrize('order', ['<', '>'])
@pytest.mark.parametrize('file', FILES)
@pytest.mark.parametrize('orientation', range(1, 9))
def test_a_picture_is_decoded_as_it_is_shown(orientation, file, order):
    other = struct.pack(f'{order}HHIHH', 0x0100, 3, 1, 7, 0)
    content = FILES[file](exif(orientation, order, before=[other]))
    expected = shown(content)
    assert expected.shape == ((48, 72, 3) if orientation < 5 else (72, 48, 3))
    np.testing.assert_array_equal(decode(content).asnumpy(), expected)


@pytest.mark.parametrize('data', [
    None, b'', b'II*\0', exif(0, '<'), exif(9, '>'), exif(6, '<')[:14], b'XX' + exif(6, '<')[2:],
    b'II*\0\xff\xff\xff\xff', exif(6, '<', kind=2),
], ids=['none', 'empty', 'cut', '0', '9', 'cut in the entry', 'no order', 'far', 'text'])  # fmt: skip
def test_a_picture_without_a_valid_orientation_is_not_turned(data):
    np.testing.assert_array_equal(decode(jpeg(data)).asnumpy(), shown(jpeg()))


def test_a_tiff_is_decoded_unless_it_is_turned():
    for orientation in range(1, 9):
        content = io.BytesIO()
        Image.fromarray(PIXELS).save(content, 'TIFF', tiffinfo={0x0112: orientation})
        if orientation == 1:
            np.testing.assert_array_equal(decode(content.getvalue()).asnumpy(), PIXELS)
        else:
            with pytest.raises(RuntimeError, match=r'^a TIFF that is turned$'):
                decode(content.getvalue())


def test_pictures_of_folders_and_records_are_served_upright_whatever_their_header(tmp_path):
    pictures = [jpeg(exif(6, '>'), jfif) for jfif in (True, False)] + [jpeg(exif(6, '<')), png(exif(6, '<'))]
    folder = cio.list_images(write_folder(tmp_path, 'abab', pictures))
    records = cio.list_images(write_records(tmp_path / 'all.rec', [0, 1, 0, 1], pictures))
    for images in folder, records, cio.readable_images(records)[0]:
        served = np.concatenate([batch.data[0].asnumpy() for batch in cio.image_iter(images, 1, 24)])
        rows = ImageOps.exif_transpose(Image.open(io.BytesIO(pictures[0]))).resize((24, 36), Image.BOX)
        expected = (np.asarray(rows)[6:30] / 255 - MEAN) / STD
        for picture in served:  # JPEGs are not exact, nor are averages of other programs
            assert np.abs(picture.transpose(1, 2, 0) - expected).max() < 0.1


def test_mxnet_turns_pictures_without_a_jfif_header_only():
    turned, unturned = (mx.image.imdecode(jpeg(exif(6, '<'), jfif)).shape for jfif in (False, True))
    assert (turned, unturned) == ((72, 48, 3), (48, 72, 3))

"""What a header promises is compared with its file before memory is allocated for it."""

from __future__ import annotations

import gzip
import io
import os
import re
import struct
import zipfile
import zlib

import centerloss_mx.io as cio
from centerloss_mx._files import read_npz
from centerloss_mx._mxnet.picture_headers import read_header
from centerloss_mx._mxnet.pictures import decode
from centerloss_mx._mxnet.records import read_record

import mxnet as mx
import numpy as np
import pytest
from makers import idx_bytes, png, random_pictures, write_folder, write_records
from PIL import Image


def saved(format, mode='RGB', pixels=None, **options):
    content = io.BytesIO()
    image = Image.fromarray(random_pictures(1)[0] if pixels is None else pixels).convert(mode)
    image.save(content, format, **options)
    return content.getvalue()


def jpeg_of(width, height):
    """A JPEG of 30 x 20 pixels whose header says another size."""
    size = struct.pack('>HH', 20, 30)
    content = saved('JPEG')
    assert content.count(size) == 1
    return content.replace(size, struct.pack('>HH', height, width))


def png_of(width, height):
    """The same as a PNG, with the right checksum."""
    content = png(random_pictures(1)[0])
    chunk = b'IHDR' + struct.pack('>II', width, height) + content[24:29]
    return content[:12] + chunk + struct.pack('>I', zlib.crc32(chunk)) + content[33:]


def bmp_of(width, height, bits=24, compression=0):
    content = bytearray(saved('BMP'))
    content[18:26] = struct.pack('<ii', width, height)
    content[28:30], content[30:34] = struct.pack('<H', bits), struct.pack('<I', compression)
    return bytes(content)


def tiff_of(width, height):
    content = saved('TIFF', 'L')
    for tag, before, now in (0x0100, 30, width), (0x0101, 20, height):
        entry = struct.pack('<HHI', tag, 4, 1)
        assert entry + struct.pack('<I', before) in content
        content = content.replace(entry + struct.pack('<I', before), entry + struct.pack('<I', now))
    return content


@pytest.mark.parametrize('picture, promise', [
    (lambda: jpeg_of(16000, 9000), '16000 x 9000 pixels, more than {} bytes can hold'),
    (lambda: jpeg_of(40000, 20000), '40000 x 20000 pixels; expected at most 268435456, 1000000 a side'),
    (lambda: jpeg_of(0, 20), '0 x 20 pixels'),
    (lambda: png_of(3000, 2500), '3000 x 2500 pixels, more than {} bytes can hold'),
    (lambda: png_of(2000000, 3), '2000000 x 3 pixels; expected at most 268435456, 1000000 a side'),
    (lambda: png_of(0, 3), '0 x 3 pixels'),
    (lambda: bmp_of(31, 20), '31 x 20 pixels, more than {} bytes can hold'),
    (lambda: bmp_of(30, -21), '30 x 21 pixels, more than {} bytes can hold'),
    (lambda: bmp_of(9000, 9000, 8, 1), '9000 x 9000 pixels, more than {} bytes can hold'),
    (lambda: bmp_of(-30, 20), '-30 x 20 pixels'),
    (lambda: saved('GIF'), 'not a JPEG, PNG, BMP, TIFF, PBM, PGM, PPM or WebP file'),
    (lambda: tiff_of(20000, 12000), '20000 x 12000 pixels, more than {} bytes can hold'),
    (lambda: saved('JPEG')[:150], 'a JPEG without a size'),
])  # fmt: skip
def test_a_picture_that_its_file_cannot_hold_does_not_reach_mxnet(picture, promise, tmp_path, monkeypatch):
    content = picture()
    monkeypatch.setattr(mx.image, 'imdecode', lambda *_, **__: pytest.fail('decoded'))
    with pytest.raises(RuntimeError) as refused:
        decode(content)
    assert str(refused.value) == promise.format(len(content))
    images = cio.list_images(write_folder(tmp_path, 'a', [content]), min_classes=1)
    with pytest.raises(ValueError) as refused:
        cio.image_iter(images, 1, 8).next()
    reason = promise.format(len(content))
    name = tmp_path / 'a' / '00.png'
    assert str(refused.value) == (
        f'{name}: not a picture that MXNet can decode ({reason}); repair or remove it'
    )


@pytest.mark.parametrize('format, mode, options', [
    ('JPEG', 'RGB', {}), ('JPEG', 'L', {}), ('JPEG', 'CMYK', {}), ('JPEG', 'RGB', {'progressive': True}),
    ('PNG', 'RGB', {}), ('PNG', 'RGBA', {}), ('PNG', 'P', {}), ('PNG', '1', {}), ('PNG', 'LA', {}),
    ('BMP', 'RGB', {}), ('BMP', 'L', {}), ('BMP', 'P', {}), ('BMP', '1', {}), ('BMP', 'RGBA', {}),
    ('TIFF', 'RGB', {}), ('TIFF', 'L', {'compression': 'tiff_lzw'}),
    ('TIFF', 'RGBA', {'compression': 'packbits'}),
])  # fmt: skip
@pytest.mark.parametrize('shape', [(1, 1), (20, 30), (400, 700)])
def test_a_file_holds_the_emptiest_picture_of_its_size(format, mode, options, shape):
    content = saved(format, mode, np.zeros(shape, 'uint8'), **options)
    assert read_header(content) == (*shape[::-1], 1)
    assert decode(content).shape == (*shape, 3)


def test_a_picture_that_would_be_too_long_once_resized_is_named(tmp_path):
    folder = write_folder(tmp_path, 'a', [np.zeros((1, 60000), 'uint8')])
    images = cio.list_images(folder, min_classes=1)
    with pytest.raises(ValueError) as refused:
        cio.image_iter(images, 1, 224).next()
    assert str(refused.value) == (
        f'{folder}/a/00.png: 60000 x 1 pixels are too narrow to be resized to 224 pixels on the shorter '
        'side; crop or remove it'
    )
    assert cio.image_iter(images, 1, 8).next()


@pytest.mark.parametrize('change, problem', [
    (lambda path: os.truncate(path, 1000), ' has changed: 1000 bytes, {} in the epoch before'),
    (lambda path: path.unlink(), ' does not exist any more'),
    (lambda path: path.write_bytes(b''), ' has changed: 0 bytes, {} in the epoch before'),
])  # fmt: skip
def test_a_picture_that_changes_between_two_epochs_is_named(change, problem, tmp_path):
    folder = write_folder(tmp_path, 'ab', [saved('JPEG'), saved('JPEG')])
    samples = cio.image_iter(cio.list_images(folder), 1, 8)
    assert len(list(samples)) == 2
    path = folder / 'b' / '01.png'
    size = path.stat().st_size
    change(path)
    samples.reset()
    assert samples.next()
    with pytest.raises((ValueError, FileNotFoundError)) as refused:
        samples.next()
    assert str(refused.value) == f'{path}{problem.format(size)}'


def test_records_that_are_cut_off_between_two_epochs_are_named(tmp_path):
    path = write_records(tmp_path / 'all.rec', [0, 1, 1], random_pictures(3))
    samples = cio.image_iter(cio.list_images(path), 1, 8)
    assert len(list(samples)) == 3
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[: size - 300])
    samples.reset()
    assert samples.next() and samples.next()
    with pytest.raises(ValueError) as refused:
        samples.next()
    assert str(refused.value) == f'{path}: record 2: truncated: {size - 300} bytes found, {size} expected'


def test_records_are_those_of_mxnet_also_with_its_magic_number_inside(tmp_path):
    magic = struct.pack('<I', 0xCED7230A)
    contents = [b'abc', magic, b'abcd' + magic * 2 + b'xyz', b'abcd' * 50 + magic + b'1', b'']
    path = write_records(tmp_path / 'all.rec', [3, 1, 4, 1, 5], contents)
    plain = mx.recordio.MXIndexedRecordIO(str(path.with_suffix('.idx')), str(path), 'r')
    for key, content in enumerate(contents):
        label, picture = read_record(path, plain.idx[key])
        expected, _ = mx.recordio.unpack(plain.read_idx(key))
        assert (label, picture) == (expected.label, content)


@pytest.mark.parametrize('word', [2**29 - 1, 2**29 - 1 | 1 << 29, 900, 900 | 2 << 29])
def test_a_record_that_promises_more_than_its_file_is_not_read(tmp_path, word):
    path = tmp_path / 'all.rec'
    path.write_bytes(struct.pack('<II', 0xCED7230A, word) + bytes(700))
    with pytest.raises(ValueError, match=f'truncated: 708 bytes found, {8 + word % 2**29} expected'):
        read_record(path, 0)


@pytest.mark.parametrize('position', [-1, 4, 701, 2**63, 2**64])
def test_a_record_outside_its_file_is_not_read(tmp_path, position):
    path = tmp_path / 'all.rec'
    path.write_bytes(struct.pack('<II', 0xCED7230A, 700) + bytes(700))
    with pytest.raises(ValueError, match=r'no record at byte|a record expected at byte'):
        read_record(path, position)


def test_a_gzip_file_is_not_unpacked_beyond_what_its_header_says(tmp_path):
    path = tmp_path / 'images.gz'
    path.write_bytes(gzip.compress(idx_bytes(np.zeros(70, 'u1')) + bytes(30 * 2**20)))
    with pytest.raises(ValueError) as refused:
        cio.read_idx(path)
    assert str(refused.value) == (
        f'{path}: at least 1 trailing bytes: at least 79 bytes found, 78 expected '
        '(magic 0x00000801, shape (70,))'
    )


@pytest.mark.parametrize('pack', [bytes, gzip.compress])
def test_an_idx_header_of_terabytes_is_refused(tmp_path, pack):
    path = tmp_path / 'images'
    content = idx_bytes(np.zeros((2, 3, 4), 'f8'))
    path.write_bytes(pack(content.replace(struct.pack('>III', 2, 3, 4), struct.pack('>III', *[70000] * 3))))
    with pytest.raises(ValueError) as refused:
        cio.read_idx(path)
    assert str(refused.value) == (
        f'{path}: truncated: 208 bytes found, {16 + 8 * 70000**3} expected '
        '(magic 0x00000e03, shape (70000, 70000, 70000))'
    )


def npz(path, header=None, **info):
    """An .npz file whose array has another header, or another size in the archive's folder."""
    content = io.BytesIO()
    np.save(content, np.arange(6.0))
    content = content.getvalue()
    if header:
        content = content.replace(b"'shape': (6,), }".ljust(len(header)), header)
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('features.npy', content)
        for name, value in info.items():
            setattr(archive.filelist[0], name, value)


@pytest.mark.parametrize('header, info, problem', [
    (b"'shape': (70000, 7), }", {}, 'features.npy: 176 bytes found, 3920128 expected (float64 (70000, 7))'),
    (b"'shape': (-6,), }", {}, 'features.npy: 176 bytes found, 80 expected (float64 (-6,))'),
    (None, {'file_size': 2**30}, 'features.npy: {} bytes cannot hold 1073741824'),
], ids=['shape', 'negative', 'size in the archive'])  # fmt: skip
def test_an_array_that_promises_more_than_its_archive_has_is_refused(tmp_path, header, info, problem):
    path = tmp_path / 'features.npz'
    npz(path, header, **info)
    with zipfile.ZipFile(path) as archive:
        problem = problem.format(archive.filelist[0].compress_size)
    with pytest.raises(ValueError) as refused:
        read_npz(path, ['features'])
    assert str(refused.value) == f'{path}: expected the arrays features: {problem}'


@pytest.mark.parametrize('array', [
    np.zeros(10**6), np.zeros((0, 3)), np.array('name'), np.array(['ann', 'b']), np.ones((3, 4), order='F'),
    np.array([], 'U'), np.array([True]), np.arange(5, dtype='>i2'),
])  # fmt: skip
@pytest.mark.parametrize('save', [np.savez, np.savez_compressed])
def test_arrays_are_read_as_they_were_saved(tmp_path, array, save):
    save(tmp_path / 'a.npz', features=array)
    found = read_npz(tmp_path / 'a.npz', ['features'])['features']
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


def test_names_of_records_are_those_of_their_index(tmp_path):
    path = write_records(tmp_path / 'all.rec', [0, 1, 1], random_pictures(3))
    assert cio.list_images(path).names == [f'{path}: record {key}' for key in range(3)]
    path.with_suffix('.idx').write_text('7\t0\n')
    with pytest.raises(ValueError, match=re.escape(f'{path}: 1 class; expected at least 2')):
        cio.list_images(path)

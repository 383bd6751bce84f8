"""Files of the idx format."""

import gzip
import re

import centerloss_mx.io as cio

import numpy as np
import pytest
from makers import IDX_CODES, idx_bytes

SEED = 20160911


@pytest.mark.parametrize('packed', [False, True], ids=['plain', 'gzipped'])
@pytest.mark.parametrize('ndim', [0, 1, 3, 4])
@pytest.mark.parametrize('code', sorted(IDX_CODES))
def test_idx_files_of_every_dtype_are_read(tmp_path, code, ndim, packed):
    rng = np.random.RandomState(SEED)
    array = np.array(rng.randint(0 if code == 'u1' else -50, 50, (2, 3, 4, 5)[:ndim]) * 1.5).astype(code)
    path = tmp_path / 'array'  # content tells, not a name ending in .gz
    path.write_bytes(gzip.compress(idx_bytes(array)) if packed else idx_bytes(array))
    read = cio.read_idx(path)
    assert read.dtype == array.dtype
    assert read.dtype.isnative
    assert read.shape == array.shape
    np.testing.assert_array_equal(read, array)
    read[...] = 0  # one's own memory


def test_idx_paths_may_be_strings(tmp_path):
    (tmp_path / 'array.gz').write_bytes(idx_bytes(np.arange(5, dtype='i4')))
    assert cio.read_idx(str(tmp_path / 'array.gz')).tolist() == [0, 1, 2, 3, 4]


def test_an_idx_file_may_be_empty_of_items(tmp_path):
    (tmp_path / 'empty').write_bytes(idx_bytes(np.zeros((0, 28, 28), 'u1')))
    assert cio.read_idx(tmp_path / 'empty').shape == (0, 28, 28)


def test_a_missing_idx_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='nowhere does not exist; expected an idx file'):
        cio.read_idx(tmp_path / 'nowhere')


def test_a_directory_is_no_idx_file(tmp_path):
    with pytest.raises(ValueError, match=re.escape(f'{tmp_path} is a folder; expected an idx file')):
        cio.read_idx(tmp_path)


def test_an_idx_file_cut_anywhere_is_refused(tmp_path):
    content = idx_bytes(np.arange(6, dtype='i2').reshape(2, 3))
    path = tmp_path / 'cut'
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=f'cut: truncated: {length} bytes found'):
            cio.read_idx(path)


def test_a_truncated_idx_file_says_what_was_expected(tmp_path):
    path = tmp_path / 'cut'
    path.write_bytes(idx_bytes(np.zeros((10, 28, 28), 'u1'))[:1000])
    with pytest.raises(ValueError, match=re.escape(f'{path}: truncated: 1000 bytes found, 7856 expected')):
        cio.read_idx(path)


def test_trailing_bytes_are_refused(tmp_path):
    path = tmp_path / 'long'
    path.write_bytes(idx_bytes(np.zeros(5, 'u1')) + b'abc')
    with pytest.raises(ValueError, match='long: 3 trailing bytes: 16 bytes found, 13 expected'):
        cio.read_idx(path)


@pytest.mark.parametrize('head', [b'\x89PNG', b'\0\0\x0a\x01', b'\0\x01\x08\x01', b'\0\0\x08\x21'])
def test_a_wrong_magic_is_shown_in_hex(tmp_path, head):
    path = tmp_path / 'other'
    path.write_bytes(head + bytes(200))
    with pytest.raises(ValueError, match=f'other: magic 0x{head.hex()} is not that of an idx file') as error:
        cio.read_idx(path)
    assert 'expected 0x0000TTDD' in str(error.value)


def test_gzip_cut_anywhere_is_refused(tmp_path):
    content = gzip.compress(idx_bytes(np.arange(100, dtype='i4')))
    path = tmp_path / 'cut.gz'
    for length in range(2, len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r'cut\.gz: damaged gzip file'):
            cio.read_idx(path)


@pytest.mark.parametrize('offset', [2, 10, -6, -1], ids=['method', 'stream', 'checksum', 'length'])
def test_corrupt_gzip_is_refused(tmp_path, offset):
    content = bytearray(gzip.compress(idx_bytes(np.arange(100, dtype='i4'))))
    content[offset] ^= 0xFF
    path = tmp_path / 'corrupt.gz'
    path.write_bytes(bytes(content))
    with pytest.raises(ValueError, match=r'corrupt\.gz: damaged gzip file'):
        cio.read_idx(path)

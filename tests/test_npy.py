"""Arrays in .npy files: written in pieces, whole or not at all, and read where they are needed."""

from __future__ import annotations

import os

from centerloss_mx._files import read_npy, write_npy

import numpy as np
import pytest
from makers import Payload

ROWS = np.random.RandomState(0).randn(9, 4).astype('float32')


def written(path, rows=ROWS):
    write_npy(path, rows.shape, str(rows.dtype), [rows[:2], rows[2:2], rows[2:7], rows[7:]])
    return path


@pytest.mark.parametrize('dtype', ['float32', 'float64', 'int64'])
def test_what_is_written_in_pieces_is_read_whole(tmp_path, dtype):
    rows = (ROWS * 100).astype(dtype)
    path = written(tmp_path / 'rows.npy', rows)
    np.testing.assert_array_equal(np.load(path), rows)
    found = read_npy(path)
    np.testing.assert_array_equal(found, rows)
    assert isinstance(found, np.memmap) and found.dtype == dtype and not found.flags.writeable
    assert os.listdir(tmp_path) == ['rows.npy']


def test_rows_that_are_read_stay_when_another_file_takes_the_name(tmp_path):
    path = written(tmp_path / 'rows.npy')
    found = read_npy(path)
    written(path, ROWS + 1)
    np.testing.assert_array_equal(found, ROWS)
    np.testing.assert_array_equal(read_npy(path), ROWS + 1)


def test_what_numpy_writes_is_read(tmp_path):
    np.save(tmp_path / 'rows.npy', np.asfortranarray(ROWS))
    np.testing.assert_array_equal(read_npy(tmp_path / 'rows.npy'), ROWS)
    with open(tmp_path / 'rows.npy', 'wb') as file:
        np.lib.format.write_array(file, ROWS, version=(2, 0))
    np.testing.assert_array_equal(read_npy(tmp_path / 'rows.npy'), ROWS)


@pytest.mark.parametrize('pieces, message', [
    ([ROWS[:8]], 'the pieces have 8 rows; expected 9'),
    ([ROWS, ROWS[:1]], 'the pieces have 10 rows; expected 9'),
    ([ROWS[:, :3]], r'a piece has shape \(9, 3\); expected rows of \(9, 4\)'),
])  # fmt: skip
def test_pieces_that_do_not_make_the_array_leave_the_old_file(tmp_path, pieces, message):
    path = written(tmp_path / 'rows.npy')
    with pytest.raises(ValueError, match=message):
        write_npy(path, ROWS.shape, 'float32', pieces)
    np.testing.assert_array_equal(read_npy(path), ROWS)
    assert os.listdir(tmp_path) == ['rows.npy']


def test_an_error_while_rows_are_gathered_leaves_the_old_file(tmp_path):
    def gather():
        yield ROWS[:5]
        raise RuntimeError('a server has ended')

    path = written(tmp_path / 'rows.npy')
    with pytest.raises(RuntimeError, match='a server has ended'):
        write_npy(path, ROWS.shape, 'float32', gather())
    np.testing.assert_array_equal(read_npy(path), ROWS)
    assert os.listdir(tmp_path) == ['rows.npy']


@pytest.mark.parametrize('size', [0, 5, 60, 127])
def test_a_file_without_a_whole_header_is_named(tmp_path, size):
    path = written(tmp_path / 'rows.npy')
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ValueError, match=f'^{path} is not an .npy file, or it is damaged: '):
        read_npy(path)


@pytest.mark.parametrize('size', [128, 271, 273])
def test_a_file_that_is_cut_off_or_too_long_is_named(tmp_path, size):
    path = written(tmp_path / 'rows.npy')
    path.write_bytes((path.read_bytes() + b'\0')[:size])
    with pytest.raises(ValueError) as refused:
        read_npy(path)
    assert str(refused.value) == (
        f'{path} has {size} bytes, 272 expected (float32 (9, 4)): it is cut off or damaged'
    )


def test_a_byte_that_is_changed_in_the_header_gives_numbers_or_a_valueerror(tmp_path):
    path, rng = written(tmp_path / 'rows.npy'), np.random.RandomState(0)
    content = path.read_bytes()
    for place in range(128):
        changed = bytearray(content)
        changed[place] = rng.randint(256)
        path.write_bytes(changed)
        try:
            assert read_npy(path).dtype.kind in 'biuf'
        except ValueError as error:
            assert str(error).startswith(str(path)) and '\n' not in str(error)


def test_objects_are_not_unpickled(tmp_path):
    path = tmp_path / 'rows.npy'
    np.save(path, np.array([Payload()], object))
    with pytest.raises(ValueError, match=r'has an array of object \(1,\); expected numbers'):
        read_npy(path)
    assert not Payload.ran


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'none\.npy does not exist; expected an \.npy file'):
        read_npy(tmp_path / 'none.npy')

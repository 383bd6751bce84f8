"""Files of arrays: damaged ones are named, and nothing is unpickled."""

from __future__ import annotations

import pickle

from centerloss_mx._files import read_npz

import numpy as np
import pytest
from makers import Payload


def damaged(path, how):
    np.savez_compressed(path, images=np.random.RandomState(0).rand(9, 8, 8), labels=np.arange(9))
    content = path.read_bytes()
    if how == 'truncated':
        path.write_bytes(content[: len(content) // 2])
    elif how == 'flipped':
        middle = content.find(b'images.npy') + 200
        path.write_bytes(
            content[:middle] + bytes(255 - byte for byte in content[middle:][:50]) + content[middle + 50 :]
        )
    elif how == 'text':
        path.write_text('no arrays')
    elif how == 'pickled':
        path.write_bytes(pickle.dumps(Payload()))
    elif how == 'empty':
        path.write_bytes(b'')
    else:
        np.save(path.with_suffix('.npy'), np.zeros(3))
        path.with_suffix('.npy').rename(path)


@pytest.mark.parametrize('how', ['truncated', 'flipped', 'text', 'pickled', 'empty', 'npy'])
def test_damaged_files_are_named_and_nothing_is_unpickled(tmp_path, how):
    path = tmp_path / 'faces.npz'
    damaged(path, how)
    with pytest.raises(ValueError) as refused:
        read_npz(path, ['images', 'labels'])
    not_npz = f'{path} is not an .npz file, or it is damaged; expected the arrays images and labels'
    expected = f'{path}: expected the arrays images and labels: ' if how == 'flipped' else not_npz
    assert str(refused.value).startswith(expected)
    assert not Payload.ran


def test_why_a_file_is_refused_is_one_line_whatever_its_arrays_are_called(tmp_path):
    np.savez(tmp_path / 'odd.npz', **{'first\nsecond': np.arange(3)})
    with pytest.raises(ValueError) as refused:
        read_npz(tmp_path / 'odd.npz', ['images'])
    assert str(refused.value).endswith('images is not among first second')

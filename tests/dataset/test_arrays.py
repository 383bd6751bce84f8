"""Samples in .npz files: images in [0, 1] and named classes, or an error that names file and array."""

from __future__ import annotations

import zipfile

from centerloss_mx.dataset import load_arrays

import numpy as np
import pytest
from makers import SEED, Payload


def test_colours_and_floats_stay_as_they_are(tmp_path):
    images = np.random.RandomState(SEED).randn(4, 6, 5, 3)
    np.savez(tmp_path / 'all.npz', images=images, labels=['dog', 'cat', 'dog', 'cat'])
    found = load_arrays(tmp_path / 'all.npz')
    np.testing.assert_array_equal(found.images, images.transpose(0, 3, 1, 2).astype('float32'))
    assert found.class_names == ['cat', 'dog'] and found.labels.tolist() == [1, 0, 1, 0]


def test_members_that_are_no_arrays_are_named(tmp_path):
    for content in b'no array', b'\x93NUMPY\x01\x00v\x00{"descr', b'':
        with zipfile.ZipFile(tmp_path / 'x.npz', 'w') as archive:
            archive.writestr('images.npy', content)
            archive.writestr('labels.npy', content)
        with pytest.raises(ValueError, match=r'x.npz: expected the arrays images and labels: '):
            load_arrays(tmp_path / 'x.npz')
    with zipfile.ZipFile(tmp_path / 'x.npz', 'w') as archive:
        archive.writestr('images', 'text')
        archive.writestr('labels', 'text')
    with pytest.raises(ValueError, match='images is not an array'):
        load_arrays(tmp_path / 'x.npz')


@pytest.mark.parametrize('content, message', [
    ({'images': np.zeros((4, 8, 8))}, 'expected the arrays images and labels: labels is not among images'),
    ({'images': np.zeros((4, 8)), 'labels': np.zeros(4)}, r'images of shape (4, 8) and labels of shape (4,)'),
    ({'images': np.zeros((4, 8, 8)), 'labels': np.zeros(3)}, 'labels of shape (3,)'),
    ({'images': np.zeros((0, 8, 8)), 'labels': np.zeros(0)}, 'N > 0'),
    ({'images': np.zeros((2, 0, 8)), 'labels': np.zeros(2)}, 'have no pixels'),
    ({'images': np.zeros((2, 8, 8)), 'labels': np.array([0, np.inf])}, 'label inf at row 1 is not finite'),
    ({'images': np.full((2, 8, 8), 1e300), 'labels': np.zeros(2)}, 'images at row 0 are not finite'),
    ({'images': np.zeros((4, 8, 8), int), 'labels': np.zeros(4)}, 'images are int64; expected uint8'),
    ({'images': np.zeros((4, 8, 8)), 'labels': np.array([Payload()] * 4)}, 'Object arrays cannot be loaded'),
    ({'images': np.diag([1, 1, np.inf, 1])[..., np.newaxis], 'labels': np.zeros(4)},
     'images at row 2 are not finite'),
])  # fmt: skip
def test_files_that_hold_no_samples_are_named(tmp_path, content, message):
    np.savez(tmp_path / 'faces.npz', **content)
    with pytest.raises(ValueError) as refused:
        load_arrays(tmp_path / 'faces.npz')
    assert str(refused.value).startswith(f'{tmp_path / "faces.npz"}: ') and message in str(refused.value)
    assert not Payload.ran

"""Samples in .npz files: images in [0, 1] and named classes, or an error that names file and array."""

from __future__ import annotations

import zipfile

from centerloss_mx.dataset import load_arrays, load_samples

import numpy as np
import pytest
from makers import SEED, Payload, write_idx


def test_colours_and_floats_stay_as_they_are(tmp_path):
    images = np.random.RandomState(SEED).randn(4, 6, 5, 3)
    np.savez(tmp_path / 'all.npz', images=images, labels=['dog', 'cat', 'dog', 'cat'])
    found = load_arrays(tmp_path / 'all.npz')
    np.testing.assert_array_equal(found.images, images.transpose(0, 3, 1, 2).astype('float32'))
    assert found.class_names == ['cat', 'dog'] and found.labels.tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize('shape', [(7, 3, 20, 16), (7, 4, 9, 8), (2, 1, 5, 6), (4, 3, 2, 5)])
@pytest.mark.parametrize('dtype', ['uint8', 'float64'])
def test_the_axis_of_1_3_or_4_entries_holds_the_channels(tmp_path, shape, dtype):
    images = (256 * np.random.RandomState(SEED).rand(*shape)).astype(dtype)
    expected = images.astype('float32') / np.float32(255 if dtype == 'uint8' else 1)
    np.savez(tmp_path / 'first.npz', images=images, labels=np.arange(shape[0]))
    np.savez(tmp_path / 'last.npz', images=images.transpose(0, 2, 3, 1), labels=np.arange(shape[0]))
    for name in 'first.npz', 'last.npz':
        np.testing.assert_array_equal(load_samples(tmp_path / name).images, expected)


@pytest.mark.parametrize('shape, found', [
    ((5, 3, 8, 3), 'both have'),
    ((5, 4, 6, 1), 'both have'),
    ((5, 2, 8, 6), 'neither has'),
    ((5, 64, 64, 10), 'neither has'),
])  # fmt: skip
def test_channels_that_may_be_on_two_axes_are_refused(tmp_path, shape, found):
    np.savez(tmp_path / 'faces.npz', images=np.zeros(shape), labels=np.arange(5))
    write_idx(tmp_path / 'some-images-idx3-ubyte', np.zeros(shape, 'uint8'))
    write_idx(tmp_path / 'some-labels-idx1-ubyte', np.arange(5, dtype='uint8'))
    for name in 'faces.npz', 'some-images-idx3-ubyte':
        with pytest.raises(ValueError) as refused:
            load_samples(tmp_path / name)
        assert str(refused.value) == (
            f'{tmp_path / name}: images of shape {shape}: the channels may be on axis 1 or 3, because '
            f"{found} 1, 3 or 4 entries; pass layout='NCHW' or 'NHWC'"
        )


def test_members_that_are_no_arrays_are_named(tmp_path):
    for content in b'no array', b'\x93NUMPY\x01\x00v\x00{"descr', b'':
        with zipfile.ZipFile(tmp_path / 'x.npz', 'w') as archive:
            archive.writestr('images.npy', content)
            archive.writestr('labels.npy', content)
        with pytest.raises(ValueError, match=r'x.npz: expected the arrays images or features and labels: '):
            load_arrays(tmp_path / 'x.npz')
    with zipfile.ZipFile(tmp_path / 'x.npz', 'w') as archive:
        archive.writestr('images', 'text')
        archive.writestr('labels', 'text')
    with pytest.raises(ValueError, match='images is not an array'):
        load_arrays(tmp_path / 'x.npz')


@pytest.mark.parametrize('content, message', [
    ({'images': np.zeros((4, 8, 8))},
     'expected the arrays images or features and labels: labels is not among images'),
    ({'images': np.zeros(4), 'labels': np.zeros(4)}, r'images of shape (4,) and labels of shape (4,)'),
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

"""How pictures get their size and are normalized."""

from __future__ import annotations

import re

import centerloss_mx.io as cio
from centerloss_mx.dataset import load_samples, samples_iter

import mxnet as mx
import numpy as np
import pytest
from makers import random_pictures, write_folder, write_records

RAW = {'mean': (0, 0, 0), 'std': (1, 1, 1)}


def served(folder, **options):
    """The pictures of a folder, (N, height, width, 3)."""
    samples = load_samples(folder, **options)
    data = samples_iter(samples, len(samples.labels)).next().data[0].asnumpy()
    return data.transpose(0, 2, 3, 1)


@pytest.fixture
def wide(tmp_path):
    """A picture of 16 x 32 pixels in blocks of 4 x 4, the blocks, and its folder."""
    blocks = random_pictures(1, 4, 8)[0]
    return blocks.astype(float), write_folder(tmp_path, 'a', [blocks.repeat(4, axis=0).repeat(4, axis=1)])


def test_a_crop_covers_the_size_and_loses_both_sides(wide):
    blocks, folder = wide
    np.testing.assert_array_equal(served(folder, image_size=4, **RAW)[0], blocks[:, 2:6])
    np.testing.assert_array_equal(served(folder, image_size=(4, 2), **RAW)[0], blocks[:, 3:5])
    halves = blocks.reshape(4, 4, 2, 3).mean(axis=2).reshape(2, 2, 4, 3).mean(axis=1)
    np.testing.assert_allclose(served(folder, image_size=(2, 4), fit='crop', **RAW)[0], halves, atol=0.51)


def test_a_stretched_picture_keeps_all_columns(wide):
    blocks, folder = wide
    columns = blocks.reshape(4, 4, 2, 3).mean(axis=2)
    np.testing.assert_allclose(served(folder, image_size=4, fit='stretch', **RAW)[0], columns, atol=0.51)


@pytest.mark.parametrize('size', [(8, 8), (7, 8), (9, 8)])
def test_a_padded_picture_is_whole_between_rows_of_the_mean(wide, size):
    blocks, folder = wide
    data = served(folder, image_size=size, fit='pad', mean=(100, 110, 120), std=(2, 4, 8))[0]
    above = (size[0] - 4) // 2
    np.testing.assert_allclose(data[above : above + 4], (blocks - [100, 110, 120]) / [2, 4, 8], rtol=1e-6)
    assert not data[:above].any() and not data[above + 4 :].any()


def test_padding_beside_a_high_picture(tmp_path):
    pixels = np.full((12, 3, 3), 200, np.uint8)
    data = served(write_folder(tmp_path, 'a', [pixels]), image_size=(4, 8), fit='pad', **RAW)[0]
    assert (data[:, 3] == 200).all() and not np.delete(data, 3, axis=1).any()


def test_an_argument_goes_before_the_pictures_own_and_these_before_the_defaults(wide):
    blocks, folder = wide
    images = load_samples(folder, image_size=4, std=(1, 1, 1))
    assert images.preprocessing == cio.Preprocessing((4, 4), None, None, (1.0, 1.0, 1.0))
    assert cio.Preprocessing(fit='pad').over(images.preprocessing).fit == 'pad'
    assert images.take([0]).preprocessing == images.preprocessing
    assert cio.image_iter(images, 1).provide_data[0].shape == (1, 3, 4, 4)
    assert cio.image_iter(images, 1, (2, 3)).provide_data[0].shape == (1, 3, 2, 3)
    data = cio.image_iter(images, 1).next().data[0].asnumpy()[0].transpose(1, 2, 0)
    np.testing.assert_allclose(data, blocks[:, 2:6] - [123.68, 116.28, 103.53], rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize('options, message', [
    ({'image_size': (1, 2, 3)}, 'image_size=(1, 2, 3): expected one number, or height and width'),
    ({'image_size': 0}, 'image_size=0 is not a whole number > 0'),
    ({'image_size': (4, 2.5)}, 'image_size=2.5 is not a whole number > 0'),
    ({'fit': 'squeeze'}, "fit='squeeze' is not one of crop, stretch, pad"),
    ({'mean': (1, 2)}, 'mean=(1, 2): expected three numbers, of red, green and blue'),
    ({'mean': (1, float('nan'), 2)}, 'mean=nan is not a finite number >= 0'),
    ({'std': (1, 0, 1)}, 'std=0 is not a finite number > 0'),
])  # fmt: skip
def test_what_no_picture_can_have_is_refused(wide, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        load_samples(wide[1], **options)


@pytest.mark.parametrize('fit', ['crop', 'stretch', 'pad'])
def test_a_record_gives_the_array_of_its_file(tmp_path, fit):
    pictures = random_pictures(3, 23, 31)
    folder, records = write_folder(tmp_path / 'f', 'aab', pictures), tmp_path / 'r.rec'
    options = {'image_size': (12, 10), 'fit': fit}
    data = served(write_records(records, [0, 0, 1], pictures), **options)
    np.testing.assert_array_equal(data, served(folder, **options))


def test_uint8_arrays_have_mean_0_and_std_255_and_no_other(tmp_path):
    pictures = random_pictures(2, 8, 8)
    np.savez(tmp_path / 'a.npz', images=pictures, labels=[0, 1])
    plain = {'mean': (0, 0, 0), 'std': (255, 255, 255)}
    arrays = load_samples(tmp_path / 'a.npz', **plain).images
    data = served(write_folder(tmp_path / 'f', 'ab', pictures), image_size=8, **plain)
    np.testing.assert_array_equal(data, arrays.transpose(0, 2, 3, 1))
    with pytest.raises(ValueError, match=r'mean=\(0, 0, 0\): .*a.npz holds arrays of mean 0 and std 255'):
        load_samples(tmp_path / 'a.npz', **RAW)


@pytest.mark.parametrize('made, message', [
    ({'fit': 'streched'}, "fit='streched' is not one of crop, stretch, pad"),
    ({'std': (0, 1, 1)}, 'std=0 is not a finite number > 0'),
    ({'mean': (1, 1)}, 'mean=(1, 1): expected three numbers'),
    ({'size': (32.5, 16)}, 'image_size=32.5 is not a whole number > 0'),
])  # fmt: skip
def test_a_preprocessing_that_a_user_made_is_checked(wide, made, message):
    images = load_samples(wide[1])._replace(preprocessing=cio.Preprocessing(**made))
    with pytest.raises(ValueError, match=re.escape(message)):
        cio.image_iter(images, 1, None if 'size' in made else 8)
    sizes = [
        cio.image_iter(images._replace(preprocessing=cio.Preprocessing(size, mean=[0, 0, 0])), 1)
        .next()
        .data[0]
        .shape
        for size in (16, (16, 16), [16, 16])
    ]
    assert sizes == [(1, 3, 16, 16)] * 3


@pytest.mark.parametrize('size, method', [((10, 15), 3), ((40, 60), 2), ((10, 40), 1), ((20, 30), 0)])
def test_a_picture_shrinks_by_area_grows_cubic_and_is_bilinear_between(tmp_path, size, method):
    """By OpenCV's numbers of the interpolations; a picture of the size keeps its pixels."""
    pixels = random_pictures(1)
    expected = mx.image.imresize(mx.nd.array(pixels[0], dtype='uint8'), size[1], size[0], interp=method)
    data = served(write_folder(tmp_path, 'a', pixels), image_size=size, fit='stretch', **RAW)[0]
    np.testing.assert_array_equal(data, expected.asnumpy())

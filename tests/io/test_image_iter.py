"""`image_iter`: pictures in batches, as the model zoo expects them."""

import random
import re

import centerloss_mx.io as cio

import numpy as np
import pytest
from label_iterators import epoch
from makers import png, random_pictures, write_folder, write_records

SEED = 20160911
MEAN = 255 * np.array([0.485, 0.456, 0.406])  # what the networks of the model zoo were trained with
STD = 255 * np.array([0.229, 0.224, 0.225])


def served(images, batch_size, size, **options):
    """One epoch, without the padding: data and labels."""
    batches = list(cio.image_iter(images, batch_size, size, **options))
    data = np.concatenate([batch.data[0].asnumpy() for batch in batches])[: len(images.labels)]
    label = np.concatenate([batch.label[0].asnumpy() for batch in batches])[: len(images.labels)]
    return data, label


@pytest.fixture(params=['folder', 'rec'])
def images(request, tmp_path):
    """The same five pictures, 20 x 30, of two classes."""
    if request.param == 'folder':
        return cio.list_images(write_folder(tmp_path, 'aabbb', random_pictures(5)))
    return cio.list_images(write_records(tmp_path / 'train.rec', [0, 0, 1, 1, 1], random_pictures(5)))


def test_pictures_are_served_as_the_model_zoo_wants_them(images):
    data, label = served(images, 2, 20)
    middle = random_pictures(5)[:, :, 5:25].transpose(0, 3, 1, 2)
    expected = (middle - MEAN.reshape(3, 1, 1)) / STD.reshape(3, 1, 1)
    np.testing.assert_allclose(data, expected, rtol=0, atol=1e-4)
    assert label.tolist() == [0, 0, 1, 1, 1]


def test_padding_of_pictures_moves_no_centers(images):
    samples = cio.image_iter(images, 4, 8, ignore_label=-1)
    for _ in range(2):
        assert epoch(samples) == [(0, [0, 0, 1, 1], [0, 0, 1, 1]), (3, [1, 0, 0, 1], [1, -1, -1, -1])]
        samples.reset()


def test_grey_and_wide_and_tiny_pictures_are_brought_to_size(tmp_path):
    pictures = [np.full((4, 90), 124, np.uint8), np.full((1, 1, 3), 124, np.uint8)]
    data, _ = served(cio.list_images(write_folder(tmp_path, 'ab', pictures)), 1, 8)
    assert data.shape == (2, 3, 8, 8)
    expected = np.broadcast_to(((124 - MEAN) / STD).reshape(3, 1, 1), data.shape)
    np.testing.assert_allclose(data, expected, rtol=0, atol=1e-4)


def test_pictures_shrink_by_the_mean_of_the_pixels_that_fall_together(tmp_path):
    pixels = random_pictures(1, height=32, width=32)
    data, _ = served(cio.list_images(write_folder(tmp_path, 'a', pixels), min_classes=1), 1, 8)
    blocks = pixels.reshape(8, 4, 8, 4, 3).mean(axis=(1, 3)).transpose(2, 0, 1)
    pictures = data[0] * STD.reshape(3, 1, 1) + MEAN.reshape(3, 1, 1)
    np.testing.assert_allclose(pictures, blocks, rtol=0, atol=0.51)  # rounded to whole numbers


def test_pictures_grow_smoothly(tmp_path):
    """A step from 64 to 192 becomes a ramp; the nearest pixel would leave it a step."""
    pixels = np.full((1, 4, 4, 3), 64, np.uint8)
    pixels[:, :, 2:] = 192
    data, _ = served(cio.list_images(write_folder(tmp_path, 'a', pixels), min_classes=1), 1, 16)
    row = (data[0] * STD.reshape(3, 1, 1) + MEAN.reshape(3, 1, 1))[0, 8]
    between = (row > 70) & (row < 186)
    assert between.sum() >= 3 and (np.diff(row[between]) > 0).all()


def test_shuffling_and_mirroring_follow_the_seed_and_keep_labels(tmp_path):
    images = cio.list_images(write_folder(tmp_path, 'abcdefgh', random_pictures(8)))
    plain, _ = served(images, 8, 20)
    epochs = []
    for _ in range(2):
        random.seed(SEED)
        epochs.append(served(images, 8, 20, shuffle=True, rand_mirror=True))
    (data, label), (again, _) = epochs
    np.testing.assert_array_equal(data, again)
    assert label.tolist() != list(range(8)) and sorted(label) == list(range(8))
    mirrored = 0
    for picture, j in zip(data, label.astype(int)):
        is_mirrored = not np.array_equal(picture, plain[j])
        np.testing.assert_array_equal(picture[:, :, ::-1] if is_mirrored else picture, plain[j])
        mirrored += is_mirrored
    assert 0 < mirrored < 8


@pytest.mark.parametrize(
    'content', [b'', b'no picture', png(random_pictures(1)[0])[:900]], ids=['empty', 'text', 'cut']
)
def test_a_picture_that_cannot_be_decoded_is_named(tmp_path, content):
    good = png(random_pictures(1)[0])
    folder = write_folder(tmp_path, 'abb', [good, good, content])
    broken = folder / 'b' / '02.png'
    samples = cio.image_iter(cio.list_images(folder), 1, 8)
    assert samples.next() and samples.next()
    with pytest.raises(ValueError, match=re.escape(f'{broken}: not a picture that MXNet can decode')):
        samples.next()

    path = write_records(tmp_path / 'train.rec', [0, 1, 1], [good, content, good])
    samples = cio.image_iter(cio.list_images(path), 2, 8)
    with pytest.raises(ValueError, match=re.escape(f'{path}: record 1: not a picture that MXNet can decode')):
        samples.next()


def test_a_batch_of_more_than_all_pictures_is_refused(tmp_path):
    images = cio.list_images(write_folder(tmp_path, 'abb', random_pictures(3)))
    assert epoch(cio.image_iter(images, 3, 8)) == [(0, [0, 1, 1], [0, 1, 1])]
    with pytest.raises(ValueError, match='batch_size 4 is more than the 3 pictures'):
        cio.image_iter(images, 4, 8)

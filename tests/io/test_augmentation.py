"""What is changed at random in pictures, against the formulas in float64."""

from __future__ import annotations

import random
import re
from itertools import permutations

import centerloss_mx.io as cio
from centerloss_mx.io.augmentation import crop, erase, jitter

import numpy as np
import pytest
from makers import random_pictures, write_folder

GREY = np.array([0.299, 0.587, 0.114])
RAW = cio.Preprocessing(mean=(0, 0, 0), std=(1, 1, 1))
FORMULAS = {
    'brightness': lambda x, a: a * x,
    'contrast': lambda x, a: a * x + (1 - a) * (x * GREY).sum(axis=2).mean(),
    'saturation': lambda x, a: a * x + (1 - a) * (x * GREY).sum(axis=2, keepdims=True),
}


def served(images, size, seed=1, epochs=1, **options):
    random.seed(seed)
    samples = cio.image_iter(images, len(images.labels), size, **options)
    data = []
    for _ in range(epochs):
        data.append(samples.next().data[0].asnumpy().transpose(0, 2, 3, 1))
        samples.reset()
    return np.concatenate(data)


@pytest.fixture
def images(tmp_path):
    """Eight pictures of 14 x 14 pixels."""
    return cio.list_images(write_folder(tmp_path, 'aaaabbbb', random_pictures(8, 14, 14)))._replace(
        preprocessing=RAW
    )


@pytest.mark.parametrize('name', FORMULAS)
def test_colors_change_by_the_formula(name):
    pixels = random_pictures(1)[0]
    factors = []
    for seed in range(200):
        found = jitter(pixels, cio.Augmentation(**{name: 0.4}), np.random.default_rng(seed))
        # The changes are linear in a: it follows from the sums of squares.
        x, base = FORMULAS[name](pixels.astype(float), 1.0), FORMULAS[name](pixels.astype(float), 0.0)
        a = ((found - base) * (x - base)).sum() / ((x - base) ** 2).sum()
        np.testing.assert_allclose(found, FORMULAS[name](pixels.astype(float), a), rtol=1e-4, atol=1e-3)
        factors.append(a)
    assert 0.6 <= min(factors) < 0.63 and 1.37 < max(factors) <= 1.4


def test_colors_change_in_every_order():
    """The same numbers are drawn in the order of the changes, which only one order explains."""
    pixels, found = random_pictures(1)[0], set()
    for seed in range(60):
        data = jitter(pixels, cio.Augmentation(False, False, 0.5, 0.5, 0.5), np.random.default_rng(seed))
        generator = np.random.default_rng(seed)
        generator.permutation(3)
        factors = generator.uniform(0.5, 1.5, 3)
        for order in permutations(FORMULAS):
            x = pixels.astype(float)
            for name, a in zip(order, factors):
                x = FORMULAS[name](x, a)
            if np.allclose(data, x, rtol=1e-4, atol=1e-3):
                found.add(order)
    assert found == {*permutations(FORMULAS)}


def test_a_rectangle_is_erased_with_its_probability_area_and_shape():
    shares, aspects, erased = [], [], 0
    mean, std = np.full((3, 1, 1), 100, np.float32), np.full((3, 1, 1), 2, np.float32)
    for seed in range(600):
        out = np.full((3, 40, 60), -999, np.float32)
        erase(out, 0.5, mean, std, np.random.default_rng(seed))
        rows, columns = np.nonzero((out != -999).all(axis=0))
        if not len(rows):
            continue
        erased += 1
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert height * width == len(rows)  # a whole rectangle
        shares.append(len(rows) / 2400)
        aspects.append(height / width)
        values = out[:, rows, columns] * 2 + 100
        assert values.min() >= 0 and values.max() <= 255
    assert 240 < erased < 360
    assert 0.01 < min(shares) < 0.04 and 0.3 < max(shares) < 0.42
    assert 0.2 < min(aspects) < 0.5 and 2 < max(aspects) < 3.7


def test_a_picture_in_which_no_rectangle_fits_stays():
    one, out = np.ones((3, 1, 1), np.float32), np.zeros((3, 1, 400), np.float32)
    for seed in range(50):
        erase(out, 1, one, one, np.random.default_rng(seed))  # 8 pixels or more, with 2 rows or more
    assert not out.any()


def test_a_crop_begins_anywhere(images):
    data = served(images, 12, epochs=20, augmentation=cio.Augmentation(rand_crop=True))  # 12 * 8 // 7 is 13
    pixels = served(images, 13)
    corners = set()
    for i, picture in enumerate(data):
        whole = pixels[i % 8]
        found = [(y, x) for y in (0, 1) for x in (0, 1) if (whole[y : y + 12, x : x + 12] == picture).all()]
        assert len(found) == 1
        corners.update(found)
    assert corners == {(0, 0), (0, 1), (1, 0), (1, 1)}


@pytest.mark.parametrize('length, larger, room', [(20, 8, 7), (8, 8, 7), (3, 8, 7)])
def test_where_a_crop_begins(length, larger, room):
    """Of a padded picture, the window moves in the padding."""
    begins = {crop(length, larger, room, np.random.default_rng(seed)) for seed in range(300)}
    first = -((larger - length) // 2) if length < larger else 0
    assert begins == {*range(first, first + max(length, larger) - room + 1)}


ALL = cio.Augmentation(True, True, 0.4, 0.4, 0.4, 0.5)


def test_what_is_drawn_follows_the_seed_and_not_the_threads(images):
    one = served(images, 12, epochs=3, shuffle=True, augmentation=ALL, num_threads=1)
    many = served(images, 12, epochs=3, shuffle=True, augmentation=ALL, num_threads=7)
    np.testing.assert_array_equal(one, many)
    other = served(images, 12, seed=2, epochs=3, shuffle=True, augmentation=ALL)
    assert len({picture.tobytes() for picture in (*one, *other)}) == 48  # none twice


def test_an_augmentation_of_nothing_changes_nothing(images):
    plain = served(images, 12, epochs=2, shuffle=True, rand_mirror=True)
    mirrored = cio.Augmentation(rand_mirror=True)
    np.testing.assert_array_equal(served(images, 12, epochs=2, shuffle=True, augmentation=mirrored), plain)
    unchanged = served(images, 12, augmentation=cio.Augmentation())
    np.testing.assert_array_equal(unchanged, served(images, 12))


@pytest.mark.parametrize('name, value, message', [
    ('contrast', 1.5, 'contrast=1.5 is not in 0..1'),
    ('rand_erasing', -0.1, 'rand_erasing=-0.1 is not in 0..1'),
    ('brightness', float('nan'), 'brightness=nan is not in 0..1'),
    ('rand_crop', 'yes', "rand_crop='yes' is not True or False"),
])  # fmt: skip
def test_a_change_outside_its_range_is_refused(images, name, value, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        cio.image_iter(images, 2, 8, augmentation=cio.Augmentation(**{name: value}))

"""A sample has the same fingerprint wherever its file is, and another one if it is another sample."""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter

from centerloss_mx.dataset import as_arrays, load_samples
from centerloss_mx.dataset.fingerprints import difference, fingerprints, rows_of

import numpy as np
import pytest
from makers import SEED, random_pictures, write_folder, write_records


def test_files_are_told_apart_by_class_name_and_size_but_not_by_their_place(tmp_path):
    pictures = random_pictures(6)
    folder = write_folder(tmp_path / 'here', ['ant', 'ant', 'bee', 'bee', 'cat', 'cat'], pictures)
    before = fingerprints(load_samples(folder))
    assert before.dtype == np.uint64 and len(set(before.tolist())) == 6
    folder = shutil.move(folder, tmp_path / 'there')
    np.testing.assert_array_equal(fingerprints(load_samples(folder)), before)
    assert fingerprints(load_samples(folder).take([5, 0])).tolist() == [before[5], before[0]]
    os.rename(folder / 'ant' / '01.png', folder / 'ant' / '07.png')
    os.rename(folder / 'bee' / '02.png', folder / 'bee' / '002.png')
    with open(folder / 'cat' / '05.png', 'ab') as file:
        file.write(b'.')
    assert (fingerprints(load_samples(folder)) == before).tolist() == [True, False, False, True, True, False]
    os.rename(folder / 'cat', folder / 'dog')
    assert (fingerprints(load_samples(folder)) == before)[4:].tolist() == [False, False]


def test_names_of_files_may_hold_bytes_that_are_no_text(tmp_path):
    folder = write_folder(tmp_path / 'all', 'ab', random_pictures(2))
    for name in b'\xff.png', b'\xfe.png':
        shutil.copy(folder / 'a' / '00.png', os.path.join(os.fsencode(folder / 'a'), name))
    assert len(set(fingerprints(load_samples(folder)).tolist())) == 4


def test_records_are_told_apart_by_key_class_and_length(tmp_path):
    pictures = [bytes(range(10, 10 + length)) for length in (5, 9, 9, 40)]
    before = fingerprints(load_samples(write_records(tmp_path / 'a.rec', [0, 1, 1, 0], pictures)))
    assert len(set(before.tolist())) == 4
    longer = [*pictures[:3], pictures[3] + b'....']
    after = fingerprints(load_samples(write_records(tmp_path / 'b.rec', [0, 1, 0, 0], longer)))
    assert (after == before).tolist() == [True, True, False, False]
    some = load_samples(tmp_path / 'a.rec').take([3, 1])
    assert fingerprints(some).tolist() == [before[3], before[1]]


def test_arrays_are_told_apart_by_every_number_their_shape_and_class():
    images, labels = np.random.RandomState(SEED).randint(0, 256, (7, 6, 4)).astype('uint8'), np.arange(7) % 3
    samples = as_arrays(images, labels)
    before = fingerprints(samples)
    images[5, 5, 3] ^= 1
    labels[2] = 0
    after = fingerprints(as_arrays(images, labels))
    assert np.flatnonzero(after != before).tolist() == [2, 5]
    for other in samples.images.transpose(0, 1, 3, 2).reshape(7, 1, 6, 4), samples.images.reshape(7, 1, 4, 6):
        assert not (fingerprints(samples._replace(images=other)) == before).any()
    for other in samples.images.astype('float64'), samples.images.view('int32'):
        assert not (fingerprints(samples._replace(images=other)) == before).any()
    order = samples._replace(images=np.asfortranarray(samples.images))
    np.testing.assert_array_equal(fingerprints(order), before)


def test_class_and_content_are_not_mistaken_for_each_other(tmp_path):
    """'ab' + 'c/1.png' is not 'a' + 'bc/1.png', whatever separates them."""
    seen = set()
    for name in 'a', 'a ', 'a 1', '1 a':
        samples = as_arrays(np.full((1, 1, 1), 32, 'uint8'), [name])
        seen.add(int(fingerprints(samples)[0]))
    assert len(seen) == 4


@pytest.mark.parametrize('seed', range(20))
def test_the_difference_is_that_of_a_count_by_hand(seed):
    """Few different values, so that many samples are the same."""
    rng = np.random.RandomState(seed)
    before, now = (rng.randint(0, 6, rng.randint(0, 9)).astype('uint64') for _ in range(2))
    added, missing = Counter(now.tolist()) - Counter(before.tolist()), Counter(before.tolist())
    missing.subtract(now.tolist())
    expected = []
    if added:
        first = next(row for row, value in enumerate(now.tolist()) if value in added)
        expected += [sum(added.values()), len(now), first]
    if +missing:
        expected += [sum((+missing).values()), len(before)]
    found = difference(before, now, [str(row) for row in range(len(now))])
    assert [int(number) for number in re.findall(r'\d+', found or '')] == expected


def test_the_difference_is_said_in_a_sentence():
    before, now = np.array([3, 5, 9], 'uint64'), np.array([5, 9, 9, 4], 'uint64')
    assert difference(before, now, ['k', 'l', 'm', 'n']) == (
        '2 of 4 samples are new or have changed (the first is l), 1 of the 3 before is missing or has changed'
    )
    assert difference(now, now[::-1], 'klmn') is None


def test_rows_are_found_by_their_fingerprints():
    now = np.random.RandomState(SEED).permutation(np.arange(50)).astype('uint64')
    some = now[[7, 3, 44, 0]]
    assert rows_of(some, now).tolist() == [7, 3, 44, 0]

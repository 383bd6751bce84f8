"""P x K batches of arrays and of pictures: the rule, counted by hand on what is served."""

from __future__ import annotations

import logging
import math
import os
import random
from collections import Counter

import centerloss_mx.io as cio
from centerloss_mx.dataset import Arrays, samples_iter

import mxnet as mx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from makers import random_pictures, write_folder

NO_MULTIPLE = 'expected a batch_size that is a multiple of samples_per_class'
TO_DO = 'Use a smaller batch_size, or more samples_per_class'


def rows_of(samples):
    """The rows of an epoch's batches, and that their data and labels belong to them; data are row numbers."""
    rows = []
    for batch in samples:
        assert batch.pad == 0
        assert batch.data[0].asnumpy().tolist() == batch.index.tolist()
        rows.append(batch.index.tolist())
    return rows


def balanced(labels, batch_size, samples_per_class, **options):
    return cio.ClassBalancedIter(np.arange(len(labels)), labels, batch_size, samples_per_class, **options)


@st.composite
def drawn(draw):
    """Labels of 1 to 6 classes of 1 to 9 samples each, in any order; P and K."""
    counts = draw(st.lists(st.integers(1, 9), min_size=1, max_size=6))
    labels = draw(st.permutations(np.repeat(10 * np.arange(len(counts)) - 20, counts).tolist()))
    return np.array(labels), draw(st.integers(1, len(counts))), draw(st.integers(1, 5))


@given(drawn(), st.integers(0, 9))
def test_each_batch_has_p_classes_of_k_samples_and_all_come_in_rounds(choice, seed):
    labels, classes_per_batch, samples_per_class = choice
    np.random.seed(seed)
    samples = balanced(labels, classes_per_batch * samples_per_class, samples_per_class)
    counts = Counter(labels.tolist())
    for _ in range(2):
        rows = np.array(rows_of(samples))
        samples.reset()
        assert rows.shape == (math.ceil(len(labels) / samples.batch_size), samples.batch_size)
        groups = rows.reshape(-1, samples_per_class)
        classes = labels[groups]
        assert (classes == classes[:, :1]).all()
        classes = classes[:, 0].tolist()
        for first in range(0, len(classes), classes_per_batch):
            assert len({*classes[first : first + classes_per_batch]}) == classes_per_batch
        for first in range(0, len(classes), len(counts)):  # a round; the last one may end early
            assert max(Counter(classes[first : first + len(counts)]).values()) == 1
        for j, count in counts.items():
            served = groups[np.array(classes) == j]
            for group in served.tolist():
                times = Counter(group)
                assert max(times.values()) == math.ceil(samples_per_class / count)
                assert len(times) == min(samples_per_class, count)
            served = served.ravel().tolist()
            for first in range(0, len(served), count):
                assert max(Counter(served[first : first + count]).values()) == 1


@pytest.mark.parametrize('num_class, each, classes_per_batch, samples_per_class', [
    (6, 4, 3, 2), (6, 8, 4, 4), (10, 4, 8, 1), (7, 2, 7, 2), (1, 6, 1, 3),
])  # fmt: skip
def test_classes_of_the_same_size_serve_each_sample_once_an_epoch(
    num_class, each, classes_per_batch, samples_per_class
):
    np.random.seed(1)
    labels = np.repeat(np.arange(num_class), each)
    samples = balanced(labels, classes_per_batch * samples_per_class, samples_per_class)
    epochs = []
    for _ in range(3):
        epochs.append(np.concatenate(rows_of(samples)).tolist())
        samples.reset()
        assert sorted(epochs[-1]) == list(range(len(labels)))
    assert epochs[0] != epochs[1] != epochs[2]


def test_classes_and_samples_come_with_equal_chances():
    np.random.seed(1)
    labels, trials = np.repeat(np.arange(5), [3, 5, 6, 7, 9]), 500
    samples = balanced(labels, 6, 2)
    first_rows, last_rows = Counter(), Counter()
    for _ in range(trials):
        rows = rows_of(samples)
        samples.reset()
        first_rows.update(rows[0])
        last_rows.update(rows[1])  # it ends one round, and begins the next
    for times in first_rows, last_rows:
        by_class = np.bincount(labels, [times[row] for row in range(30)])
        # 3 of 5 classes, 2 rows each; 5 standard deviations of the binomial distribution
        assert np.abs(by_class / 2 / trials - 0.6).max() < 5 * math.sqrt(0.6 * 0.4 / trials)
        for row, j in enumerate(labels):
            share = times[row] / by_class[j]
            expected = 1 / (labels == j).sum()
            assert abs(share - expected) < 5 * math.sqrt(expected / by_class[j])


def test_small_classes_repeat_their_samples_and_one_warning_counts_them(caplog):
    labels = np.repeat([0, 1, 2, 3], [5, 4, 3, 1])
    with caplog.at_level(logging.WARNING):
        samples = balanced(labels, 16, 4)
        for _ in range(3):
            (group,) = rows_of(samples)
            assert Counter(labels[group].tolist()) == {0: 4, 1: 4, 2: 4, 3: 4}
            assert group.count(12) == 4 and {*group} >= {9, 10, 11}
            samples.reset()
        balanced(labels, 2, 1)
    assert [record.getMessage() for record in caplog.records] == [
        'classes of fewer than samples_per_class=4 samples repeat them within a batch: 2 of 4; the smallest '
        'has 1 sample'
    ]


@pytest.mark.parametrize('batch_size, samples_per_class, message', [
    (6, 4, 'batch_size=6, samples_per_class=4: ' + NO_MULTIPLE),
    (2, 4, 'batch_size=2, samples_per_class=4: ' + NO_MULTIPLE),
    (8, 2, 'batch_size=8, samples_per_class=2: a batch needs 4 classes, and there are 3. ' + TO_DO),
    (0, 2, 'batch_size=0 is not a whole number > 0 and < 2^31'),
    (6, 0, 'samples_per_class=0 is not a whole number > 0 and < 2^31'),
])  # fmt: skip
def test_what_cannot_be_batches_is_refused(tmp_path, batch_size, samples_per_class, message):
    labels = [0, 0, 1, 1, 2, 2]
    images = cio.list_images(write_folder(tmp_path, labels, random_pictures(6)))
    arrays = Arrays(np.zeros((6, 1, 2, 2), np.float32), np.array(labels), ['a', 'b', 'c'])
    for make in (
        lambda: balanced(labels, batch_size, samples_per_class),
        lambda: cio.image_iter(images, batch_size, 8, samples_per_class=samples_per_class),
        lambda: samples_iter(arrays, batch_size, samples_per_class=samples_per_class),
    ):
        with pytest.raises(ValueError) as error:
            make()
        assert str(error.value) == message


@pytest.mark.parametrize('data, label, message', [
    (np.zeros((4, 2)), np.zeros((4, 1)), r'labels have shape (4, 1); expected one class a sample, (N,)'),
    (np.zeros((5, 2)), np.zeros(4), 'data has 5 samples and label 4; expected a label a sample'),
    (np.zeros((0, 2)), np.zeros(0),
     'batch_size=2, samples_per_class=2: a batch needs 1 class, and there are 0. ' + TO_DO),
])  # fmt: skip
def test_arrays_that_are_no_labelled_samples_are_refused(data, label, message):
    with pytest.raises(ValueError) as error:
        cio.ClassBalancedIter(data, label, 2, 2)
    assert str(error.value) == message


def test_names_and_dtypes_are_those_of_ndarray_iter():
    data, label = mx.nd.zeros((4, 2, 3), dtype='float16'), mx.nd.array([0, 1, 0, 1], dtype='int32')
    for arrays in (data, label), (data.asnumpy().astype('float64'), label.asnumpy()):
        samples = cio.ClassBalancedIter(*arrays, 4, 2, 'images', 'people')
        expected = mx.io.NDArrayIter({'images': arrays[0]}, {'people': arrays[1]}, 4)
        for name in 'provide_data', 'provide_label':
            found = getattr(samples, name)
            assert found == getattr(expected, name)
            assert [desc.dtype for desc in found] == [desc.dtype for desc in getattr(expected, name)]
        batch = samples.next()
        assert [array.dtype for array in batch.data + batch.label] == [
            desc.dtype for desc in samples.provide_data + samples.provide_label
        ]


def picture_iter(folder, num_threads=2, **options):
    """Pictures of five classes: their rows are in the red pixels."""
    pictures = np.zeros((20, 8, 8, 3), np.uint8)
    pictures[..., 0] = np.arange(20).reshape(-1, 1, 1)
    images = cio.list_images(write_folder(folder, [i % 5 for i in range(20)], pictures))
    images = images._replace(preprocessing=cio.Preprocessing((8, 8), 'crop', (0, 0, 0), (1, 1, 1)))
    return cio.image_iter(images, 6, num_threads=num_threads, samples_per_class=3, **options)


def picture_rows(samples):
    """The rows of each batch, by the red pixels, which PNG keeps; sorted as `list_images` sorts."""
    return [batch.data[0][:, 0, 4, 4].asnumpy().astype(int).tolist() for batch in samples]


def test_pictures_follow_the_rule_and_any_number_of_threads_serves_the_same(tmp_path):
    epochs = []
    for num_threads in 1, 3:
        random.seed(1)
        samples = picture_iter(tmp_path / str(num_threads), num_threads)
        for _ in range(2):
            batches = list(samples)
            samples.reset()
            assert len(batches) == 4
            for batch in batches:
                classes = batch.label[0].asnumpy().reshape(2, 3)
                red = batch.data[0][:, 0, 4, 4].asnumpy().reshape(2, 3)
                assert (classes == classes[:, :1]).all() and len({*classes[:, 0]}) == 2
                assert (red % 5 == classes).all() and len({*red.ravel()}) == 6
                assert batch.pad == 0 and batch.label[1] is batch.label[0]
            epochs.append([batch.data[0].asnumpy().tolist() for batch in batches])
    assert epochs[:2] == epochs[2:] and epochs[0] != epochs[1]


def test_a_forked_process_serves_the_rest_of_the_epoch(tmp_path):
    random.seed(2)
    expected = picture_rows(picture_iter(tmp_path / 'a'))
    random.seed(2)
    samples = picture_iter(tmp_path / 'b')
    samples.next()
    child = os.fork()
    if not child:
        os._exit(0 if picture_rows(samples) == expected[1:] else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert picture_rows(samples) == expected[1:]


@pytest.mark.parametrize('augmentation', [None, cio.Augmentation(rand_mirror=True, brightness=0.2)])
def test_after_k_resets_the_batches_are_those_of_the_epoch_k(tmp_path, augmentation):
    def pictures(folder):
        random.seed(3)
        return picture_iter(tmp_path / folder, augmentation=augmentation)

    def arrays(_):
        np.random.seed(3)
        return balanced([i % 5 for i in range(23)], 6, 3)

    for make in pictures, arrays:
        epochs = []
        for reads in True, False:
            samples = make(str(reads))
            for _ in range(3):
                if reads:
                    list(samples)
                samples.reset()
            batches = [array.asnumpy().tolist() for batch in samples for array in batch.data + batch.label]
            epochs.append(batches)
        assert epochs[0] == epochs[1]


@pytest.mark.parametrize('num_parts, whole', [(2, True), (4, True), (8, False)])
def test_the_parts_of_workers_have_whole_classes_if_their_number_divides_p(num_parts, whole):
    labels = np.repeat(np.arange(6), 4)

    def make():
        np.random.seed(4)
        return cio.CenterLossIter(balanced(labels, 16, 4), ignore_label=-1)

    workers = [cio.PartIter(make(), part, num_parts) for part in range(num_parts)]
    for complete, *parts in zip(make(), *workers):
        for i in range(2):
            joined = np.concatenate([part.label[i].asnumpy() for part in parts])
            np.testing.assert_array_equal(joined, complete.label[i].asnumpy())
            assert (joined >= 0).all()
        for part in parts:
            counts = {*Counter(part.label[0].asnumpy().tolist()).values()}
            assert counts == ({4} if whole else {2})
            assert labels[part.index].tolist() == part.label[0].asnumpy().tolist()


def test_samples_are_served_by_the_rule_whatever_they_are(tmp_path):
    labels = [i % 3 for i in range(12)]
    arrays = Arrays(np.arange(12, dtype=np.float32).reshape(12, 1, 1, 1), np.array(labels), ['a', 'b', 'c'])
    images = cio.list_images(write_folder(tmp_path, labels, random_pictures(12, 8, 8)))
    for samples in arrays, images:
        for batch in samples_iter(samples, 4, 8, ignore_label=-1, samples_per_class=2):
            softmax_label, center_label = (label.asnumpy() for label in batch.label)
            assert sorted(Counter(softmax_label.tolist()).values()) == [2, 2]
            np.testing.assert_array_equal(softmax_label, center_label)

"""Samples are served, split and selected; a package that is missing is named."""

from __future__ import annotations

import random
import sys

from centerloss_mx.dataset import Arrays, as_arrays, hold_out, load_samples, samples_iter
from centerloss_mx.io import image_iter

import numpy as np
import pytest
from makers import SEED, random_pictures, write_folder


def test_arrays_are_served_with_both_labels_and_padding_is_marked(sources):
    samples = load_samples(sources / 'all.npz')
    batches = list(samples_iter(samples, 8, ignore_label=-1))
    served = np.concatenate([batch.data[0].asnumpy() for batch in batches])
    np.testing.assert_array_equal(served, np.concatenate([samples.images, samples.images[:4]]))
    center_label = np.concatenate([batch.label[1].asnumpy() for batch in batches])
    np.testing.assert_array_equal(center_label, [*samples.labels, -1, -1, -1, -1])
    with pytest.raises(ValueError, match='rand_mirror=True: only pictures in files can be mirrored'):
        samples_iter(samples, 8, rand_mirror=True)


def test_all_options_reach_the_pictures_in_files(tmp_path):
    images = load_samples(write_folder(tmp_path, 'abcdefg', random_pictures(7)))
    options = {'shuffle': True, 'rand_mirror': True, 'ignore_label': -1}
    epochs = []
    for served_by in samples_iter, image_iter:
        random.seed(SEED)
        epochs.append(list(served_by(images, 4, 8, **options)))
    assert len(epochs[0]) == len(epochs[1]) == 2
    for found, expected in zip(*epochs):
        for ours, theirs in zip(found.data + found.label, expected.data + expected.label):
            np.testing.assert_array_equal(ours.asnumpy(), theirs.asnumpy())


def test_arrays_are_shuffled_at_every_reset(sources):
    samples = load_samples(sources / 'all.npz')
    np.random.seed(SEED)
    served = samples_iter(samples, 12, shuffle=True)
    orders = []
    for _ in range(2):
        batch = next(served)
        images = batch.data[0].asnumpy()
        rows = [np.flatnonzero((samples.images == image).all(axis=(1, 2, 3)))[0] for image in images]
        np.testing.assert_array_equal(batch.label[1].asnumpy(), samples.labels[rows])
        orders.append(rows)
        served.reset()
    assert len({tuple(order) for order in [*orders, range(12)]}) == 3


def test_a_share_of_every_class_is_held_out(sources):
    samples = load_samples(sources / 'all.npz')
    kept, held_out = hold_out(samples, 0.25, seed=3)
    assert np.bincount(held_out.labels).tolist() == [1, 1, 1]
    both = np.concatenate([kept.images, held_out.images])
    order = [np.flatnonzero((samples.images == image).all(axis=(1, 2, 3)))[0] for image in both]
    assert sorted(order) == list(range(12))
    np.testing.assert_array_equal(samples.labels[order], [*kept.labels, *held_out.labels])
    again, other = hold_out(samples, 0.25, seed=3)[1], hold_out(samples, 0.25, seed=4)[1]
    assert (again.images == held_out.images).all() and not (other.images == held_out.images).all()
    with pytest.raises(
        ValueError, match='class 8 has one sample; expected at least two, because one is held out'
    ):
        hold_out(samples.take([0, 1, 2, 3, 4]), 0.5)


def test_arrays_are_taken_by_rows():
    samples = Arrays(np.arange(8.0).reshape(4, 1, 2, 1), np.array([0, 1, 1, 0]), ['a', 'b'])
    some = samples.take(np.array([3, 1]))
    assert some.images[:, 0, 0, 0].tolist() == [6, 2] and some.labels.tolist() == [0, 1]


@pytest.mark.parametrize('module, call, who', [
    ('sklearn.datasets', lambda: load_samples('olivetti'), 'olivetti'),
    ('sklearn.model_selection', lambda: hold_out(as_arrays(np.zeros((2, 2, 2)), [0, 0]), 0.5), 'hold_out'),
])  # fmt: skip
def test_where_scikit_learn_is_missing_it_says_what_to_install(monkeypatch, module, call, who):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError) as refused:
        call()
    assert str(refused.value) == f"{who} needs scikit-learn: pip install 'centerloss_mx[examples]'"

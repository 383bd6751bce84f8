"""Samples in memory of any size, dtype and classes, against plain NumPy."""

from __future__ import annotations

import math

from centerloss_mx.dataset import as_arrays, hold_out, load_arrays, samples_iter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

SIDE = 5
PIXELS = {
    'uint8': st.integers(0, 255),
    'float16': st.floats(-1, 1, width=16),
    'float32': st.floats(-1, 1, width=32),
    'float64': st.floats(-1, 1),
}


@st.composite
def pictures(draw):
    """Pictures, grey or in color, and a name for each."""
    size, channels = draw(st.integers(1, 6)), draw(st.sampled_from([(), (1,), (3,)]))
    dtype = draw(st.sampled_from([*PIXELS]))
    images = draw(arrays(dtype, (size, SIDE, SIDE, *channels), elements=PIXELS[dtype]))
    return images, draw(st.lists(st.sampled_from(['a', 'b', 'aa', 'B', 'ä']), min_size=size, max_size=size))


@given(drawn=pictures(), broken=st.sampled_from([None, np.nan, np.inf, -np.inf]), data=st.data())
def test_a_file_of_samples_is_loaded_as_it_was_saved_or_its_row_is_named(
    tmp_path_factory, drawn, broken, data
):
    images, names = drawn
    path = tmp_path_factory.mktemp('arrays') / 'samples.npz'
    row = data.draw(st.integers(0, len(images) - 1))
    if broken is not None and images.dtype.kind == 'f':
        images[row].flat[data.draw(st.integers(0, images[row].size - 1))] = broken
    np.savez(path, images=images, labels=names)
    if not np.isfinite(images).all():
        with pytest.raises(ValueError, match=f'images at row {row} are not finite'):
            load_arrays(path)
        return
    samples = load_arrays(path)
    assert [samples.class_names[label] for label in samples.labels] == names
    assert samples.class_names == sorted(set(names))
    assert samples.images.dtype == np.float32
    scale = np.float32(255 if images.dtype == np.uint8 else 1)
    by_channel = images.reshape(len(images), SIDE, SIDE, -1)
    for channel in range(by_channel.shape[3]):
        expected = by_channel[..., channel].astype(np.float32) / scale
        np.testing.assert_array_equal(samples.images[:, channel], expected)


@given(st.lists(st.integers(0, 3), min_size=2, max_size=24), st.floats(0.05, 0.95), st.integers(0, 3))
def test_held_out_samples_are_a_share_of_every_class_and_no_sample_is_lost(labels, share, seed):
    rows = np.arange(len(labels), dtype='float32')
    samples = as_arrays(
        np.ones((1, SIDE, SIDE), 'float32') * rows[:, np.newaxis, np.newaxis], np.array(labels)
    )
    names, counts = np.unique(labels, return_counts=True)
    held = math.ceil(share * len(labels))
    if (counts == 1).any():
        with pytest.raises(ValueError, match=f'class {names[counts == 1][0]} has one sample'):
            hold_out(samples, share, seed)
        return
    if min(held, len(labels) - held) < len(names):
        with pytest.raises(ValueError):
            hold_out(samples, share, seed)
        return
    parts = hold_out(samples, share, seed)
    assert len(parts[1].labels) == held
    found = [part.images[:, 0, 0, 0].astype(int) for part in parts]
    assert sorted(np.concatenate(found)) == list(range(len(labels)))
    for part, part_rows in zip(parts, found):
        assert [int(part.class_names[label]) for label in part.labels] == [labels[row] for row in part_rows]
        assert (
            np.abs(np.bincount(part.labels, minlength=len(names)) - counts * len(part_rows) / len(labels)) < 1
        ).all()


@given(st.lists(st.integers(0, 3), min_size=1, max_size=12), st.data())
def test_batches_of_samples_in_memory_serve_each_once_and_fill_up_with_the_first(labels, data):
    batch_size = data.draw(st.integers(1, len(labels)))
    images = np.random.RandomState(0).rand(len(labels), SIDE, SIDE)
    samples = as_arrays(images, np.array(labels))
    served = list(samples_iter(samples, batch_size, ignore_label=-1))
    rows = np.arange(len(served) * batch_size) % len(labels)
    padding = np.arange(len(rows)) >= len(labels)
    assert len(served) == math.ceil(len(labels) / batch_size) and served[-1].pad == padding.sum()
    data, softmax_label, center_label = (
        np.concatenate([arrays[i].asnumpy() for arrays in ([*batch.data, *batch.label] for batch in served)])
        for i in range(3)
    )
    np.testing.assert_array_equal(data[:, 0], images.astype('float32')[rows])
    np.testing.assert_array_equal(softmax_label, samples.labels[rows])
    np.testing.assert_array_equal(center_label, np.where(padding, -1, samples.labels[rows]))

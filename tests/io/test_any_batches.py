"""Batches of any size from any number of samples, and idx files of any array, against plain NumPy."""

from __future__ import annotations

import math

from centerloss_mx.io import CenterLossIter, PartIter, read_idx

import mxnet as mx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from makers import write_idx

IDX_DTYPES = ['uint8', 'int8', 'int16', 'int32', 'float32', 'float64']


@st.composite
def labelled(draw):
    """Labels of 1 to 12 samples, one of several dtypes, a batch size and what is done with the last batch."""
    labels = draw(st.lists(st.integers(0, 5), min_size=1, max_size=12))
    batch_size = draw(st.integers(1, len(labels)))
    return np.array(labels), batch_size, draw(st.sampled_from(['pad', 'discard']))


def rows_of_batches(size, batch_size, last):
    """The rows of each batch, and how many of its last are padding."""
    number = size // batch_size if last == 'discard' else math.ceil(size / batch_size)
    for first in range(0, number * batch_size, batch_size):
        rows = np.arange(first, first + batch_size)
        yield rows % size, int((rows >= size).sum())


@given(labelled(), st.sampled_from(['float32', 'int32', 'float64']), st.sampled_from([None, -1, 7]))
def test_every_sample_is_served_once_with_its_class_and_padding_is_ignored(drawn, dtype, ignore_label):
    labels, batch_size, last = drawn
    data = np.arange(len(labels), dtype='float32')
    samples = CenterLossIter(
        mx.io.NDArrayIter(
            mx.nd.array(data), mx.nd.array(labels, dtype=dtype), batch_size, last_batch_handle=last
        ),
        ignore_label=ignore_label,
    )
    for _ in range(2):
        samples.reset()
        expected = list(rows_of_batches(len(labels), batch_size, last))
        for batch, (rows, pad) in zip(samples, expected):
            softmax_label, center_label = (label.asnumpy() for label in batch.label)
            np.testing.assert_array_equal(batch.data[0].asnumpy(), data[rows])
            np.testing.assert_array_equal(softmax_label, labels[rows])
            kept = batch_size - (0 if ignore_label is None else pad)
            np.testing.assert_array_equal(center_label[:kept], labels[rows][:kept])
            assert (center_label[kept:] == ignore_label).all()
            assert batch.pad == pad and softmax_label.dtype == center_label.dtype == dtype
            expected = expected[1:]
        assert not expected


@given(st.integers(3, 12), st.integers(1, 3), st.sampled_from(['pad', 'discard']), st.data())
def test_the_parts_of_workers_are_the_batches(size, num_parts, last, data):
    labels = np.arange(size)
    batch_size = num_parts * data.draw(st.integers(1, size // num_parts))
    workers = [
        PartIter(mx.io.NDArrayIter(labels, labels, batch_size, last_batch_handle=last), part, num_parts)
        for part in range(num_parts)
    ]
    served = list(zip(*workers))
    expected = list(rows_of_batches(len(labels), batch_size, last))
    assert len(served) == len(expected)
    for batches, (rows, pad) in zip(served, expected):
        together = np.concatenate([batch.label[0].asnumpy() for batch in batches])
        np.testing.assert_array_equal(together, labels[rows])
        assert sum(batch.pad for batch in batches) == pad


@given(values=st.sampled_from(IDX_DTYPES).flatmap(
    lambda dtype: arrays(dtype, array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4))
), cut=st.integers(1, 5))  # fmt: skip
def test_an_idx_file_holds_any_array_and_no_part_of_one(tmp_path_factory, values, cut):
    path = tmp_path_factory.mktemp('idx') / 'array.idx'
    write_idx(path, values)
    found = read_idx(path)
    assert found.dtype == values.dtype and found.tobytes() == values.tobytes() and found.shape == values.shape
    content = path.read_bytes()
    for damaged in content[:-cut], content + bytes(cut):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r'truncated|trailing bytes'):
            read_idx(path)

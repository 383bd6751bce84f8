"""`_mxnet.iterators`: each fault as plain MXNet has it. Ours: tests of `CenterLossIter` and `image_iter`."""

from __future__ import annotations

import random
import struct
import zlib

from centerloss_mx._mxnet.arrays import host_view
from centerloss_mx._mxnet.iterators import (
    label_at_once,
    next_batch,
    num_padding,
    rolls_over,
    without_rolling,
)
from centerloss_mx.io import CenterLossIter, PartIter

import mxnet as mx
import numpy as np
import pytest


@pytest.fixture
def csv_iter(tmp_path):
    np.savetxt(tmp_path / 'data.csv', np.arange(4))
    return mx.io.CSVIter(data_csv=str(tmp_path / 'data.csv'), data_shape=(1,), batch_size=2)


def test_mxnets_iterators_in_cpp_stay_on_the_first_batch(csv_iter):
    for _ in range(5):
        assert csv_iter.iter_next()  # there are two batches
        assert csv_iter.getdata().asnumpy().tolist() == [[0], [1]]  # and no list of arrays


def test_next_batch_walks_them_to_the_end(csv_iter):
    for expected in [[0], [1]], [[2], [3]]:
        assert next_batch(csv_iter).data[0].asnumpy().tolist() == expected
    assert next_batch(csv_iter) is None
    csv_iter.reset()
    assert next_batch(csv_iter).data[0].asnumpy().tolist() == [[0], [1]]


def samples(last_batch_handle='pad', **options):
    return mx.io.NDArrayIter(
        np.zeros((3, 1)), np.arange(3), 2, last_batch_handle=last_batch_handle, **options
    )


def test_mxnets_pad_counts_samples_at_the_front_where_they_roll_over():
    rolling = samples('roll_over')
    assert len(list(rolling)) == 1
    rolling.reset()
    first = rolling.next()
    assert (first.pad, first.label[0].asnumpy().tolist()) == (1, [2, 0])  # neither is a repeat
    padded = list(samples())[-1]
    assert (padded.pad, padded.label[0].asnumpy().tolist()) == (1, [2, 0])  # the 0 is one


def test_an_iterator_that_rolls_over_is_found_inside_others():
    for handle in 'roll_over', 'pad':
        for wrapped in (
            samples(handle),
            mx.io.ResizeIter(samples(handle), 2),
            mx.io.PrefetchingIter(mx.io.ResizeIter(samples(handle), 2)),
        ):
            assert rolls_over(wrapped) == (handle == 'roll_over')


@pytest.mark.parametrize('read, waits', [
    (lambda data_iter: data_iter.next().label[0], True),
    (lambda data_iter: (data_iter.next(), label_at_once(data_iter))[1], False),
], ids=['mxnet', 'label_at_once'])  # fmt: skip
def test_mxnets_array_iter_keeps_labels_waiting_for_pending_operations(read, waits):
    data_iter, ones, finished = samples(), mx.nd.ones((500, 500)), mx.nd.zeros(1)
    memory = host_view(finished)  # shows what is there, without waiting for it
    for _ in range(100):
        mx.nd.dot(ones, ones)
    finished[:] = 1
    assert read(data_iter).asnumpy().tolist() == [0, 1]
    assert memory.any() == waits


@pytest.mark.parametrize('handle', ['pad', 'discard', 'roll_over'])
@pytest.mark.parametrize('shape', [(7,), (7, 1)])
def test_the_label_at_once_is_that_which_was_served(handle, shape):
    np.random.seed(20161008)
    data_iter = mx.io.NDArrayIter(
        np.zeros((7, 1)), np.arange(7.0).reshape(shape), 2, shuffle=True, last_batch_handle=handle
    )
    for _ in range(2):
        found = 0
        for batch in data_iter:
            label = label_at_once(data_iter)
            if label is not None:
                found += 1
                assert (label.dtype, label.shape) == (batch.label[0].dtype, batch.label[0].shape)
                np.testing.assert_array_equal(label.asnumpy(), batch.label[0].asnumpy())
        assert found == 3  # all but the padded batch, and the one that began in the epoch before
        data_iter.reset()


@pytest.mark.parametrize('other', [
    mx.io.ResizeIter(samples(), 1),
    mx.io.NDArrayIter(np.zeros((1, 3)), np.arange(3.0).reshape(1, 3), 1, layout='CN'),
    mx.io.NDArrayIter(np.zeros((2, 1)), mx.nd.zeros((2, 1)).tostype('csr'), 2, last_batch_handle='discard'),
], ids=['not an array iterator', 'rows not in front', 'sparse'])  # fmt: skip
def test_other_iterators_have_no_label_at_once(other):
    other.next()
    assert label_at_once(other) is None


def png(value):
    """A picture of 8 x 8 grey points."""
    chunks = [
        (b'IHDR', struct.pack('>IIBBBBB', 8, 8, 8, 0, 0, 0, 0)),
        (b'IDAT', zlib.compress(8 * bytes([0, *[value] * 8]))),
        (b'IEND', b''),
    ]
    written = [
        struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
        for kind, data in chunks
    ]
    return b'\x89PNG\r\n\x1a\n' + b''.join(written)


def pictures(folder, count, **options):
    for i in range(count):
        (folder / f'{i}.png').write_bytes(png(100 + i))
    listed = [(float(i), str(folder / f'{i}.png')) for i in range(count)]
    return mx.image.ImageIter(
        data_shape=(3, 8, 8), imglist=listed, path_root='', aug_list=[], dtype='float32', **options
    )


def test_mxnets_image_iter_leaves_rows_beyond_one_round_of_padding_empty(tmp_path):
    batch = pictures(tmp_path, 2, batch_size=5).next()
    assert batch.pad == 3  # where `NDArrayIter` would serve samples 0, 1, 0
    assert batch.data[0].asnumpy().any(axis=(1, 2, 3)).tolist() == [True, True, True, True, False]


def test_mxnets_iterators_shuffle_with_global_generators(tmp_path):
    """They have no seed of their own: with the generators where they were, the order is the same."""
    numpys, pythons = np.random.get_state(), random.getstate()
    by_numpy = [samples(shuffle=True).idx.tolist() for _ in range(20)]
    by_python = [pictures(tmp_path, 3, batch_size=1, shuffle=True).seq for _ in range(20)]
    assert random.getstate() != pythons
    np.random.set_state(numpys)
    random.setstate(pythons)
    assert [samples(shuffle=True).idx.tolist() for _ in range(20)] == by_numpy
    assert [pictures(tmp_path, 3, batch_size=1, shuffle=True).seq for _ in range(20)] == by_python


def served(data_iter):
    """The labels of an epoch, without padding."""
    data_iter.reset()
    labels = []
    for batch in data_iter:
        rows = batch.label[0].asnumpy().tolist()
        labels += rows[: len(rows) - num_padding(data_iter, batch)]
    return labels


def test_mxnets_epochs_that_roll_over_lose_samples_and_double_others():
    rolling = samples('roll_over')
    assert [served(rolling), served(rolling)] == [[0, 1], [2, 0, 1, 2]]


@pytest.mark.parametrize('around', [
    lambda inner: inner,
    lambda inner: mx.io.ResizeIter(inner, 2),
    lambda inner: PartIter(inner, 0, 1),
    lambda inner: CenterLossIter(PartIter(inner, 0, 1)),
], ids=['plain', 'resized', 'part', 'both labels'])  # fmt: skip
def test_without_rolling_each_epoch_has_each_sample_once(around):
    rolling = around(samples('roll_over'))
    for _ in range(3):
        assert served(without_rolling(rolling)) == [0, 1, 2]
        list(rolling)
        rolling.reset()


def test_without_rolling_the_iterator_stays_where_it_was():
    rolling = samples('roll_over')
    list(rolling)
    rolling.reset()
    next(rolling)
    assert served(without_rolling(rolling)) == [0, 1, 2]
    assert next(rolling).label[0].asnumpy().tolist() == [1, 2]


@pytest.mark.parametrize('shuffle', [False, True])
def test_pictures_that_roll_over_are_each_served_once(tmp_path, shuffle):
    rolling = pictures(tmp_path, 5, batch_size=3, last_batch_handle='roll_over', shuffle=shuffle)
    for _ in range(2):
        order = list(rolling.seq)
        assert sorted(served(without_rolling(rolling))) == [0, 1, 2, 3, 4]
        assert rolling.seq == order
        list(rolling)
        rolling.reset()


def test_an_iterator_of_ones_own_that_rolls_over_is_refused():
    class Rolling(mx.io.DataIter):
        last_batch_handle = 'roll_over'

    for refused, name in (Rolling(), 'Rolling'), (mx.io.PrefetchingIter(samples('roll_over')), 'Prefetching'):
        with pytest.raises(
            ValueError, match=f"{name}.*: no epoch has each sample once. Use last_batch_handle='"
        ):
            without_rolling(refused)


def test_mxnets_iterators_in_cpp_leave_out_of_an_epoch_what_padded_the_one_before(tmp_path):
    np.savetxt(tmp_path / 'data.csv', np.arange(3))
    for options, second in ({}, [1, 2]), ({'round_batch': False}, [0, 1, 2]):
        data_iter = mx.io.CSVIter(
            data_csv=str(tmp_path / 'data.csv'), data_shape=(1,), batch_size=2, **options
        )
        epochs = []
        for _ in range(2):
            epochs.append([
                row for batch in data_iter for row in batch.data[0].asnumpy().ravel()[: 2 - batch.pad]
            ])  # fmt: skip
            data_iter.reset()
        assert epochs == [[0, 1, 2], second]

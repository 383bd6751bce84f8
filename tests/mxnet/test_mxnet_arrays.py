"""`_mxnet.arrays`: each fault as plain MXNet has it, and what the package does about it."""

from __future__ import annotations

from centerloss_mx._mxnet.arrays import argmax, from_host, host_view, row_numbers, set_rows, with_all_rows

import mxnet as mx
import numpy as np

LARGE = 2**24 + 1  # the first whole number that float32 does not hold


def test_mxnets_argmax_rounds_the_number_of_a_class_in_float16():
    scores = mx.nd.one_hot(mx.nd.array([2049, 7]), 2100, dtype='float16')
    assert mx.nd.argmax(scores, axis=1).asnumpy().tolist() == [2048, 7]
    assert argmax(scores, axis=1).asnumpy().tolist() == [2049, 7]
    assert argmax(scores.astype('float64'), axis=1).dtype == np.float64


def test_mxnets_array_for_numpy_is_a_copy():
    array = mx.nd.zeros((2, 3))
    array.asnumpy()[:] = 7
    assert not array.asnumpy().any()


def test_a_host_view_is_the_array():
    array = mx.nd.zeros((2, 3), dtype='float64')
    view = host_view(array)
    view[1] = 7
    assert view.dtype == np.float64
    assert array.asnumpy().tolist() == [[0, 0, 0], [7, 7, 7]]


def test_an_array_from_the_host_is_a_copy_of_the_same_dtype_or_of_another():
    values = np.array([[LARGE, 2], [3, 4]])
    whole, rounded = from_host(values), from_host(values.T, 'float32')
    values[:] = 0
    assert whole.dtype == np.int64 and whole.asnumpy().tolist() == [[LARGE, 2], [3, 4]]
    assert rounded.dtype == np.float32 and rounded.asnumpy().tolist() == [[LARGE - 1, 3], [2, 4]]


def test_mxnet_makes_float32_of_whole_numbers():
    assert mx.nd.array(np.array([LARGE])).asnumpy()[0] == LARGE - 1


def test_row_numbers_stay_whole():
    rows = row_numbers(np.array([LARGE]), like=mx.nd.zeros((1,), ctx=mx.cpu(1)))
    assert rows.asnumpy()[0] == LARGE and rows.context == mx.cpu(1)


def test_mxnets_operators_for_writing_rows_fill_a_new_array():
    array, rows, values = mx.nd.ones((3, 2)), mx.nd.array([1]), 5 * mx.nd.ones((1, 2))
    scattered = mx.nd.scatter_nd(values, rows.reshape((1, -1)), shape=array.shape)
    assert scattered.asnumpy().tolist() == [[0, 0], [5, 5], [0, 0]]
    copied = mx.nd.contrib.index_copy(array, rows, values)
    assert copied.asnumpy().tolist() == [[1, 1], [5, 5], [1, 1]]
    assert array.asnumpy().tolist() == [[1, 1], [1, 1], [1, 1]]  # each has written its own array


def test_set_rows_writes_the_array_itself():
    array = mx.nd.ones((3, 2))
    memory = host_view(array)
    set_rows(array, mx.nd.array([2, 0], dtype='int64'), mx.nd.array([[5, 6], [7, 8]]))
    assert memory.tolist() == [[7, 8], [1, 1], [5, 6]]


def test_mxnet_drops_rows_of_zeros():
    """Servers abort at an array without rows: test_mxnet_kvstore.py."""
    array = mx.nd.array([[0, 0], [1, 0], [0, 0]])
    assert array.tostype('row_sparse').indices.asnumpy().tolist() == [1]
    assert mx.nd.zeros((3, 2)).tostype('row_sparse').indices.shape == (0,)


def test_with_all_rows_keeps_rows_of_zeros():
    array = mx.nd.array([[0, 0], [1, 0], [0, 0]])
    for given in array, array.tostype('row_sparse'):
        full = with_all_rows(given)
        assert full.indices.asnumpy().tolist() == [0, 1, 2]
        assert (full.asnumpy() == array.asnumpy()).all()
    assert with_all_rows(full) is full

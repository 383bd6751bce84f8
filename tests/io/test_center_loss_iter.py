"""`CenterLossIter`: one label under two names, and padding that moves no centers."""

import re
import weakref

import centerloss_mx.io as cio

import mxnet as mx
import numpy as np
import pytest
from label_iterators import OwnIter, array_iter, bucket_iter, epoch, own_iter


def test_the_label_is_served_under_both_names_in_order():
    wrapped = cio.CenterLossIter(array_iter())
    assert [tuple(desc) for desc in wrapped.provide_label] == [
        ('softmax_label', (4,)),
        ('center_label', (4,)),
    ]
    assert [tuple(desc) for desc in wrapped.provide_data] == [('data', (4, 2))]
    assert wrapped.batch_size == 4
    assert epoch(wrapped) == [
        (0, [0, 1, 2, 3], [0, 1, 2, 3]),
        (0, [4, 5, 6, 7], [4, 5, 6, 7]),
        (2, [8, 9, 0, 1], [8, 9, 0, 1]),
    ]


def test_data_is_handed_on_untouched():
    plain, wrapped = array_iter(), cio.CenterLossIter(array_iter(), ignore_label=-1)
    for ours, theirs in zip(wrapped, plain):
        np.testing.assert_array_equal(ours.data[0].asnumpy(), theirs.data[0].asnumpy())


def test_the_label_is_not_copied():
    batch = own_iter(mx.nd.array([3, 1, 4, 1])).batches[0]
    served = cio.CenterLossIter(own_iter(batch.label[0])).next()
    assert served.label[0] is batch.label[0]
    assert served.label[1] is batch.label[0]


def test_who_writes_into_the_label_of_a_batch_changes_no_other():
    wrapped = cio.CenterLossIter(array_iter())
    for batch in wrapped:
        batch.label[0][:] = 77
        assert batch.label[1].asnumpy().tolist() == [77] * 4
    wrapped.reset()
    assert [labels for _, labels, _ in epoch(wrapped)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 0, 1]]


def test_a_full_batch_is_not_copied_for_the_ignore_label():
    served = cio.CenterLossIter(array_iter(), ignore_label=-1).next()
    assert served.label[0] is served.label[1]


def test_other_label_names_can_be_chosen():
    wrapped = cio.CenterLossIter(array_iter(), label_names=('id_label', 'person'))
    assert [desc.name for desc in wrapped.provide_label] == ['id_label', 'person']


@pytest.mark.parametrize('names', [('same', 'same'), ('alone',), ('a', 'b', 'c'), 'ab'])
def test_label_names_that_are_not_two_are_refused(names):
    with pytest.raises(ValueError, match='expected two different names') as error:
        cio.CenterLossIter(array_iter(), label_names=names)
    assert repr(names) in str(error.value)


@pytest.mark.parametrize('dtype', ['float16', 'float32', 'float64', 'uint8', 'int32', 'int64'])
def test_the_label_keeps_its_dtype(dtype):
    wrapped = cio.CenterLossIter(array_iter(dtype=dtype), ignore_label=99)
    assert [np.dtype(desc.dtype) for desc in wrapped.provide_label] == [np.dtype(dtype)] * 2
    batches = list(wrapped)
    assert {np.dtype(label.dtype) for batch in batches for label in batch.label} == {np.dtype(dtype)}
    assert batches[-1].label[1].asnumpy().tolist() == [8, 9, 99, 99]


def test_layouts_and_dtypes_are_those_of_the_wrapped_iterator():
    data = [mx.io.DataDesc('data', (4, 2), 'float16', layout='NT')]
    label = [mx.io.DataDesc('label', (4,), 'int32', layout='N')]
    wrapped = cio.CenterLossIter(OwnIter([], data, label))
    assert [(desc.name, desc.dtype, desc.layout) for desc in wrapped.provide_data] == [
        ('data', 'float16', 'NT')
    ]
    assert [(desc.dtype, desc.layout) for desc in wrapped.provide_label] == [('int32', 'N')] * 2


def test_plain_tuples_are_descriptions_too():
    wrapped = cio.CenterLossIter(OwnIter([], [('data', (6, 2))], [('label', (6,))]))
    assert all(isinstance(desc, mx.io.DataDesc) for desc in wrapped.provide_data + wrapped.provide_label)
    assert [desc.shape for desc in wrapped.provide_label] == [(6,), (6,)]
    assert wrapped.batch_size == 6


def test_a_label_column_is_served_as_a_vector_without_a_copy():
    column = mx.nd.array([[3], [1], [4], [1]])
    wrapped = cio.CenterLossIter(own_iter(column))
    assert [desc.shape for desc in wrapped.provide_label] == [(4,), (4,)]
    served = wrapped.next().label
    assert served[0] is served[1]
    assert served[0].shape == (4,)
    column[2] = 7  # seen through the served array: the same memory
    assert served[1].asnumpy().tolist() == [3, 1, 7, 1]


def test_padding_of_a_label_column_is_marked_without_touching_it():
    column = mx.nd.array([[3], [1], [4], [1]])
    served = cio.CenterLossIter(own_iter(column, pad=1), ignore_label=-1).next()
    assert served.label[1].asnumpy().tolist() == [3, 1, 4, -1]
    assert column.asnumpy().tolist() == [[3], [1], [4], [1]]


@pytest.mark.parametrize('shape', [(4, 5), (4, 1, 1), ()])
def test_a_label_that_is_not_one_class_a_sample_is_refused(shape):
    with pytest.raises(
        ValueError, match=re.escape(f'label wide has shape {shape}, expected one class a sample')
    ):
        cio.CenterLossIter(OwnIter([], [('data', (4, 2))], [('wide', shape)]))


def test_a_batch_that_breaks_its_description_is_refused():
    wrapped = cio.CenterLossIter(own_iter(mx.nd.zeros((4, 5)), described=[('label', (4,))]))
    with pytest.raises(ValueError, match=re.escape('label of the batch has shape (4, 5)')):
        wrapped.next()


def test_two_labels_are_refused_by_name():
    with pytest.raises(ValueError, match="exactly one label, found 2: 'label0', 'label1'"):
        cio.CenterLossIter(own_iter([mx.nd.zeros(4), mx.nd.zeros(4)]))


def test_wrapping_twice_is_refused():
    with pytest.raises(ValueError, match="found 2: 'softmax_label', 'center_label'"):
        cio.CenterLossIter(cio.CenterLossIter(array_iter()))


@pytest.mark.parametrize('described', [[], None])
def test_no_label_is_refused(described):
    with pytest.raises(ValueError, match='exactly one label, found 0: none'):
        cio.CenterLossIter(OwnIter([], [('data', (4, 2))], described))


@pytest.mark.parametrize('labels, count', [([], 0), (None, 0), ([mx.nd.zeros(4), mx.nd.zeros(4)], 2)])
def test_a_batch_without_its_one_label_is_refused(labels, count):
    batch = mx.io.DataBatch([mx.nd.zeros((4, 2))], labels, pad=0)
    wrapped = cio.CenterLossIter(OwnIter([batch], [('data', (4, 2))], [('label', (4,))]))
    with pytest.raises(ValueError, match=f'batch has {count} label arrays, expected exactly one'):
        wrapped.next()


# Padding


def test_padding_is_marked_in_the_center_label_only():
    wrapped = cio.CenterLossIter(array_iter(), ignore_label=-1)
    assert epoch(wrapped)[-1] == (2, [8, 9, 0, 1], [8, 9, -1, -1])


def test_with_marking_every_sample_moves_a_center_once_an_epoch():
    wrapped = cio.CenterLossIter(array_iter(count=7, batch_size=5, shuffle=True), ignore_label=-1)
    for _ in range(3):
        kept = [label for _, _, center in epoch(wrapped) for label in center if label != -1]
        assert sorted(kept) == [0, 1, 2, 3, 4, 5, 6]
        wrapped.reset()


def test_a_batch_larger_than_the_data_set_is_marked_beyond_it():
    wrapped = cio.CenterLossIter(array_iter(count=3, batch_size=8), ignore_label=-1)
    assert epoch(wrapped) == [(5, [0, 1, 2, 0, 1, 2, 0, 1], [0, 1, 2, -1, -1, -1, -1, -1])]


def test_marking_does_not_touch_the_wrapped_iterators_memory():
    label = mx.nd.array([3, 1, 4, 1])
    wrapped = cio.CenterLossIter(own_iter(label, pad=3), ignore_label=-1)
    for _ in range(2):
        assert epoch(wrapped) == [(3, [3, 1, 4, 1], [3, -1, -1, -1])]
        wrapped.reset()
    assert label.asnumpy().tolist() == [3, 1, 4, 1]


def test_a_pad_of_none_marks_nothing_and_stays_none():
    wrapped = cio.CenterLossIter(own_iter(mx.nd.array([3, 1]), pad=None), ignore_label=-1)
    assert epoch(wrapped) == [(None, [3, 1], [3, 1])]


def test_a_batch_of_nothing_but_padding_is_marked_throughout():
    wrapped = cio.CenterLossIter(own_iter(mx.nd.array([3, 1]), pad=2), ignore_label=-1)
    assert epoch(wrapped) == [(2, [3, 1], [-1, -1])]


def test_discarded_rows_are_not_served():
    wrapped = cio.CenterLossIter(array_iter(last_batch_handle='discard'), ignore_label=-1)
    assert epoch(wrapped) == [(0, [0, 1, 2, 3], [0, 1, 2, 3]), (0, [4, 5, 6, 7], [4, 5, 6, 7])]


@pytest.mark.parametrize('dtype, value', [('uint8', -1), ('uint8', 256), ('int32', -1.5), ('float16', 2049)])
def test_an_ignore_label_beyond_the_dtype_is_refused_at_once(dtype, value):
    with pytest.raises(ValueError, match=f'ignore_label {value} does not fit the label dtype {dtype}'):
        cio.CenterLossIter(array_iter(dtype=dtype), ignore_label=value)


@pytest.mark.parametrize('value', [float('nan'), float('inf'), 1e300])
def test_an_ignore_label_that_no_label_can_equal_is_refused(value):
    with pytest.raises(
        ValueError, match=re.escape(f'ignore_label {value} does not fit the label dtype float32')
    ):
        cio.CenterLossIter(array_iter(), ignore_label=value)


@pytest.mark.parametrize('value', ['-1', [-1]])
def test_an_ignore_label_that_is_no_number_is_refused(value):
    with pytest.raises(TypeError, match='expected a number or None') as error:
        cio.CenterLossIter(array_iter(), ignore_label=value)
    assert repr(value) in str(error.value)


@pytest.mark.parametrize('value', [np.int64(-1), np.float32(-1), -1.0])
def test_an_ignore_label_may_be_a_numpy_number(value):
    assert epoch(cio.CenterLossIter(array_iter(), ignore_label=value))[-1][2] == [8, 9, -1, -1]


def test_an_ignore_label_beyond_the_dtype_is_refused_on_the_real_arrays_too():
    # ('label', (4,)) says nothing of the dtype, and MXNet takes it for float32.
    label = mx.nd.array([3, 1, 4, 1], dtype='uint8')
    wrapped = cio.CenterLossIter(own_iter(label, described=[('label', (4,))]), ignore_label=-1)
    with pytest.raises(ValueError, match='ignore_label -1 does not fit the label dtype uint8'):
        wrapped.next()


# Epochs


def test_it_can_be_used_by_iter_next_and_getters():
    wrapped = cio.CenterLossIter(array_iter(), ignore_label=-1)
    pads, centers = [], []
    while wrapped.iter_next():
        pads.append(wrapped.getpad())
        centers.append(wrapped.getlabel()[1].asnumpy().tolist())
        assert wrapped.getdata()[0].shape == (4, 2)
        assert wrapped.getindex() is None
    assert pads == [0, 0, 2]
    assert centers[-1] == [8, 9, -1, -1]


def test_an_epoch_ends_and_reset_begins_the_next():
    wrapped = cio.CenterLossIter(array_iter())
    first = epoch(wrapped)
    with pytest.raises(StopIteration):
        wrapped.next()
    wrapped.reset()
    assert epoch(wrapped) == first


def test_reset_in_the_middle_of_an_epoch_begins_again_and_releases_the_batch():
    wrapped = cio.CenterLossIter(array_iter())
    batch = weakref.ref(wrapped.next())
    assert batch() is wrapped.current_batch
    wrapped.reset()
    assert wrapped.current_batch is None and batch() is None
    assert len(epoch(wrapped)) == 3


# Buckets


def test_buckets_keep_their_keys_and_descriptions():
    wrapped = cio.CenterLossIter(bucket_iter(), ignore_label=-1)
    assert wrapped.default_bucket_key == 5
    batches = list(wrapped)
    assert [batch.bucket_key for batch in batches] == [3, 5, 3, 5]
    for batch in batches:
        assert batch.index.tolist() == [0, 1, 2, 3]
        assert batch.pad == 1
        assert batch.provide_data == [('data', (4, batch.bucket_key))]
        assert [tuple(desc) for desc in batch.provide_label] == [
            ('softmax_label', (4,)),
            ('center_label', (4,)),
        ]
        assert [desc.layout for desc in batch.provide_label] == ['NT', 'NT']
        assert batch.label[1].asnumpy()[-1] == -1


def test_an_iterator_without_buckets_gets_none():
    wrapped = cio.CenterLossIter(array_iter())
    batch = wrapped.next()
    assert not hasattr(wrapped, 'default_bucket_key')
    assert (batch.bucket_key, batch.provide_data, batch.provide_label) == (None, None, None)


def test_bool_labels_are_refused_as_described_and_as_served():
    labels = mx.nd.array([1, 0]).astype('bool')
    sentence = 'the label is bool; expected class numbers: serve float32 or int32 labels'
    with pytest.raises(ValueError, match=sentence):
        cio.CenterLossIter(own_iter(labels))
    with pytest.raises(ValueError, match=sentence):
        next(cio.CenterLossIter(own_iter(labels, described=[('label', (2,))])))

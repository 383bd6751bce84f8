"""Iterators that serve one label to both losses, idx files and MNIST."""

import doctest
import gzip
import hashlib
import io
import random
import re
import struct
import zipfile
import zlib
from pathlib import Path

import centerloss_mx.io as cio  # before mxnet: the package repairs what mxnet needs from newer NumPy
from centerloss_mx._mxnet.pictures import decode

# isort: split
import mxnet as mx
import numpy as np
import pytest
from mxnet import recordio
from PIL import Image

SEED = 20160911
REPOSITORY = Path(__file__).resolve().parents[2]
DATA = Path(cio.__file__).parents[1] / 'data'
FULL = REPOSITORY.parent / 'shared' / 'data' / 'mnist'
needs_full = pytest.mark.skipif(not FULL.is_dir(), reason=f'the whole of MNIST is not at {FULL}')

IDX_CODES = {'u1': 0x08, 'i1': 0x09, 'i2': 0x0B, 'i4': 0x0C, 'f4': 0x0D, 'f8': 0x0E}
STEMS = [
    'train-images-idx3-ubyte',
    'train-labels-idx1-ubyte',
    't10k-images-idx3-ubyte',
    't10k-labels-idx1-ubyte',
]


def idx_bytes(array):
    code = IDX_CODES[array.dtype.str[1:]]
    head = struct.pack('>4B', 0, 0, code, array.ndim) + struct.pack(f'>{array.ndim}I', *array.shape)
    return head + array.astype(array.dtype.newbyteorder('>')).tobytes()


def small_mnist(train=20, test=10, size=28):
    rng = np.random.RandomState(SEED)
    images = [rng.randint(0, 256, (n, size, size)).astype(np.uint8) for n in (train, test)]
    labels = [rng.randint(0, 10, n).astype(np.uint8) for n in (train, test)]
    return [images[0], labels[0], images[1], labels[1]]


def write_mnist(directory, arrays, name=lambda stem: stem):
    for stem, array in zip(STEMS, arrays):
        content = idx_bytes(array)
        path = directory / name(stem)
        path.write_bytes(gzip.compress(content) if path.suffix == '.gz' else content)


def array_iter(count=10, batch_size=4, dtype='float32', **options):
    """Sample i has data [i, i] and label i % 10."""
    data = mx.nd.array(np.stack([np.arange(count)] * 2, axis=1))
    return mx.io.NDArrayIter(data, mx.nd.array(np.arange(count) % 10, dtype=dtype), batch_size, **options)


def epoch(data_iter):
    """[(pad, softmax labels, center labels)] of one epoch."""
    return [(batch.pad, *(label.asnumpy().tolist() for label in batch.label)) for batch in data_iter]


class OwnIter(mx.io.DataIter):
    """An iterator as users write them: serves the given batches, leaves batch_size at 0."""

    def __init__(self, batches, provide_data, provide_label):
        super().__init__()
        self.batches, self.provide_data, self.provide_label = batches, provide_data, provide_label
        self.position = 0

    def reset(self):
        self.position = 0

    def next(self):
        if self.position == len(self.batches):
            raise StopIteration
        self.position += 1
        return self.batches[self.position - 1]


def own_iter(label, described=None, pad=0, **more):
    """One batch with this label, an array or a list of arrays."""
    labels = label if isinstance(label, list) else [label]
    data = mx.nd.zeros((labels[0].shape[0] if labels else 4, 2))
    batch = mx.io.DataBatch([data], labels, pad=pad, **more)
    if described is None:
        described = [mx.io.DataDesc(f'label{i}', array.shape, array.dtype) for i, array in enumerate(labels)]
    return OwnIter([batch], [('data', data.shape)], described)


# CenterLossIter: one label, two names


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


# CenterLossIter: padding


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


@pytest.mark.parametrize(
    'around',
    [lambda it: it, lambda it: mx.io.ResizeIter(it, 3), mx.io.PrefetchingIter],
    ids=['plain', 'resized', 'prefetched'],
)
def test_rolled_over_rows_are_samples_and_are_not_marked(around):
    wrapped = cio.CenterLossIter(around(array_iter(last_batch_handle='roll_over')), ignore_label=-1)
    batches = epoch(wrapped)
    wrapped.reset()
    batches += epoch(wrapped)
    # MXNet's pad counts the rows at the front here: 8 and 9, which were in no batch before.
    padded = [batch for batch in batches if batch[0]]
    assert padded
    assert all(batch == (2, [8, 9, 0, 1], [8, 9, 0, 1]) for batch in padded)


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


# CenterLossIter: inside and around MXNet's iterators


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


def test_reset_in_the_middle_of_an_epoch_begins_again():
    wrapped = cio.CenterLossIter(array_iter())
    wrapped.next()
    wrapped.reset()
    assert len(epoch(wrapped)) == 3


def test_it_can_be_prefetched():
    prefetched = mx.io.PrefetchingIter(cio.CenterLossIter(array_iter(), ignore_label=-1))
    assert [desc.name for desc in prefetched.provide_label] == ['softmax_label', 'center_label']
    assert prefetched.batch_size == 4
    for _ in range(3):
        batches = epoch(prefetched)
        assert len(batches) == 3
        assert batches[-1] == (2, [8, 9, 0, 1], [8, 9, -1, -1])
        prefetched.reset()


def test_it_can_be_resized():
    resized = mx.io.ResizeIter(cio.CenterLossIter(array_iter(), ignore_label=-1), 5)
    assert [desc.name for desc in resized.provide_label] == ['softmax_label', 'center_label']
    for _ in range(2):
        batches = epoch(resized)
        assert [pad for pad, _, _ in batches] == [0, 0, 2, 0, 0]
        assert batches[2][2] == [8, 9, -1, -1]
        resized.reset()


@pytest.mark.parametrize('around', [lambda it: mx.io.ResizeIter(it, 3), mx.io.PrefetchingIter])
def test_it_wraps_resized_and_prefetched_iterators(around):
    wrapped = cio.CenterLossIter(around(array_iter()), ignore_label=-1)
    assert wrapped.batch_size == 4
    assert epoch(wrapped)[-1] == (2, [8, 9, 0, 1], [8, 9, -1, -1])


def test_it_wraps_the_mnist_iterator_of_mxnet(tmp_path):
    arrays = small_mnist(train=20)
    write_mnist(tmp_path, arrays)
    native = mx.io.MNISTIter(
        image=str(tmp_path / STEMS[0]),
        label=str(tmp_path / STEMS[1]),
        batch_size=8,
        shuffle=False,
        silent=True,
    )
    wrapped = cio.CenterLossIter(native, ignore_label=-1)
    assert [tuple(desc) for desc in wrapped.provide_label] == [
        ('softmax_label', (8,)),
        ('center_label', (8,)),
    ]
    for _ in range(2):
        # This iterator drops an incomplete last batch: 16 of 20.
        batches = list(wrapped)
        for side in (0, 1):
            served = np.concatenate([batch.label[side].asnumpy() for batch in batches])
            np.testing.assert_array_equal(served, arrays[1][:16])
        assert batches[0].data[0].shape == (8, 1, 28, 28)
        wrapped.reset()


def csv_iter(tmp_path, **options):
    np.savetxt(str(tmp_path / 'data.csv'), np.arange(20).reshape(10, 2), delimiter=',', fmt='%d')
    np.savetxt(str(tmp_path / 'label.csv'), np.arange(10), fmt='%d')
    return mx.io.CSVIter(
        data_csv=str(tmp_path / 'data.csv'),
        data_shape=(2,),
        label_csv=str(tmp_path / 'label.csv'),
        batch_size=4,
        **options,
    )


def test_it_wraps_the_csv_iterator_of_mxnet(tmp_path):
    wrapped = cio.CenterLossIter(csv_iter(tmp_path, label_name='person'), ignore_label=-1)
    assert [tuple(desc) for desc in wrapped.provide_label] == [
        ('softmax_label', (4,)),
        ('center_label', (4,)),
    ]
    assert [desc.name for desc in wrapped.provide_data] == ['data']
    batches = list(wrapped)
    assert epoch(batches) == [
        (0, [0, 1, 2, 3], [0, 1, 2, 3]),
        (0, [4, 5, 6, 7], [4, 5, 6, 7]),
        (2, [8, 9, 0, 1], [8, 9, -1, -1]),
    ]
    assert [batch.index.tolist() for batch in batches] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 0, 1]]
    wrapped.reset()
    # round_batch=True, its default: the second epoch begins behind what padded the first.
    assert [softmax for _, softmax, _ in epoch(wrapped)] == [[2, 3, 4, 5], [6, 7, 8, 9]]


def test_stale_rows_of_the_csv_iterator_are_marked(tmp_path):
    wrapped = cio.CenterLossIter(csv_iter(tmp_path, round_batch=False), ignore_label=-1)
    assert epoch(wrapped)[-1][2] == [8, 9, -1, -1]


def test_the_native_iterators_can_be_walked_by_iter_next(tmp_path):
    wrapped = cio.CenterLossIter(csv_iter(tmp_path))
    labels = []
    while len(labels) < 9 and wrapped.iter_next():
        labels.append(wrapped.getlabel()[1].asnumpy().tolist())
    assert labels == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 0, 1]]


def png(value):
    """An 8x8 grey picture: the smallest thing that MXNet can decode."""

    def chunk(kind, content):
        checksum = struct.pack('>I', zlib.crc32(kind + content))
        return struct.pack('>I', len(content)) + kind + content + checksum

    rows = (b'\0' + bytes([value]) * 8) * 8
    head = struct.pack('>2I5B', 8, 8, 8, 0, 0, 0, 0)
    return (
        b'\x89PNG\r\n\x1a\n'
        + chunk(b'IHDR', head)
        + chunk(b'IDAT', zlib.compress(rows))
        + chunk(b'IEND', b'')
    )


def record_iter(tmp_path, count=10, **options):
    records = mx.recordio.MXRecordIO(str(tmp_path / 'pictures.rec'), 'w')
    for i in range(count):
        records.write(mx.recordio.pack(mx.recordio.IRHeader(0, float(i), i, 0), png(10 * i)))
    records.close()
    return mx.io.ImageRecordIter(
        path_imgrec=str(tmp_path / 'pictures.rec'),
        data_shape=(3, 8, 8),
        batch_size=4,
        preprocess_threads=1,
        **options,
    )


def test_it_wraps_the_image_records_of_mxnet(tmp_path):
    wrapped = cio.CenterLossIter(record_iter(tmp_path), ignore_label=-1)
    batches = list(wrapped)
    assert epoch(batches) == [
        (0, [0, 1, 2, 3], [0, 1, 2, 3]),
        (0, [4, 5, 6, 7], [4, 5, 6, 7]),
        (2, [8, 9, 0, 1], [8, 9, -1, -1]),
    ]
    assert batches[2].data[0].asnumpy()[:, 0, 0, 0].tolist() == [80, 90, 0, 10]


def test_image_records_without_round_batch_hide_their_padding(tmp_path):
    # The docstring warns of it: what this iterator calls pad=0 is half a batch of memory that nobody wrote.
    wrapped = cio.CenterLossIter(record_iter(tmp_path, round_batch=False), ignore_label=-1)
    batches = epoch(wrapped)
    assert len(batches) == 3
    assert batches[2][0] == 0
    assert batches[2][2][:2] == [8, 9]


def test_it_wraps_a_gluon_data_loader():
    from mxnet.contrib.io import DataLoaderIter

    samples = mx.gluon.data.ArrayDataset(np.zeros((10, 2), 'float32'), np.arange(10, dtype='int32'))
    wrapped = cio.CenterLossIter(DataLoaderIter(mx.gluon.data.DataLoader(samples, 4)), ignore_label=-1)
    # Its padding is memory that nobody wrote: only the marked label can be relied on.
    assert [center for _, _, center in epoch(wrapped)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, -1, -1]]


def bucket_iter():
    """Two buckets: sequences of length 3 and 5, the class of a sequence is its constant value."""
    rng = np.random.RandomState(SEED)
    batches = []
    for key in (3, 5, 3, 5):
        label = mx.nd.array(rng.randint(0, 2, (4, 1)))
        batches.append(
            mx.io.DataBatch(
                [mx.nd.ones((4, key)) * label],
                [label],
                pad=1,
                index=np.arange(4),
                bucket_key=key,
                provide_data=[('data', (4, key))],
                provide_label=[mx.io.DataDesc('label', (4, 1), layout='NT')],
            )
        )
    buckets = OwnIter(batches, [('data', (4, 5))], [('label', (4, 1))])
    buckets.default_bucket_key = 5
    return buckets


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


# CenterLossIter: in Module


def two_losses():
    """SoftmaxOutput on one label, least squares on the other, and the second label as it arrives."""
    data, center = mx.sym.Variable('data'), mx.sym.Variable('center_label')
    logits = mx.sym.FullyConnected(data, num_hidden=3, name='logits')
    value = mx.sym.FullyConnected(data, num_hidden=1, name='value')
    return mx.sym.Group(
        [
            mx.sym.SoftmaxOutput(logits, mx.sym.Variable('softmax_label'), name='softmax'),
            mx.sym.LinearRegressionOutput(value, mx.sym.Reshape(center, shape=(-1, 1)), name='regression'),
            mx.sym.BlockGrad(center, name='seen'),
        ]
    )


def one_hot_iter(count, batch_size=8, **options):
    """Sample i has class i % 3, and its data says so."""
    classes = np.arange(count) % 3
    return cio.CenterLossIter(
        mx.io.NDArrayIter(np.eye(3, dtype='float32')[classes], classes.astype('float32'), batch_size),
        **options,
    )


@pytest.mark.parametrize('around', [lambda it: it, mx.io.PrefetchingIter], ids=['plain', 'prefetched'])
def test_module_fits_scores_and_predicts_through_it(around):
    mx.random.seed(SEED)
    train, test = around(one_hot_iter(30)), around(one_hot_iter(10))
    module = mx.mod.Module(two_losses(), label_names=('softmax_label', 'center_label'))
    accuracy = mx.metric.Accuracy(output_names=['softmax_output'], label_names=['softmax_label'])
    error = mx.metric.MAE(output_names=['regression_output'], label_names=['center_label'])
    module.fit(
        train,
        eval_data=test,
        eval_metric=mx.metric.CompositeEvalMetric([accuracy, error]),
        optimizer_params={'learning_rate': 0.5},
        num_epoch=40,
    )
    scored = dict(module.score(test, mx.metric.CompositeEvalMetric([accuracy, error])))
    # Both losses learn, so both labels arrived: the class, and its number.
    assert scored['accuracy'] == 1.0
    assert scored['mae'] < 0.1
    softmax, regression, seen = module.predict(test)
    assert softmax.shape == (10, 3)
    assert regression.shape == (10, 1)
    assert seen.asnumpy().tolist() == [i % 3 for i in range(10)]


@pytest.mark.parametrize(
    'ignore_label, expected', [(None, [2, 0, 0, 1, 2, 0, 1, 2]), (-1, [2, 0] + [-1] * 6)]
)
def test_module_sees_the_marked_rows(ignore_label, expected):
    wrapped = one_hot_iter(10, ignore_label=ignore_label)
    module = mx.mod.Module(two_losses(), label_names=('softmax_label', 'center_label'))
    module.bind(wrapped.provide_data, wrapped.provide_label)
    module.init_params()
    for batch in wrapped:
        module.forward(batch, is_train=True)
    assert module.get_outputs()[2].asnumpy().tolist() == expected


def test_bucketing_module_fits_through_it():
    def sym_gen(_bucket_key):
        data = mx.sym.mean(mx.sym.Variable('data'), axis=1, keepdims=True)
        softmax = mx.sym.SoftmaxOutput(
            mx.sym.FullyConnected(data, num_hidden=2), mx.sym.Variable('softmax_label'), name='softmax'
        )
        seen = mx.sym.BlockGrad(mx.sym.Variable('center_label'), name='seen')
        return mx.sym.Group([softmax, seen]), ('data',), ('softmax_label', 'center_label')

    mx.random.seed(SEED)
    wrapped = cio.CenterLossIter(bucket_iter())
    module = mx.mod.BucketingModule(sym_gen, default_bucket_key=wrapped.default_bucket_key)
    accuracy = mx.metric.Accuracy(output_names=['softmax_output'], label_names=['softmax_label'])
    module.fit(wrapped, eval_metric=accuracy, optimizer_params={'learning_rate': 1.0}, num_epoch=40)
    assert dict(module.score(wrapped, accuracy))['accuracy'] == 1.0


# read_idx


@pytest.mark.parametrize('packed', [False, True], ids=['plain', 'gzipped'])
@pytest.mark.parametrize('ndim', [0, 1, 3, 4])
@pytest.mark.parametrize('code', sorted(IDX_CODES))
def test_idx_files_of_every_dtype_are_read(tmp_path, code, ndim, packed):
    rng = np.random.RandomState(SEED)
    array = np.array(rng.randint(0 if code == 'u1' else -50, 50, (2, 3, 4, 5)[:ndim]) * 1.5).astype(code)
    path = tmp_path / 'array'  # content tells, not a name ending in .gz
    path.write_bytes(gzip.compress(idx_bytes(array)) if packed else idx_bytes(array))
    read = cio.read_idx(path)
    assert read.dtype == array.dtype
    assert read.dtype.isnative
    assert read.shape == array.shape
    np.testing.assert_array_equal(read, array)
    read[...] = 0  # one's own memory


def test_idx_paths_may_be_strings(tmp_path):
    (tmp_path / 'array.gz').write_bytes(idx_bytes(np.arange(5, dtype='i4')))
    assert cio.read_idx(str(tmp_path / 'array.gz')).tolist() == [0, 1, 2, 3, 4]


def test_an_idx_file_may_be_empty_of_items(tmp_path):
    (tmp_path / 'empty').write_bytes(idx_bytes(np.zeros((0, 28, 28), 'u1')))
    assert cio.read_idx(tmp_path / 'empty').shape == (0, 28, 28)


def test_a_missing_idx_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='nowhere: no such file, expected an idx file'):
        cio.read_idx(tmp_path / 'nowhere')


def test_a_directory_is_no_idx_file(tmp_path):
    with pytest.raises(ValueError, match=re.escape(f'{tmp_path}: is a directory')):
        cio.read_idx(tmp_path)


def test_an_idx_file_cut_anywhere_is_refused(tmp_path):
    content = idx_bytes(np.arange(6, dtype='i2').reshape(2, 3))
    path = tmp_path / 'cut'
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=f'cut: truncated: {length} bytes found'):
            cio.read_idx(path)


def test_a_truncated_idx_file_says_what_was_expected(tmp_path):
    path = tmp_path / 'cut'
    path.write_bytes(idx_bytes(np.zeros((10, 28, 28), 'u1'))[:1000])
    with pytest.raises(ValueError, match=re.escape(f'{path}: truncated: 1000 bytes found, 7856 expected')):
        cio.read_idx(path)


def test_trailing_bytes_are_refused(tmp_path):
    path = tmp_path / 'long'
    path.write_bytes(idx_bytes(np.zeros(5, 'u1')) + b'abc')
    with pytest.raises(ValueError, match='long: 3 trailing bytes: 16 bytes found, 13 expected'):
        cio.read_idx(path)


@pytest.mark.parametrize('head', [b'\x89PNG', b'\0\0\x0a\x01', b'\0\x01\x08\x01', b'\0\0\x08\x21'])
def test_a_wrong_magic_is_shown_in_hex(tmp_path, head):
    path = tmp_path / 'other'
    path.write_bytes(head + bytes(200))
    with pytest.raises(ValueError, match=f'other: magic 0x{head.hex()} is not that of an idx file') as error:
        cio.read_idx(path)
    assert 'expected 0x0000TTDD' in str(error.value)


def test_gzip_cut_anywhere_is_refused(tmp_path):
    content = gzip.compress(idx_bytes(np.arange(100, dtype='i4')))
    path = tmp_path / 'cut.gz'
    for length in range(2, len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r'cut\.gz: corrupt or truncated gzip'):
            cio.read_idx(path)


@pytest.mark.parametrize('offset', [2, 10, -6, -1], ids=['method', 'stream', 'checksum', 'length'])
def test_corrupt_gzip_is_refused(tmp_path, offset):
    content = bytearray(gzip.compress(idx_bytes(np.arange(100, dtype='i4'))))
    content[offset] ^= 0xFF
    path = tmp_path / 'corrupt.gz'
    path.write_bytes(bytes(content))
    with pytest.raises(ValueError, match=r'corrupt\.gz: corrupt or truncated gzip'):
        cio.read_idx(path)


# load_mnist from a directory


@pytest.mark.parametrize(
    'name',
    [
        lambda stem: stem,
        lambda stem: stem + '.gz',
        lambda stem: stem.replace('-idx', '.idx'),
        lambda stem: stem.replace('-idx', '.idx') + '.gz',
        lambda stem: stem + ('.gz' if 'images' in stem else ''),
    ],
    ids=['plain', 'gzipped', 'dotted', 'dotted-gzipped', 'mixed'],
)
def test_mnist_is_read_from_its_four_files(tmp_path, name):
    arrays = small_mnist()
    write_mnist(tmp_path, arrays, name)
    loaded = cio.load_mnist(str(tmp_path))
    assert len(loaded) == 4
    for ours, written in zip(loaded, arrays):
        assert ours.dtype == np.uint8
        np.testing.assert_array_equal(ours, written)


def test_all_missing_mnist_files_are_named_in_one_error(tmp_path):
    write_mnist(tmp_path, small_mnist())
    (tmp_path / STEMS[0]).unlink()
    (tmp_path / STEMS[3]).unlink()
    with pytest.raises(FileNotFoundError) as error:
        cio.load_mnist(tmp_path)
    message = str(error.value)
    assert str(tmp_path) in message
    for stem, present in zip(STEMS, (False, True, True, False)):
        for spelling in (
            stem,
            stem + '.gz',
            stem.replace('-idx', '.idx'),
            stem.replace('-idx', '.idx') + '.gz',
        ):
            assert (spelling in message) is not present


def test_a_missing_mnist_directory_is_told_as_such(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'nowhere \(no such directory\).*train-images-idx3-ubyte'):
        cio.load_mnist(tmp_path / 'nowhere')


def test_a_directory_of_the_files_name_is_not_the_file(tmp_path):
    arrays = small_mnist()
    write_mnist(tmp_path, arrays, lambda stem: stem + '.gz')
    (tmp_path / STEMS[0]).mkdir()
    np.testing.assert_array_equal(cio.load_mnist(tmp_path)[0], arrays[0])


@pytest.mark.parametrize(
    'broken, match',
    [
        (
            lambda a: [a[1], a[1], a[2], a[3]],
            r'train-images-idx3-ubyte: magic 2049 .*labels; expected 2051.*images',
        ),
        (
            lambda a: [a[0], a[1], a[2], a[2]],
            r't10k-labels-idx1-ubyte: magic 2051 .*images; expected 2049.*labels',
        ),
        (
            lambda a: [a[0].astype('i4'), *a[1:]],
            r'train-images-idx3-ubyte: magic 3075 \(0x00000c03\), .*neither',
        ),
        (lambda a: [a[0], a[1][:-1], a[2], a[3]], r'ubyte has 20 images, but .*train-labels.* has 19 labels'),
        (lambda a: [a[0], a[1], a[2][:3], a[3]], r'ubyte has 3 images, but .*t10k-labels.* has 10 labels'),
        (lambda a: [a[0][:, :, :20], *a[1:]], r'train-images-idx3-ubyte: images are 28x20, expected 28x28'),
    ],
    ids=['labels-as-images', 'images-as-labels', 'int32', 'fewer-labels', 'fewer-images', 'narrow'],
)
def test_mnist_files_that_do_not_fit_are_refused(tmp_path, broken, match):
    write_mnist(tmp_path, broken(small_mnist()))
    with pytest.raises(ValueError, match=match):
        cio.load_mnist(tmp_path)


def test_a_label_beyond_nine_is_refused_with_its_row(tmp_path):
    arrays = small_mnist()
    arrays[1][3] = 12
    write_mnist(tmp_path, arrays)
    with pytest.raises(ValueError, match=f'{STEMS[1]}: label 12 at row 3 is outside 0..9'):
        cio.load_mnist(tmp_path)


# The embedded digits


def shares(labels, total):
    """Largest remainders in integers: `total` of the samples, by class; ties go to the smaller class."""
    counts = [int((labels == digit).sum()) for digit in range(10)]
    floors = [count * total // len(labels) for count in counts]
    remainders = [count * total % len(labels) for count in counts]
    by_remainder = sorted(range(10), key=lambda digit: (-remainders[digit], digit))
    for digit in by_remainder[: total - sum(floors)]:
        floors[digit] += 1
    return floors


def test_the_embedded_digits_have_the_shapes_of_mnist():
    train_images, train_labels, test_images, test_labels = arrays = cio.load_mnist()
    assert (train_images.shape, train_labels.shape) == ((10000, 28, 28), (10000,))
    assert (test_images.shape, test_labels.shape) == ((2000, 28, 28), (2000,))
    assert {array.dtype for array in arrays} == {np.dtype('uint8')}
    assert (train_images.min(), train_images.max()) == (0, 255)


def test_the_embedded_digits_have_the_class_shares_of_mnist():
    _, train_labels, _, test_labels = cio.load_mnist()
    # The class counts of MNIST, which its authors publish, times 1/6 and 1/5.
    full_train = np.repeat(np.arange(10), [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949])
    full_test = np.repeat(np.arange(10), [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009])
    assert np.bincount(train_labels).tolist() == shares(full_train, 10000)
    assert np.bincount(test_labels).tolist() == shares(full_test, 2000)


def test_the_class_shares_in_the_readme_are_those_of_the_file():
    rows = re.findall(
        r'^\| (training|test) \| (.*) \|$', (DATA / 'README.md').read_text(encoding='utf-8'), re.M
    )
    told = {split: [int(share) for share in row.split(' | ')] for split, row in rows}
    _, train_labels, _, test_labels = cio.load_mnist()
    assert told == {'training': np.bincount(train_labels).tolist(), 'test': np.bincount(test_labels).tolist()}


def test_the_embedded_digits_are_these_pixels():
    digest = hashlib.sha256(b''.join(array.tobytes() for array in cio.load_mnist())).hexdigest()
    assert digest == 'b47427a5454c65356091e7540e1632d71a23ede559f80100b1c919e7c6551c5b'


def test_the_embedded_file_is_small_plain_and_undated():
    assert (DATA / 'mnist.npz').stat().st_size < 2 * 10**6
    with zipfile.ZipFile(str(DATA / 'mnist.npz')) as archive:
        entries = archive.infolist()
        assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
        assert {entry.compress_type for entry in entries} == {zipfile.ZIP_DEFLATED}
        assert [entry.filename for entry in entries] == [
            'train_images.npy',
            'train_labels.npy',
            'test_images.npy',
            'test_labels.npy',
        ]


def test_a_package_without_its_digits_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr('centerloss_mx.io.mnist.__file__', str(tmp_path / 'io' / 'mnist.py'))
    with pytest.raises(
        FileNotFoundError, match=r'mnist\.npz: missing; reinstall the package, or pass data_dir'
    ):
        cio.load_mnist()


@needs_full
def test_the_whole_of_mnist_is_read():
    train_images, train_labels, test_images, test_labels = cio.load_mnist(FULL)
    assert (train_images.shape, test_images.shape) == ((60000, 28, 28), (10000, 28, 28))
    assert train_labels[:8].tolist() == [5, 0, 4, 1, 9, 2, 1, 3]
    assert test_labels[:8].tolist() == [7, 2, 1, 0, 4, 1, 4, 9]


@needs_full
def test_the_embedded_digits_are_the_first_of_each_class_in_file_order():
    full, embedded = cio.load_mnist(FULL), cio.load_mnist()
    for images, labels, total, our_images, our_labels in [
        (*full[:2], 10000, *embedded[:2]),
        (*full[2:], 2000, *embedded[2:]),
    ]:
        left = shares(labels, total)
        rows = []
        for row, label in enumerate(labels):
            if left[label]:
                left[label] -= 1
                rows.append(row)
        np.testing.assert_array_equal(our_labels, labels[rows])
        np.testing.assert_array_equal(our_images, images[rows])


@needs_full
def test_the_recipe_in_the_readme_writes_the_embedded_digits(tmp_path, monkeypatch):
    (recipe,) = re.findall(r'```python\n(.*?)```', (DATA / 'README.md').read_text(encoding='utf-8'), re.S)
    (tmp_path / 'mnist').symlink_to(FULL, target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    exec(compile(recipe, 'README.md', 'exec'), {})
    with np.load('mnist.npz', allow_pickle=False) as written:
        for ours, name in zip(
            cio.load_mnist(), ('train_images', 'train_labels', 'test_images', 'test_labels')
        ):
            np.testing.assert_array_equal(ours, written[name])


# mnist_iter


def test_mnist_is_served_as_floats_in_0_to_1_with_two_labels():
    images, labels, _, _ = small_mnist(train=10)
    served = cio.mnist_iter(images, labels, batch_size=4, ignore_label=-1)
    assert [tuple(desc) for desc in served.provide_data] == [('data', (4, 1, 28, 28))]
    assert [desc.name for desc in served.provide_label] == ['softmax_label', 'center_label']
    assert {np.dtype(desc.dtype) for desc in served.provide_data + served.provide_label} == {
        np.dtype('float32')
    }
    batches = list(served)
    data = np.concatenate([batch.data[0].asnumpy() for batch in batches])[:10]
    np.testing.assert_array_equal(data[:, 0], images / np.float32(255))
    assert data.max() == 1.0
    assert batches[-1].label[0].asnumpy().tolist() == labels[[8, 9, 0, 1]].tolist()
    assert batches[-1].label[1].asnumpy().tolist() == [*labels[[8, 9]].tolist(), -1, -1]


def test_mnist_can_be_shuffled():
    images, labels, _, _ = cio.load_mnist()
    np.random.seed(SEED)
    served = cio.mnist_iter(images[:50], labels[:50], batch_size=50, shuffle=True)
    batch = served.next()
    data, label = batch.data[0].asnumpy()[:, 0], batch.label[1].asnumpy()
    assert label.tolist() != labels[:50].tolist()
    assert sorted(label) == sorted(labels[:50])
    # Every image still goes with its own label.
    pairs = {image.tobytes(): klass for image, klass in zip(images[:50] / np.float32(255), labels[:50])}
    assert [pairs[image.tobytes()] for image in data] == label.tolist()


@pytest.mark.parametrize('images', [np.zeros((4, 28, 28), 'float32'), np.zeros((4, 784), 'uint8')])
def test_images_that_are_not_uint8_pictures_are_refused(images):
    with pytest.raises(
        ValueError, match=re.escape(f'images are {images.dtype} {images.shape}, expected uint8')
    ):
        cio.mnist_iter(images, np.zeros(4), batch_size=2)


@pytest.mark.parametrize('labels', [np.zeros(3), np.zeros((4, 10))])
def test_labels_that_are_not_one_an_image_are_refused(labels):
    with pytest.raises(ValueError, match=re.escape(f'labels have shape {labels.shape}, expected (4,)')):
        cio.mnist_iter(np.zeros((4, 28, 28), 'uint8'), labels, batch_size=2)


# Pictures in folders and .rec files


def encoded(pixels):
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, 'PNG')
    return content.getvalue()


def pictures(count, height=20, width=30):
    rng = np.random.RandomState(SEED)
    return [rng.randint(0, 256, (height, width, 3)).astype(np.uint8) for _ in range(count)]


def write_folder(folder, classes, content=None):
    """A picture for each letter: 'ab' is two classes of one picture; the pixels in this order."""
    pixels = pictures(len(classes))
    for i, name in enumerate(classes):
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / f'{i}.png').write_bytes(content or encoded(pixels[i]))
    return folder


def write_records(path, labels, contents=None):
    contents = contents or [encoded(pixels) for pixels in pictures(len(labels))]
    records = recordio.MXIndexedRecordIO(str(path.with_suffix('.idx')), str(path), 'w')
    for i, (label, content) in enumerate(zip(labels, contents)):
        records.write_idx(i, recordio.pack(recordio.IRHeader(0, label, i, 0), content))
    records.close()
    return path


def test_a_folder_lists_its_classes_in_the_order_of_their_names(tmp_path):
    folder = write_folder(tmp_path, 'cabac')
    images = cio.list_images(str(folder))
    assert images.class_names == ['a', 'b', 'c'] and images.path_imgrec is None
    assert images.labels.tolist() == [0, 0, 1, 2, 2] and images.labels.dtype == np.int64
    names = ['a/1.png', 'a/3.png', 'b/2.png', 'c/0.png', 'c/4.png']
    assert images.files == [str(folder / name) for name in names]


def test_hidden_and_other_files_are_passed_over(tmp_path):
    folder = write_folder(tmp_path, 'ab')
    before = cio.list_images(folder)
    for name in 'notes.txt', 'a/notes.txt', 'a/._0.png', '.cache/0.png', 'b/more/0.png':
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b'no picture')
    after = cio.list_images(folder)
    assert (after.files, after.class_names) == (before.files, before.class_names)
    (folder / 'b' / 'BIG.JPEG').write_bytes(b'')
    assert cio.list_images(folder).files[-1].endswith('BIG.JPEG')


def test_a_test_set_takes_its_classes_from_the_training_set(tmp_path):
    folder = write_folder(tmp_path / 'test', 'ca')
    images = cio.list_images(folder, ['a', 'b', 'c'])
    assert images.labels.tolist() == [0, 2] and images.class_names == ['a', 'b', 'c']
    records = write_records(tmp_path / 'test.rec', [2, 0])
    images = cio.list_images(records, ['a', 'b', 'c'])
    assert images.labels.tolist() == [2, 0] and images.class_names == ['a', 'b', 'c']


def test_the_classes_of_a_rec_file_are_its_labels(tmp_path):
    path = write_records(tmp_path / 'train.rec', [1, 0, 2, 0])
    images = cio.list_images(path)
    assert images.labels.tolist() == [1, 0, 2, 0] and images.labels.dtype == np.int64
    assert images.class_names == ['0', '1', '2']
    assert images.files is None and images.path_imgrec == str(path)


@pytest.mark.parametrize('classes, more, message', [
    ('aa', None, '1 classes of pictures; expected two at least'),
    ('', None, '0 classes of pictures; expected two at least'),
    ('ab', 'empty', 'empty: no .jpg, .jpeg, .png in this class folder'),
])  # fmt: skip
def test_a_folder_without_enough_pictures_is_refused(tmp_path, classes, more, message):
    folder = write_folder(tmp_path, classes)
    if more:
        (folder / more).mkdir()
    with pytest.raises(ValueError, match=re.escape(message)):
        cio.list_images(folder)


def test_an_unknown_class_of_a_test_set_is_refused(tmp_path):
    folder = write_folder(tmp_path, 'ab')
    with pytest.raises(
        ValueError, match=re.escape(f'{folder / "b"}: not one of the 12 classes: a, c0, c1, ')
    ):
        cio.list_images(folder, ['a', *(f'c{i}' for i in range(11))])


@pytest.mark.parametrize('labels, message', [
    ([], '0 classes of pictures'),
    ([0, 0], '1 classes of pictures'),
    ([0, 1.5, 1], 'label 1.5 at row 1'),
    ([0, -1, 1], 'label -1 at row 1'),
    ([0, float('nan'), 1], 'label nan at row 1'),
    ([0, 1, 1e9], 'label 1000000000 at row 2'),
    ([1, 2, 1, 2], 'no record of class 0, though labels go up to 2; expected 0..C-1, each of them there'),
    ([0, [1, 7]], 'record 1 has 2 labels, expected one number'),
])  # fmt: skip
def test_labels_of_a_rec_file_that_are_not_classes_are_refused(tmp_path, labels, message):
    path = write_records(tmp_path / 'train.rec', labels)
    with pytest.raises(ValueError, match=re.escape(f'{path}: {message}')):
        cio.list_images(path)


def test_labels_of_a_test_rec_file_beyond_the_classes_are_refused(tmp_path):
    path = write_records(tmp_path / 'test.rec', [0, 2])
    with pytest.raises(ValueError, match=re.escape(f'{path}: label 2 at row 1 is outside 0..1')):
        cio.list_images(path, ['a', 'b'])


@pytest.mark.parametrize('spoil, message', [
    (lambda rec, idx: rec.write_bytes(rec.read_bytes()[:-500]), 'cannot be read after 2 good records'),
    (lambda rec, idx: rec.write_bytes(bytes(2000)), 'cannot be read from the first record on'),
    (lambda rec, idx: idx.write_text('0\t4\n'), 'cannot be read from the first record on'),
    (lambda rec, idx: idx.write_text('0\t99999999\n'), 'cannot be read from the first record on'),
    (lambda rec, idx: idx.write_text('no index\n'), 'cannot be read from the first record on'),
])  # fmt: skip
def test_a_rec_file_that_cannot_be_read_is_named(tmp_path, spoil, message):
    path = write_records(tmp_path / 'train.rec', [0, 1, 0])
    spoil(path, path.with_suffix('.idx'))
    with pytest.raises(
        ValueError, match=re.escape(f'{path}: {message}; is it whole, and train.idx its index?')
    ):
        cio.list_images(path)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='none: not there; expected a folder of class folders'):
        cio.list_images(tmp_path / 'none')
    path = write_records(tmp_path / 'train.rec', [0, 1])
    path.with_suffix('.idx').unlink()
    with pytest.raises(FileNotFoundError, match=r'train\.idx: not there; expected the index of train\.rec'):
        cio.list_images(path)


def served(images, batch_size, size, **options):
    """One epoch, without the padding: data and labels."""
    batches = list(cio.image_iter(images, batch_size, size, **options))
    data = np.concatenate([batch.data[0].asnumpy() for batch in batches])[: len(images.labels)]
    label = np.concatenate([batch.label[0].asnumpy() for batch in batches])[: len(images.labels)]
    return data, label


@pytest.mark.parametrize('kind', ['folder', 'rec'])
def test_pictures_are_served_as_the_model_zoo_wants_them(tmp_path, kind):
    if kind == 'folder':
        images = cio.list_images(write_folder(tmp_path, 'aabbb'))
    else:
        images = cio.list_images(write_records(tmp_path / 'train.rec', [0, 0, 1, 1, 1]))
    data, label = served(images, 2, 20)
    middle = np.stack(pictures(5))[:, :, 5:25].transpose(0, 3, 1, 2)  # of 20 x 30
    mean = np.array([0.485, 0.456, 0.406]).reshape(3, 1, 1)
    std = np.array([0.229, 0.224, 0.225]).reshape(3, 1, 1)
    np.testing.assert_allclose(data, (middle / 255 - mean) / std, rtol=0, atol=1e-4)
    assert label.tolist() == [0, 0, 1, 1, 1]


@pytest.mark.parametrize('kind', ['folder', 'rec'])
def test_padding_of_pictures_moves_no_centers(tmp_path, kind):
    if kind == 'folder':
        images = cio.list_images(write_folder(tmp_path, 'aabbb'))
    else:
        images = cio.list_images(write_records(tmp_path / 'train.rec', [0, 0, 1, 1, 1]))
    samples = cio.image_iter(images, 4, 8, ignore_label=-1)
    for _ in range(2):
        assert epoch(samples) == [(0, [0, 0, 1, 1], [0, 0, 1, 1]), (3, [1, 0, 0, 1], [1, -1, -1, -1])]
        samples.reset()


def test_grey_and_wide_and_tiny_pictures_are_brought_to_size(tmp_path):
    for i, pixels in enumerate([np.full((4, 90), 124, np.uint8), np.full((1, 1, 3), 124, np.uint8)]):
        (tmp_path / str(i)).mkdir()
        (tmp_path / str(i) / '0.png').write_bytes(encoded(pixels))
    data, _ = served(cio.list_images(tmp_path), 1, 8)
    assert data.shape == (2, 3, 8, 8)
    np.testing.assert_allclose(
        data,
        ((124 - np.array([123.68, 116.28, 103.53])) / [58.395, 57.12, 57.375])
        .reshape(1, 3, 1, 1)
        .repeat(8, 2)
        .repeat(8, 3)
        .repeat(2, 0),
        rtol=0,
        atol=1e-4,
    )


def test_shuffling_and_mirroring_follow_the_seed_and_keep_labels(tmp_path):
    images = cio.list_images(write_folder(tmp_path, 'abcdefgh'))
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
    'content', [b'', b'no picture', encoded(pictures(1)[0])[:900]], ids=['empty', 'text', 'cut']
)
def test_a_picture_that_cannot_be_decoded_is_named(tmp_path, content):
    folder = write_folder(tmp_path, 'ab')
    broken = folder / 'b' / '9.png'
    broken.write_bytes(content)
    samples = cio.image_iter(cio.list_images(folder), 1, 8)
    assert samples.next() and samples.next()
    with pytest.raises(ValueError, match=re.escape(f'{broken}: not a picture that MXNet can decode')):
        samples.next()

    good = encoded(pictures(1)[0])
    path = write_records(tmp_path / 'train.rec', [0, 1, 1], [good, content, good])
    samples = cio.image_iter(cio.list_images(path), 2, 8)
    with pytest.raises(ValueError, match=re.escape(f'{path}: record 1: not a picture that MXNet can decode')):
        samples.next()


@pytest.mark.parametrize('content', [b'', b'no picture'], ids=['empty', 'text'])
def test_pictures_that_cannot_be_decoded_are_left_out_where_asked_to(tmp_path, content):
    folder = write_folder(tmp_path / 'all', 'abab')
    for name in 'a/1.png', 'b/9.png':
        (folder / name).write_bytes(content)
    images, unreadable = cio.readable_images(cio.list_images(folder))
    assert unreadable == [str(folder / 'a' / '1.png'), str(folder / 'b' / '9.png')]
    good = [encoded(pixels) for pixels in pictures(4)]
    path = write_records(
        tmp_path / 'train.rec', [0, 0, 0, 1, 1, 1], [good[0], content, good[2], good[1], good[3], content]
    )
    records, unreadable = cio.readable_images(cio.list_images(path))
    assert unreadable == [f'{path}: record 1', f'{path}: record 5']
    assert images.labels.tolist() == records.labels.tolist() == [0, 0, 1, 1]
    for expected, found in zip(served(images, 3, 8), served(records, 3, 8)):
        np.testing.assert_array_equal(found, expected)
    again, unreadable = cio.readable_images(records)
    assert unreadable == [] and again.records == records.records
    _, label = served(records, 2, 8, shuffle=True)
    assert sorted(label) == [0, 0, 1, 1]


def test_a_folder_of_none_but_bad_pictures_is_refused(tmp_path):
    folder = write_folder(tmp_path, 'ab', b'no picture')
    with pytest.raises(ValueError, match=r'none of the 2 pictures can be decoded; the first is .*0\.png'):
        cio.readable_images(cio.list_images(folder))


def test_a_batch_of_more_than_all_pictures_is_refused(tmp_path):
    images = cio.list_images(write_folder(tmp_path, 'abb'))
    assert epoch(cio.image_iter(images, 3, 8)) == [(0, [0, 1, 1], [0, 1, 1])]
    with pytest.raises(ValueError, match='batch_size 4 is more than the 3 pictures'):
        cio.image_iter(images, 4, 8)


# The module


def test_the_examples_in_the_docstrings_are_true():
    result = doctest.testmod(cio)
    assert result.attempted >= 7
    assert result.failed == 0


def parts(num_parts, **options):
    """The batches of one iterator, and those of its parts side by side."""
    data, label = np.arange(22).reshape(11, 2), np.arange(11)

    def samples():
        np.random.seed(1)
        return cio.CenterLossIter(mx.io.NDArrayIter(data, label, 6, **options), ignore_label=-1)

    whole = samples()
    workers = [cio.PartIter(samples(), i, num_parts) for i in range(num_parts)]
    for epoch in range(2):
        for iterator in [whole, *workers]:
            np.random.seed(epoch)
            iterator.reset()
        yield from zip(whole, *workers)


@pytest.mark.parametrize('num_parts', [1, 2, 3])
@pytest.mark.parametrize('shuffle', [False, True])
def test_the_parts_of_a_batch_are_the_batch(num_parts, shuffle):
    batches = list(parts(num_parts, shuffle=shuffle))
    assert len(batches) == 4
    for whole, *pieces in batches:
        for name in 'data', 'label':
            for i, array in enumerate(getattr(whole, name)):
                joined = np.concatenate([getattr(piece, name)[i].asnumpy() for piece in pieces])
                np.testing.assert_array_equal(joined, array.asnumpy())
        assert sum(piece.pad for piece in pieces) == whole.pad
        rows = [len(piece.data[0]) - piece.pad for piece in pieces]
        assert rows == sorted(rows, reverse=True)  # padding is at the end


def test_a_part_says_its_shapes():
    part = cio.PartIter(cio.mnist_iter(np.zeros((6, 4, 5), np.uint8), np.zeros(6), 6), 1, 3)
    assert part.batch_size == 2
    assert [tuple(desc.shape) for desc in [*part.provide_data, *part.provide_label]] == [
        (2, 1, 4, 5),
        (2,),
        (2,),
    ]
    assert next(part).data[0].shape == (2, 1, 4, 5)


@pytest.mark.parametrize('part_index, num_parts, message', [
    (2, 2, r'part_index 2 is outside 0\.\.1'),
    (-1, 2, r'part_index -1 is outside 0\.\.1'),
    (0, 4, 'num_parts=4 does not divide the batch size, 6'),
    (0, 0, 'part_index 0 is outside'),
])  # fmt: skip
def test_parts_that_are_not_there_are_refused(part_index, num_parts, message):
    with pytest.raises(ValueError, match=message):
        cio.PartIter(mx.io.NDArrayIter(np.zeros((6, 2)), np.zeros(6), 6), part_index, num_parts)


def test_a_png_that_is_cut_off_or_has_another_size_is_no_picture():
    """MXNet alone returns memory as it finds it for the one, and asks for 10 GB for the other.

    Each size is tried 200 times, behind a decoded picture: what MXNet reads behind the end differs.
    """
    complete = encoded(pictures(1)[0])
    assert complete.startswith(b'\x89PNG') and decode(complete).shape[2] == 3
    large = complete[:16] + (60000).to_bytes(4, 'big') * 2 + complete[24:]
    for content in [large, complete[:-12], *(complete[:size] for size in range(60))]:
        for _ in range(200):
            bytes(bytearray(complete))  # leaves a PNG in memory that is handed out next
            with pytest.raises(RuntimeError):
                decode(content)

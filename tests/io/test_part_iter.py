"""`PartIter`: the parts of all workers are the batches of one process."""

import centerloss_mx.io as cio

import mxnet as mx
import numpy as np
import pytest
from label_iterators import OwnIter


def parts(num_parts, samples, batch_size, **options):
    """The batches of one iterator over two epochs, each with its parts."""
    data, label = np.arange(2 * samples).reshape(samples, 2), np.arange(samples)

    def sample_iter():
        np.random.seed(1)
        return cio.CenterLossIter(mx.io.NDArrayIter(data, label, batch_size, **options), ignore_label=-1)

    complete = sample_iter()
    workers = [cio.PartIter(sample_iter(), i, num_parts) for i in range(num_parts)]
    for epoch in range(2):
        for iterator in [complete, *workers]:
            np.random.seed(epoch)
            iterator.reset()
        yield from zip(complete, *workers)


# 11 samples in batches of 6 leave one row of padding; 7 leave five, in all three parts of two rows.
@pytest.mark.parametrize('samples', [11, 7])
@pytest.mark.parametrize('num_parts', [1, 2, 3])
@pytest.mark.parametrize('shuffle', [False, True])
def test_the_parts_of_a_batch_are_the_batch(num_parts, shuffle, samples):
    batches = list(parts(num_parts, samples, 6, shuffle=shuffle))
    assert len(batches) == 4
    for complete, *pieces in batches:
        for name in 'data', 'label':
            for i, array in enumerate(getattr(complete, name)):
                joined = np.concatenate([getattr(piece, name)[i].asnumpy() for piece in pieces])
                np.testing.assert_array_equal(joined, array.asnumpy())
        padding = np.arange(6) >= 6 - complete.pad  # of each row
        assert [piece.pad for piece in pieces] == padding.reshape(num_parts, -1).sum(axis=1).tolist()


def test_a_part_has_the_sample_numbers_and_the_bucket_of_its_rows():
    batch = mx.io.DataBatch(
        [mx.nd.zeros((6, 2))], [mx.nd.arange(6)], pad=3, index=np.array([4, 0, 5, 1, 3, 2]), bucket_key=7,
        provide_data=[('data', (6, 2))], provide_label=[('label', (6,))],
    )  # fmt: skip
    samples = OwnIter([batch], batch.provide_data, batch.provide_label)
    samples.batch_size = 6
    part = next(cio.PartIter(samples, 1, 3))
    assert part.index.tolist() == [5, 1] and part.pad == 1 and part.bucket_key == 7
    assert [tuple(desc) for desc in part.provide_data + part.provide_label] == [
        ('data', (2, 2)),
        ('label', (2,)),
    ]


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
    (0, 4, 'num_parts=4 does not divide the batch size 6; expected a multiple of num_parts'),
    (0, 0, 'part_index 0 is outside'),
])  # fmt: skip
def test_parts_that_are_not_there_are_refused(part_index, num_parts, message):
    with pytest.raises(ValueError, match=message):
        cio.PartIter(mx.io.NDArrayIter(np.zeros((6, 2)), np.zeros(6), 6), part_index, num_parts)


def test_carried_over_samples_are_no_padding_of_a_part():
    rolling = mx.io.NDArrayIter(np.arange(8.0), np.arange(8.0), 6, last_batch_handle='roll_over')
    parts = cio.PartIter(rolling, 1, 3)
    list(parts)
    parts.reset()
    part = next(parts)
    assert (part.pad, part.label[0].asnumpy().tolist()) == (0, [0, 1])
    marked = cio.CenterLossIter(cio.PartIter(rolling, 0, 3), ignore_label=-1)
    list(marked)
    marked.reset()
    assert next(marked).label[1].asnumpy().tolist() == [4, 5]

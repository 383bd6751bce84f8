"""Data iterators that tests of several files wrap."""

import centerloss_mx  # noqa: F401  (before mxnet, which newer NumPys need)

import mxnet as mx
import numpy as np


def array_iter(count=10, batch_size=4, dtype='float32', **options):
    """Sample i has data [i, i] and label i % 10."""
    data = mx.nd.array(np.stack([np.arange(count)] * 2, axis=1))
    return mx.io.NDArrayIter(data, mx.nd.array(np.arange(count) % 10, dtype=dtype), batch_size, **options)


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


def bucket_iter():
    """Two buckets: sequences of length 3 and 5, the class of a sequence is its constant value."""
    rng = np.random.RandomState(20160911)
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


def epoch(data_iter):
    """[(pad, softmax labels, center labels)] of one epoch."""
    return [(batch.pad, *(label.asnumpy().tolist() for label in batch.label)) for batch in data_iter]

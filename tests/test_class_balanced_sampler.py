"""`gluon.ClassBalancedSampler`: the batches of `io.ClassBalancedIter`, for Gluon's DataLoader."""

from __future__ import annotations

from centerloss_mx.gluon import ClassBalancedSampler
from centerloss_mx.io import ClassBalancedIter

import mxnet as mx
import numpy as np
import pytest
from mxnet import gluon

LABELS = [i % 5 for i in range(23)]


def epochs_of(batches):
    return [[*map(list, batches)] for _ in range(3)]


def test_the_sampler_draws_the_batches_of_the_iterator():
    samples = ClassBalancedIter(np.zeros(23), np.array(LABELS), 6, 3)
    sampler = ClassBalancedSampler(mx.nd.array(LABELS), 6, 3)
    assert len(sampler) == 4
    for seed in range(3):
        np.random.seed(seed)
        samples.reset()
        np.random.seed(seed)
        assert [*sampler] == [batch.index.tolist() for batch in samples]


@pytest.mark.parametrize('options', [{}, {'num_workers': 2}, {'num_workers': 2, 'thread_pool': True}])
def test_a_data_loader_serves_them(options):
    np.random.seed(1)
    expected = epochs_of(ClassBalancedSampler(LABELS, 6, 3))
    samples = gluon.data.ArrayDataset(np.arange(23, dtype='float32'), np.array(LABELS, 'float32'))
    loader = gluon.data.DataLoader(samples, batch_sampler=ClassBalancedSampler(LABELS, 6, 3), **options)
    assert len(loader) == 4
    np.random.seed(1)
    found = []
    for _ in range(3):
        found.append([])
        for data, label in loader:
            assert (data.asnumpy() % 5 == label.asnumpy()).all()
            found[-1].append(data.asnumpy().astype(int).tolist())
    assert found == expected and found[0] != found[1]


def test_what_cannot_be_batches_is_refused():
    with pytest.raises(ValueError, match='batch_size=12, samples_per_class=2: a batch needs 6 classes, and'):
        ClassBalancedSampler(LABELS, 12, 2)

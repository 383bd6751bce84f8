"""P x K batches of a training: those of a resumed one, and the parts of workers."""

from __future__ import annotations

from types import SimpleNamespace

import centerloss_mx as cl
from centerloss_mx.training.batches import repeat_shuffles, training_iter
from centerloss_mx.training.seeds import seed_epoch, seed_training

import mxnet as mx
import numpy as np
import pytest
from makers import random_pictures, write_folder

SEED, NUM_EPOCH, NUM_CLASS = 5, 3, 4


@pytest.fixture(params=['arrays', 'pictures', 'mirrored pictures'])
def make(request, tmp_path):
    """A function that begins a training, 10 batches of 2 x 2 an epoch: its iterator; whether it mirrors."""
    labels = [i % NUM_CLASS for i in range(39)]
    names = [str(i) for i in range(NUM_CLASS)]
    samples = cl.dataset.Arrays(random_pictures(39, 4, 4).astype('float32'), np.array(labels), names)
    if request.param != 'arrays':
        samples = cl.io.list_images(write_folder(tmp_path, labels, random_pictures(39, 8, 8)))
    embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=2, name='embedding')
    net = cl.symbol.joint_supervision(embedding, NUM_CLASS, scale=0.1)
    rand_mirror = 'mirrored' in request.param

    def begin(kvstore='local'):
        seed_training(SEED, rand_mirror)
        size = None if request.param == 'arrays' else 8
        return training_iter(net, samples, 4, size, rand_mirror, None, kvstore, samples_per_class=2)

    return begin, rand_mirror


def arrays_of(data_iter):
    return [[array.asnumpy().tolist() for array in batch.data + batch.label] for batch in data_iter]


def test_a_resumed_training_gets_the_batches_of_an_uninterrupted_one(make):
    begin, rand_mirror = make
    uninterrupted, epochs = begin(), []
    for epoch in range(NUM_EPOCH):
        epochs.append(arrays_of(uninterrupted))
        seed_epoch(SEED, epoch + 1, rand_mirror)
        uninterrupted.reset()
    assert [len(batches) for batches in epochs] == [10] * NUM_EPOCH and epochs[0] != epochs[1]
    for epoch in range(NUM_EPOCH):
        resumed = begin()
        repeat_shuffles(resumed, epoch, SEED, rand_mirror)
        assert arrays_of(resumed) == epochs[epoch]


def test_workers_get_whole_classes_of_the_same_batches(make):
    begin, _ = make
    whole = arrays_of(begin())
    workers = [arrays_of(begin(SimpleNamespace(rank=rank, num_workers=2))) for rank in range(2)]
    for batch, *parts in zip(whole, *workers):
        assert [first + second for first, second in zip(*parts)] == batch
        for _, softmax_label, center_label in parts:
            assert softmax_label == center_label and len({*softmax_label}) == 1

"""A training keeps a record of its samples, and goes on with the same ones only."""

from __future__ import annotations

import logging
import shutil

from centerloss_mx.dataset import as_arrays, load_samples
from centerloss_mx.dataset.fingerprints import fingerprints
from centerloss_mx.symbol import supervised
from centerloss_mx.training import Training

import mxnet as mx
import numpy as np
import pytest
from makers import patterned_pictures, write_folder


@pytest.fixture(scope='module')
def samples():
    """24 pictures of classes 0, 1, 2, 0, ..."""
    return as_arrays(*patterned_pictures(3, 8, size=8)).take(np.arange(24).reshape(3, 8).T.ravel())


def training(train, test=None, num_epoch=1, **options):
    embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=2, name='embedding')
    net = supervised(embedding, len(train.class_names), 'softmax', 2)
    return Training(net, train, test, batch_size=4, num_epoch=num_epoch, **options)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_record_is_of_the_samples_in_their_order(samples, tmp_path):
    train, test = samples.take(np.arange(23, 5, -1)), samples.take([3, 1, 2])
    training(train, test).fit(tmp_path / 'net')
    with np.load(tmp_path / 'net-samples.npz') as record:
        np.testing.assert_array_equal(record['train'], fingerprints(train))
        np.testing.assert_array_equal(record['test'], fingerprints(test))
    training(train).fit(tmp_path / 'other')
    with np.load(tmp_path / 'other-samples.npz') as record:
        assert record['test'].dtype == np.uint64 and record['test'].shape == (0,)


def changed_pixel(samples, row=11):
    images = samples.images.copy()
    images[row, 0, 7, 7] += 1e-3
    return samples._replace(images=images)


def other_class(samples):
    labels = samples.labels.copy()
    labels[0] = 2  # of 0
    return samples._replace(labels=labels)


@pytest.mark.parametrize('change, message', [
    (lambda s: s.take([*range(24), 5]),
     '1 of 28 samples is new or has changed (the first is row 5 of train)'),
    (lambda s: s.take(range(22)), '2 of the 27 before are missing or have changed'),
    (changed_pixel,
     '1 of 27 samples is new or has changed (the first is row 11 of train), 1 of the 27 before'),
    (other_class,
     '1 of 27 samples is new or has changed (the first is row 0 of train), 1 of the 27 before'),
    (lambda s: s.take(range(23, -1, -1)), 'they are the same samples in another order'),
])  # fmt: skip
def test_other_samples_to_train_with_are_refused_before_anything_changes(samples, tmp_path, change, message):
    test = as_arrays(*patterned_pictures(3, 1, size=8, seed=7))
    training(samples, test).fit(tmp_path / 'net', tmp_path / 'net.csv')
    before = contents(tmp_path)
    with pytest.raises(ValueError) as refused:
        training(change(samples), test, 2).fit(tmp_path / 'net', tmp_path / 'net.csv', begin_epoch=1)
    assert str(refused.value).startswith(f'{tmp_path / "net"} was trained with other samples: {message}')
    assert str(refused.value).endswith(f'; expected those of {tmp_path / "net-samples.npz"}')
    assert contents(tmp_path) == before
    training(samples, test, 2).fit(tmp_path / 'net', tmp_path / 'net.csv', begin_epoch=1)
    assert contents(tmp_path)['net-samples.npz'] == before['net-samples.npz']


def test_samples_that_were_held_out_are_not_trained_on_later(samples, tmp_path):
    rows = np.arange(24)
    training(samples.take(rows[:18]), samples.take(rows[18:])).fit(tmp_path / 'net')
    rows[[2, 20]] = rows[[20, 2]]
    again = training(samples.take(rows[:18]), samples.take(rows[18:]), 2)
    with pytest.raises(ValueError, match='they are the same samples, divided otherwise into those to train'):
        again.fit(tmp_path / 'net', begin_epoch=1)


def test_what_is_tested_may_begin_and_end(samples, tmp_path):
    test = as_arrays(*patterned_pictures(3, 3, size=8, seed=7))
    training(samples).fit(tmp_path / 'net')
    training(samples, test, 2).fit(tmp_path / 'net', begin_epoch=1)
    training(samples, test).fit(tmp_path / 'tested')
    training(samples, None, 2).fit(tmp_path / 'tested', begin_epoch=1)
    with pytest.raises(ValueError, match=r'1 of 33 samples is new .* \(the first is row 8 of test\), 1 of'):
        training(samples, changed_pixel(test, 8), 3).fit(tmp_path / 'tested', begin_epoch=2)


@pytest.mark.parametrize('change, message', [
    (lambda folder: shutil.copy(folder / 'b' / '03.png', folder / 'b' / 'new.png'),
     '1 of 7 samples is new or has changed (the first is FOLDER/b/new.png);'),
    (lambda folder: (folder / 'a' / '02.png').unlink(), '1 of the 6 before is missing or has changed;'),
    (lambda folder: shutil.move(folder / 'a' / '02.png', folder / 'b' / '02.png'),
     '1 of 6 samples is new or has changed (the first is FOLDER/b/02.png), 1 of the 6 before is missing or'),
])  # fmt: skip
def test_pictures_that_came_or_went_are_named(tmp_path, change, message):
    folder = write_folder(tmp_path / 'all', 'aaabbb', patterned_pictures(1, 6, size=8)[0])
    training(load_samples(folder), image_size=8).fit(tmp_path / 'net')
    shutil.move(folder, tmp_path / 'moved')
    training(load_samples(tmp_path / 'moved'), None, 2, image_size=8).fit(tmp_path / 'net', begin_epoch=1)
    change(tmp_path / 'moved')
    with pytest.raises(ValueError) as refused:
        training(load_samples(tmp_path / 'moved'), None, 3, image_size=8).fit(tmp_path / 'net', begin_epoch=2)
    assert message.replace('FOLDER', str(tmp_path / 'moved')) in str(refused.value)


def test_a_checkpoint_without_a_record_goes_on_with_a_warning(samples, tmp_path, caplog):
    training(samples).fit(tmp_path / 'net')
    (tmp_path / 'net-samples.npz').unlink()
    training(samples, None, 2).fit(tmp_path / 'net', begin_epoch=1)
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    sentence = f'{tmp_path / "net-samples.npz"} does not exist: these samples may be others than before'
    assert sentence in warnings
    assert not (tmp_path / 'net-samples.npz').exists()  # what the first epoch was trained on is not known


def test_a_worker_of_another_rank_compares_and_writes_nothing(samples, tmp_path):
    class Store:
        rank, num_workers = 1, 2

    training(samples).fit(tmp_path / 'net')
    before = contents(tmp_path)
    with pytest.raises(ValueError, match=r'1 of the 24 before is missing or has changed; expected those of'):
        training(samples.take(range(23)), None, 2, kvstore=Store()).fit(tmp_path / 'net', begin_epoch=1)
    assert contents(tmp_path) == before


@pytest.mark.parametrize('arrays, message', [
    ({'train': np.arange(24)}, 'test is not among train'),
    ({'train': np.arange(24), 'test': np.zeros(0, 'uint64')}, 'train is int64 (24,); expected uint64 (N,)'),
    ({'train': np.zeros((2, 12), 'uint64'), 'test': np.zeros(0, 'uint64')}, 'train is uint64 (2, 12)'),
])  # fmt: skip
def test_a_damaged_record_is_named(samples, tmp_path, arrays, message):
    training(samples).fit(tmp_path / 'net')
    np.savez(tmp_path / 'net-samples.npz', **arrays)
    with pytest.raises(ValueError) as refused:
        training(samples, None, 2).fit(tmp_path / 'net', begin_epoch=1)
    assert str(refused.value).startswith(str(tmp_path / 'net-samples.npz')) and message in str(refused.value)

"""The history of a training as TensorBoard reads it."""

from __future__ import annotations

import os
import sys
import time

from centerloss_mx.dataset import as_arrays
from centerloss_mx.model_zoo import lenet
from centerloss_mx.symbol import supervised
from centerloss_mx.training import Hook, TensorBoard, Training

import numpy as np
import pytest
from disks import PAGE, small_disk
from makers import patterned_pictures


def training(folder, num_epoch, hooks=()):
    samples = as_arrays(*patterned_pictures(2, 5))
    net = supervised(lenet(2), 2, 'softmax', 2)
    hooks = [*hooks, TensorBoard(folder)]
    return Training(net, samples, samples, 'one', 4, num_epoch, hooks=hooks)


def read(folder):
    """The scalars that TensorBoard shows: the value of each step, by tag."""
    name = 'tensorboard.backend.event_processing.event_accumulator'
    accumulator = pytest.importorskip(name, reason='tensorboard is not installed').EventAccumulator(
        str(folder)
    )
    accumulator.Reload()
    tags = accumulator.Tags()['scalars']
    return {tag: {event.step: event.value for event in accumulator.Scalars(tag)} for tag in tags}


def columns(history):
    names = [name for name in history[0] if name != 'epoch']
    return {name: {row['epoch']: float(np.float32(row[name])) for row in history} for name in names}


@pytest.fixture(autouse=True)
def installed():
    pytest.importorskip('tensorboardX', reason='the extra tensorboard is not installed')


def test_each_column_is_a_scalar_and_each_epoch_a_step(tmp_path):
    one = training(tmp_path / 'runs' / 'one', 3)
    one.fit()
    assert read(tmp_path / 'runs' / 'one') == columns(one.history)
    assert len(os.listdir(tmp_path / 'runs' / 'one')) == 1


class Other(Hook):
    """Makes an epoch tell from the same one before, and ends a training after it."""

    def __init__(self, number):
        self.number = number

    def epoch_end(self, training, epoch):
        training.history[-1]['own'] = self.number * epoch


class Kill(Hook):
    def epoch_end(self, training, epoch):
        if epoch == 3:
            raise KeyboardInterrupt


def test_what_a_killed_training_has_written_is_hidden_by_the_resumed_one(tmp_path, monkeypatch):
    folder, prefix, history = tmp_path / 'events', tmp_path / 'net', tmp_path / 'net.csv'
    killed = training(folder, 4, [Other(1)])
    killed.hooks.append(Kill())
    with pytest.raises(KeyboardInterrupt):
        killed.fit(prefix, history)
    assert read(folder)['own'] == {1: 1, 2: 2, 3: 3}  # at once, though nothing was closed
    killed.hooks[1].end(killed)
    resumed = training(folder, 4, [Other(10)])
    resumed.fit(prefix, history, 2)
    assert read(folder) == columns(resumed.history)
    assert read(folder)['own'] == {1: 1, 2: 2, 3: 30, 4: 40}
    later = time.time() + 5  # files are read in the order of their seconds
    monkeypatch.setattr(time, 'time', lambda: later)
    again = training(folder, 2, [Other(100)])
    for _ in range(2):
        again.fit()
        assert read(folder) == columns(again.history)


def test_nothing_is_written_before_the_first_epoch_has_ended(tmp_path):
    class Refuse(Hook):
        def batch_end(self, training, param):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training(tmp_path / 'events', 1, [Refuse()]).fit()
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize('folder, error', [
    ('file', r'file is not a folder; expected one for event files'),
    ('file/events', r"Not a directory: '.*events'"),
])  # fmt: skip
def test_a_folder_that_cannot_be_made_is_refused_before_files_are_replaced(tmp_path, folder, error):
    (tmp_path / 'file').write_bytes(b'')
    replaced = []
    with pytest.raises(NotADirectoryError, match=error):
        training(tmp_path / folder, 1).fit(on_begin=lambda: replaced.append(True))
    assert not replaced


def test_a_full_disk_ends_the_training_and_names_the_folder(tmp_path):
    with small_disk(tmp_path / 'disk', 1) as disk:
        (disk / 'filling').write_bytes(b'.' * PAGE)
        one = training(disk / 'events', 1)
        with pytest.raises(OSError, match=r"No space left on device: '.*events'"):
            one.fit()
        (disk / 'filling').unlink()
        one.hooks[0].end(one)  # closes the file, so that the disk can go


def test_without_tensorboardx_it_is_said_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, 'tensorboardX', None)
    for name in [name for name in sys.modules if name.startswith('tensorboardX.')]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ImportError) as error:
        TensorBoard(tmp_path)
    assert str(error.value) == "TensorBoard needs tensorboardX: pip install 'centerloss_mx[tensorboard]'"

"""What a training calls while it runs, and in which order."""

from __future__ import annotations

import io
import re
import sys
import time

from centerloss_mx.dataset import as_arrays
from centerloss_mx.model import latest_checkpoint
from centerloss_mx.model_zoo import lenet
from centerloss_mx.symbol import supervised
from centerloss_mx.training import Hook, Training
from centerloss_mx.training.history import read_history

import numpy as np
import pytest

BATCHES = 3  # of 10 samples in batches of 4


def training(num_epoch=2, test=True, **options):
    rng = np.random.RandomState(20161008)
    samples = as_arrays(rng.randint(0, 255, (10, 16, 16)).astype('uint8'), np.arange(10) % 2)
    net = supervised(lenet(2), 2, 'softmax', 2)
    params = {'learning_rate': 0.001}
    return Training(
        net, samples, samples if test else None, 'one', 4, num_epoch, optimizer_params=params, **options
    )


class Recorder(Hook):
    """Records its calls, and what there is at each."""

    def __init__(self, prefix=None):
        self.prefix, self.calls = prefix, []

    def begin(self, training, begin_epoch):
        self.calls.append(('begin', begin_epoch))

    def epoch_begin(self, training):
        self.calls.append(('epoch_begin', len(training.history)))

    def batch_end(self, training, param):
        self.calls.append(('batch_end', param.nbatch))

    def epoch_end(self, training, epoch):
        last = None if self.prefix is None else latest_checkpoint(self.prefix)
        self.calls.append(('epoch_end', epoch, training.history[-1]['epoch'], last))
        assert training.test_features.shape == (10, 2)

    def end(self, training):
        self.calls.append(('end',))


def test_hooks_are_called_in_order_between_measurement_and_checkpoint(tmp_path):
    recorder = Recorder(tmp_path / 'net')
    training(hooks=[recorder]).fit(tmp_path / 'net')
    batches = [('batch_end', i) for i in range(BATCHES)]
    first, second = ('epoch_end', 1, 1, None), ('epoch_end', 2, 2, 1)
    epochs = [('epoch_begin', 0), *batches, first, ('epoch_begin', 1), *batches, second]
    assert recorder.calls == [('begin', 0), *epochs, ('end',)]
    recorder = Recorder()
    training(hooks=[recorder]).fit(tmp_path / 'net', begin_epoch=2)
    assert recorder.calls == [('begin', 2), ('end',)]  # nothing is left to train


def test_a_hook_that_defines_nothing_changes_nothing():
    rows = []
    for hooks in [], [Hook()]:
        one = training(hooks=hooks)
        one.fit()
        rows.append(
            [{name: value for name, value in row.items() if name != 'seconds'} for row in one.history]
        )
    assert rows[0] == rows[1]


def test_an_error_in_a_hook_ends_the_training_before_the_checkpoint(tmp_path):
    class Stop(Hook):
        def epoch_end(self, training, epoch):
            raise RuntimeError('enough')

    recorder = Recorder()
    with pytest.raises(RuntimeError, match='enough'):
        training(hooks=[recorder, Stop()]).fit(tmp_path / 'net')
    assert ('end',) not in recorder.calls and latest_checkpoint(tmp_path / 'net') is None


def test_the_seconds_are_those_of_each_epoch_without_its_hooks(monkeypatch):
    """By a clock that only hooks move: a second a batch, and a hundred after each epoch."""

    class Clock(Hook):
        now = 1000.0

        def batch_end(self, training, param):
            self.now += 1

        def epoch_end(self, training, epoch):
            self.now += 100

    clock = Clock()
    monkeypatch.setattr(time, 'perf_counter', lambda: clock.now)
    one = training(num_epoch=3, hooks=[clock])
    one.fit()
    assert [row['seconds'] for row in one.history] == [BATCHES] * 3


class Terminal(io.StringIO):
    """A standard error on which tqdm shows its bar."""

    def isatty(self):
        return True


@pytest.mark.parametrize('begin_epoch', [0, 1])
def test_the_bar_begins_where_the_training_does(monkeypatch, tmp_path, begin_epoch):
    training(num_epoch=1).fit(tmp_path / 'net')
    monkeypatch.setattr(sys, 'stderr', Terminal())
    training(num_epoch=3).fit(tmp_path / 'net', begin_epoch=begin_epoch)
    shown = re.findall(r'one.*?(\d+)/9', sys.stderr.getvalue())
    assert int(shown[0]) == begin_epoch * BATCHES and shown[-1] == '9'


def test_each_epoch_prints_and_logs_its_row(capsys, caplog, tmp_path):
    caplog.set_level('INFO', 'centerloss_mx.training')
    one = training(num_epoch=1)
    one.fit()
    row = one.history[0]
    line = f'test accuracy {row["test_accuracy"]:.2%}, ratio {row["ratio"]:.3f}, {row["seconds"]:.1f} s'
    assert capsys.readouterr().out == f'one, epoch 1: {line}\n'
    assert f'Epoch[0] {line}' in caplog.messages
    one = training(num_epoch=1, test=False)
    one.fit(tmp_path / 'net')
    row = one.history[0]
    line = f'training accuracy {row["train_accuracy"]:.2%}, {row["seconds"]:.1f} s'
    assert capsys.readouterr().out == f'one, epoch 1: {line}\n'
    training(num_epoch=1, test=False).fit()
    assert capsys.readouterr().out == ''  # there is nothing to show but the training's own accuracy


class Column(Hook):
    def epoch_end(self, training, epoch):
        if epoch > 1:
            training.history[-1]['extra'] = epoch / 2


def test_a_hook_may_add_a_column_to_the_history(tmp_path):
    path = tmp_path / 'history.csv'
    training(hooks=[Column()], num_epoch=2).fit(history=path)
    rows = read_history(path)
    assert np.isnan(rows[0]['extra']) and rows[1]['extra'] == 1

"""What `fit` calls. That waiting makes centers exact is shown in test_exact_centers.py."""

from __future__ import annotations

import io

from centerloss_mx.callback import ProgressBar, wait_for_centers

import mxnet as mx
import numpy as np
import pytest
from mxnet.model import BatchEndParam


def fit(callback, num_epoch=2):
    net = mx.sym.LinearRegressionOutput(
        mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=1), name='out'
    )
    iterator = mx.io.NDArrayIter(mx.nd.ones((12, 3)), mx.nd.ones(12), 4, label_name='out_label')
    module = mx.mod.Module(net, label_names=['out_label'])
    module.fit(iterator, eval_metric='mse', batch_end_callback=callback, num_epoch=num_epoch)
    return module, iterator


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_bar_counts_the_batches_of_all_epochs_from_where_training_goes_on(monkeypatch):
    monkeypatch.setattr('sys.stderr', terminal := Terminal())
    bar = ProgressBar(total=9, description='LeNet', initial=3, frequent=2)
    fit(bar)
    bar.close()
    assert bar.bar.n == 9 and bar.bar.total == 9
    assert 'LeNet' in terminal.getvalue() and 'mse=' in terminal.getvalue()


def test_the_metrics_are_read_at_every_second_batch_of_an_epoch(monkeypatch):
    monkeypatch.setattr('sys.stderr', Terminal())
    bar, read = ProgressBar(total=6, frequent=2), []
    monkeypatch.setattr(bar.bar, 'set_postfix', lambda values, epoch: read.append((epoch, *values)))
    fit(bar)  # three batches an epoch
    bar.close()
    assert read == [(1, 'mse'), (1, 'mse'), (2, 'mse'), (2, 'mse')]


def test_there_is_no_bar_where_nobody_looks_and_lines_are_printed_all_the_same(capsys):
    bar = ProgressBar(total=9)
    fit(bar)
    bar.write('a line')
    bar.close()
    printed = capsys.readouterr()
    assert printed.out == 'a line\n' and 'batch' not in printed.err


@pytest.mark.parametrize('values, waits', [
    ({'end_of_batch': True}, 1), ({'end_of_batch': False}, 0), ({}, 1), (None, 1),
])  # fmt: skip
def test_waiting_is_for_the_last_batch_of_an_epoch_and_for_who_does_not_tell(monkeypatch, values, waits):
    calls = []
    monkeypatch.setattr(mx.nd, 'waitall', lambda: calls.append(1))
    wait_for_centers(BatchEndParam(0, 0, None, values))
    assert len(calls) == waits


def test_waiting_works_in_fit_and_in_score():
    module, iterator = fit(wait_for_centers)
    iterator.reset()
    ((name, value),) = module.score(iterator, 'mse', batch_end_callback=wait_for_centers)
    assert name == 'mse' and np.isfinite(value)

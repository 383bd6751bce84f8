"""The best epoch: the training stops when it is long ago, and its checkpoint stays."""

from __future__ import annotations

import os
from types import SimpleNamespace

from centerloss_mx.dataset import as_arrays
from centerloss_mx.model import best_checkpoint, latest_checkpoint, load_checkpoint
from centerloss_mx.model.checkpoint import note_best
from centerloss_mx.model_zoo import lenet
from centerloss_mx.symbol import supervised
from centerloss_mx.training import EarlyStopping, Hook, Training, read_history
from centerloss_mx.training.best import best_epoch

import numpy as np
import pytest
from makers import patterned_pictures

SCORES = [0.1, 0.5, 0.3, 0.5, 0.4, 0.9]  # the best of the first five is that of epoch 2


class Score(Hook):
    """A column of known numbers."""

    def __init__(self, scores=SCORES, name='score'):
        self.scores, self.name = scores, name

    def epoch_end(self, training, epoch):
        training.history[-1][self.name] = self.scores[epoch - 1]


def training(num_epoch=6, hooks=(), symbol=None, **options):
    samples = as_arrays(*patterned_pictures(2, 5))
    net = supervised(lenet(2), 2, 'softmax', 2) if symbol is None else symbol
    params = {'learning_rate': 0.01, 'momentum': 0.9}
    return Training(net, samples, None, 'one', 4, num_epoch, optimizer_params=params, hooks=hooks, **options)


def values(params):
    return {name: value.asnumpy() for arrays in params for name, value in arrays.items()}


def assert_equal(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


def stops_after(scores, patience, lower):
    """Read epoch after epoch; the epoch after which a training stops, and that of the best score."""
    best, best_at, waited = None, None, 0
    for epoch, score in enumerate(scores, 1):
        better = not np.isnan(score) and (best is None or (score < best if lower else score > best))
        best, best_at = (score, epoch) if better else (best, best_at)
        waited = 0 if better or best is None else waited + 1
        if waited == patience:
            return epoch, best_at
    return None, best_at


@pytest.mark.parametrize('column', ['score', 'own', 'ratio', 'between'])
def test_it_stops_in_exactly_the_epoch_that_a_reader_of_the_history_finds(column):
    rng = np.random.RandomState(20161008)
    stopped = 0
    for _ in range(300):
        scores = rng.choice([0.0, 0.25, 0.5, 1.0, np.nan], rng.randint(1, 12))
        patience = rng.randint(1, 5)
        expected, best = stops_after(scores, patience, lower=column in ('own', 'ratio'))
        hook, one = EarlyStopping(column, patience), SimpleNamespace(history=[], stop=None, num_workers=1)
        hook.begin(one, 0)
        for epoch, score in enumerate(scores, 1):
            one.history.append({'epoch': epoch, column: score})
            hook.epoch_end(one, epoch)
            if one.stop is not None:
                break
        assert (epoch if one.stop is not None else None) == expected
        assert expected is not None or best_epoch(one.history, column) == best
        stopped += one.stop is not None
        again = SimpleNamespace(history=one.history, stop=None, num_workers=1)
        hook.begin(again, epoch)
        assert again.stop == one.stop
    assert 50 < stopped < 250


def test_a_training_that_stops_leaves_checkpoint_and_history_and_stays_stopped(tmp_path, caplog):
    caplog.set_level('INFO', 'centerloss_mx.training')
    prefix, history = tmp_path / 'net', tmp_path / 'net.csv'
    sentence = 'score has not improved on 0.5 of epoch 2 for 2 epochs'
    ends = []

    class End(Hook):
        def end(self, training):
            ends.append(training.stop)

    one = training(hooks=[Score(), EarlyStopping('score', 2), End()])
    expected = values(one.fit(prefix, history).get_params())
    assert one.stop == sentence and latest_checkpoint(prefix) == 4
    assert [row['score'] for row in read_history(history)] == SCORES[:4]
    assert caplog.messages[-1] == f'one stops: {sentence}'
    again = training(hooks=[Score(), EarlyStopping('score', 2), End()])
    assert_equal(values(again.fit(prefix, history, 4).get_params()), expected)
    assert again.stop == sentence and latest_checkpoint(prefix) == 4 and len(again.history) == 4
    assert ends == [sentence] * 2
    more = training(hooks=[Score(), EarlyStopping('score', 4)])
    found = values(more.fit(prefix, history, 4).get_params())
    assert more.stop is None and latest_checkpoint(prefix) == 6
    whole = training(hooks=[Score()])
    assert_equal(found, values(whole.fit().get_params()))
    one.num_epoch, one.hooks = 1, []
    one.fit()
    assert one.stop is None and len(one.history) == 1


@pytest.mark.parametrize('event', ['begin', 'epoch_end'])
def test_any_hook_may_stop_a_training(event):
    class Stop(Hook):
        pass

    setattr(Stop, event, lambda self, one, epoch: setattr(one, 'stop', 'enough'))
    one = training(hooks=[Stop()])
    one.fit()
    assert one.stop == 'enough' and len(one.history) == (event == 'epoch_end')


class Parameters(Hook):
    """Keeps what is trained after each epoch."""

    def __init__(self):
        self.after = {}

    def epoch_end(self, training, epoch):
        self.after[epoch] = values(training.parameters())


@pytest.mark.parametrize(
    'column, scores, best', [('score', SCORES[:5], 2), ('score', SCORES, 6), ('ratio', SCORES, 1)]
)
def test_the_best_checkpoint_has_the_parameters_of_its_epoch_and_stays_beside_the_last(
    tmp_path, column, scores, best
):
    prefix, kept, last = tmp_path / 'net', Parameters(), len(scores)
    found = []

    class Best(Hook):
        def epoch_begin(self, training):
            found.append(best_checkpoint(prefix))

    training(last, hooks=[Best(), Score(scores, column), kept], select=column).fit(prefix)
    best_so_far = [min(2 if column == 'score' else 1, epoch) or None for epoch in range(last)]
    assert found == best_so_far
    assert best_checkpoint(prefix) == best and latest_checkpoint(prefix) == last
    files = {f'net-{epoch:04d}.{kind}' for epoch in (best, last) for kind in ('params', 'states')}
    assert set(os.listdir(tmp_path)) == {*files, 'net-symbol.json', 'net-samples.npz'}
    assert_equal(values(load_checkpoint(prefix, best)[1:]), kept.after[best])
    if best != last:
        again = training(last, hooks=[Score(scores, column)])
        assert_equal(values(again.fit(prefix, begin_epoch=best).get_params()), kept.after[last])


def test_a_training_that_selects_nothing_has_no_best_checkpoint(tmp_path):
    prefix, history = tmp_path / 'net', tmp_path / 'net.csv'
    assert best_checkpoint(prefix) is None
    training(2).fit(prefix, history)
    assert best_checkpoint(prefix) is None and 'best_epoch' not in (tmp_path / 'net-symbol.json').read_text()
    training(4, [Score()], select='score').fit(prefix, history, 2)
    assert best_checkpoint(prefix) == 4  # of those that there are since it selects
    training(5, [Score()], select='score').fit(prefix, history, 4)
    assert best_checkpoint(prefix) == 4 and latest_checkpoint(prefix) == 5
    symbol = load_checkpoint(prefix)[0]
    training(6).fit(prefix, history, 5)
    assert best_checkpoint(prefix) is None and not (tmp_path / 'net-0004.params').exists()
    training(4, symbol=symbol).fit(tmp_path / 'other')
    assert best_checkpoint(tmp_path / 'other') is None
    training(5, [Score()], select='score').fit(tmp_path / 'more')
    (tmp_path / 'more-0002.params').unlink()
    assert best_checkpoint(tmp_path / 'more') is None


def test_what_a_killed_training_has_not_noted_is_noted_when_it_goes_on(tmp_path):
    prefix, history = tmp_path / 'net', tmp_path / 'net.csv'
    training(2, [Score()], select='score').fit(prefix, history)
    note_best(prefix, None)
    assert best_checkpoint(prefix) is None
    training(2, [Score()], select='score').fit(prefix, history, 2)
    assert best_checkpoint(prefix) == 2


@pytest.mark.parametrize('options', [{'hooks': [EarlyStopping('scores', 2)]}, {'select': 'scores'}])
def test_a_column_that_is_not_there_is_refused_with_those_that_are(tmp_path, options):
    with pytest.raises(ValueError) as refused:
        training(**options).fit(tmp_path / 'net')
    assert str(refused.value) == (
        "one: the history has no column 'scores' in epoch 1; it has epoch, train_accuracy, seconds"
    )


@pytest.mark.parametrize('options', [{'hooks': [Score(), EarlyStopping('score', 2)]}, {'select': 'score'}])
def test_without_the_history_a_training_is_not_resumed(tmp_path, options):
    training(2, hooks=[Score()]).fit(tmp_path / 'net')
    sentence = 'one: score of the 2 epochs before is not known; pass fit the history of the training'
    with pytest.raises(ValueError, match=sentence):
        training(**options).fit(tmp_path / 'net', begin_epoch=2)


def test_no_patience_is_refused():
    with pytest.raises(ValueError, match=r'^patience=0 is not a whole number > 0'):
        EarlyStopping('score', 0)


class Workers:
    """A KVStore of several workers, of which nothing is asked but how many they are."""

    type, rank, num_workers = 'dist_sync', 0, 2


@pytest.mark.parametrize('rank', [0, 1])
def test_several_workers_are_refused_before_anything_is_trained(rank):
    store = Workers()
    store.rank = rank
    one = training(hooks=[Score(), EarlyStopping('score', 2)], kvstore=store)
    with pytest.raises(ValueError) as refused:
        one.fit()
    assert str(refused.value) == 'one: EarlyStopping cannot end a training on 2 workers; expected one'


def test_a_hook_of_one_worker_cannot_stop_them_all(monkeypatch):
    class Stop(Hook):
        def epoch_end(self, training, epoch):
            training.stop = 'enough'

    one = training(hooks=[Stop()])
    one.num_workers = 2
    with pytest.raises(ValueError, match=r'^one: training\.stop cannot end a training on 2 workers'):
        one.fit()

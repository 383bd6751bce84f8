"""A weight that changes during a training: resumed, it goes on as an uninterrupted one."""

from __future__ import annotations

from centerloss_mx.dataset import as_arrays
from centerloss_mx.model import load_checkpoint
from centerloss_mx.symbol import scale_variable, supervised
from centerloss_mx.training import (
    IGNORE_LABEL,
    ScaleSchedule,
    Training,
    lr_schedule,
    num_batches,
    scale_warmup,
)

import mxnet as mx
import numpy as np
import pytest

NUM_CLASS, DIM, BATCH, WEIGHT = 3, 2, 8, 0.2


@pytest.fixture(scope='module')
def samples():
    """27 vectors of three classes: four batches, the last one padded."""
    rng = np.random.RandomState(20161008)
    labels = np.arange(27) % NUM_CLASS
    return as_arrays(labels[:, None, None] + rng.rand(27, 3, 3), np.array(['a', 'b', 'c'])[labels])


def training(samples, loss, scale, hooks=(), num_epoch=4, kind='constant', **schedule):
    embedding = mx.sym.FullyConnected(
        mx.sym.flatten(mx.sym.Variable('data')), num_hidden=DIM, name='embedding'
    )
    options = {'scale': scale, 'use_ignore': True, 'ignore_label': IGNORE_LABEL}
    if loss == 'center_loss':
        options['batchsize'] = BATCH
    symbol = supervised(embedding, NUM_CLASS, loss, DIM, **options)
    batches = num_batches(samples, BATCH)
    params = {'momentum': 0.9, **lr_schedule(kind, 0.05, batches, num_epoch, **schedule)}
    optimizer = 'sgd' if loss == 'center_loss' else 'centers'
    return Training(
        symbol, samples, None, 'weighted', BATCH, num_epoch, optimizer, params, seed=3, hooks=hooks
    )


def parameters(module):
    return {name: value.asnumpy() for params in module.get_params() for name, value in params.items()}


def assert_equal(actual, expected):
    for name, value in expected.items():
        np.testing.assert_array_equal(actual[name], value, err_msg=name)


@pytest.mark.parametrize('loss', ['center_loss', 'sync_center_loss'])
def test_a_weight_that_warms_up_is_resumed_exactly(samples, tmp_path, loss):
    seen = []

    def schedule(n):
        seen.append(n)
        return scale_warmup(WEIGHT, 10)(n)

    def fit(num_epoch, *args, **kwargs):
        one = training(samples, loss, scale_variable(0.5), [ScaleSchedule(schedule)], num_epoch)
        return parameters(one.fit(*args, **kwargs))

    expected = fit(4)
    assert seen == list(range(1, 18)) and expected['center_loss_scale'].tolist() == [WEIGHT]
    fit(2, tmp_path / 'net')
    assert load_checkpoint(tmp_path / 'net')[1]['center_loss_scale'].asscalar() == WEIGHT * 0.9  # of update 9
    assert_equal(fit(4, tmp_path / 'net', begin_epoch=2), expected)


@pytest.mark.parametrize('loss', ['center_loss', 'sync_center_loss'])
def test_a_schedule_of_one_value_trains_as_a_fixed_weight(samples, loss):
    fixed = training(samples, loss, WEIGHT)
    expected = parameters(fixed.fit())
    changed = training(samples, loss, scale_variable(0), [ScaleSchedule(lambda n: WEIGHT)])
    assert_equal(parameters(changed.fit()), expected)
    zero = parameters(training(samples, loss, scale_variable(0)).fit())
    assert (zero['embedding_weight'] != expected['embedding_weight']).any()


@pytest.mark.parametrize('kind, options', [('constant', {'warmup': 2}), ('step', {'steps': [1, 3]})])
def test_a_finished_training_goes_on_for_more_epochs(samples, tmp_path, kind, options):
    def fit(num_epoch, *args, **kwargs):
        return parameters(
            training(samples, 'center_loss', WEIGHT, (), num_epoch, kind, **options).fit(*args, **kwargs)
        )

    fit(2, tmp_path / 'net')
    assert_equal(fit(4, tmp_path / 'net', begin_epoch=2), fit(4))


def test_a_network_with_a_fixed_weight_has_nothing_to_schedule(samples):
    with pytest.raises(ValueError, match='center_loss has a fixed weight'):
        training(samples, 'center_loss', WEIGHT, [ScaleSchedule(scale_warmup(1, 5))]).fit()


def test_an_invalid_weight_of_a_schedule_ends_the_training(samples):
    one = training(samples, 'center_loss', scale_variable(0), [ScaleSchedule(lambda n: 3.0 - n)])
    with pytest.raises(ValueError, match=r'center_loss_scale: value=-1\.0 is not a finite number >= 0'):
        one.fit()

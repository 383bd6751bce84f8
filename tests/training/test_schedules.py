"""Learning rates and weights that change during a training, and the options of SGD."""

from __future__ import annotations

import math
from types import SimpleNamespace

from centerloss_mx.training import LR_SCHEDULES, ScaleSchedule, cosine, lr_schedule, scale_warmup, sgd

import numpy as np
import pytest
from mxnet.model import BatchEndParam

BATCHES, EPOCHS, RATE = 7, 6, 0.3


def test_the_learning_rate_warms_up_and_falls_to_0():
    scheduler = cosine(0.1, batches=10, num_epoch=20)['lr_scheduler']
    rates = [scheduler(step) for step in range(1, 201)]
    assert rates[0] < 0.02 and max(rates) == pytest.approx(0.1) and np.argmax(rates) < 11
    assert rates[9:] == sorted(rates[9:], reverse=True) and rates[-1] < 1e-4
    assert cosine(0.1, 10, 20, begin_epoch=3)['begin_num_update'] == 30


def test_sgd_has_the_recipe_of_the_tables():
    options = sgd(0.05, batches=10, num_epoch=20, begin_epoch=3)
    scheduler = options.pop('lr_scheduler')
    assert options == {'momentum': 0.9, 'wd': 0.0005, 'learning_rate': 0.05, 'begin_num_update': 30}
    assert max(scheduler(step) for step in range(1, 201)) == pytest.approx(0.05)
    assert sgd(0.05, 10, 20, momentum=0.5)['momentum'] == 0.5


def by_hand(kind, n, warmup, steps=(), factor=0.1):
    """The learning rate of update n, from 1, as the docstring has it."""
    if n < warmup:
        return RATE * n / warmup
    if kind == 'cosine':
        return RATE * (1 + math.cos(math.pi * (n - warmup) / (BATCHES * EPOCHS - warmup))) / 2
    return RATE * factor ** sum(n > BATCHES * step for step in steps)


SCHEDULES = [
    ('constant', {}, 0),
    ('constant', {'warmup': 2}, 14),
    ('constant', {'warmup': 1.5}, 10),
    ('step', {'steps': [2, 5]}, 0),
    ('step', {'steps': (1, 2.6, 40), 'factor': 0.5, 'warmup': 1}, 7),
    ('step', {'steps': [1], 'warmup': 3}, 21),  # a step that ends within the warm-up
    ('cosine', {}, 7),
    ('cosine', {'warmup': 0}, 0),
    ('cosine', {'warmup': 5}, 35),
]


@pytest.mark.parametrize('kind, options, warmup', SCHEDULES)
def test_a_schedule_follows_its_formula_and_resumed_at_any_update_goes_on(kind, options, warmup):
    def make(begin_epoch=0):
        made = lr_schedule(kind, RATE, BATCHES, EPOCHS, begin_epoch, **options)
        assert made['learning_rate'] == RATE and made.get('begin_num_update', 0) == BATCHES * begin_epoch
        return made['lr_scheduler']

    updates = range(1, BATCHES * EPOCHS + 1)
    rates = list(map(make(), updates))
    form = {name: value for name, value in options.items() if name != 'warmup'}
    expected = [by_hand(kind, n, warmup, **form) for n in updates]
    np.testing.assert_allclose(rates, expected, rtol=1e-12, atol=1e-17)
    assert len(set(rates)) > 1 or (kind, options) == ('constant', {})
    for begin in range(BATCHES * EPOCHS):
        assert list(map(make(begin // BATCHES), updates[begin:])) == rates[begin:]


@pytest.mark.parametrize('kind, options, warmup', SCHEDULES[:6])
def test_constant_and_step_do_not_depend_on_the_number_of_epochs(kind, options, warmup):
    one, other = (lr_schedule(kind, RATE, BATCHES, n, **options)['lr_scheduler'] for n in (EPOCHS, 20))
    assert [one(n) for n in range(1, 150)] == [other(n) for n in range(1, 150)]


def test_the_names_of_schedules_are_those_that_are_there():
    assert set(LR_SCHEDULES) == {kind for kind, _, _ in SCHEDULES}


@pytest.mark.parametrize('batches, num_epoch', [(10, 20), (10, 3), (1, 3), (1, 1)])
def test_a_short_cosine_warms_up_for_a_quarter(batches, num_epoch):
    short = cosine(RATE, batches, num_epoch)['lr_scheduler']
    warmup = min(batches, batches * num_epoch // 4) / batches
    named = lr_schedule('cosine', RATE, batches, num_epoch, warmup=warmup)['lr_scheduler']
    updates = range(1, batches * num_epoch + 1)
    assert [short(n) for n in updates] == [named(n) for n in updates]


@pytest.mark.parametrize('arguments, options, message', [
    (('linear', 0.1, 10, 5), {}, "kind='linear' is not one of cosine, step, constant"),
    (('constant', -0.1, 10, 5), {}, 'learning_rate=-0.1 is not a finite number >= 0'),
    (('constant', 0.1, 0, 5), {}, 'batches=0 is not a whole number > 0'),
    (('constant', 0.1, 10, 2.5), {}, 'num_epoch=2.5 is not a whole number > 0'),
    (('constant', 0.1, 10, 5), {'warmup': -1}, 'warmup=-1 is not a finite number >= 0'),
    (('cosine', 0.1, 10, 5), {'warmup': 5}, "warmup=5: expected less than num_epoch=5 for kind='cosine'"),
    (('constant', 0.1, 10, 5), {'steps': [2]}, "steps=[2] are for kind='step', not for kind='constant'"),
    (('step', 0.1, 10, 5), {}, "steps=(): kind='step' expects epochs in ascending order"),
    (('step', 0.1, 10, 5), {'steps': [3, 2]}, "steps=[3, 2]: kind='step' expects epochs in ascending order"),
    (('step', 0.1, 10, 5), {'steps': [2, 2]}, "steps=[2, 2]: kind='step' expects epochs in ascending order"),
    (('step', 0.1, 10, 5), {'steps': [0.01]}, 'in ascending order, of one batch or more'),
    (('step', 0.1, 10, 5), {'steps': [0]}, 'steps=0 is not a finite number > 0'),
    (('step', 0.1, 10, 5), {'steps': [1], 'factor': 0}, 'factor=0 is not a finite number > 0'),
    (('step', 0.1, 10, 5), {'steps': [1], 'factor': 1.5}, 'factor=1.5 is not a number > 0 and <= 1'),
])  # fmt: skip
def test_a_schedule_that_cannot_be_is_refused(arguments, options, message):
    with pytest.raises(ValueError) as error:
        lr_schedule(*arguments, **options)
    assert message in str(error.value)


def test_a_weight_warms_up_linearly_from_0():
    schedule = scale_warmup(0.5, 4)
    assert [schedule(n) for n in (1, 2, 3, 4, 5, 1000)] == [0.125, 0.25, 0.375, 0.5, 0.5, 0.5]
    assert scale_warmup(0, 4)(3) == 0
    for scale, num_updates in (-1, 4), (math.nan, 4), (0.5, 0), (0.5, 2.5):
        with pytest.raises(ValueError, match=r'scale=|num_updates='):
            scale_warmup(scale, num_updates)


@pytest.mark.parametrize('begin_epoch', [0, 2])
def test_the_weight_is_set_before_each_batch_by_the_number_of_its_update(begin_epoch):
    seen = []
    module = SimpleNamespace(set_scale=lambda value, name: seen.append((value, name)))
    training = SimpleNamespace(module=module, num_batches=3)
    hook = ScaleSchedule(lambda n: 10 * n, 'loss')
    assert hook.every_worker
    hook.begin(training, begin_epoch)
    for epoch in range(begin_epoch, 4):
        for nbatch in range(3):
            hook.batch_end(training, BatchEndParam(epoch, nbatch, None, None))
    assert seen == [(10 * n, 'loss') for n in range(3 * begin_epoch + 1, 14)]

"""Learning rates that change during a training, and the options of SGD."""

from __future__ import annotations

from centerloss_mx.training import cosine, sgd

import numpy as np
import pytest


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

"""The package reads environment variables of the process, and sets none after import."""

from __future__ import annotations

import os

import centerloss_mx as cl

import numpy as np
import pytest


@pytest.fixture
def written(monkeypatch):
    """The names of the variables that have been set or removed, even if they were put back."""
    names, put, remove = [], os.putenv, os.unsetenv

    def record(name, *value):
        names.append(os.fsdecode(name))
        return put(name, *value) if value else remove(name)

    monkeypatch.setattr(os, 'putenv', record)
    monkeypatch.setattr(os, 'unsetenv', record)
    return names


def test_training_and_features_leave_the_environment_as_it_is(written):
    rng = np.random.RandomState(0)
    samples = cl.dataset.Arrays(rng.rand(24, 1, 28, 28).astype('float32'), np.arange(24) % 3, list('abc'))
    net = cl.symbol.supervised(cl.model_zoo.lenet(2), 3, 'center_loss', 2, scale=0.1, batchsize=12)
    training = cl.training.Training(net, samples, samples, batch_size=12, num_epoch=1)
    module = training.fit()
    extractor = cl.model.FeatureExtractor(net, *module.get_params())
    assert extractor.predict(samples.images).shape == (24, 2)
    assert set(written) <= {'PYTEST_CURRENT_TEST'}

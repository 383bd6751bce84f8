"""Row tables train the same numbers on one device, many devices, and many workers: real processes."""

from __future__ import annotations

import sys

import kvstore_job
import numpy as np
import pytest
from float64_steps import assert_same, oracle
from kvstore_job import BASES
from processes import launch

FORMS = 'table', 'all', 'sampled'
DEVICES = (1, 'local'), (2, 'local'), (4, 'device')


@pytest.mark.parametrize('base', BASES)
@pytest.mark.parametrize('form', FORMS)
def test_one_device_trains_what_the_reference_does(form, base):
    assert_same(kvstore_job.train(base, None, form=form), oracle(base, form))


@pytest.mark.parametrize('contexts, kvstore', DEVICES)
@pytest.mark.parametrize('form', FORMS)
def test_several_devices_train_what_the_reference_does(form, contexts, kvstore):
    assert_same(kvstore_job.train('sgd momentum', kvstore, contexts, form), oracle('sgd momentum', form))


@pytest.mark.parametrize('base', BASES)
def test_a_sample_of_all_classes_trains_what_the_dense_class_layer_does(base):
    assert_same(kvstore_job.train(base, None, form='all'), kvstore_job.train(base, None, form='dense'))


# 2^0 elements: every array is split over all servers
LAYOUTS = {'2 workers, 2 servers': (2, 2, '1'), '3 workers, 1 server': (3, 1, '1000000')}


@pytest.mark.slow
@pytest.mark.parametrize('form, base', [('table', 'sgd'), ('all', 'sgd momentum'), ('sampled', 'adam')])
@pytest.mark.parametrize('layout', LAYOUTS)
def test_several_workers_train_what_the_reference_does(form, base, layout, tmp_path):
    workers, servers, bound = LAYOUTS[layout]
    output = tmp_path / 'trained.npz'
    command = [sys.executable, kvstore_job.__file__, str(output), base, 'dist_sync', form]
    job = launch(workers, servers, *command, MXNET_KVSTORE_BIGARRAY_BOUND=bound)
    assert job.returncode == 0, job.stdout + job.stderr
    with np.load(output) as trained:
        assert_same(dict(trained), oracle(base, form, workers))

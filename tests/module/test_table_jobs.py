"""Row tables on servers: faults leave them as they were, and a job whose process is killed resumes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from centerloss_mx.model import latest_checkpoint

import numpy as np
import pytest
import table_job
from processes import launch

pytestmark = pytest.mark.slow

TESTS = Path(table_job.__file__).parent


def job(*arguments, **environment):
    paths = os.pathsep.join([str(TESTS), str(TESTS.parent), os.environ.get('PYTHONPATH', '')])
    return launch(2, 1, sys.executable, *map(str, arguments), PYTHONPATH=paths, **environment)


def files(prefix, epoch):
    kinds = 'center_loss_center_weight.npy', 'fc2_weight.npy', 'params'
    return {kind: Path(f'{prefix}-{epoch:04d}.{kind}').read_bytes() for kind in kinds}


def test_a_job_whose_worker_and_server_are_killed_resumes_and_ends_as_an_uninterrupted_one(
    tmp_path, nobody_left
):
    whole, killed = tmp_path / 'whole', tmp_path / 'killed'
    uninterrupted = job(table_job.__file__, whole, 0, **nobody_left)
    assert uninterrupted.returncode == 0, uninterrupted.stderr
    # Each is killed in the epoch after the last checkpoint.
    for epoch, victim, name in (1, 'worker', 'worker 1'), (2, 'server', 'server 0'):
        ended = job(table_job.__file__, killed, epoch - 1, victim, epoch, **nobody_left)
        assert ended.returncode == 1
        assert (
            ended.stderr.splitlines()[-1] == f'launch: {name} was killed by SIGKILL; the others were stopped'
        )
        assert latest_checkpoint(killed) == epoch
        assert files(killed, epoch) == files(whole, epoch)
    last = job(table_job.__file__, killed, 2, **nobody_left)
    assert last.returncode == 0, last.stderr
    assert files(killed, 3) == files(whole, 3)
    assert not list(tmp_path.glob('.*')) and not list(tmp_path.glob('*.states'))


FAULTS = """
import warnings
import centerloss_mx as cl
import kvstore_job as job
import mxnet as mx
import numpy as np
import sys

kvstore = mx.kv.create('dist_sync')
x, y = job.samples()
embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=job.DIM, name='embedding')
net = cl.symbol.joint_supervision(
    embedding, job.NUM_CLASS, 0.1, centers='table', embedding_dim=job.DIM, use_ignore=True,
    classifier={'num_sampled': 20},
)
labels = ['softmax_label', 'center_label']
module = cl.module.Module(net, label_names=labels, block_rows=job.BLOCK_ROWS)
module.bind([('data', (24, 5))], [(name, (24,)) for name in labels])
module.init_params(mx.init.Normal(1))
module.init_optimizer(kvstore, 'centers', {'learning_rate': 0.1, 'momentum': 0.9})

def tables():
    return {name: np.concatenate([*table.pieces()]) for name, table in module.row_tables.items()}

def step(x, y):
    y = mx.nd.array(y)
    module.forward_backward(mx.io.DataBatch([mx.nd.array(x)], [y, y]))
    module.update()

def refused(act):
    before = tables()
    try:
        act()
    except ValueError as error:
        print(error, flush=True)
    assert all((before[name] == rows).all() for name, rows in tables().items())

own = slice(kvstore.rank * 24, kvstore.rank * 24 + 24)
some_ignored = np.where(np.arange(48) % 5 == 3, -1, y[:48])
step(x[own], some_ignored[own])
if kvstore.rank == 1:
    refused(lambda: step(x[own], np.where(np.arange(24) == 5, 77, y[own])))
    refused(lambda: step(np.where(np.arange(24)[:, np.newaxis] == 5, np.nan, x[own]), y[own]))
    refused(lambda: step(x[own], np.arange(24)))
    refused(lambda: module.set_params({'fc2_weight': mx.nd.ones((job.NUM_CLASS, job.DIM))}, {}, True))
kvstore._barrier()
step(x[own], y[own])
step(x[own], np.full(24, -1) if kvstore.rank == 1 else y[own])
counted = np.concatenate([some_ignored[some_ignored >= 0], y[:48], y[:24]])
assert (tables()['center_loss_center_weight'][:, -1] == np.bincount(counted, minlength=job.NUM_CLASS)).all()
with warnings.catch_warnings(record=True) as warned:
    cl.model.save_checkpoint(module, sys.argv[1], 1)
    module.save_checkpoint(f'{sys.argv[1]}-of-{kvstore.rank}', 1)
print('done', *(str(warning.message) for warning in warned), flush=True)
if kvstore.rank == 1:
    step(x[own], y[own] + 100)
step(x[own], y[own])
"""


def test_faults_leave_the_tables_of_servers_and_a_worker_that_fails_ends_the_job(tmp_path):
    ended = job('-c', FAULTS, tmp_path / 'net')
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == 'launch: worker 1 ended with status 1; the others were stopped'
    assert 'ValueError: worker 1: center_label: label 1' in ended.stderr
    printed = ended.stdout.splitlines()
    assert [line.split(' | ')[1] for line in printed if line.startswith('worker 1')] == [
        'worker 1: center_label: label 77 at row 5 is outside 0..29 (num_class=30)',
        'worker 1: center_loss_output is nan, expected a finite loss; nothing was pushed. If training '
        'diverges, lower the scale or the learning rate',
        'worker 1: softmax_label: the batch has 24 classes, but the class layer samples 20; give it '
        'num_sampled=24 or more, or a larger sample_rate',
        'worker 1: fc2_weight is on the servers: set its rows before init_optimizer',
        'done',
    ]
    lost = 'MXNet cannot read them back from parameter servers. A resumed training starts them at zero.'
    assert [line for line in printed if line.startswith('worker 0')] == [
        f'worker 0 | done {tmp_path}/net-0001 holds no states of SGD: {lost}'
    ]
    assert not list(tmp_path.glob('*.states'))
    assert {path.name for path in tmp_path.glob('*-of-*.params')} == {'net-of-0-0001.params'}
    assert np.load(f'{tmp_path}/net-0001.fc2_weight.npy').shape == (30, 8)

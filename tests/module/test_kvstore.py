"""Centers on the KVStore are the same on one device, many devices, and many workers: real processes."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import centerloss_mx

import kvstore_job
import numpy as np
import pytest
from float64_steps import assert_same, oracle
from kvstore_job import BASES
from processes import launch

JOB = [sys.executable, kvstore_job.__file__]


@pytest.mark.parametrize('base', BASES)
def test_one_device_trains_what_the_reference_does(base):
    assert_same(kvstore_job.train(base, None), oracle(base))


@pytest.mark.parametrize('base', BASES)
@pytest.mark.parametrize('contexts', [2, 4])
@pytest.mark.parametrize('kvstore', ['local', 'device'])
def test_several_devices_train_what_one_does(base, contexts, kvstore):
    trained = kvstore_job.train(base, kvstore, contexts)
    assert_same(trained, kvstore_job.train(base, None))
    assert_same(trained, oracle(base))


# 2^0 elements: every array is split over all servers
LAYOUTS = {'2 workers, 2 servers': (2, 2, '1'), '3 workers, 1 server': (3, 1, '1000000')}


@pytest.mark.slow
@pytest.mark.parametrize('base', BASES)
@pytest.mark.parametrize('layout', LAYOUTS)
def test_several_workers_train_what_one_process_does(base, layout, tmp_path):
    workers, servers, bound = LAYOUTS[layout]
    output = tmp_path / 'trained.npz'
    job = launch(workers, servers, *JOB, str(output), base, 'dist_sync', MXNET_KVSTORE_BIGARRAY_BOUND=bound)
    assert job.returncode == 0, job.stdout + job.stderr
    with np.load(output) as trained:
        assert_same(dict(trained), kvstore_job.train(base, None))
        assert_same(dict(trained), oracle(base))


@pytest.mark.slow
def test_plain_modules_as_workers_train_what_one_process_does(tmp_path):
    output = tmp_path / 'trained.npz'
    job = launch(2, 1, *JOB, str(output), 'sgd momentum', 'dist_device_sync', 'plain')
    assert job.returncode == 0, job.stdout + job.stderr
    with np.load(output) as trained:
        assert_same(dict(trained), oracle('sgd momentum'))


@pytest.mark.slow
def test_workers_that_set_the_weight_alike_train_what_one_process_does(tmp_path):
    output = tmp_path / 'trained.npz'
    job = launch(2, 2, *JOB, str(output), 'sgd momentum', 'dist_sync', 'weighted')
    assert job.returncode == 0, job.stdout + job.stderr
    with np.load(output) as trained:
        expected = kvstore_job.train('sgd momentum', None, form='weighted')
        assert_same(dict(trained), expected)
    fixed = kvstore_job.train('sgd momentum', None)
    assert abs(fixed['embedding_weight'] - expected['embedding_weight']).max() > 1e-2


@pytest.mark.slow
def test_asynchronous_workers_count_every_sample(tmp_path):
    """In whatever order their gradients come; where the centers end then depends on it."""
    output = tmp_path / 'trained.npz'
    job = launch(1, 1, *JOB, str(output), 'sgd', 'dist_async')
    assert job.returncode == 0, job.stdout + job.stderr
    with np.load(output) as trained:
        assert_same(dict(trained), oracle('sgd'))  # one worker has its order


def by_hand(server, output, num_servers=1, server_folder=None, form=''):
    """The same job without the launcher: what server processes run is for the caller to say."""
    job = [*JOB, str(output), 'sgd', 'dist_sync', form]
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    shared = {
        **os.environ, 'DMLC_PS_ROOT_URI': '127.0.0.1', 'DMLC_PS_ROOT_PORT': str(port), 'DMLC_NUM_WORKER': '2',
        'DMLC_NUM_SERVER': str(num_servers), 'DMLC_INTERFACE': 'lo', 'DMLC_NODE_HOST': '127.0.0.1',
    }  # fmt: skip
    started = [
        (server(job), 'scheduler', None),
        *[(server(job), 'server', server_folder)] * num_servers,
        *[(job, 'worker', None)] * 2,
    ]
    processes = [
        subprocess.Popen(
            command,
            env={**shared, 'DMLC_ROLE': role},
            cwd=folder,  # where `python -c` looks for modules first
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for command, role, folder in started
    ]
    try:
        workers = [process.communicate(timeout=90)[0] for process in processes[-2:]]
        if all(process.returncode == 0 for process in processes[-2:]):
            assert [process.wait(timeout=30) for process in processes[:-2]] == [0] * (1 + num_servers)
        return [process.returncode for process in processes[-2:]], ''.join(workers)
    finally:
        for process in processes:
            process.kill()
            process.communicate()


SERVERS = {
    'import mxnet': lambda job: [sys.executable, '-c', 'import mxnet'],
    'import centerloss_mx': lambda job: [sys.executable, '-c', 'import centerloss_mx'],
    'the training script': lambda job: job,
}


@pytest.mark.slow
@pytest.mark.parametrize('server', SERVERS)
def test_servers_start_in_three_ways(server, tmp_path):
    if server == 'import mxnet' and tuple(map(int, np.__version__.split('.')[:2])) >= (1, 24):
        pytest.skip('MXNet alone does not import with this NumPy')
    output = tmp_path / 'trained.npz'
    codes, printed = by_hand(SERVERS[server], output, num_servers=2)
    assert codes == [0, 0], printed
    with np.load(output) as trained:
        assert_same(dict(trained), oracle('sgd'))


@pytest.mark.slow
@pytest.mark.parametrize(
    'server, form',
    [('without the package', ''), ('without the package', 'table'), ('of another version', '')],
)
def test_servers_that_do_not_run_the_optimizer_are_noticed_in_the_first_step(server, form, tmp_path):
    """MXNet's servers go on without: they would hold gradients in place of parameters."""
    package = tmp_path / 'centerloss_mx'
    if server == 'without the package':
        package.mkdir()
        (package / '__init__.py').write_text("raise ImportError('there is no centerloss_mx here')")
        start = 'import numpy; numpy.bool = bool; import mxnet'
    else:
        shutil.copytree(Path(centerloss_mx.__file__).parent, package)
        compat = package / '_compat.py'
        version = f"VERSION = '{centerloss_mx.__version__}'"
        compat.write_text(compat.read_text().replace(version, "VERSION = '0.0.9'"))
        start = 'import centerloss_mx'
    codes, printed = by_hand(
        lambda job: [sys.executable, '-c', start],
        tmp_path / 'trained.npz',
        server_folder=tmp_path,
        form=form,
    )
    assert codes == [1, 1]
    for rank in 0, 1:
        assert f'RuntimeError: worker {rank}: the KVStore does not move the centers' in printed
    assert f'do not run the optimizer `centers` of centerloss_mx {centerloss_mx.__version__}' in printed
    assert not (tmp_path / 'trained.npz').exists()


FAULTS = """
import sys
import centerloss_mx as cl
import mxnet as mx
import numpy as np
import kvstore_job as job

kvstore = mx.kv.create('dist_sync')
x, y = job.samples()
embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=job.DIM, name='embedding')
net = cl.symbol.joint_supervision(
    embedding, job.NUM_CLASS, 0.1, centers='kvstore', embedding_dim=job.DIM, use_ignore=True
)
module = cl.module.Module(net, label_names=['softmax_label', 'center_label'])
module.bind([('data', (24, 5))], [('softmax_label', (24,)), ('center_label', (24,))])
module.init_params(mx.init.Normal(1))
module.init_optimizer(kvstore, 'centers', {'learning_rate': 0.1})

def batch(x, y):
    return mx.io.DataBatch([mx.nd.array(x)], [mx.nd.array(np.maximum(y, 0)), mx.nd.array(y)])

def step(x, y):
    module.forward_backward(batch(x, y))
    module.update()

def refused(x, y):
    before = module.get_params()[0]['center_loss_center_weight'].asnumpy()
    try:
        step(x, y)
    except ValueError as error:
        print(error, flush=True)
    module._params_dirty = True
    assert (module.get_params()[0]['center_loss_center_weight'].asnumpy() == before).all()

own = slice(kvstore.rank * 24, kvstore.rank * 24 + 24)
some_ignored = np.where(np.arange(48) % 5 == 3, -1, y[:48])
step(x[own], some_ignored[own])
if kvstore.rank == 1:
    refused(x[own], np.where(np.arange(24) == 5, 77, y[own]))
    refused(np.where(np.arange(24)[:, np.newaxis] == 5, np.nan, x[own]), y[own])
    module.forward(batch(x[own], np.where(np.arange(24) == 5, 77, y[own])), is_train=False)
    assert np.isnan(module.get_outputs()[1].asscalar())
kvstore._barrier()
step(x[own], y[own])
step(x[own], np.full(24, -1) if kvstore.rank == 1 else y[own])
seen = module.get_params()[0]['center_loss_center_weight'].asnumpy()[:, -1]
counted = np.concatenate([some_ignored[some_ignored >= 0], y[:48], y[:24]])
assert (seen == np.bincount(counted, minlength=job.NUM_CLASS)).all()
print('done', flush=True)
if sys.argv[1:] == ['label'] and kvstore.rank == 1:
    step(x[own], y[own] + 100)
if sys.argv[1:] == ['iterator']:
    class Broken(mx.io.NDArrayIter):
        def next(self):
            raise OSError('the disk is gone')

    kind = Broken if kvstore.rank == 1 else mx.io.NDArrayIter
    samples = kind(x[own], {'softmax_label': y[own], 'center_label': y[own]}, 24)
    metric = cl.metric.CenterLossMetric('null')
    module.fit(samples, eval_metric=metric, kvstore=kvstore, optimizer='centers', num_epoch=1)
step(x[own], y[own])
"""


@pytest.mark.slow
def test_bad_and_ignored_labels_and_bad_features_leave_the_servers_centers_as_they_were():
    path = str(Path(kvstore_job.__file__).parent)
    job = launch(2, 1, sys.executable, '-c', FAULTS, PYTHONPATH=path)
    assert job.returncode == 0, job.stdout + job.stderr
    printed = job.stdout.splitlines()
    assert 'worker 1 | worker 1: center_label: label 77 at row 5 is outside 0..29 (num_class=30)' in printed
    assert any('worker 1: center_loss_output is nan, expected a finite loss' in line for line in printed)
    assert sum(line.endswith('| done') for line in printed) == 2


@pytest.mark.slow
@pytest.mark.parametrize('fault, message', [
    ('label', 'ValueError: worker 1: center_label: label '), ('iterator', 'OSError: the disk is gone'),
])  # fmt: skip
def test_a_worker_that_fails_ends_and_so_does_the_job(fault, message):
    """It must not wait at its exit for workers that wait for its gradients."""
    path = str(Path(kvstore_job.__file__).parent)
    job = launch(2, 1, sys.executable, '-c', FAULTS, fault, PYTHONPATH=path, timeout=60)
    assert job.returncode == 1
    assert job.stderr.splitlines()[-1] == 'launch: worker 1 ended with status 1; the others were stopped'
    assert message in job.stderr

"""`_mxnet.kvstore`: each fault as plain MXNet has it.

Ours: test_module.py (what is refused), test_kvstore.py (servers without the optimizer, a worker that fails).
There is no test of `MOST_BYTES`: an array of 2 GB, on a worker and a server, is too large for a test.
"""

from __future__ import annotations

import ctypes
import subprocess
import sys
import time
from types import SimpleNamespace

from centerloss_mx._mxnet.arrays import host_view
from centerloss_mx._mxnet.kvstore import LocalStore, sparse_rows

import mxnet as mx
import numpy as np
import pytest
from mxnet.kvstore import kvstore_server


@pytest.mark.parametrize(('size', 'updates'), [(2**24, True), (2**24 + 1, False)])
def test_mxnets_local_stops_updating_above_two_to_the_24_elements(size, updates):
    params = {'weight': SimpleNamespace(shape=(size,))}
    assert mx.model._create_kvstore('local', 2, params)[1] == updates
    assert mx.model._create_kvstore('device', 2, params)[1]


def test_mxnet_only_sums_gradients_where_the_environment_says_so(monkeypatch):
    monkeypatch.setenv('MXNET_UPDATE_ON_KVSTORE', '0')
    assert not mx.model._create_kvstore('device', 2, {'weight': SimpleNamespace(shape=(1,))})[1]


def test_mxnet_cannot_add_up_sparse_gradients():
    weight = mx.sym.Variable('weight', stype='row_sparse')
    net = mx.sym.Embedding(mx.sym.Variable('row'), weight, input_dim=3, output_dim=1, sparse_grad=True)
    executor = net.simple_bind(mx.cpu(), row=(1,), grad_req={'row': 'null', 'weight': 'add'})
    executor.forward(is_train=True)
    executor.backward(mx.nd.ones((1, 1)))
    with pytest.raises(mx.MXNetError, match='req == kWriteTo'):
        executor.grad_dict['weight'].wait_to_read()


def test_mxnet_cannot_compress_sparse_gradients():
    store = mx.kv.create('device')
    store.set_gradient_compression({'type': '2bit'})
    weight = mx.nd.ones((3, 2)).tostype('row_sparse')
    store.init('weight', weight)
    store.push('weight', [weight, weight.copyto(mx.cpu(1))])  # which makes it dense
    with pytest.raises(mx.MXNetError, match='PullRowSparse expects row_sparse'):
        store.row_sparse_pull('weight', out=weight, row_ids=mx.nd.array([0], dtype='int64'))


def test_a_device_of_mxnet_keeps_the_rows_that_it_has_not_pulled():
    weight = mx.sym.Variable('weight', stype='row_sparse', init=mx.init.One())
    net = mx.sym.Embedding(mx.sym.Variable('data'), weight, input_dim=3, output_dim=1, sparse_grad=True)
    module = mx.mod.Module(mx.sym.MakeLoss(net), label_names=None, context=[mx.cpu(0), mx.cpu(1)])
    module.bind([('data', (2,))])
    module.init_params()
    module.init_optimizer('device', optimizer_params={'learning_rate': 1})
    batch = mx.io.DataBatch([mx.nd.array([0, 2])])

    def first_device():
        return module._exec_group.execs[0].arg_dict['weight'].asnumpy()[:, 0].tolist()

    module.prepare(batch, lambda _: {'weight': mx.nd.array([0, 1, 2], dtype='int64')})
    module.forward_backward(batch)
    module.update()
    assert first_device() == [1, 1, 1]  # rows 0 and 2 have moved on the KVStore
    module.prepare(batch, lambda _: {'weight': mx.nd.array([0, 1, 2], dtype='int64')})
    assert first_device() == [0.5, 1, 0.5]


def run_as_server(body):
    """What a server does with the optimizer that a worker sends: called from C++, as MXNet does."""
    controller = kvstore_server.KVStoreServer(mx.kv.create('local'))._controller()
    ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(controller)(0, body, None)


def test_mxnets_server_goes_on_without_an_optimizer_that_it_cannot_load(monkeypatch):
    lost = []
    monkeypatch.setattr(sys, 'unraisablehook', lambda error: lost.append(error.exc_value))
    run_as_server(b'cno_such_package\nOptimizer\n.')  # and nothing is raised
    assert isinstance(lost[0], ImportError)


def test_mxnet_loses_the_errors_of_an_updater(monkeypatch):
    def fail(*arguments):
        raise RuntimeError('no room')

    lost = []
    monkeypatch.setattr(sys, 'unraisablehook', lambda report: lost.append(report.exc_value))
    plain, ours = mx.kv.create('local'), LocalStore(fail)
    plain._set_updater(fail)
    for kvstore in plain, ours:
        kvstore.init('weight', mx.nd.ones(2))
    plain.push('weight', mx.nd.ones(2))
    assert [str(error) for error in lost] == ['no room']
    with pytest.raises(RuntimeError, match='no room'):
        ours.push('weight', mx.nd.ones(2))


def test_a_server_of_mxnet_ends_inside_its_import(monkeypatch):
    """This is called when MXNet is imported; what a server imports finds MXNet half imported."""
    served = []
    library = SimpleNamespace(MXKVStoreIsWorkerNode=lambda is_worker: 0)  # it stays 0
    monkeypatch.setattr(kvstore_server, '_LIB', library)
    monkeypatch.setattr(kvstore_server, 'create', lambda kind: kind)

    def server(store):
        return SimpleNamespace(run=lambda: served.append(store))

    monkeypatch.setattr(kvstore_server, 'KVStoreServer', server)
    with pytest.raises(SystemExit):
        kvstore_server._init_kvstore_server_module()
    assert served == ['dist']


def test_mxnet_cannot_save_the_optimizer_states_of_servers(tmp_path):
    store = mx.kv.create('local')  # like a distributed one, it has no updater of its own
    with pytest.raises(AssertionError, match='Cannot save states for distributed training'):
        store.save_optimizer_states(str(tmp_path / 'states'))


def start_job(workers, program):
    program = f'import centerloss_mx\nimport mxnet as mx\nkv = mx.kv.create("dist_sync")\n{program}'
    command = [
        '-m',
        'centerloss_mx.launch',
        '-n',
        str(workers),
        '-s',
        '1',
        '--',
        sys.executable,
        '-c',
        program,
    ]
    return subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def test_mxnet_copies_the_rows_that_a_row_sparse_array_is_made_of():
    rows, numbers = mx.nd.ones((2, 3)), mx.nd.array([0, 2], dtype='int64')
    array = mx.nd.sparse.row_sparse_array((rows, numbers), (4, 3))
    host_view(rows)[:] = 7
    assert (array.data.asnumpy() == 1).all()


def test_rows_are_written_to_the_memory_of_a_row_sparse_array():
    array, memory = sparse_rows(np.array([0, 2]), (4, 3), np.dtype('float64'))
    memory[:] = [[1, 2, 3], [4, 5, 6]]
    expected = [[1, 2, 3], [0, 0, 0], [4, 5, 6], [0, 0, 0]]
    np.testing.assert_array_equal(array.asnumpy(), expected)
    array.check_format()
    assert array.dtype == np.float64


@pytest.mark.slow
def test_a_server_of_mxnet_keeps_float64_in_float32():
    """Ours: `RowTable` refuses this."""
    program = """
from centerloss_mx.row_table import RowTable
value = mx.nd.full((3, 2), 1 + 2**-30, dtype='float64')
kv.init('w', value)
kv.pull('w', out=value)
print('off by', 1 + 2**-30 - value.asnumpy().min())
try:
    RowTable(kv, 'w', (3, 2), 'float64')
except ValueError as error:
    print(error)
"""
    job = start_job(1, program)
    try:
        output, _ = job.communicate(timeout=120)
    finally:
        job.kill()
    assert f'off by {2**-30}' in output
    assert "row table w: dtype='float64' on KVStore 'dist_sync'; expected float32" in output


@pytest.mark.slow
def test_a_server_of_mxnet_aborts_at_an_array_without_rows():
    job = start_job(1, "kv.init('w', mx.nd.zeros((3, 2)).tostype('row_sparse'))")
    try:
        output, _ = job.communicate(timeout=120)
    finally:
        job.kill()
    assert job.returncode != 0 and 'init with empty data is not supported' in output


@pytest.mark.slow
def test_a_worker_of_mxnet_that_fails_waits_for_the_others():
    """Rank 0 waits for the gradient of rank 1, which fails and waits for rank 0 at its end."""
    program = """
weight = mx.nd.ones((2,))
kv.init('weight', weight)
if kv.rank == 1:
    raise ValueError('rank 1 fails')
kv.push('weight', weight)
kv.pull('weight', out=weight)
weight.wait_to_read()
"""
    job = start_job(2, program)
    try:
        for line in job.stdout:
            if 'rank 1 fails' in line:
                break
        else:
            pytest.fail('the worker of rank 1 did not fail')
        time.sleep(3)
        assert job.poll() is None
    finally:
        job.terminate()  # the launcher stops its processes; SIGINT is ignored behind a shell's &
        job.communicate(timeout=60)

"""The compiled kernel: when MXNet calls it, that it agrees with NumPy, and what both paths share."""

from __future__ import annotations

import ctypes
import gc
import os
import shutil
import subprocess
import sys
from pathlib import Path

from centerloss_mx import reference
from centerloss_mx.operator import CenterLoss, CenterLossProp, native

import mxnet as mx
import numpy as np
import pytest

SEED, N, DIM, NUM_CLASS = 20161008, 9, 37, 5

LABEL_DTYPES = ['uint8', 'int8', 'int32', 'int64', 'float16', 'float32', 'float64']

pytestmark = pytest.mark.skipif(native.library is None, reason=f'the kernel {native.missing}')


def batch(seed=SEED, n=N, dim=DIM, num_class=NUM_CLASS):
    rng = np.random.RandomState(seed)
    print(f'seed {seed}')
    return rng.randn(n, dim).astype('float32'), rng.randint(0, num_class, n)


def operator_just_bound():
    operators = [op for op in mx.operator._registry.ref_holder.values() if isinstance(op, CenterLoss)]
    return operators[-1]


@pytest.fixture
def bind(bound, monkeypatch):
    """Bind the operator in the kernel or in NumPy, with the same centers."""

    def make(path, **parameters):
        with monkeypatch.context() as patch:
            if path == 'numpy':
                patch.setattr(native, 'library', None)
            op = bound(N, DIM, NUM_CLASS, **parameters)
        op.operator = operator_just_bound()
        op.centers = np.random.RandomState(SEED).randn(NUM_CLASS, DIM)
        return op

    return make


@pytest.fixture
def assert_same(assert_close):
    """The loss, gradient and states of one operator are those of another, within the oracle's bound."""

    def check(actual, expected):
        assert_close(
            actual.executor.outputs[0].asnumpy(), expected.executor.outputs[0].asnumpy().astype(float)
        )
        gradients = (op.executor.grad_dict['data'].asnumpy() for op in (actual, expected))
        assert_close(next(gradients), next(gradients).astype(float))
        for name, state in actual.states.items():
            assert_close(state, expected.states[name].astype(float))

    return check


@pytest.fixture
def python_calls(monkeypatch):
    """The calls of the operator's Python, counted."""
    calls = []
    for name in 'forward', 'backward':
        method = getattr(CenterLoss, name)

        def counted(*args, _method=method, _name=name, **kwargs):
            calls.append(_name)
            _method(*args, **kwargs)

        monkeypatch.setattr(CenterLoss, name, counted)
    return calls


# --- which path runs -------------------------------------------------------------------------------------


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
@pytest.mark.parametrize('label_dtype', LABEL_DTYPES)
@pytest.mark.parametrize('grad_req', ['write', 'add', 'null'])
def test_the_plain_case_runs_without_python(python_calls, bind, dtype, label_dtype, grad_req):
    ignored = 255 if label_dtype == 'uint8' else -1
    parameters = {'dtype': dtype, 'label_dtype': label_dtype, 'use_ignore': True, 'ignore_label': ignored}
    op = bind('kernel', grad_req=grad_req, **parameters)
    before = op.centers
    x, y = batch()
    y[y == 0] = ignored
    op.step(x, y)
    assert ((op.centers != before).any(axis=1) == (np.arange(NUM_CLASS) > 0)).all()
    assert np.isfinite(op.forward(x, y, is_train=False).asscalar())
    assert python_calls == []


@pytest.mark.parametrize('label', [NUM_CLASS, -1, 0.5, np.nan, np.inf])
def test_an_invalid_label_is_scored_in_python(python_calls, bind, label):
    x, y = batch()
    assert np.isnan(bind('kernel').forward(x, [*y[:-1], label], is_train=False).asscalar())
    assert python_calls == ['forward']


def test_half_precision_runs_in_python(python_calls, bind):
    bind('kernel', dtype='float16').step(*batch())
    assert python_calls == ['forward', 'backward']


@pytest.mark.parametrize('backend', ['device'], indirect=True)
def test_other_devices_have_no_kernel(backend, python_calls, bind):
    bind('kernel').step(*batch())
    assert python_calls == ['forward', 'backward']


def test_a_subclass_keeps_its_own_methods(bound, monkeypatch):
    calls = []

    class Counting(CenterLoss):
        def _move(self, *args):
            calls.append('move')
            super()._move(*args)

    monkeypatch.setattr(
        CenterLossProp, 'create_operator', lambda self, ctx, *_: Counting(self.parameters, ctx)
    )
    bound(N, DIM, NUM_CLASS).step(*batch())
    assert calls == ['move']


@pytest.mark.parametrize(
    'value, path',
    [('0', 'NumPy: the kernel is turned off by CENTERLOSS_MX_KERNEL=0'), ('1', 'compiled kernel')],
)
def test_the_environment_turns_the_kernel_off(value, path):
    done = subprocess.run(
        [sys.executable, '-m', 'centerloss_mx', 'info'],
        capture_output=True,
        text=True,
        env={**os.environ, 'CENTERLOSS_MX_KERNEL': value},
    )
    assert f'operator on the CPU    {path}\n' in done.stdout


def test_a_kernel_that_cannot_be_used_says_why(tmp_path, monkeypatch):
    absent, damaged = tmp_path / 'absent.so', tmp_path / 'damaged.so'
    damaged.write_bytes(b'\x7fELF')
    assert native.load(absent) == (
        None,
        'was not compiled: install a C compiler, and then centerloss_mx again',
    )
    assert native.load(damaged)[0] is None and f'does not load: {damaged}' in native.load(damaged)[1]
    another = mx.libinfo.find_lib_path()[0]
    assert native.load(Path(another))[0] is None and 'undefined symbol' in native.load(Path(another))[1]
    monkeypatch.setattr(native, 'NativeState', native.NativeState._fields_[-1][1])  # of another size
    path = Path(native.__file__).with_name('_kernel.so')
    assert native.load(path) == (None, 'was compiled for another version: install centerloss_mx again')
    copied = tmp_path / 'copied.so'
    shutil.copy(path, copied)
    (tmp_path / 'kernel.c').touch()
    os.utime(copied, (0, 0))
    assert native.load(copied) == (None, 'is older than kernel.c: install centerloss_mx again')


def test_a_deleted_operator_has_no_state_of_the_kernel(bound):
    op = bound(N, DIM, NUM_CLASS)
    op.step(*batch())
    operator = operator_just_bound()
    assert operator.batch is not None
    del op
    gc.collect()
    bound(N, DIM, NUM_CLASS)  # Python hears of the deletion when the next operator is created
    assert operator.native is None and operator.batch is None


def test_a_lock_that_is_held_while_the_process_forks_is_free_in_the_child():
    with native.centers_lock:
        child = os.fork()
        if not child:
            with native.centers_lock:
                os._exit(0)
        assert os.waitpid(child, 0)[1] == 0


# --- both paths ------------------------------------------------------------------------------------------


def test_half_precision_labels_are_the_numbers_that_numpy_reads(bound):
    """All of float16, which the kernel converts itself: a loss that is no NaN tells the valid ones."""
    halves = np.arange(2**16, dtype=np.uint16).view(np.float16)
    op = bound(1, 1, 2000, label_dtype='float16')
    op.centers = np.arange(2000).reshape(2000, 1)
    classes = set(range(2000))
    is_valid = np.array([half in classes for half in halves.tolist()])
    valid = halves[is_valid]
    assert len(valid) == 2001  # 0 has two signs
    for half in valid[::7]:
        assert op.forward([[0]], [half], is_train=False).asscalar() == 0.5 * float(half) ** 2
    op.executor.arg_dict['data'][:] = 0
    for half in halves[~is_valid][::97]:
        assert np.isnan(op.forward([[0]], [half], is_train=False).asscalar())


@pytest.mark.parametrize('bad', [{'label': NUM_CLASS}, {'label': 0.5}, {'value': np.nan}, {'value': 1e30}])
def test_a_refused_batch_between_others_leaves_no_trace(capfd, bind, assert_same, bad):
    ours, numpys = bind('kernel'), bind('numpy')
    for step in range(6):
        x, y = batch(SEED + step)
        if step % 2:
            refused_x, refused_y = x.copy(), y.astype('float32')
            refused_x[3, 2], refused_y[3] = bad.get('value', x[3, 2]), bad.get('label', y[3])
            before = ours.states
            with pytest.raises(mx.MXNetError):
                ours.step(refused_x, refused_y)
            assert ('at row 3' if 'label' in bad else 'the loss of this batch') in capfd.readouterr().out
            assert all((state == before[name]).all() for name, state in ours.states.items())
        ours.step(x, y)
        numpys.step(x, y)
        assert_same(ours, numpys)


@pytest.mark.parametrize('began', ['kernel', 'python'])
@pytest.mark.parametrize('ignore_label', [2, 7])
def test_a_step_may_begin_in_one_path_and_end_in_the_other(bind, assert_same, began, ignore_label):
    ignoring = {'use_ignore': True, 'ignore_label': ignore_label, 'normalization': 'valid', 'scale': 0.7}
    ours, numpys = bind('kernel', **ignoring), bind('numpy', **ignoring)
    executor, operator = ours.executor, ours.operator
    arrays = {'in_data': executor.arg_arrays, 'out_data': executor.outputs, 'aux': executor.aux_arrays}
    for step in range(3):
        numpys.step(*batch(SEED + step))
        if began == 'kernel':
            ours.forward(*batch(SEED + step))
            mx.nd.waitall()
            operator.backward(['write'] * 2, [], in_grad=executor.grad_arrays, **arrays)
        else:
            ours.forward(*batch(99))  # what the kernel keeps of it does not count
            executor.arg_dict['data'][:], executor.arg_dict['label'][:] = batch(SEED + step)
            operator.forward(True, ['write'], **arrays)
            executor.backward()
        assert_same(ours, numpys)


IN_DATA, OUT_DATA, IN_GRAD, OUT_GRAD, AUX = range(5)

ENTRY = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_int, *[ctypes.c_void_p] * 3, ctypes.c_int, ctypes.c_void_p
)  # forward and backward in an operator's list


def call(operator, entry, tagged, reqs, is_train):
    """Call an entry of an operator's list as MXNet does, with handles that the entry frees."""
    (callbacks,) = operator._ref_holder
    views = [(tag, array.detach()) for tag, arrays in tagged for array in arrays]
    handles = (ctypes.c_void_p * len(views))(*(view.handle.value for _, view in views))
    tags = (ctypes.c_int * len(views))(*(tag for tag, _ in views))
    for _, view in views:
        view.handle = ctypes.c_void_p()
    entry_and_context = callbacks.contents.callbacks[entry], callbacks.contents.contexts[entry]
    function = ctypes.cast(entry_and_context[0], ENTRY)
    names = ['null', 'write', 'inplace', 'add']
    numbers = (ctypes.c_int * len(reqs))(*map(names.index, reqs))
    assert function(len(views), handles, tags, numbers, is_train, entry_and_context[1]) == 1


@pytest.mark.parametrize('per_sample', [False, True])
@pytest.mark.parametrize('output', ['null', 'write', 'inplace', 'add'])
@pytest.mark.parametrize('gradient', ['null', 'write', 'inplace', 'add'])
@pytest.mark.parametrize('label', ['null', 'write', 'add'])
def test_every_request_is_answered_as_python_does(
    bind, python_calls, assert_close, per_sample, output, gradient, label
):
    """A step of training, with scoring between its forward and its backward; all arrays are compared."""
    rng = np.random.RandomState(SEED)
    op_type, shapes = 'centerloss', [(N, DIM), (NUM_CLASS, DIM), (DIM,)]
    if per_sample:
        op_type, shapes = '_centerloss_per_sample', shapes[1:2]
    symbol = mx.sym.Custom(
        mx.sym.Variable('data'), mx.sym.Variable('label'), op_type=op_type, num_class=NUM_CLASS, scale=0.7
    )
    executor = symbol.simple_bind(mx.cpu(), data=(N, DIM))
    operator, size = operator_just_bound(), N if per_sample else 1
    values = [rng.randn(*shape) for shape in [(size,), (size,), (N, DIM), (N,), *shapes]]

    def train(forward, backward):
        head, out, *rest = (mx.nd.array(value) for value in values)
        gradients, states = rest[:2], rest[2:]
        batches = [[mx.nd.array(array) for array in batch(seed)] for seed in (1, 2)]
        forward(True, [output], batches[0], [out], states)
        forward(False, ['null'], batches[0 if per_sample else 1], [out], states)
        if per_sample:  # a call of its own, whose backward is its own
            forward(True, ['null'], batches[0], [out], states)
        backward([gradient, label], [head], batches[0], [out], gradients, states)
        return [array.asnumpy() for array in (out, *gradients, *states)]

    in_kernel = train(
        lambda is_train, req, data, out, aux: call(
            operator, 1, [(IN_DATA, data), (OUT_DATA, out), (AUX, aux)], req, is_train
        ),
        lambda req, head, data, out, grad, aux: call(
            operator,
            2,
            [(OUT_GRAD, head), (IN_DATA, data), (OUT_DATA, out), (IN_GRAD, grad), (AUX, aux)],
            req,
            True,
        ),
    )
    assert python_calls == []
    in_python = train(operator.forward, operator.backward)
    for ours, pythons in zip(in_kernel, in_python):
        assert_close(ours, pythons.astype(float))
    del executor  # MXNet deletes the operator with it


def test_a_batch_of_ignored_samples_runs_without_python(python_calls, bind):
    op = bind('kernel', use_ignore=True, ignore_label=-1, normalization='valid')
    before = op.centers
    loss, gradient = op.step(np.full((N, DIM), np.nan), np.full(N, -1))
    assert loss == 0 and not gradient.any() and (op.centers == before).all() and python_calls == []


@pytest.mark.parametrize('update', ['paper', 'moving_average'])
def test_classes_that_share_a_slot_of_the_hash_table_stay_apart(bound, assert_close, update):
    num_class = 3000
    x, y = batch(n=600, dim=3, num_class=num_class)
    y[300:] = y[:300]
    op = bound(600, 3, num_class, update=update)
    op.step(x, y)
    assert_close(op.centers, reference.center_update(x, y, np.zeros((num_class, 3)), 0.5, update))


def test_results_repeat_bit_for_bit(bind):
    def train():
        op = bind('kernel')
        for step in range(5):
            op.step(*batch(SEED + step, num_class=3))
        return op.states

    first, second = train(), train()
    assert all((first[name] == second[name]).all() for name in first)


# --- threads and memory ----------------------------------------------------------------------------------


@pytest.mark.parametrize('paths', [('kernel', 'kernel'), ('kernel', 'numpy'), ('numpy', 'numpy')])
def test_operators_that_share_centers_see_whole_moves_and_lose_none(monkeypatch, paths):
    """Of two executors at the same time, each sees the centers before or after the other's move."""
    n, dim, steps = 64, 2048, 60
    data, label = mx.sym.Variable('data'), mx.sym.Variable('label')
    symbol = mx.sym.Custom(
        data, label, name='c', op_type='centerloss', num_class=1, alpha=1, update='moving_average'
    )
    centers, executors = mx.nd.zeros((1, dim)), []
    for path in paths:
        with monkeypatch.context() as patch:
            if path == 'numpy':
                patch.setattr(native, 'library', None)
            executors.append(
                symbol.bind(
                    mx.cpu(),
                    {'data': mx.nd.zeros((n, dim)), 'label': mx.nd.zeros(n)},
                    {'data': mx.nd.zeros((n, dim))},
                    aux_states=[mx.nd.zeros((n, dim)), centers, mx.nd.zeros(dim)],
                )
            )
    for step in range(steps):
        before = centers.asnumpy()[0]
        values = np.random.RandomState(step).randint(-8, 8, (2, dim))  # whole numbers add up exactly
        for executor, value in zip(executors, values):
            executor.forward(is_train=True, data=mx.nd.array(np.tile(value, (n, 1))))
        for executor in executors:
            executor.backward()
        mx.nd.waitall()
        together = values.sum(axis=0) - before
        assert any((centers.asnumpy()[0] == moved).all() for moved in (together, *values))


@pytest.mark.slow
def test_ten_thousand_binds_do_not_grow_memory(bound):
    def bind_and_step(binds):
        for _ in range(binds):
            op = bound(64, 128, 10)
            for _ in range(10):
                op.executor.forward(is_train=True)
                op.executor.backward()
            mx.nd.waitall()  # what is pending keeps its memory
        gc.collect()
        with open('/proc/self/statm') as statistics:
            return int(statistics.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')

    before = bind_and_step(1000)
    grown = bind_and_step(10_000) - before
    print(f'{grown / 2**20:.1f} MB')
    assert grown < 16 * 2**20  # 10,000 times the kernel's memory of an operator is 360 MB, its handles 20 MB

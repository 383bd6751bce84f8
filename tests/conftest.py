"""What several tests need: a bound operator, the oracle's tolerance, networks and digits."""

from __future__ import annotations

import errno
import fcntl
import os
import runpy
import signal
import sys
import threading
from types import SimpleNamespace

# OpenMP's threads spin while they wait, and take the processors from each other and from other tests.
# It is read when a library loads; processes that tests start inherit it.
os.environ.setdefault('OMP_NUM_THREADS', '1')

from centerloss_mx.io import load_mnist
from centerloss_mx.operator import CenterLoss, CenterLossParam, native

import mxnet as mx
import numpy as np
import pytest
from hypothesis import settings
from makers import write_idx
from processes import processes

# The same few examples each time, and no limit on their time; more: --hypothesis-profile=default
settings.register_profile('few', derandomize=True, database=None, deadline=None, max_examples=25)
settings.load_profile('few')


class Bound:
    """The operator `centerloss` bound alone, stepped by hand."""

    def __init__(
        self, batch, dim, num_class, dtype='float32', label_dtype='float32', grad_req='write', **parameters
    ):
        parameters = {'batchsize': batch, **parameters}
        self.symbol = mx.sym.Custom(
            mx.sym.Variable('data'),
            mx.sym.Variable('label'),
            name='c',
            op_type='centerloss',
            num_class=num_class,
            **parameters,
        )
        self.executor = self.symbol.simple_bind(
            mx.cpu(),
            grad_req={'data': grad_req, 'label': 'write'},  # without any gradient, backward is left out
            type_dict={'data': dtype, 'label': label_dtype},
            data=(batch, dim),
            label=(batch,),
        )

    @property
    def centers(self):
        mx.nd.waitall()  # backward moves them behind the engine's back
        return self.executor.aux_dict['c_center_bias'].asnumpy()

    @centers.setter
    def centers(self, value):
        self.executor.aux_dict['c_center_bias'][:] = value

    @property
    def states(self):
        mx.nd.waitall()
        return {name: array.asnumpy() for name, array in self.executor.aux_dict.items()}

    def forward(self, x, y, is_train=True):
        self.executor.arg_dict['data'][:] = x
        # by way of an NDArray of its dtype: a slice assignment of NumPy values goes through float32
        self.executor.arg_dict['label'][:] = mx.nd.array(y, dtype=self.executor.arg_dict['label'].dtype)
        return self.executor.forward(is_train=is_train)[0]

    def step(self, x, y):
        """Forward and backward; the loss and the gradient of the features."""
        loss = self.forward(x, y)
        self.executor.backward()
        gradient = self.executor.grad_dict['data']
        return loss.asscalar(), None if gradient is None else gradient.asnumpy()


@pytest.fixture
def bound():
    return Bound


@pytest.fixture(params=['kernel', 'host', 'device'])
def backend(request, monkeypatch):
    """Run a test with the compiled kernel and with each kind of row arithmetic in Python, on the CPU.

    'device' is what runs on a GPU: the operator is created as if it were for one. Return the rows that the
    operator's Python uses.
    """
    if request.param != 'kernel':
        monkeypatch.setattr(native, 'library', None)
    elif native.library is None:
        pytest.skip(f'the kernel {native.missing}')
    create, ctx = CenterLoss.__init__, mx.gpu() if request.param == 'device' else mx.cpu()
    monkeypatch.setattr(CenterLoss, '__init__', lambda self, parameters, _: create(self, parameters, ctx))
    return CenterLoss(CenterLossParam(num_class=1), ctx).rows


@pytest.fixture(scope='session')
def bfloat16():
    """The dtype, for tests of layers in it; they are skipped on a processor that does not compute these."""
    dtype = np.dtype([('bfloat16', np.uint16)])
    array = mx.nd.ones((8, 8)).astype(dtype)
    try:
        mx.nd.FullyConnected(array, array, no_bias=True, num_hidden=8).wait_to_read()
    except mx.MXNetError as error:
        pytest.skip(f'no layers in bfloat16 here: {error}')
    return dtype


@pytest.fixture
def late_moves(monkeypatch):
    """Hold each move of the centers back, for `seconds` or until `released`: who does not wait is caught."""
    monkeypatch.setattr(native, 'library', None)  # only Python's backward can be held back
    backward, hold = CenterLoss.backward, SimpleNamespace(seconds=0.05, released=threading.Event())

    def late(*args, **kwargs):
        hold.released.wait(hold.seconds)
        backward(*args, **kwargs)

    monkeypatch.setattr(CenterLoss, 'backward', late)
    yield hold
    hold.released.set()
    mx.nd.waitall()


def error(actual, expected):
    return np.abs(np.asarray(actual, np.float64) - expected).max(initial=0)


@pytest.fixture
def assert_close():
    def check(actual, expected, plain=None):
        """Within 8 ulp of the largest value, or twice the error of `plain` code in the dtype of `actual`."""
        dtype = np.asarray(actual).dtype
        largest = np.asarray(np.abs(expected).max(initial=0), dtype)
        allowed = 8 * float(np.spacing(largest))
        if plain is not None:
            allowed = max(allowed, 2 * error(np.asarray(plain, dtype), expected))
        assert error(actual, expected) <= allowed, f'off by {error(actual, expected)}'

    return check


@pytest.fixture
def refused_by(monkeypatch, capsys):
    """What a script says when it refuses its options, run in this process: a new one takes seconds."""

    def sentence(script, *options):
        monkeypatch.setattr(sys, 'argv', [str(script), *map(str, options)])
        with pytest.raises(SystemExit) as stopped:
            runpy.run_path(str(script), run_name='__main__')
        assert stopped.value.code not in (None, 0)
        return f'{capsys.readouterr().err}{stopped.value.code}'

    return sentence


@pytest.fixture
def nobody_left(tmp_path):
    """The environment of a job; when the test has ended, none of its processes may be there."""
    marker = str(tmp_path)
    yield {'MARKER': marker}
    left = processes(marker)
    for number in left:
        os.kill(number, signal.SIGKILL)
    assert not left


@pytest.fixture
def no_locks(monkeypatch):
    """A file system without locks, as some network file systems."""

    def refuse(descriptor, how):
        raise OSError(errno.EOPNOTSUPP, 'Operation not supported')

    monkeypatch.setattr(fcntl, 'flock', refuse)


@pytest.fixture
def listening():
    """This process listens to Ctrl-C, also where a shell has started the tests in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope='session')
def data_dir(tmp_path_factory):
    """The first 600 and 200 digits of the package as idx files, one gzipped."""
    folder = tmp_path_factory.mktemp('mnist')
    names = 'train-images-idx3', 'train-labels-idx1', 't10k-images-idx3', 't10k-labels-idx1'
    for name, array, count in zip(names, load_mnist(), (600, 600, 200, 200)):
        ending = 'ubyte.gz' if name.startswith('train-images') else 'ubyte'
        write_idx(folder / f'{name}-{ending}', array[:count])
    return folder

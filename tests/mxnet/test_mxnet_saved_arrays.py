"""`_mxnet.saved_arrays`: promises of parameter and state files, before MXNet allocates memory for them.

Plain MXNet: test_mxnet_crashes.py.
"""

from __future__ import annotations

import pickle
import struct

from centerloss_mx._mxnet.files import naming_states, read_params
from centerloss_mx._mxnet.saved_arrays import check_params, check_states

import mxnet as mx
import numpy as np
import pytest

V1, V2 = 0xF993FAC8, 0xF993FAC9
ARRAYS = {
    'dense': mx.nd.arange(24).reshape((2, 3, 4)),
    'bytes': mx.nd.ones((5,), dtype='uint8'),
    'half': mx.nd.ones((5, 1), dtype='float16'),
    'rows': mx.nd.array([[0, 0], [1, 2], [0, 0]]).tostype('row_sparse'),
    'csr': mx.nd.array([[0, 3], [1, 2], [0, 0]]).tostype('csr'),
}


def old(array, magic):
    """The bytes of an array as older versions of MXNet wrote them."""
    head = struct.pack('<I', magic) if magic == V1 else b''
    shape = struct.pack('<i3q' if magic == V1 else '<I3I', array.ndim, *array.shape)
    return head + shape + struct.pack('<iii', 1, 0, 0) + array.asnumpy().tobytes()


@pytest.fixture
def path(tmp_path):
    mx.nd.save(str(tmp_path / 'net.params'), ARRAYS)
    return tmp_path / 'net.params'


def test_parameters_of_every_kind_are_read(path):
    check_params(path)
    found = read_params(path)
    assert set(found) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert found[name].stype == array.stype and found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name].asnumpy(), array.asnumpy())


@pytest.mark.parametrize('magic', [V1, 3])
def test_parameters_of_older_versions_are_read(path, magic):
    array = ARRAYS['dense']
    names = struct.pack('<QQ', 1, 5) + b'dense'
    path.write_bytes(struct.pack('<QQQ', 0x112, 0, 1) + old(array, magic) + names)
    np.testing.assert_array_equal(read_params(path)['dense'].asnumpy(), array.asnumpy())


def test_parameters_cut_off_anywhere_are_refused(path):
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match='truncated'):
            check_params(path)


@pytest.mark.parametrize('before, after, problem', [
    (struct.pack('<3q', 2, 3, 4), struct.pack('<3q', 2**20, 3, 4), r'truncated: .* 503\d+ expected'),
    (struct.pack('<3q', 2, 3, 4), struct.pack('<3q', 2, -3, 4), r'an array of shape \(2, -3, 4\)'),
    (struct.pack('<iq', 3, 2), struct.pack('<iq', 2**30, 2), 'an array of 1073741824 dimensions'),
    (struct.pack('<i3q', 3, 2, 3, 4), struct.pack('<i3q', 0, 2, 3, 4), 'an array without a shape'),
    (struct.pack('<Ii', V2, 1), struct.pack('<Ii', V2, 9), 'an array of storage type 9'),
    (struct.pack('<QQ', 0, len(ARRAYS)), struct.pack('<QQ', 0, 2**60), 'an array of'),
    (struct.pack('<Q', len(ARRAYS)) + struct.pack('<Q', 5), struct.pack('<QQ', 2**50, 5), 'truncated'),
    (struct.pack('<Q', 5) + b'dense', struct.pack('<Q', 2**40) + b'dense', 'truncated'),
])  # fmt: skip
def test_a_promise_beyond_the_file_is_refused(path, before, after, problem):
    content = path.read_bytes()
    assert before in content
    path.write_bytes(content.replace(before, after, 1))
    with pytest.raises(ValueError, match=problem):
        check_params(path)
    with pytest.raises(ValueError, match=r'net\.params: not an MXNet parameter file, or it is truncated'):
        read_params(path)


def test_rows_outside_a_sparse_array_are_refused(path):
    rows = mx.nd.sparse.row_sparse_array((np.ones((1, 2)), [1]), shape=(3, 2))
    mx.nd.save(str(path), {'rows': rows})
    content = path.read_bytes()
    index = struct.pack('<q', 1) + struct.pack('<QQ', 1, 4) + b'rows'
    assert content.endswith(index)
    path.write_bytes(content[: -len(index)] + struct.pack('<q', 10**6) + index[8:])
    check_params(path)
    with pytest.raises(ValueError, match=r'net\.params: not an MXNet parameter file, or it is truncated'):
        read_params(path)


@pytest.mark.parametrize('content', [
    pickle.dumps({0: mx.nd.ones((7, 1))}).replace(struct.pack('<2q', 7, 1), struct.pack('<2q', 7, 2**27)),
    b'\x80\x05\x96' + struct.pack('<Q', 2**33) + b'few bytes.',
    pickle.dumps({0: mx.nd.ones((7, 1))})[:-30],
], ids=['shape', 'bytes', 'truncated'])  # fmt: skip
def test_optimizer_states_that_promise_more_than_they_have_are_not_unpickled(tmp_path, content):
    path = tmp_path / 'net.states'
    path.write_bytes(content)
    with pytest.raises(ValueError):
        check_states(path)
    message = r'net\.states: not a file of optimizer states, or it is truncated'
    with pytest.raises(ValueError, match=message), naming_states(path):
        pytest.fail('MXNet would read it')


def test_optimizer_states_are_let_through(tmp_path):
    path = tmp_path / 'net.states'
    path.write_bytes(pickle.dumps({0: (ARRAYS['dense'], ARRAYS['rows']), 1: None, 2: np.ones(3)}))
    check_states(path)

"""`_mxnet.files`: each fault as plain MXNet has it, and what the package does about it."""

from __future__ import annotations

import pickle

from centerloss_mx._mxnet.files import naming_states, read_params, read_symbol

import mxnet as mx
import numpy as np
import pytest


def test_mxnet_says_of_a_truncated_symbol_file_that_it_cannot_decode_its_own_message(tmp_path):
    path = tmp_path / 'net-symbol.json'
    mx.sym.Variable('data').save(str(path))
    assert read_symbol(path).list_outputs() == ['data']
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(UnicodeDecodeError):
        mx.sym.load(str(path))
    with pytest.raises(ValueError, match=r'net-symbol\.json: not an MXNet symbol file, or it is truncated'):
        read_symbol(path)


def test_mxnet_reads_a_network_from_what_is_not_json(tmp_path):
    path = tmp_path / 'net-symbol.json'
    path.write_text(mx.sym.Variable('data').tojson() + ' and more')
    assert mx.sym.load(str(path)).list_outputs() == ['data']
    with pytest.raises(ValueError, match=r'net-symbol\.json: not an MXNet symbol file, or it is truncated'):
        read_symbol(path)


@pytest.mark.parametrize('damage, plain', [
    (lambda content: content[:30], mx.MXNetError),
    (lambda content: content.replace(b'weight', b'w\xffight'), UnicodeDecodeError),
], ids=['truncated', 'name'])  # fmt: skip
def test_mxnet_raises_errors_of_several_kinds_for_damaged_parameters(tmp_path, damage, plain):
    path = tmp_path / 'net-0001.params'
    mx.nd.save(str(path), {'weight': mx.nd.ones(3)})
    np.testing.assert_array_equal(read_params(path)['weight'].asnumpy(), np.ones(3))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(plain):
        mx.nd.load(str(path))
    with pytest.raises(ValueError, match=r'net-0001\.params: not an MXNet parameter file, or it is trunc'):
        read_params(path)


def test_mxnet_reads_a_list_where_arrays_have_no_names(tmp_path):
    path = tmp_path / 'net-0001.params'
    mx.nd.save(str(path), [mx.nd.ones(3)])
    assert isinstance(mx.nd.load(str(path)), list)
    with pytest.raises(ValueError, match='not an MXNet parameter file'):
        read_params(path)


@pytest.mark.parametrize(('content', 'error'), [(b'', EOFError), (b'no pickle', pickle.UnpicklingError)])
def test_mxnets_reader_of_optimizer_states_raises_errors_of_any_kind(content, error):
    updater = mx.optimizer.get_updater(mx.optimizer.SGD())
    with pytest.raises(error):
        updater.set_states(content)
    message = r'^net\.states: not a file of optimizer states, or it is truncated$'
    with pytest.raises(ValueError, match=message), naming_states('net.states'):
        updater.set_states(content)
    with pytest.raises(error), naming_states(None):
        updater.set_states(content)

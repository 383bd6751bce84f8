"""`Module.save_checkpoint`: MXNet's files, whole, and an error where plain MXNet has none."""

from __future__ import annotations

import os

from centerloss_mx.module import Module
from centerloss_mx.symbol import joint_supervision

import mxnet as mx
import pytest
from disks import files_up_to

LABELS = ['softmax_label', 'center_label']


def module_of(kind):
    embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=3, name='embedding')
    module = kind(joint_supervision(embedding, 5, 0.1, batchsize=4), label_names=LABELS)
    module.bind([('data', (4, 6))], [(name, (4,)) for name in LABELS])
    mx.random.seed(1)
    module.init_params(mx.init.Xavier())
    module.init_optimizer(optimizer_params={'momentum': 0.9})
    return module


@pytest.mark.parametrize('states', [False, True])
def test_its_files_are_those_of_mxnet(tmp_path, states):
    for name, kind in ('plain', mx.mod.Module), ('ours', Module):
        (tmp_path / name).mkdir()
        module = module_of(kind)
        mx.callback.module_checkpoint(module, str(tmp_path / name / 'net'), 1, states)(0)
    files = {path.name: path.read_bytes() for path in (tmp_path / 'ours').iterdir()}
    assert files == {path.name: path.read_bytes() for path in (tmp_path / 'plain').iterdir()}
    assert len(files) == 2 + states


def test_a_full_disk_is_an_error_where_plain_mxnet_has_none(tmp_path):
    plain, ours = module_of(mx.mod.Module), module_of(Module)
    ours.save_checkpoint(str(tmp_path / 'net'), 1)
    path = tmp_path / 'net-0001.params'
    content = path.read_bytes()
    with files_up_to(len(content) - 5):
        plain.save_params(str(tmp_path / 'plain.params'))
    assert (tmp_path / 'plain.params').stat().st_size < len(content)
    with pytest.raises(OSError, match=f"File too large: '{path}'"), files_up_to(len(content) - 5):
        ours.save_checkpoint(str(tmp_path / 'net'), 1)
    assert path.read_bytes() == content
    assert sorted(os.listdir(tmp_path)) == ['net-0001.params', 'net-symbol.json', 'plain.params']

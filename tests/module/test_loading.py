"""Module.load: which epoch it reads, and that parameters and optimizer states are of the same one."""

from __future__ import annotations

from centerloss_mx.model import save_checkpoint
from centerloss_mx.module import Module
from centerloss_mx.symbol import joint_supervision

import mxnet as mx
import numpy as np
import pytest

LABELS = ['softmax_label', 'center_label']


def bound(module):
    module.bind([('data', (4, 2))], [(name, (4,)) for name in LABELS])
    return module


def step(module):
    rng = np.random.RandomState(20161008)
    labels = [mx.nd.array([0, 1, 2, 0])] * 2
    module.forward_backward(mx.io.DataBatch([mx.nd.array(rng.randn(4, 2))], labels))
    module.update()


def numbers(module):
    return {name: value.asnumpy() for params in module.get_params() for name, value in params.items()}


@pytest.mark.parametrize('epoch', [3, 7, None])
def test_the_parameters_and_the_states_of_the_epoch_are_loaded_and_the_last_one_if_none_is_given(
    tmp_path, epoch
):
    embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=3, name='embedding')
    options = {'optimizer_params': {'learning_rate': 0.1, 'momentum': 0.9}}
    module = bound(Module(joint_supervision(embedding, 5, 0.1, batchsize=4), label_names=LABELS))
    module.init_params(mx.init.Normal(1))
    module.init_optimizer(**options)
    expected = {}
    for saved in 3, 7:
        step(module)
        save_checkpoint(module, tmp_path / 'net', saved)
        expected[saved] = numbers(module)
    step(module)
    expected['after 7'] = numbers(module)
    loaded = bound(Module.load(str(tmp_path / 'net'), epoch, True, label_names=LABELS))
    loaded.init_optimizer(**options)
    before, after = (3, 7) if epoch == 3 else (7, 'after 7')
    for name, value in expected[before].items():
        np.testing.assert_array_equal(numbers(loaded)[name], value, err_msg=name)
    step(loaded)
    for name, value in expected[after].items():
        np.testing.assert_array_equal(numbers(loaded)[name], value, err_msg=name)

"""`_mxnet.devices`. That a large number of a device costs memory: test_mxnet_crashes.py."""

from __future__ import annotations

from centerloss_mx._mxnet.devices import device_slices

import mxnet as mx
import pytest


@pytest.mark.parametrize(('batch_size', 'num_devices'), [(6, 1), (6, 3), (7, 2), (11, 4)])
def test_the_slices_are_those_of_mxnets_module(batch_size, num_devices):
    """There is no public function for them; this fails where `Module` splits in another way."""
    net = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=1)
    module = mx.mod.Module(net, label_names=None, context=[mx.cpu(i) for i in range(num_devices)])
    module.bind([('data', (batch_size, 2))])
    assert device_slices(batch_size, num_devices) == module._exec_group.slices

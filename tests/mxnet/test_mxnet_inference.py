"""Executors without gradients fuse some layers wrongly; features are computed without fusion."""

from __future__ import annotations

from centerloss_mx._mxnet.inference import without_fusion

import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon.model_zoo.vision import get_resnet


@pytest.mark.parametrize('layers, size', [(18, 32), (34, 28)])
def test_mxnet_computes_resnets_for_small_pictures_wrongly(layers, size, monkeypatch):
    """Once the first assertion fails, MXNet is mended, and `without_fusion` can go."""
    monkeypatch.delenv('MXNET_SUBGRAPH_BACKEND', raising=False)
    mx.random.seed(1)
    block = get_resnet(2, layers, thumbnail=True).features
    block.initialize(mx.init.Xavier(magnitude=2, rnd_type='gaussian', factor_type='in'))
    images = mx.nd.random.normal(shape=(2, 3, size, size))
    eager = block(images).asnumpy()
    symbol = block(mx.sym.Variable('data'))
    params = {name: parameter.data() for name, parameter in block.collect_params().items()}

    executor = symbol.simple_bind(mx.cpu(), grad_req='null', data=images.shape)
    executor.copy_params_from(params, params, allow_extra_params=True)
    fused = executor.forward(is_train=False, data=images)[0].asnumpy()
    largest = abs(eager).max()
    assert abs(fused - eager).max() > 0.01 * largest

    found = without_fusion(symbol, 'data', params, mx.cpu())(images).asnumpy()
    np.testing.assert_allclose(found, eager, atol=1e-5 * largest)


def test_nothing_is_trained_though_the_caller_records():
    net = mx.sym.Dropout(mx.sym.BatchNorm(mx.sym.Variable('data'), fix_gamma=False, name='bn'), p=0.5)
    values = {'gamma': [2, 3], 'beta': [1, -1], 'moving_mean': [5, 6], 'moving_var': [4, 9]}
    params = {f'bn_{name}': mx.nd.array(value) for name, value in values.items()}
    data = np.random.RandomState(0).randn(8, 2)
    compute = without_fusion(net, 'data', params, mx.cpu())
    with mx.autograd.record():
        found = compute(mx.nd.array(data)).asnumpy()
    gamma, beta, mean, variance = (np.array(value) for value in values.values())
    expected = gamma * (data - mean) / np.sqrt(variance + 1e-3) + beta
    np.testing.assert_allclose(found, expected, atol=1e-5)
    for name, value in values.items():
        np.testing.assert_array_equal(params[f'bn_{name}'].asnumpy(), value, name)

"""One extractor in several threads gives each of them the features of its own samples."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from centerloss_mx.model import FeatureExtractor
from centerloss_mx.model_zoo import get_model

import mxnet as mx
import numpy as np


def small_extractor():
    net = mx.sym.FullyConnected(get_model('lenet', 3, (1, 28, 28)), num_hidden=4)
    module = mx.mod.Module(mx.sym.SoftmaxOutput(net, name='softmax'))
    module.bind([('data', (2, 1, 28, 28))], [('softmax_label', (2,))])
    module.init_params(mx.init.Xavier())
    return FeatureExtractor(module.symbol, *module.get_params())


def test_several_threads_get_the_features_of_their_own_samples():
    extractor, rng = small_extractor(), np.random.RandomState(20161008)
    requests = [
        (rng.rand(rng.randint(1, 24), 1, 28, 28).astype('float32'), int(rng.randint(1, 9))) for _ in range(40)
    ]
    expected = [extractor.predict(*request) for request in requests]
    with ThreadPoolExecutor(5) as pool:
        found = pool.map(lambda request: extractor.predict(*request), requests)
    for own, alone in zip(found, expected):
        np.testing.assert_allclose(own, alone, rtol=1e-3, atol=1e-5)

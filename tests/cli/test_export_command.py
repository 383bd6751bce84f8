"""`export`, as a user runs it: the file computes the features."""

from __future__ import annotations

from centerloss_mx.dataset import load_arrays
from centerloss_mx.model import load_features

import numpy as np
import pytest


def test_the_exported_network_computes_the_features(call, refused, data, trained, features):
    onnxruntime = pytest.importorskip('onnxruntime')
    call('export', trained, '-o', 'net.onnx')
    session = onnxruntime.InferenceSession('net.onnx', providers=['CPUExecutionProvider'])
    images = load_arrays(data / 'all.npz').images
    for size in 1, 17:
        found = session.run(None, {'data': images[:size]})[0]
        np.testing.assert_allclose(found, load_features(features).features[:size], atol=1e-5)
    assert 'net.onnx already exists' in refused('export', trained, '-o', 'net.onnx')[1]
    call('export', trained, '-o', 'net.onnx', '--force', '--layer', 'fc1_output', '--data-shape', '1,16,16')
    session = onnxruntime.InferenceSession('net.onnx', providers=['CPUExecutionProvider'])
    assert session.run(None, {'data': images[:2]})[0].shape == (2, 500)

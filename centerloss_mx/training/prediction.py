"""Features of samples, and the classes that a network in training predicts."""

from __future__ import annotations

import numpy as np
from mxnet import symbol as mxsym
from mxnet.context import Context
from mxnet.ndarray import NDArray
from mxnet.symbol import Symbol

from ..dataset import Arrays, Samples
from ..io import Preprocessing
from ..model import FeatureExtractor, internal_output
from ..symbol.names import EMBEDDING_OUTPUT, SOFTMAX_OUTPUT
from ..symbol.tables import sampled_outputs


def predict(
    symbol: Symbol,
    arg_params: dict[str, NDArray],
    aux_params: dict[str, NDArray],
    samples: Samples,
    batch_size: int,
    image_size: int | tuple[int, int] | None,
    context: Context,
    layer: str = EMBEDDING_OUTPUT,
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the features of a layer, (N, D), and classes, int (N,), in one pass: see `Training.predict`."""
    features = mxsym.cast(internal_output(symbol, layer), dtype='float32')
    if SOFTMAX_OUTPUT in sampled_outputs(symbol):
        predicted = mxsym.slice_axis(mxsym.zeros_like(features), axis=1, begin=0, end=1) - 1
    else:
        # What the softmax reads: logits, or a posterior. Unlike a SoftmaxOutput, it needs no label.
        scores = internal_output(symbol, SOFTMAX_OUTPUT).get_children()[0]
        predicted = mxsym.argmax(mxsym.cast(scores, dtype='float32'), axis=1, keepdims=True)
    joined = mxsym.concat(features, predicted, dim=1, name='prediction')
    extractor = FeatureExtractor(joined, arg_params, aux_params, 'prediction_output', context)
    extractor.preprocessing = Preprocessing()  # the symbol may have that of an earlier training
    data = samples.images if isinstance(samples, Arrays) else samples
    found = extractor.predict(data, batch_size, image_size)
    return np.ascontiguousarray(found[:, :-1]), found[:, -1].astype(int)

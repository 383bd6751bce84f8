"""Features of samples, and the classes that a network in training predicts."""

from __future__ import annotations

import numpy as np
from mxnet.context import Context
from mxnet.ndarray import NDArray
from mxnet.symbol import Symbol

from ..dataset import Arrays, Samples
from ..io import Preprocessing
from ..model import FeatureExtractor
from ..symbol.names import CLASS_LAYER, EMBEDDING_OUTPUT, SOFTMAX_OUTPUT


def predict(
    symbol: Symbol,
    arg_params: dict[str, NDArray],
    aux_params: dict[str, NDArray],
    samples: Samples,
    batch_size: int,
    image_size: int | tuple[int, int] | None,
    context: Context,
) -> tuple[np.ndarray, np.ndarray]:
    """Compute features, (N, D), and classes, int (N,): see `Training.predict`."""

    def output(layer: str) -> np.ndarray:
        extractor = FeatureExtractor(symbol, arg_params, aux_params, layer, context)
        extractor.preprocessing = Preprocessing()  # the symbol may have that of an earlier training
        data = samples.images if isinstance(samples, Arrays) else samples
        return extractor.predict(data, batch_size, image_size)

    features = output(EMBEDDING_OUTPUT)
    if f'{CLASS_LAYER}_weight' not in arg_params:  # the loss is the classifier
        return features, output(SOFTMAX_OUTPUT).argmax(axis=1)
    # The class layer is linear: its scores follow from the features without a second pass over the samples.
    weight, bias = (arg_params[f'{CLASS_LAYER}_{name}'].asnumpy() for name in ('weight', 'bias'))
    return features, (features @ weight.T + bias).argmax(axis=1)

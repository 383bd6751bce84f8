"""Feature extractors as ONNX files, checked with ONNX Runtime."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from .._files import write_whole
from .._mxnet.onnx import (
    remove_parameter_inputs,
    reshape_slopes,
    set_shapes,
    with_fixed_gammas,
    with_written_flatten,
)
from .._optional import require
from ..io import Preprocessing
from .extractor import FeatureExtractor, feature_extractor

_TOLERANCE = 1e-5


def export_onnx(
    prefix: str | os.PathLike,
    epoch: int | None,
    path: str | os.PathLike,
    layer: str | None = None,
    data_shape: tuple[int, ...] | None = None,
    data_name: str = 'data',
) -> None:
    """Write the feature extractor of a checkpoint to an ONNX file that computes batches of any size.

    The file is written only if ONNX Runtime and MXNet compute the same features for random samples in batches
    of 1 and 3, with an error of at most 1e-5 * max(1, largest feature).

    Parameters
    ----------
    prefix : path-like
        As given to `save_checkpoint`.
    epoch : int or None
        Epoch of the checkpoint; None: the latest.
    path : path-like
        The file to write; its folder must exist. It has the input `data_name` (N, ...), float32, and one
        output (N, D). Its metadata have the ``fit``, ``mean`` and ``std`` of the pictures of the training, if
        the checkpoint records them, see `io.Preprocessing`.
    layer : str or None
        Name of the internal output; None: as for `FeatureExtractor`.
    data_shape : tuple of int or None
        Shape of a sample, without the batch; None: the one that `save_checkpoint` has recorded.
    data_name : str
        Name of the data input.

    Raises
    ------
    FileNotFoundError, ValueError
        As `feature_extractor`; or there is no `data_shape`, or MXNet cannot export an operator.
    RuntimeError
        ONNX Runtime cannot run the network or computes other features. No file is written.
    ImportError
        onnx or onnxruntime is not installed; the message says what to install.

    Examples
    --------
    >>> export_onnx('runs/lenet', 12, 'lenet.onnx')  # doctest: +SKIP
    """
    for package in 'onnx', 'onnxruntime':
        require(package, 'export_onnx', extra='onnx')
    extractor = feature_extractor(prefix, epoch, layer, data_name=data_name)
    data_shape = data_shape or extractor.data_shape
    if data_shape is None:
        raise ValueError('data_shape=None, and the checkpoint does not record it; pass the shape of a sample')
    samples = np.random.RandomState(0).rand(3, *data_shape).astype(np.float32)
    expected = extractor.predict(samples)

    def write(name: str) -> None:
        _export(extractor, data_shape, expected.shape[1:], name)
        try:
            difference = _difference(name, data_name, samples, expected)
        except Exception as error:  # those of onnx and onnxruntime have no common base
            reason = str(error).strip().splitlines()[0]
            raise RuntimeError(
                f'{path}: ONNX Runtime cannot run this network, nothing was written: {reason}'
            ) from error
        if not difference <= _TOLERANCE * max(1, abs(expected).max()):
            raise RuntimeError(
                f'{path}: ONNX Runtime differs from MXNet by {difference:g}; nothing was written'
            )

    write_whole(path, write)


def _export(
    extractor: FeatureExtractor, data_shape: tuple[int, ...], feature_shape: tuple[int, ...], path: str
) -> None:
    import onnx
    from mxnet import onnx as mxonnx

    symbol, params = extractor.symbol, {**extractor.arg_params, **extractor.aux_params}
    try:
        mxonnx.export_model(
            with_written_flatten(symbol),
            with_fixed_gammas(symbol, params),
            [(1, *data_shape)],
            np.float32,
            path,
            dynamic=True,
            dynamic_input_shapes=[(None, *data_shape)],
        )
    except (AttributeError, onnx.checker.ValidationError) as error:  # an operator that it cannot export
        layer = symbol.list_outputs()[0]
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f'{layer}: MXNet cannot export this network: {reason}') from None
    model = onnx.load(path)
    reshape_slopes(model.graph)
    remove_parameter_inputs(model.graph)
    set_shapes(model.graph, feature_shape)
    onnx.helper.set_model_props(model, _as_text(extractor.preprocessing))
    onnx.save(model, path)


def _as_text(preprocessing: Preprocessing) -> dict[str, str]:
    """How pictures become arrays, as texts: ``{'fit': 'crop', 'mean': '0.0,0.0,0.0'}``."""
    given = {name: value for name, value in preprocessing._asdict().items() if value is not None}
    return {name: value if name == 'fit' else ','.join(map(str, value)) for name, value in given.items()}


def _difference(path: str, data_name: str, samples: np.ndarray, expected: np.ndarray) -> Any:
    """Return the largest difference of features that ONNX Runtime computes, in batches of 1 and of all."""
    import onnx
    import onnxruntime

    onnx.checker.check_model(onnx.load(path))
    session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
    found = [session.run(None, {data_name: samples[:size]})[0] for size in (1, len(samples))]
    return max(abs(features - expected[: len(features)]).max() for features in found)

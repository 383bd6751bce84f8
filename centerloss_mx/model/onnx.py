"""Feature extractors as ONNX files, checked in ONNX Runtime."""

from __future__ import annotations

import os

import numpy as np

from .._files import write_whole
from .._mxnet.onnx import mend_model, with_fixed_gammas, with_written_flatten
from .._optional import require
from .extractor import feature_extractor


def export_onnx(
    prefix: str | os.PathLike,
    epoch: int | None,
    path: str | os.PathLike,
    layer: str = 'embedding_output',
    data_shape: tuple[int, ...] | None = None,
    data_name: str = 'data',
) -> None:
    """Write the feature extractor of a checkpoint as an ONNX file that takes any batch size.

    The file is there only if ONNX Runtime computes from it what MXNet does, on random samples of batch sizes
    1 and 3: to 1e-5 of the largest feature.

    Parameters
    ----------
    prefix : path-like
        As given to `save_checkpoint`.
    epoch : int or None
        The checkpoint's epoch; None: the last one.
    path : path-like
        The file to write; its folder must exist. Input `data_name` (N, ...), float32; one output (N, D).
    layer : str
        Name of the internal output.
    data_shape : tuple of int or None
        Shape of a sample, without the batch; None: that which `save_checkpoint` has noted.
    data_name : str
        Name of the data input.

    Raises
    ------
    FileNotFoundError, ValueError
        As `feature_extractor`; or no `data_shape`, or an operator that MXNet cannot export.
    RuntimeError
        ONNX Runtime cannot run it, or computes something else; nothing has been written.
    ImportError
        onnx or onnxruntime is not installed; the message says what to install.

    Examples
    --------
    >>> export_onnx('runs/lenet', 12, 'lenet.onnx')  # doctest: +SKIP
    """
    onnx, onnxruntime = (require(name, 'export_onnx', extra='onnx') for name in ('onnx', 'onnxruntime'))
    from mxnet import onnx as mxonnx  # needs the package onnx

    extractor = feature_extractor(prefix, epoch, layer, data_name=data_name)
    data_shape = data_shape or extractor.data_shape
    if data_shape is None:
        raise ValueError('data_shape=None, and the checkpoint does not tell; expected the shape of a sample')
    samples = np.random.RandomState(0).rand(3, *data_shape).astype(np.float32)
    expected = extractor.predict(samples)

    def write(name: str) -> None:
        params = with_fixed_gammas(extractor.symbol, {**extractor.arg_params, **extractor.aux_params})
        dynamic = {'dynamic': True, 'dynamic_input_shapes': [(None, *data_shape)]}
        try:
            mxonnx.export_model(
                with_written_flatten(extractor.symbol),
                params,
                [(1, *data_shape)],
                np.float32,
                name,
                **dynamic,
            )
        except AttributeError as error:
            raise ValueError(f'{layer}: MXNet cannot export this network: {error}') from None
        model = onnx.load(name)
        mend_model(model, expected.shape[1:])
        onnx.save(model, name)
        try:
            onnx.checker.check_model(model)
            session = onnxruntime.InferenceSession(name, providers=['CPUExecutionProvider'])
            found = [session.run(None, {data_name: samples[:size]})[0] for size in (1, len(samples))]
        except Exception as error:  # of both, classes without a common base
            reason = str(error).strip().splitlines()[0]
            raise RuntimeError(
                f'{path}: ONNX Runtime cannot run it, nothing was written: {reason}'
            ) from error
        difference = max(abs(features - expected[: len(features)]).max() for features in found)
        if not difference <= 1e-5 * max(1, abs(expected).max()):
            raise RuntimeError(
                f'{path}: ONNX Runtime differs from MXNet by {difference:g}; nothing was written'
            )

    write_whole(path, write)

"""The network that `centerloss-mx train` trains, and the parameters that it starts with."""

from __future__ import annotations

from pathlib import Path

from mxnet.ndarray import NDArray
from mxnet.symbol import Symbol

from .._checks import quantity
from ..dataset import Samples
from ..io import Images
from ..model_zoo import get_model, load_params
from ..symbol import supervised
from ..symbol.names import CENTER_LABEL, SOFTMAX_LABEL
from .losses import loss_arguments, supervision_arguments
from .train_options import TrainOptions


def network_name(options: TrainOptions, samples: Samples) -> str:
    """Return the network that was given, or the default for these samples."""
    if options.network:
        return options.network
    if isinstance(samples, Images):
        return 'resnet18_v2'
    if samples.images.ndim == 2:
        return 'mlp'
    return 'lenet' if samples.images.shape[1] == 1 else 'resnet18_v2'


def network(options: TrainOptions, samples: Samples) -> tuple[Symbol, dict[str, NDArray]]:
    """Make the network with its losses, and load the parameters of `--params` that fit."""
    name, shape = network_name(options, samples), _data_shape(options, samples)
    thumbnail = None if options.params is None else False  # the model zoo's parameters are of the other form
    embedding = get_model(name, options.embedding_dim, shape, options.layer, thumbnail)
    dim = embedding.infer_shape(data=(1, *shape))[1][0][1]
    arguments = {**supervision_arguments(options), **loss_arguments(options)}
    symbol = supervised(embedding, len(samples.class_names), options.loss, dim, **arguments)
    if options.params is None:
        return symbol, {}
    return symbol, _fitting(load_params(name, options.params, shape), symbol, shape, options.params)


def _data_shape(options: TrainOptions, samples: Samples) -> tuple[int, ...]:
    if isinstance(samples, Images):
        size = options.source.image_size
        assert size is not None  # `with_defaults` has set it
        return (3, size, size) if isinstance(size, int) else (3, *size)
    return samples.images.shape[1:]


def _fitting(
    params: dict[str, NDArray], symbol: Symbol, data_shape: tuple[int, ...], path: Path
) -> dict[str, NDArray]:
    """Select the parameters that the network has in the same shape; print the names of those that differ."""
    labels = {name: (1,) for name in (SOFTMAX_LABEL, CENTER_LABEL) if name in symbol.list_arguments()}
    arguments, _, states = symbol.infer_shape(data=(1, *data_shape), **labels)
    shapes = dict(zip(symbol.list_arguments(), arguments))
    shapes.update(zip(symbol.list_auxiliary_states(), states))
    fitting = {name: value for name, value in params.items() if shapes.get(name) == value.shape}
    if not fitting:
        raise ValueError(f'{path}: the network has none of its parameters in the same shape')
    other_shape = [name for name in params if name in shapes and name not in fitting]
    if other_shape:
        count = quantity(len(other_shape), 'parameter')
        print(f'{path}: left out {count} of another shape than in the network: {", ".join(other_shape)}')
    return fitting

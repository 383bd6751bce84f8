"""Features of samples: a trained network up to a layer."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from mxnet import cpu
from mxnet import ndarray as nd
from mxnet.context import Context
from mxnet.io import DataBatch, DataIter, NDArrayIter
from mxnet.module import Module
from mxnet.ndarray import NDArray
from mxnet.symbol import Symbol

from .._mxnet.inference import without_fusion
from ..io import Images, image_iter, list_images, with_progress
from .checkpoint import load_checkpoint, noted
from .network import internal_output


def feature_extractor(
    prefix: str | os.PathLike,
    epoch: int | None = None,
    layer: str = 'embedding_output',
    ctx: Context | None = None,
    data_name: str = 'data',
) -> FeatureExtractor:
    """Cut the network of a checkpoint off at a layer.

    Parameters
    ----------
    prefix : path-like
        As given to `save_checkpoint`.
    epoch : int or None
        The checkpoint's epoch; None: the last one.
    layer, ctx, data_name
        As for `FeatureExtractor`.

    Returns
    -------
    FeatureExtractor

    Raises
    ------
    FileNotFoundError, ValueError
        As `load_checkpoint` and `FeatureExtractor`.

    Examples
    --------
    >>> features = feature_extractor('runs/lenet', 3).predict(images)  # doctest: +SKIP
    """
    return FeatureExtractor(*load_checkpoint(prefix, epoch), layer, ctx, data_name)


class FeatureExtractor:
    """A trained network up to a layer: no class layer, no losses and their states, no labels.

    The parameters are those given; make a new one when they have changed.

    Parameters
    ----------
    symbol : Symbol
        The network, with one data input.
    arg_params, aux_params : dict of str to NDArray
        Its parameters, as `Module.get_params` and `load_checkpoint` return them; what the layer does not need
        is left out.
    layer : str
        Name of the internal output.
    ctx : mxnet.Context or None
        The device; None: the CPU.
    data_name : str
        Name of the data input.

    Attributes
    ----------
    data_shape : tuple of int or None
        Of a sample, as `save_checkpoint` has noted it in the symbol; None: it has not.
    class_names : list of str or None
        The classes that the network was trained on, if noted.
    pictures : bool or None
        Whether the samples were pictures, as `io.image_iter` serves them, if noted.

    Raises
    ------
    ValueError
        The network has no output of that name; the message lists those it has. Or a parameter is missing.

    Examples
    --------
    >>> extractor = FeatureExtractor(net, *mod.get_params())  # doctest: +SKIP
    >>> features = extractor.predict(images)  # doctest: +SKIP
    """

    def __init__(
        self,
        symbol: Symbol,
        arg_params: dict[str, NDArray],
        aux_params: dict[str, NDArray],
        layer: str = 'embedding_output',
        ctx: Context | None = None,
        data_name: str = 'data',
    ) -> None:
        self.symbol, self.ctx, self.data_name = internal_output(symbol, layer), ctx or cpu(), data_name
        shape = noted(self.symbol, 'data_shape', list, data_name)
        self.data_shape: tuple[int, ...] | None = None if shape is None else tuple(shape)
        self.class_names: list[str] | None = noted(self.symbol, 'class_names', list, data_name)
        self.pictures: bool | None = noted(self.symbol, 'pictures', bool, data_name)
        arguments, states = self.symbol.list_arguments(), self.symbol.list_auxiliary_states()
        missing = [name for name in arguments if name != data_name and name not in arg_params]
        missing += [name for name in states if name not in aux_params]
        if missing:
            raise ValueError(f'there is no parameter {missing[0]}, which {layer} needs')
        self.arg_params = {name: arg_params[name] for name in arguments if name in arg_params}
        self.aux_params = {name: aux_params[name] for name in states}
        self._module: Module | None = None

    def predict(
        self,
        data: np.ndarray | NDArray | DataIter | Images | str | os.PathLike,
        batch_size: int = 128,
        image_size: int | None = None,
        flip: bool = False,
        progress: bool = False,
    ) -> np.ndarray:
        """Run samples through the network.

        Parameters
        ----------
        data : numpy.ndarray, NDArray, mxnet.io.DataIter, io.Images or path-like
            Samples (N, ...); an iterator, which is reset first, and whose rows that only pad a batch are left
            out; or pictures, what `io.list_images` returns or takes.
        batch_size : int
            Samples at a time, > 0; an iterator has its own.
        image_size : int or None
            Height and width that pictures are brought to, see `io.image_iter`; None: those that the network
            was trained with, if the checkpoint tells.
        flip : bool
            Whether to append to each feature that of the mirrored sample: D becomes 2 D. For samples of shape
            (channels, height, width).
        progress : bool
            Whether to show a tqdm bar.

        Returns
        -------
        numpy.ndarray
            (N, D): the features, in the order of the samples; of a diverged network, not finite.

        Raises
        ------
        ValueError
            No samples, samples of a shape that the network does not take, or pictures without an `image_size`
            or that cannot be decoded.
        ImportError
            `progress`, and tqdm is not installed.

        Examples
        --------
        >>> features = extractor.predict('faces', image_size=112, flip=True)  # doctest: +SKIP
        """
        data_iter = self._iterator(data, batch_size, image_size)
        data_iter.reset()
        features = []
        for batch in with_progress(data_iter, 'features', 'batch') if progress else data_iter:
            parts = [self._run(batch.data[0])]
            if flip:
                parts.append(self._run(nd.flip(batch.data[0], axis=3)))
            features.append(np.hstack(parts)[: len(parts[0]) - (batch.pad or 0)])
        return np.concatenate(features)

    def _iterator(self, data: Any, batch_size: int, image_size: int | None) -> DataIter:
        if isinstance(data, DataIter):
            return data
        if not batch_size > 0:
            raise ValueError(f'batch_size={batch_size} is not > 0')
        if isinstance(data, (str, os.PathLike)):
            data = list_images(data, min_classes=1)
        if isinstance(data, Images):
            if image_size is None and self.data_shape is not None:
                image_size = self.data_shape[-1]
            if image_size is None:
                raise ValueError(
                    'image_size=None: expected the height and width that pictures are brought to'
                )
            return image_iter(data, min(batch_size, len(data.labels)), image_size).data_iter
        if not len(data):
            raise ValueError(f'data of shape {data.shape}: there are no samples')
        return NDArrayIter({self.data_name: data}, batch_size=min(batch_size, len(data)))

    def _run(self, data: NDArray) -> np.ndarray:
        if self._module is None or self._module.data_shapes[0].shape != data.shape:
            self._module = self._bound(data.shape)
        self._module.forward(DataBatch([data]), is_train=False)
        return self._module.get_outputs()[0].asnumpy()

    def _bound(self, shape: tuple[int, ...]) -> Module:
        module = Module(self.symbol, data_names=[self.data_name], label_names=None, context=self.ctx)
        try:
            with without_fusion():
                module.bind(data_shapes=[(self.data_name, shape)], for_training=False)
            module.set_params(self.arg_params, self.aux_params)
        except RuntimeError:  # MXNetError is one
            trained = '' if self.data_shape is None else f', but of {self.data_shape}'
            raise ValueError(f'the network does not take samples of shape {shape[1:]}{trained}') from None
        return module

"""Features of samples: a trained network up to a layer."""

from __future__ import annotations

import os
from hashlib import blake2b
from typing import Any

import numpy as np
from mxnet import cpu
from mxnet import ndarray as nd
from mxnet.base import MXNetError
from mxnet.context import Context
from mxnet.io import DataIter, NDArrayIter
from mxnet.ndarray import NDArray
from mxnet.symbol import Symbol

from .._checks import check_choice
from .._mxnet.inference import without_fusion
from .._mxnet.iterators import num_padding, without_rolling
from .._mxnet.mixed_precision import without_casts
from .._optional import with_progress
from ..io import Images, Preprocessing, image_iter, list_images
from ..io.center_loss_iter import as_desc
from ..io.preprocessing import Size
from .checkpoint import load_checkpoint
from .network import internal_output
from .notes import noted, noted_layer, noted_preprocessing


def feature_extractor(
    prefix: str | os.PathLike,
    epoch: int | None = None,
    layer: str | None = None,
    ctx: Context | None = None,
    data_name: str = 'data',
) -> FeatureExtractor:
    """Make a feature extractor from a checkpoint.

    Parameters
    ----------
    prefix : path-like
        As given to `save_checkpoint`.
    epoch : int or None
        Epoch of the checkpoint; None: the latest.
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
    """A trained network up to a layer, without class layer, losses and labels.

    It computes what the network computes in inference: dropout keeps all values, and batch normalization
    uses its moving statistics and leaves them as they are. It copies the parameters: make a new extractor
    when they have changed.

    Several threads may use one extractor at the same time, each with samples or an iterator of its own.
    Module, Training, iterators, metrics and Gluon's blocks are for one thread at a time.

    Parameters
    ----------
    symbol : Symbol
        The network, with one data input, which is float32.
    arg_params, aux_params : dict of str to NDArray
        Its parameters, as `Module.get_params` and `load_checkpoint` return them. Those that the layer does
        not need are ignored.
    layer : str or None
        Name of the internal output; None: that which the training measured, if recorded, else
        ``'embedding_output'``.
    ctx : mxnet.Context or None
        The device; None: the CPU.
    data_name : str
        Name of the data input.

    Attributes
    ----------
    layer : str
        Name of the internal output.
    data_shape : tuple of int or None
        Shape of a sample, if `save_checkpoint` has recorded it in the symbol.
    class_names : list of str or None
        Names of the classes that the network was trained on, if recorded.
    pictures : bool or None
        Whether the samples were pictures as `io.image_iter` serves them, if recorded.
    preprocessing : io.Preprocessing
        How the pictures of the training became arrays; its fields are None where this is not recorded.

    Raises
    ------
    ValueError
        The network has no output of that name (the message lists its outputs), or a parameter is missing.

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
        layer: str | None = None,
        ctx: Context | None = None,
        data_name: str = 'data',
    ) -> None:
        ctx = ctx[0] if isinstance(ctx, (list, tuple)) else ctx  # as Module takes them
        self.layer = layer or noted_layer(symbol, data_name)
        self.symbol = without_casts(internal_output(symbol, self.layer))
        self.ctx, self.data_name = ctx or cpu(), data_name
        shape = noted(self.symbol, 'data_shape', list, data_name)
        self.data_shape: tuple[int, ...] | None = None if shape is None else tuple(shape)
        self.class_names: list[str] | None = noted(self.symbol, 'class_names', list, data_name)
        self.pictures: bool | None = noted(self.symbol, 'pictures', bool, data_name)
        self.preprocessing: Preprocessing = noted_preprocessing(self.symbol, data_name)
        arguments = [name for name in self.symbol.list_arguments() if name != data_name]
        states = self.symbol.list_auxiliary_states()
        missing = [name for name in arguments if name not in arg_params]
        missing += [name for name in states if name not in aux_params]
        if missing:
            raise ValueError(f'there is no parameter {missing[0]}, which {self.layer} needs')
        self.arg_params = {name: arg_params[name].copy() for name in arguments}
        self.aux_params = {name: aux_params[name].copy() for name in states}
        self._prepare()

    def _prepare(self) -> None:
        params = {**self.arg_params, **self.aux_params}
        self._compute = without_fusion(self.symbol, self.data_name, params, self.ctx)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != '_compute'}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._prepare()

    def predict(
        self,
        data: np.ndarray | NDArray | DataIter | Images | str | os.PathLike | list[str | os.PathLike],
        batch_size: int = 128,
        image_size: Size | None = None,
        flip: bool | str | None = False,
        progress: bool = False,
    ) -> np.ndarray:
        """Compute the features of samples.

        Parameters
        ----------
        data : numpy.ndarray, NDArray, mxnet.io.DataIter, io.Images, path-like or list of path-like
            Samples (N, ...); an iterator, which is reset first, and whose rows of padding are left out; or
            pictures: what `io.list_images` returns, or one or several paths that it reads. Pictures become
            arrays as their `preprocessing` says; what is not given there is as in the training, or as
            `io.image_iter` does.
        batch_size : int
            Samples in a batch, > 0; ignored for an iterator.
        image_size : int, (int, int) or None
            Height and width that pictures are resized to, see `io.image_iter`; None: theirs, or those of the
            training, if the checkpoint records them.
        flip : bool or {'concat', 'sum'} or None
            ``'concat'`` or True: append the feature of the mirrored sample to each feature, D becomes 2 D.
            ``'sum'``: add it, as InsightFace's verification does. For samples of shape (channels, height,
            width), or of an iterator whose layout says where the width is.
        progress : bool
            Whether to show a tqdm bar.

        Returns
        -------
        numpy.ndarray
            (N, D): the features, in the order of the samples. Those of a diverged network are not finite.

        Raises
        ------
        ValueError
            There are no samples, the network does not take samples of their shape, a parameter has another
            shape than the network, `flip` is another name or finds no width, or pictures cannot be decoded,
            have no `image_size`, or another mean or std than in the training.
        ImportError
            `progress`, and tqdm is not installed.

        Examples
        --------
        >>> features = extractor.predict('faces', image_size=112, flip=True)  # doctest: +SKIP
        """
        data_iter = without_rolling(self._iterator(data, batch_size, image_size))
        mode = _flip_mode(flip)
        width_axis = _width_axis(data_iter, flip) if mode else None
        data_iter.reset()
        features = []
        for batch in with_progress(data_iter, 'features', 'batch') if progress else data_iter:
            parts = [self._features(batch.data[0])]
            if mode:
                parts.append(self._features(nd.flip(batch.data[0], axis=width_axis)))
            joined = parts[0] + parts[1] if mode == 'sum' else np.hstack(parts)
            features.append(joined[: len(parts[0]) - num_padding(data_iter, batch)])
        return np.concatenate(features)

    def digest(self, flip: bool | str | None) -> str:
        """Compute a hash that tells the features of this extractor from those of other networks and layers.

        Parameters
        ----------
        flip : bool or {'concat', 'sum'} or None
            As given to `predict`.

        Returns
        -------
        str
            BLAKE2b of the layer, `flip` and all parameters, 32 hexadecimal digits.

        Examples
        --------
        >>> FeatureExtractor(net, *mod.get_params()).digest(flip=False)  # doctest: +SKIP
        '7f2c4a…'
        """
        mode = _flip_mode(flip)
        joined = mode if mode == 'sum' else mode is not None
        found = blake2b(repr((self.symbol.list_outputs(), joined)).encode(), digest_size=16)
        for name, value in sorted({**self.arg_params, **self.aux_params}.items()):
            found.update(f'{name} {value.dtype} {value.shape}'.encode())
            found.update(value.asnumpy().tobytes())
        return found.hexdigest()

    def _iterator(
        self,
        data: np.ndarray | NDArray | DataIter | Images | str | os.PathLike | list[str | os.PathLike],
        batch_size: int,
        image_size: Size | None,
    ) -> DataIter:
        if isinstance(data, DataIter):
            return data
        if not batch_size > 0:
            raise ValueError(f'batch_size={batch_size} is not > 0')
        if isinstance(data, (str, os.PathLike, list)):
            data = list_images(data, min_classes=1, labelled=None)
        if isinstance(data, Images):
            images = self._prepared(data)
            if image_size is None and images.preprocessing.size is None:
                raise ValueError('image_size=None: expected the height and width to resize pictures to')
            return image_iter(images, min(batch_size, len(data.labels)), image_size).data_iter
        if not len(data):
            raise ValueError(f'data of shape {data.shape}: there are no samples')
        return NDArrayIter({self.data_name: data}, batch_size=min(batch_size, len(data)))

    def _prepared(self, images: Images) -> Images:
        """Complete the preprocessing of pictures with that of the training; their mean and std must agree."""
        given, trained = images.preprocessing, self.preprocessing
        for name in ('mean', 'std'):
            value, expected = getattr(given, name), getattr(trained, name)
            if None not in (value, expected) and tuple(value) != tuple(expected):
                raise ValueError(
                    f'{name}={value}: the network was trained with {name}={expected}; the features would '
                    'mean nothing'
                )
        shape = self.data_shape
        size = (shape[1], shape[2]) if shape is not None and len(shape) == 3 else None
        return images._replace(preprocessing=given.over(trained).over(Preprocessing(size)))

    def _features(self, data: NDArray) -> np.ndarray:
        try:
            features = self._compute(data)
        except RuntimeError:  # MXNetError is one
            self._check_shapes(data.shape)
            raise
        return features.asnumpy()

    def _check_shapes(self, shape: tuple[int, ...]) -> None:
        """Raise ValueError if samples or parameters have a shape that the network does not take."""
        sample = shape[1:]
        trained = '' if self.data_shape is None else f', but of {self.data_shape}'
        refused = f'the network does not take samples of shape {sample}{trained}'
        try:
            needed, _, needed_states = self.symbol.infer_shape_partial(**{self.data_name: shape})
        except MXNetError:
            raise ValueError(refused) from None
        names = [*self.symbol.list_arguments(), *self.symbol.list_auxiliary_states()]
        given = {**self.arg_params, **self.aux_params}
        for name, expected in zip(names, [*needed, *needed_states]):
            if name in given and expected and given[name].shape != expected:
                wrong = f'{name} has shape {given[name].shape}'
                if self.data_shape == sample:
                    raise ValueError(f'{wrong}, and the network needs {expected}') from None
                raise ValueError(f'{refused}: {wrong}, and they need {expected}') from None


def _flip_mode(flip: bool | str | None) -> str | None:
    """Return how the feature of a mirrored sample joins: 'concat', 'sum', or None, not at all."""
    if flip in (True, False, None):
        return 'concat' if flip else None
    check_choice('', 'flip', flip, ('concat', 'sum'))
    return str(flip)


def _width_axis(data_iter: DataIter, flip: bool | str | None) -> int:
    desc = as_desc(data_iter.provide_data[0])
    layout = desc.layout or 'NCHW'
    if len(layout) != len(desc.shape) or 'W' not in layout:
        raise ValueError(
            f'flip={flip!r}: samples of shape {tuple(desc.shape[1:])}, layout {layout}; expected '
            '(channels, height, width)'
        )
    return layout.index('W')

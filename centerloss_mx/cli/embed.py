"""`centerloss-mx embed`."""

from __future__ import annotations

import os
from typing import Sequence

import numpy as np
from mxnet.ndarray import NDArray
from mxnet.symbol import Symbol

from .._checks import quantity
from ..dataset import Samples
from ..io import Images
from ..io.preprocessing import OF_ARRAYS
from ..model import (
    FeatureExtractor,
    Features,
    find_centers,
    latest_checkpoint,
    load_checkpoint,
    save_features,
)
from ..symbol import describe
from .checkpoint import prefix_and_epoch
from .embed_options import EmbedOptions
from .embed_samples import samples_to_embed
from .output import check_output
from .source_arguments import PREPROCESSING
from .training_settings import training_settings


def embed(options: EmbedOptions) -> None:
    """Write the features of samples, with their classes and the network's centers."""
    check_output(options.output, options.force, '.npz')
    prefix, epoch = prefix_and_epoch(options.prefix, options.epoch)
    epoch = latest_checkpoint(prefix) if epoch is None else epoch
    symbol, arg_params, aux_params = load_checkpoint(prefix, epoch)
    extractor = FeatureExtractor(symbol, arg_params, aux_params, options.layer, options.ctx[0])
    if options.trained_classes and extractor.class_names is None:
        raise ValueError(f'--trained-classes: {options.prefix} does not record the classes of the training')
    samples = samples_to_embed(options, extractor.class_names if options.trained_classes else None)
    _check_kind(options, samples, extractor)
    data = samples if isinstance(samples, Images) else samples.images
    layer = extractor.layer
    found = extractor.predict(
        data, options.batch_size, options.source.image_size, options.flip, progress=True
    )
    if found.ndim != 2:
        raise ValueError(f'{layer} has shape {found.shape}; expected (N, D), a feature for each sample')
    trained_on = extractor.class_names
    centers, without = _centers(layer, options.flip, symbol, arg_params, aux_params, trained_on)
    names = samples.names if isinstance(samples, Images) else None
    network = extractor.digest(options.flip)
    made = {
        'prefix': os.path.abspath(prefix),
        'epoch': epoch,
        'layer': layer,
        'flip': options.flip,
        'preprocessing': {name: getattr(options.source, name) for name in PREPROCESSING},
    }
    settings = training_settings(options, prefix, epoch, layer, samples)
    features = Features(
        found, samples.labels, samples.class_names, names, centers, trained_on, network, made, settings
    )
    save_features(options.output, features)
    count = len(np.unique(samples.labels)) if samples.class_names else 0
    size, dim = quantity(len(found), 'feature'), quantity(found.shape[1], 'dimension')
    print(f'{options.output}: {size} of {dim}, {quantity(count, "class", "classes")}{without}')


def _centers(
    layer: str,
    flip: str | None,
    symbol: Symbol,
    arg_params: dict[str, NDArray],
    aux_params: dict[str, NDArray],
    trained_on: Sequence[str] | None,
) -> tuple[np.ndarray | None, str]:
    """Find the centers of the features of a layer, or say why there are none."""
    losses = describe(symbol)
    of_layer = [info.name for info in losses if info.feature == layer]
    if not losses:
        return None, ''
    if len(of_layer) > 1:
        return None, f'; without the centers, because {len(of_layer)} losses read this layer'
    if not of_layer or flip or trained_on is None:
        return None, '; without the centers, which belong to other features'
    return find_centers(symbol, arg_params, aux_params, of_layer[0]), ''


def _check_kind(options: EmbedOptions, samples: Samples, extractor: FeatureExtractor) -> None:
    """Refuse arrays where the network knows pictures, or the reverse, unless both have the same scale."""
    pictures = isinstance(samples, Images)
    if extractor.pictures in (None, pictures):
        return
    of_pictures = samples.preprocessing if isinstance(samples, Images) else extractor.preprocessing
    if (of_pictures.mean, of_pictures.std) != (OF_ARRAYS.mean, OF_ARRAYS.std):
        kinds = {True: 'pictures in files, which are normalized', False: 'arrays, which are not'}
        raise ValueError(
            f'{" ".join(options.data)}: these are {kinds[pictures]}, but {options.prefix} was trained on '
            f'{kinds[not pictures]}; the features would mean nothing. Arrays of uint8 become what pictures '
            'with --mean 0 --std 255 do'
        )

"""`centerloss-mx embed`."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Sequence

import numpy as np
from mxnet.ndarray import NDArray
from mxnet.symbol import Symbol

from .._checks import quantity
from ..dataset import Samples, has_parts, hold_out, load_samples
from ..io import Images
from ..io.preprocessing import OF_ARRAYS
from ..model import FeatureExtractor, Features, find_centers, load_checkpoint, save_features
from ..symbol import describe
from ..training import read_options
from ..training.sample_record import load_record, record_path, recorded_part
from .checkpoint import prefix_and_epoch
from .embed_options import EmbedOptions
from .output import check_output
from .samples import readable
from .train_options import options_path

# The options of `train` that say which samples it has held out.
_OF_THE_SAMPLES: dict[str, tuple[type, ...]] = {
    'data': (str,),
    'test': (str, type(None)),
    'test_share': (int, float),
    'seed': (int,),
    'skip_bad': (bool,),
}


def embed(options: EmbedOptions) -> None:
    """Write the features of samples, with their classes and the network's centers."""
    check_output(options.output, options.force, '.npz')
    symbol, arg_params, aux_params = load_checkpoint(*prefix_and_epoch(options.prefix, options.epoch))
    extractor = FeatureExtractor(symbol, arg_params, aux_params, options.layer, options.ctx[0])
    if options.trained_classes and extractor.class_names is None:
        raise ValueError(f'--trained-classes: {options.prefix} does not record the classes of the training')
    samples = _samples(options, extractor.class_names if options.trained_classes else None)
    _check_kind(options, samples, extractor)
    data = samples if isinstance(samples, Images) else samples.images
    found = extractor.predict(
        data, options.batch_size, options.source.image_size, options.flip, progress=True
    )
    if found.ndim != 2:
        raise ValueError(
            f'{options.layer} has shape {found.shape}; expected (N, D), a feature for each sample'
        )
    trained_on = extractor.class_names
    centers, without = _centers(options, symbol, arg_params, aux_params, trained_on)
    names = samples.names if isinstance(samples, Images) else None
    network = extractor.digest(options.flip)
    features = Features(found, samples.labels, samples.class_names, names, centers, trained_on, network)
    save_features(options.output, features)
    count = len(np.unique(samples.labels))
    size, dim = quantity(len(found), 'feature'), quantity(found.shape[1], 'dimension')
    print(f'{options.output}: {size} of {dim}, {quantity(count, "class", "classes")}{without}')


def _centers(
    options: EmbedOptions,
    symbol: Symbol,
    arg_params: dict[str, NDArray],
    aux_params: dict[str, NDArray],
    trained_on: Sequence[str] | None,
) -> tuple[np.ndarray | None, str]:
    """Find the centers of the features of a layer, or say why there are none."""
    losses = describe(symbol)
    of_layer = [info.name for info in losses if info.feature == options.layer]
    if not losses:
        return None, ''
    if len(of_layer) > 1:
        return None, f'; without the centers, because {len(of_layer)} losses read this layer'
    if not of_layer or options.flip or trained_on is None:
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
            f'{options.data}: these are {kinds[pictures]}, but {options.prefix} was trained on '
            f'{kinds[not pictures]}; the features would mean nothing. Arrays of uint8 become what pictures '
            'with --mean 0 --std 255 do'
        )


def _samples(options: EmbedOptions, class_names: Sequence[str] | None) -> Samples:
    """Load the samples; of a source without parts, `--part` means what `train` trained on or held out."""
    data, part, reading = options.data, options.part, options.source.reading()
    skip_bad = options.source.skip_bad
    if has_parts(data) or part is None:
        part = part or ('test' if has_parts(data) else None)
        return readable(load_samples(data, part, class_names, **reading), skip_bad)
    prefix = prefix_and_epoch(options.prefix, options.epoch)[0]
    path = options_path(prefix)
    saved = _saved_options(path, part)
    record = load_record(prefix)
    same_path = Path(saved['data']).resolve() == Path(data).resolve()
    if saved['test'] is not None or not saved['test_share'] or not (record or same_path):
        raise ValueError(f'--part {part}: according to {path}, no part of {data} was held out')
    samples = readable(load_samples(data, None, class_names, **reading), skip_bad or saved['skip_bad'])
    if record is not None:  # nothing is drawn again
        try:
            return recorded_part(record, samples, part)
        except ValueError as error:
            raise ValueError(
                f'--part {part}: {data} is not what {options.prefix} was trained on: {error}; '
                'expected the same samples'
            ) from None
    print(
        f'{record_path(prefix)} does not exist: if {data} has changed, --part {part} is not that of train',
        file=sys.stderr,
    )
    return hold_out(samples, saved['test_share'], saved['seed'])[('train', 'test').index(part)]


def _saved_options(path: Path, part: str) -> dict[str, Any]:
    """Read the options of `train` that say which samples it has held out."""
    saved = {}
    with suppress(OSError, ValueError):  # a file that cannot be read records nothing
        saved = read_options(path)
    if not all(isinstance(saved.get(name, ...), kinds) for name, kinds in _OF_THE_SAMPLES.items()):
        raise ValueError(f'--part {part}: {path} does not record what train has held out')
    return saved

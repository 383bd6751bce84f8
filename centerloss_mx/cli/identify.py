"""`centerloss-mx identify`, and the protocol of `evaluate identify`."""

from __future__ import annotations

import json
import math
from typing import Any

from .. import evaluation
from .._files import check_file
from ..dataset import load_samples
from ..io import Images
from ..model import FeatureExtractor, Features, load_checkpoint, load_features
from .identify_options import IdentifyOptions, IdentifyRatesOptions
from .protocols import check_one_network
from .samples import readable

UNKNOWN = 'unknown'


def identify(options: IdentifyOptions) -> None:
    """Print a line for each photo: its name, who it is, and the similarity."""
    gallery = load_features(options.gallery, labelled=True)
    threshold = _threshold(options)
    extractor, flip = _network(options, gallery)
    source = options.photos if len(options.photos) > 1 else options.photos[0]
    # As the gallery's pictures were read.
    photos = readable(load_samples(source, labelled=None, **_preprocessing(gallery)), options.skip_bad)
    if not isinstance(photos, Images):
        raise ValueError(f'{source}: expected pictures in files')
    features = extractor.predict(photos, options.batch_size, flip=flip)
    names, similarities = evaluation.nearest_identities(
        gallery.features, gallery.classes, features, options.metric
    )
    for photo, name, similarity in zip(photos.names, names, similarities):
        print(f'{photo}\t{name if similarity >= threshold else UNKNOWN}\t{similarity:.4f}')


def identify_rates(options: IdentifyRatesOptions) -> dict[str, Any]:
    """Measure how well people are found, and others told from them."""
    gallery, probes = (load_features(path, labelled=True) for path in (options.gallery, options.features))
    check_one_network(options.gallery, gallery, options.features, probes)
    found = evaluation.identify(
        gallery.features, gallery.classes, probes.features, probes.classes, options.metric, progress=True
    )
    rates = {name: getattr(found, name) for name in ('rank_1', 'rank_5', 'rank_10')}
    for one in found.tpir_at_fpir:
        rates[f'tpir_at_fpir_{one.fpir:g}'] = one.tpir
        rates[f'threshold_at_fpir_{one.fpir:g}'] = one.threshold
    # JSON has no NaN: null stands for what there are too few probes for.
    known = {name: None if math.isnan(value) else value for name, value in rates.items()}
    return {**known, 'num_mated': found.num_mated, 'num_non_mated': found.num_non_mated}


def _threshold(options: IdentifyOptions) -> float:
    """The least similarity; without an option, everybody is the most similar person."""
    path = options.threshold_from
    if path is None:
        return -math.inf if options.threshold is None else options.threshold
    if options.threshold is not None:
        raise ValueError('--threshold and --threshold-from: expected one of them')
    check_file(path, 'expected a .json file of `evaluate identify`')
    name = f'threshold_at_fpir_{options.fpir}'
    try:
        with open(path, encoding='utf-8') as file:
            content = json.load(file)
        threshold, metric = content['results'][name], content['options']['metric']
    except (ValueError, KeyError, TypeError):
        raise ValueError(f'{path}: expected a .json file of `evaluate identify`, with {name}') from None
    if threshold is None:
        raise ValueError(f'{path}: {name} is null, because there were too few probes of people not known')
    if metric != options.metric or not isinstance(threshold, (int, float)):
        raise ValueError(f'{path}: {name} is {threshold}, of --metric {metric}; expected {options.metric}')
    return threshold


def _preprocessing(gallery: Features) -> dict[str, Any]:
    """What was given to `embed`, for lists of JSON; the rest is as in the training."""
    assert gallery.checkpoint is not None  # `_network` has refused it
    given = gallery.checkpoint['preprocessing']
    return {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}


def _network(options: IdentifyOptions, gallery: Features) -> tuple[FeatureExtractor, str | None]:
    """Load the network that the gallery's features are of, and how it flips."""
    made = gallery.checkpoint
    if made is None:
        raise ValueError(f'{options.gallery} does not record its checkpoint; write it anew with `embed`')
    prefix = made['prefix'] if options.prefix is None else options.prefix
    network = load_checkpoint(prefix, made['epoch'])
    extractor = FeatureExtractor(*network, made['layer'], options.ctx[0])
    if extractor.digest(made['flip']) != gallery.network:
        raise ValueError(f'{prefix} is not the network that {options.gallery} was made with')
    return extractor, made['flip']

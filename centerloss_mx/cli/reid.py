"""The protocol of `centerloss-mx evaluate reid`: identities and cameras from the names of pictures."""

from __future__ import annotations

import os
import re
from typing import Any

import numpy as np

from .. import evaluation
from .._files import read_npz
from ..model import Features, load_features
from .protocols import check_one_network
from .reid_options import ReidOptions

_IDENTITY = re.compile(r'^(-?\d+)_')  # of Market-1501 and DukeMTMC


def reid(options: ReidOptions) -> dict[str, Any]:
    """Rank the gallery for each query: CMC, mAP and mINP."""
    query, gallery = load_features(options.query), load_features(options.gallery)
    check_one_network(options.gallery, gallery, options.query, query)
    identities, cameras = [], []
    for path, features in (options.query, query), (options.gallery, gallery):
        pattern = options.identity or (None if features.class_names else _IDENTITY)
        labels = features.classes if pattern is None else _found(path, features, 'identity', pattern)
        identities.append(labels)
        if options.camera_column is None:
            cameras.append(_found(path, features, 'camera', options.camera))
        else:
            cameras.append(read_npz(path, [options.camera_column])[options.camera_column])
    found = evaluation.reid(
        query.features,
        identities[0],
        cameras[0],
        gallery.features,
        identities[1],
        cameras[1],
        options.metric,
        options.rerank,
        progress=True,
    )
    return found._asdict()


def _found(path: str, features: Features, what: str, pattern: re.Pattern) -> np.ndarray:
    """Find identity or camera in the names of all pictures."""
    if features.names is None:
        raise ValueError(f'{path}: the features have no names of pictures; expected such for --{what}')
    found = []
    for name in features.names:
        match = pattern.search(os.path.basename(name))
        if match is None:
            raise ValueError(f'{path}: --{what} {pattern.pattern} is not in the name {name}')
        found.append(match.group(1))
    return np.array(found)

"""What `embed` records of a training, so that those that differ in the seed only are known."""

from __future__ import annotations

from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from ..dataset import Samples
from ..dataset.fingerprints import digest, fingerprints
from ..training import read_options
from ..training.sample_record import SampleRecord, load_record
from .embed_options import EmbedOptions
from .source_arguments import PREPROCESSING
from .train_options import options_path

_SOURCES = ('data', 'test')  # digests of the samples stand for their places


def training_settings(
    options: EmbedOptions, prefix: str, epoch: int | None, layer: str, samples: Samples
) -> dict[str, Any] | None:
    """Return the options of a training, with digests of its samples, and what is embedded.

    Parameters
    ----------
    options : EmbedOptions
        The options of `embed`.
    prefix, epoch, layer : str, int or None, str
        The checkpoint, which has been loaded, and the output whose features these are.
    samples : io.Images or Arrays
        The samples that are embedded.

    Returns
    -------
    dict or None
        For `Features.training_settings`; None: the training left no options with a seed, or no record of
        its samples.
    """
    saved, record = {}, None
    with suppress(OSError, ValueError):  # a file that cannot be read records nothing
        saved, record = read_options(options_path(prefix)), load_record(prefix)
    if record is None or type(saved.get('seed')) is not int:
        return None
    trained = {name: _without_folder(value) for name, value in saved.items() if name not in _SOURCES}
    return {
        **trained,
        'ctx': _kinds(saved.get('ctx')),
        'train_samples': _train_samples(saved, record),
        # The epoch of the best checkpoint differs from seed to seed.
        'embed_epoch': options.epoch if isinstance(options.epoch, str) else epoch,
        'embed_layer': layer,
        'embed_flip': options.flip,
        **{f'embed_{name}': getattr(options.source, name) for name in PREPROCESSING},
        'samples': digest(fingerprints(samples)),
    }


def _train_samples(saved: dict[str, Any], record: SampleRecord) -> list[str]:
    """Digests of the samples in any order: of all, because the seed divides them, or of both parts."""
    given = saved.get('test') is not None or saved.get('test_column') is not None
    parts = record if given else [np.concatenate(record)]
    return [digest(np.sort(part)) for part in parts]


def _kinds(devices: Any) -> Any:
    """Kinds of the devices: which of several GPUs computed changes nothing."""
    return [str(one).partition('(')[0] for one in devices] if isinstance(devices, list) else devices


def _without_folder(value: Any) -> Any:
    """Of a path, the name, and a hash that tells it from the same name in another folder."""
    if not isinstance(value, str) or Path(value).name == value:
        return value
    return f'{Path(value).name} ({blake2b(value.encode(), digest_size=4).hexdigest()})'

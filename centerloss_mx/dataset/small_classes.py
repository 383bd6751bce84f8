"""`without_small_classes`: classes of too few samples are left out."""

from __future__ import annotations

import logging

import numpy as np

from .._checks import quantity
from .arrays import Samples

_LOGGER = logging.getLogger(__name__)


def without_small_classes(samples: Samples, min_images: int, source: object) -> Samples:
    """Leave out the classes of fewer samples than `min_images`, and number the others anew.

    Parameters
    ----------
    samples : io.Images or Arrays
        Samples with labels.
    min_images : int
        The least number of samples of a class.
    source : object
        Where they come from, for messages.

    Returns
    -------
    io.Images or Arrays

    Raises
    ------
    ValueError
        No class has so many.

    Examples
    --------
    >>> samples = as_arrays(np.zeros((3, 8, 8), np.uint8), ['a', 'b', 'b'])
    >>> without_small_classes(samples, 2, 'letters').class_names
    ['b']
    """
    counts = np.bincount(samples.labels, minlength=len(samples.class_names))
    large = counts >= min_images
    if large.all():
        return samples
    if not large.any():
        raise ValueError(
            f'{source}: no class has {quantity(min_images, "sample")}; the largest has {counts.max()}'
        )
    _LOGGER.warning(
        '%s: left out %s of fewer than %s',
        source,
        quantity(int((~large).sum()), 'class', 'classes'),
        quantity(min_images, 'sample'),
    )
    kept = samples.take(np.flatnonzero(large[samples.labels]))
    numbers = np.cumsum(large) - 1
    names = [name for name, is_large in zip(samples.class_names, large) if is_large]
    return kept._replace(labels=numbers[kept.labels], class_names=names)

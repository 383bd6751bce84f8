"""Samples that can be read."""

from __future__ import annotations

from ..dataset import Samples
from ..io import Images, readable_images


def readable(samples: Samples, skip_bad: bool) -> Samples:
    """Where it is asked for, leave out pictures that cannot be decoded, and print which.

    Parameters
    ----------
    samples : io.Images or dataset.Arrays
        The samples; arrays are all readable.
    skip_bad : bool
        Whether to look. Else the first such picture will be an error.

    Returns
    -------
    io.Images or dataset.Arrays

    Examples
    --------
    >>> samples = readable(load_samples('birds'), skip_bad=True)  # doctest: +SKIP
    """
    if skip_bad and isinstance(samples, Images):
        samples, unreadable = readable_images(samples)
        if unreadable:
            print(f'{len(unreadable)} pictures left out, as they cannot be decoded: {", ".join(unreadable)}')
    return samples

"""The samples of commands."""

from __future__ import annotations

from .._checks import quantity
from ..dataset import Samples, has_parts, hold_out, load_samples
from ..io import Images, readable_images
from .train_options import TrainOptions


def readable(samples: Samples, skip_bad: bool) -> Samples:
    """Leave out pictures that cannot be decoded, and print their names.

    Parameters
    ----------
    samples : io.Images or dataset.Arrays
        The samples; arrays are all readable.
    skip_bad : bool
        Whether to decode all pictures now. If not, the first such picture raises an error when it is served.

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
            count = quantity(len(unreadable), 'picture')
            print(f'left out {count} that cannot be decoded: {", ".join(unreadable)}')
    return samples


def held_out(source: object, samples: Samples, share: float, seed: int) -> tuple[Samples, Samples]:
    """Hold out `--test-share` of the samples of a source."""
    try:
        return hold_out(samples, share, seed)
    except ValueError as error:
        raise ValueError(f'{source}: cannot hold out --test-share {share:g}: {error}') from None


def train_and_test_samples(options: TrainOptions) -> tuple[Samples, Samples | None]:
    """Load the samples to train with and those to test with; None: nothing is tested."""
    source = options.source
    samples = readable(load_samples(options.data, min_classes=2, **source.reading()), source.skip_bad)
    if source.test is not None:
        part = 'test' if has_parts(source.test) else None
        test = load_samples(source.test, part, samples.class_names, 2, **source.reading())
        return samples, readable(test, source.skip_bad)
    if has_parts(options.data):
        return samples, load_samples(options.data, 'test', samples.class_names, 2, **source.reading())
    if not source.test_share:
        return samples, None
    return held_out(options.data, samples, source.test_share, options.seed)

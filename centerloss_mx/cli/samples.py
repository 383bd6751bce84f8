"""The samples of commands."""

from __future__ import annotations

from pathlib import Path

from .._checks import quantity
from ..dataset import (
    Samples,
    SourceOptions,
    has_parts,
    hold_out,
    load_marks,
    load_samples,
    split_by_names,
    split_by_rows,
)
from ..dataset.small_classes import without_small_classes
from ..io import Images, readable_images
from .arguments import flag
from .train_options import TrainOptions


def readable(samples: Samples, skip_bad: bool, min_images: int = 1) -> Samples:
    """Leave out pictures that cannot be decoded, and print their names; then classes of too few others.

    Parameters
    ----------
    samples : io.Images or dataset.Arrays
        The samples; arrays are all readable.
    skip_bad : bool
        Whether to decode all pictures now. If not, the first such picture raises an error when it is served.
    min_images : int
        The least number of pictures of a class that can be decoded; 1: classes are left as they are.

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
            if min_images > 1:
                return without_small_classes(samples, min_images, 'pictures that can be decoded')
    return samples


def held_out(
    source: object, samples: Samples, share: float, seed: int, by: str = 'samples'
) -> tuple[Samples, Samples]:
    """Hold out `--test-share` of the samples of a source."""
    try:
        return hold_out(samples, share, seed, by)
    except ValueError as error:
        raise ValueError(f'{source}: cannot hold out --test-share {share:g}: {error}') from None


def train_and_test_samples(options: TrainOptions) -> tuple[Samples, Samples | None]:
    """Load the samples to train with and those to test with; None: nothing is tested."""
    source, data = options.source, options.data
    _check_split(data, source)
    samples = load_samples(data, min_classes=2, **source.reading())
    samples = readable(samples, source.skip_bad, source.min_images)
    if source.test_column is not None:
        return split_by_rows(samples, load_marks(data, source.test_column))
    if source.test is not None and source.test.endswith('.txt'):
        lines = Path(source.test).read_text(encoding='utf-8').splitlines()
        return split_by_names(samples, [line.strip() for line in lines if line.strip()])
    if source.test is not None:
        part = 'test' if has_parts(source.test) else None
        test = load_samples(source.test, part, samples.class_names, 2, **source.reading())
        return samples, readable(test, source.skip_bad)
    if has_parts(data):
        return samples, load_samples(data, 'test', samples.class_names, 2, **source.reading())
    if not source.test_share:
        return samples, None
    return held_out(data, samples, source.test_share, options.seed, source.split)


def _check_split(data: str, source: SourceOptions) -> None:
    """Raise ValueError for options of which one would be ignored."""
    given = [name for name in ('test', 'test_column') if getattr(source, name) is not None]
    given += ['split'] if source.split != 'samples' else []
    flags = ' and '.join(map(flag, given))
    if len(given) > 1:
        raise ValueError(f'{flags}: each says what to test with; expected one of them')
    if source.split != 'samples' and has_parts(data):
        raise ValueError(f'{flags}: {data} has a test part of its own')
    if source.split != 'samples' and not source.test_share:
        raise ValueError(f'--test-share 0: --split {source.split} would hold out nothing')
    if source.test_column is not None and source.min_images > 1:
        raise ValueError(f'--min-images {source.min_images}: the rows of {flags} would be others')

"""The samples that `centerloss-mx embed` reads: all of a source, or a part of what `train` was given."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Sequence

from .._source_options import SourceOptions
from ..dataset import Samples, has_parts, hold_out, load_samples
from ..training import read_options
from ..training.sample_record import load_record, record_path, recorded_part
from .checkpoint import prefix_and_epoch
from .embed_options import EmbedOptions
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

# How `train` read them; options of before these were there have none.
_OF_FORM = ('layout', 'label_column', 'test_column')


def samples_to_embed(options: EmbedOptions, class_names: Sequence[str] | None) -> Samples:
    """Load the samples; of a source without parts, `--part` means what `train` trained on or held out.

    Raises
    ------
    ValueError
        `--part`, and these are not the samples of the training, or none were held out.
    """
    part, source = options.part, options.source
    if len(options.data) > 1:
        if part is not None:
            raise ValueError(f'--part {part}: several pictures have no parts')
        return _readable(options.data, class_names, source)
    data = options.data[0]
    prefix = prefix_and_epoch(options.prefix, options.epoch)[0]
    path = options_path(prefix)
    saved = _saved_options(path)
    same_path = Path(saved.get('data', '')).resolve() == Path(data).resolve()
    if part is None or has_parts(data):
        part = part or ('test' if has_parts(data) else None)
        source = _as_in_training(source, saved, _OF_FORM) if same_path else source
        return _readable(data, class_names, source, part)
    if not saved:
        raise ValueError(f'--part {part}: {path} does not record what train has held out')
    record = load_record(prefix)
    if not _has_held_out(saved) or not (record or same_path):
        raise ValueError(f'--part {part}: according to {path}, no part of {data} was held out')
    source = _as_in_training(source, saved, (*_OF_FORM, 'min_images'))
    source = source._replace(skip_bad=source.skip_bad or saved['skip_bad'])
    samples = _readable(data, class_names, source)
    if record is not None:  # nothing is drawn again
        try:
            return recorded_part(record, samples, part)
        except ValueError as error:
            raise ValueError(
                f'--part {part}: {data} is not what {options.prefix} was trained on: {error}; '
                'expected the same samples'
            ) from None
    given = '--test' if saved['test'] else '--test-column' if saved.get('test_column') else None
    if given:
        raise ValueError(
            f'--part {part}: {record_path(prefix)} does not exist; it records what {given} held out'
        )
    print(
        f'{record_path(prefix)} does not exist: if {data} has changed, --part {part} is not that of train',
        file=sys.stderr,
    )
    by = saved.get('split', 'samples')
    return hold_out(samples, saved['test_share'], saved['seed'], by)[('train', 'test').index(part)]


def _readable(
    data: str | list[str], class_names: Sequence[str] | None, source: SourceOptions, part: str | None = None
) -> Samples:
    samples = load_samples(data, part, class_names, labelled=None, **source.reading())
    return readable(samples, source.skip_bad, source.min_images if class_names is None else 1)


def _has_held_out(saved: dict[str, Any]) -> bool:
    """Whether a part of the training's own data was held out."""
    if saved['test'] is not None:
        return saved['test'].endswith('.txt')
    return bool(saved['test_share'] or saved.get('test_column'))


def _as_in_training(source: SourceOptions, saved: dict[str, Any], names: Sequence[str]) -> SourceOptions:
    """Fill in how the training read its samples, where no option says it."""
    defaults = SourceOptions()._asdict()
    not_given = [name for name in names if getattr(source, name) == defaults[name]]
    filled: dict[str, Any] = {name: saved.get(name, defaults[name]) for name in not_given}
    return source._replace(**filled)


def _saved_options(path: Path) -> dict[str, Any]:
    """Read the options of `train`; none if they do not say which samples it has held out."""
    saved = {}
    with suppress(OSError, ValueError):  # a file that cannot be read records nothing
        saved = read_options(path)
    is_whole = all(isinstance(saved.get(name, ...), kinds) for name, kinds in _OF_THE_SAMPLES.items())
    return saved if is_whole else {}

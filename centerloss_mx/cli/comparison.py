"""Several files of features in one table of `centerloss-mx evaluate`.

Files are averaged that are of the same samples and of trainings that differ in the seed only: whose
`training_settings` are equal but for the seed. All others are rows of their own.
"""

from __future__ import annotations

import json
import os
from hashlib import blake2b
from pathlib import Path
from typing import Any, Mapping, NamedTuple, Sequence

import numpy as np

from .._checks import quantity
from ..model import Features, load_features
from .output import shown
from .protocols import check_one_network

# What the table shows of each protocol; the .json file has the rest, too.
COLUMNS = {
    'knn': ('knn_accuracy', 'nearest_mean_accuracy', 'nearest_center_accuracy', 'num_samples'),
    'retrieve': ('precision_at_1', 'r_precision', 'map_at_r', 'recall_at_10', 'num_queries'),
    'cluster': ('nmi', 'own', 'between', 'ratio'),
    'verify': (
        'accuracy',
        'auc',
        'eer',
        'tar_at_far_0.01',
        'tar_at_far_0.001',
        'insightface_accuracy',
        'seen_in_training',
    ),
    'reid': ('cmc_at_1', 'cmc_at_5', 'cmc_at_10', 'map', 'minp', 'num_queries'),
    'identify': ('rank_1', 'rank_5', 'rank_10', 'tpir_at_fpir_0.1', 'tpir_at_fpir_0.01'),
}

# Two files of one network are measured together; elsewhere, one file alone.
_PAIRS = {'knn': ('train', 'features'), 'reid': ('query', 'gallery'), 'identify': ('gallery', 'features')}


class Row(NamedTuple):
    """What is measured alone: a file, or two of one network, such as queries and gallery.

    Parameters
    ----------
    name : str
        The file that it is named after.
    files : dict of str to str
        The files, by the names of their options.
    settings : dict or None
        The training's settings without its seed; None: not given.
    seed : int or None
        The training's seed.
    samples : list of (str or None, str)
        Of each file, the digest of its samples that `embed` has recorded, and one of classes and names.
    """

    name: str
    files: dict[str, str]
    settings: dict[str, Any] | None
    seed: int | None
    samples: list[tuple[str | None, str]]


def inputs(protocol: str) -> tuple[str, ...]:
    """Return the names of the options that are the files of a row."""
    return _PAIRS.get(protocol, ('features',))


def one_by_one(options: Any, protocol: str) -> list[Any]:
    """Return the options of each file, or of each two files that belong together.

    Raises
    ------
    ValueError
        The last of two is missing, or the same files are given twice.
    """
    names = inputs(protocol)
    files, size = [*(getattr(options, name) for name in names), *options.more], len(names)
    if len(files) % size:
        raise ValueError(
            f'{files[-1]} is the last of {len(files)} files; expected {" and ".join(names)} of each network'
        )
    found = [files[first : first + size] for first in range(0, len(files), size)]
    paths = [[os.path.realpath(file) for file in some] for some in found]
    for i, some in enumerate(paths):
        if some in paths[:i]:
            raise ValueError(f'{" ".join(found[i])}: given twice; expected each file once')
    return [options._replace(more=(), **dict(zip(names, some))) for some in found]


def row_of(options: Any, protocol: str, labelled: bool) -> Row:
    """Read the files of a row, and check that they are of one network.

    Raises
    ------
    FileNotFoundError, ValueError
        A file cannot be read, has no labels although they are needed, or is of another network.
    """
    files = {name: getattr(options, name) for name in inputs(protocol)}
    read = {path: load_features(path, labelled) for path in files.values()}
    features = read[options.features]
    for path, other in read.items():
        check_one_network(path, other, options.features, features)
    settings = features.training_settings
    seed = None if settings is None else settings.get('seed')
    if settings is not None:
        settings = {name: value for name, value in settings.items() if name != 'seed'}
    return Row(options.features, files, settings, seed, [_samples(one) for one in read.values()])


def _samples(features: Features) -> tuple[str | None, str]:
    recorded = (features.training_settings or {}).get('samples')
    text = json.dumps([features.class_names, features.labels.tolist(), features.names])
    return recorded, blake2b(text.encode(), digest_size=16).hexdigest()


def _same_training(one: Row, other: Row) -> bool:
    if one.settings is None or other.settings is None:
        return False
    names = {*one.settings, *other.settings}
    return all(one.settings.get(name) == other.settings.get(name) for name in names)


def _same_samples(one: Row, other: Row) -> bool:
    """Compare digests; of files that do not have both, classes and names."""
    return all(
        one_named == named if None in (one_recorded, recorded) else one_recorded == recorded
        for (one_recorded, one_named), (recorded, named) in zip(one.samples, other.samples)
    )


def groups_of(rows: Sequence[Row]) -> list[list[int]]:
    """Return the numbers of the rows that are of one training but for its seed, group by group."""
    groups: list[list[int]] = []
    for i, row in enumerate(rows):
        for group in groups:
            first = rows[group[0]]
            if _same_training(row, first) and _same_samples(row, first):
                group.append(i)
                break
        else:
            groups.append([i])
    return groups


def is_averaged(rows: Sequence[Row], group: Sequence[int]) -> bool:
    """Whether a group has several rows, each of another seed."""
    seeds = [rows[i].seed for i in group]
    return len(group) > 1 and None not in seeds and len({*seeds}) == len(seeds)


def headings(rows: Sequence[Row], groups: Sequence[Sequence[int]]) -> list[str]:
    """Say of each group what tells it from the others: settings that differ, and other samples."""
    first = [rows[group[0]] for group in groups]
    known = [row.settings for row in first if row.settings is not None]
    names = dict.fromkeys(name for settings in known for name in settings if name != 'samples')
    differing = [name for name in names if any(one.get(name) != known[0].get(name) for one in known)]
    found = []
    for row in first:
        parts = ['training not recorded'] if row.settings is None else _in_words(row.settings, differing)
        if not _same_samples(row, rows[0]):
            parts.append(f'other samples than {rows[0].name}')
        found.append(', '.join(parts))
    return found


def _in_words(settings: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    given = [name for name in names if settings.get(name) is not None]
    if names and not given:
        return [f'{", ".join(names)} not given'.replace('_', ' ')]
    return [f'{name.replace("_", " ")} {json.dumps(settings[name]).strip(chr(34))}' for name in given]


def curve_names(rows: Sequence[Row]) -> list[str]:
    """Return the name of each row's curve in a picture: rows that are averaged share one."""
    groups = groups_of(rows)
    names = [row.name for row in rows]
    for group, heading in zip(groups, headings(rows, groups)):
        if is_averaged(rows, group):
            for i in group:
                names[i] = heading or Path(rows[group[0]].name).stem
    return names


def mean_and_deviation(results: Sequence[Mapping[str, Any]]) -> tuple[dict[str, float], dict[str, float]]:
    """Compute mean and sample standard deviation of each measure that every result has as a float."""
    names = [name for name in results[0] if all(isinstance(one.get(name), float) for one in results)]
    values = {name: [one[name] for one in results] for name in names}
    means = {name: float(np.mean(some)) for name, some in values.items()}
    return means, {name: float(np.std(some, ddof=1)) for name, some in values.items()}


def as_json(rows: Sequence[Row], contents: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what is written: a file's results, with what is listed of it, and the means."""
    files = [
        {'files': row.files, 'seed': row.seed, 'training_settings': row.settings, **content}
        for row, content in zip(rows, contents)
    ]
    means = []
    for group in groups_of(rows):
        if is_averaged(rows, group):
            mean, deviation = mean_and_deviation([contents[i]['results'] for i in group])
            of = {'features': [rows[i].name for i in group], 'seeds': [rows[i].seed for i in group]}
            means.append({**of, 'mean': mean, 'sample_standard_deviation': deviation})
    return {'files': files, 'means': means}


def print_comparison(
    protocol: str, metric: str, rows: Sequence[Row], results: Sequence[Mapping[str, Any]]
) -> None:
    """Print a row for each file, and below each group its mean and sample standard deviation."""
    columns = [name for name in COLUMNS[protocol] if any(name in one for one in results)]
    groups = groups_of(rows)
    lines: list[list[str]] = [['', *(name.replace('_', ' ') for name in columns)]]
    heading = ''
    for group, above in zip(groups, headings(rows, groups)):
        if above != heading:
            lines.append([above])
            heading = above
        for i in group:
            cells = (shown(name, results[i][name]) if name in results[i] else '' for name in columns)
            lines.append([f'    {rows[i].name}', *cells])
        if is_averaged(rows, group):
            mean, deviation = mean_and_deviation([results[i] for i in group])
            cells = (f'{mean[name]:.4f} ± {deviation[name]:.4f}' if name in mean else '' for name in columns)
            lines.append([f'    mean of {len(group)} seeds', *cells])
        elif len(group) > 1:
            lines.append([f'    no mean: seeds {", ".join(str(rows[i].seed) for i in group)}'])
    averaged = any(is_averaged(rows, group) for group in groups)
    explained = '; ±: sample standard deviation over seeds' if averaged else ''
    print(f'{protocol}, {quantity(len(rows), "file")}, {metric}{explained}')
    _print_aligned(lines)


def _print_aligned(lines: Sequence[Sequence[str]]) -> None:
    """Print cells in columns; a line of one cell is as long as it is."""
    full = [line for line in lines if len(line) > 1]
    widths = [max(map(len, column)) for column in zip(*full)]
    for line in lines:
        cells = [f'  {cell:>{width}}' for cell, width in zip(line[1:], widths[1:])]
        print((f'{line[0]:{widths[0]}}' + ''.join(cells)).rstrip())

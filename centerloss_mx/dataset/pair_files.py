"""`load_pairs`: published pairs to verify, of LFW's pairs.txt, three columns, or InsightFace's .bin."""

from __future__ import annotations

import csv
import os
import re
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple, Sequence

import numpy as np

from .._checks import quantity
from .._files import check_file
from ..evaluation import Pairs
from ..evaluation.pairs import checked_pairs
from ..io.bin_pairs import read_bin

__all__ = ['load_pairs']

_FOLDS = 10  # of LFW, and of InsightFace for every set
_PICTURE_OF_BIN = re.compile(r'(.*): picture \d+')


class _Line(NamedTuple):
    """Two pictures of a file of pairs, with the number of their line."""

    number: int
    first: str
    second: str
    same: bool
    fold: int


def load_pairs(path: str | os.PathLike, names: Sequence[str] | None = None) -> Pairs:
    """Read pairs to verify, with their folds.

    Three kinds of files are read:

    - **LFW's** ``pairs.txt``. Its first line, ``10 300``, is the number of folds and that of genuine pairs of
      each, which as many impostor pairs follow. A pair is ``name 1 4``, pictures ``name/name_0001`` and
      ``name/name_0004``, or ``name 1 other 2``. A picture may have any suffix: aligned copies often have
      another one. A first line of one number, as in ``pairsDevTest.txt``, is one set without folds: both
      kinds of pairs are divided into ten folds of consecutive pairs.
    - **Columns**, separated by tabs, commas or spaces: two files, 1 for a genuine pair or 0, and, if given, a
      whole number, the fold. Without it, there are ten folds of consecutive pairs, as in InsightFace. A first
      line with names of columns is passed over.
    - **InsightFace's** ``.bin``: pictures 2 i and 2 i + 1 are pair i, in ten folds of consecutive pairs.

    Parameters
    ----------
    path : path-like
        The file.
    names : sequence of str, optional
        Names of the features' samples, (N,), as `model.Features.names`. A picture of a pair is the sample of
        this name; the longer of both names may have more folders in front. A .bin file needs no names: its
        pictures are the rows.

    Returns
    -------
    evaluation.Pairs
        Rows of the samples, and folds 0..K-1.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is of another kind, a picture is no sample or may be several (the message has the line),
        there are fewer pairs than folds, more or fewer than the first line says, or a fold has no genuine or
        no impostor pair.

    References
    ----------
    http://vis-www.cs.umass.edu/lfw/README.txt

    Examples
    --------
    >>> features = load_features('lfw-features.npz')  # doctest: +SKIP
    >>> pairs = load_pairs('pairs.txt', features.names)  # doctest: +SKIP
    >>> evaluation.verify(features.features, pairs).accuracy  # doctest: +SKIP
    0.9955
    """
    path = Path(path)
    check_file(path, 'expected a file of pairs')
    pairs = _pairs_of_bin(path, names) if path.suffix == '.bin' else _pairs_of_text(path, names)
    try:
        return checked_pairs(pairs, int(max(pairs.first.max(), pairs.second.max())) + 1)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from None


def _pairs_of_bin(path: Path, names: Sequence[str] | None) -> Pairs:
    contents, same = read_bin(path)
    if names is not None and len(names) != len(contents):
        raise ValueError(
            f'{path}: {quantity(len(contents), "picture")}, but {quantity(len(names), "sample")}; expected '
            'the features of all its pictures'
        )
    other = _PICTURE_OF_BIN.fullmatch(names[0]) if names else None
    if other and os.path.basename(other[1]) != path.name:
        raise ValueError(f'{path}: the samples are the pictures of {other[1]}; expected those of this file')
    rows = np.arange(len(contents))
    return Pairs(rows[::2], rows[1::2], same, _consecutive(len(same), path))


def _pairs_of_text(path: Path, names: Sequence[str] | None) -> Pairs:
    rows = _read_rows(path)
    if not rows:
        raise ValueError(f'{path}: no lines; expected pairs')
    header = rows[0][1]
    of_lfw = len(header) <= 2 and all(field.isdecimal() for field in header)
    lines = _lfw_lines(path, rows) if of_lfw else _column_lines(path, rows)
    if names is None:
        raise ValueError(f'{path} names pictures, but the samples have no names; expected names')
    find = _Finder(names, of_lfw)
    found = []
    for line in lines:
        try:
            found.append((find.row(line.first), find.row(line.second)))
        except ValueError as error:
            raise ValueError(f'{path}, line {line.number}: {error}') from None
    first, second = np.array(found).T
    _, fold = np.unique([line.fold for line in lines], return_inverse=True)
    return Pairs(first, second, np.array([line.same for line in lines]), fold)


def _read_rows(path: Path) -> list[tuple[int, list[str]]]:
    """Return the fields of each line that is not empty, with its number."""
    try:
        text = path.read_text(encoding='utf-8-sig')
    except UnicodeDecodeError:
        raise ValueError(f'{path} is not a text file in UTF-8; expected pairs, or a .bin file') from None
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        mark = next((mark for mark in '\t,' if mark in line), None)
        fields = next(csv.reader([line], delimiter=mark)) if mark else line.split()
        if line.strip():
            rows.append((number, [field.strip() for field in fields]))
    return rows


def _lfw_lines(path: Path, rows: list[tuple[int, list[str]]]) -> list[_Line]:
    sizes = [int(field) for field in rows[0][1]]
    num_folds, each = sizes if len(sizes) == 2 else (1, sizes[0])
    expected = 2 * num_folds * each
    if len(rows) - 1 != expected or not expected:
        raise ValueError(
            f'{path}: {quantity(len(rows) - 1, "pair")}; expected {expected}, as the first line says '
            f'({" ".join(rows[0][1])})'
        )
    tenths = _consecutive(each, path) if len(sizes) == 1 else None
    lines = []
    for row, (number, fields) in enumerate(rows[1:]):
        same = row % (2 * each) < each
        fold = row // (2 * each) if tenths is None else int(tenths[row % each])
        numbers = fields[1:] if same else fields[1::2]
        if len(fields) != (3 if same else 4) or not all(field.isdecimal() for field in numbers):
            form = 'name n n' if same else 'name n name n'
            raise ValueError(f'{path}, line {number}: {" ".join(fields)}; expected {form}')
        first, second = (fields[0], numbers[0]), (fields[0 if same else 2], numbers[1])
        lines.append(_Line(number, _lfw_file(*first), _lfw_file(*second), same, fold))
    return lines


def _lfw_file(name: str, number: str) -> str:
    return f'{name}/{name}_{int(number):04}'


def _column_lines(path: Path, rows: list[tuple[int, list[str]]]) -> list[_Line]:
    if len(rows[0][1]) in (3, 4) and not rows[0][1][2].isdecimal():
        rows = rows[1:]  # names of columns
    if not rows:
        raise ValueError(f'{path}: no pairs below the first line')
    columns = len(rows[0][1])
    tenths = _consecutive(len(rows), path) if columns == 3 else None
    lines = []
    for row, (number, fields) in enumerate(rows):
        if len(fields) not in (3, 4) or len(fields) != columns or fields[2] not in ('0', '1'):
            raise ValueError(
                f'{path}, line {number}: {" ".join(fields)}; expected two files, 0 or 1, and, in all lines '
                'or in none, a fold'
            )
        if columns == 4 and not fields[3].isdecimal():
            raise ValueError(f'{path}, line {number}: fold {fields[3]} is not a whole number >= 0')
        fold = int(fields[3]) if tenths is None else int(tenths[row])
        lines.append(_Line(number, fields[0], fields[1], fields[2] == '1', fold))
    return lines


def _consecutive(count: int, path: Path) -> np.ndarray:
    """Return the fold of each pair: ten folds, the first of which have one more if need be."""
    if count < _FOLDS:
        raise ValueError(f'{path}: {quantity(count, "pair")}; expected at least {_FOLDS}, one a fold')
    sizes = [len(part) for part in np.array_split(np.empty(count), _FOLDS)]
    return np.repeat(np.arange(_FOLDS), sizes)


class _Finder:
    """Find samples by the ends of their names."""

    def __init__(self, names: Sequence[str], any_suffix: bool) -> None:
        self.any_suffix, self.count = any_suffix, len(names)
        self.samples: dict[str, list[tuple[int, list[str]]]] = defaultdict(list)
        for row, name in enumerate(names):
            parts = self._parts(os.path.splitext(name)[0] if any_suffix else name)
            self.samples[parts[-1]].append((row, parts))

    def row(self, file: str) -> int:
        """Return the row of the sample that a pair names; ValueError if it is none, or may be several."""
        wanted = self._parts(file)
        found = {row: _common_end(wanted, parts) for row, parts in self.samples.get(wanted[-1], ())}
        best = max(found.values(), default=(0, False))
        rows = [row for row, common in found.items() if common == best]
        if not best[0]:
            raise ValueError(f'{file} is none of the {quantity(self.count, "sample")}')
        if len(rows) > 1:
            raise ValueError(f'{file} may be row {rows[0]} or {rows[1]} of the samples; expected one')
        return rows[0]

    @staticmethod
    def _parts(name: str) -> list[str]:
        return [part for part in os.path.normpath(name).split(os.sep) if part not in ('', '..')]


def _common_end(wanted: list[str], parts: list[str]) -> tuple[int, bool]:
    """Return the parts of the shorter path if the longer one ends with it, and whether both are equal."""
    length = min(len(wanted), len(parts))
    return length if wanted[-length:] == parts[-length:] else 0, wanted == parts

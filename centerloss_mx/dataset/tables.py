"""Vectors with labels from a .csv file, and the marks of samples to test with."""

from __future__ import annotations

import csv
import os
from array import array
from typing import Iterator, Sequence

import numpy as np

from .._checks import first_names
from .._files import check_file, read_npz
from .arrays import Arrays, samples_of

_MARKS = ('1', '1.0', 'true', 'yes', 'test')
_NO_MARKS = ('0', '0.0', 'false', 'no', 'train', '')


def load_table(
    path: str | os.PathLike,
    label_column: str | None = None,
    labelled: bool | None = True,
    test_column: str | None = None,
) -> Arrays:
    """Load vectors with their labels from a .csv file.

    The first line names the columns. All columns are numbers, but for those of the labels and of the mark of
    samples to test with.

    Parameters
    ----------
    path : path-like
        The file, UTF-8, with commas.
    label_column : str or None
        Name of the column of the labels, numbers or names; None: ``'label'``.
    labelled : bool or None
        Whether the labels are read; their column is no number of a vector. None: if there is that column.
    test_column : str or None
        Name of the column for `load_marks`, which is no number of a vector.

    Returns
    -------
    Arrays
        float32 (N, D), in the order of the columns. Classes are numbered in the order of their names.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        There is no such column, a line has another number of columns or no label, or a value is not a finite
        number; the message names line and column.

    Examples
    --------
    >>> words = load_table('words.csv', label_column='topic')  # doctest: +SKIP
    """
    column = label_column or 'label'
    header = _header(path)
    is_labelled = column in header if labelled is None and label_column is None else labelled is not False
    # Labels that are not read are no numbers of a vector either.
    texts = [column] if is_labelled or label_column is not None or column in header else []
    texts += [] if test_column is None else [test_column]
    _check_columns(path, header, texts)
    numbers = [i for i, name in enumerate(header) if name not in texts]
    values, labels = array('d'), []
    for line, row in _rows(path, header):
        try:
            values.extend([float(row[i]) for i in numbers])
        except ValueError:
            wrong = next(i for i in numbers if not _is_number(row[i]))
            raise ValueError(
                f'{path}, line {line}, column {header[wrong]}: {row[wrong]!r} is not a number; expected '
                'numbers in all columns but that of the labels'
            ) from None
        if is_labelled:
            labels.append(row[header.index(column)])
            if not labels[-1].strip():
                raise ValueError(f'{path}, line {line}, column {column}: no label; expected one in each line')
    count = len(values) // max(1, len(numbers))
    vectors = np.array(values).reshape(count, len(numbers))
    return samples_of(path, 'vectors', vectors, np.array(labels) if is_labelled else None, None)


def load_marks(path: str | os.PathLike, column: str) -> np.ndarray:
    """Read which samples of a .csv or .npz file are marked as those to test with.

    Parameters
    ----------
    path : path-like
        The file.
    column : str
        Name of the column or of the array: 1, true, yes or test marks a sample; 0, false, no, train or
        nothing does not.

    Returns
    -------
    numpy.ndarray
        bool (N,).

    Raises
    ------
    FileNotFoundError, ValueError
        As `load_table`, or a value is none of these.

    Examples
    --------
    >>> marks = load_marks('words.csv', 'is_test')  # doctest: +SKIP
    """
    if str(path).endswith('.csv'):
        header = _header(path)
        _check_columns(path, header, [column])
        values: Sequence[object] = [row[header.index(column)] for _, row in _rows(path, header)]
    else:
        marks = read_npz(path, [column])[column]
        if marks.ndim != 1:
            raise ValueError(f'{path}: {column} of shape {marks.shape}; expected (N,), a mark of each sample')
        values = marks.tolist()
    texts = [str(value.decode() if isinstance(value, bytes) else value).lower() for value in values]
    for row, text in enumerate(texts):
        if text not in (*_MARKS, *_NO_MARKS):
            expected = ', '.join([*_MARKS, *_NO_MARKS[:-1]])
            raise ValueError(f'{path}: {column} is {text!r} at row {row}; expected one of {expected}')
    return np.isin(texts, _MARKS)


def _header(path: str | os.PathLike) -> list[str]:
    """The names of the columns, which differ."""
    check_file(path, 'expected a .csv file')
    header = next(_lines(path), (1, []))[1]
    if not header or len(set(header)) < len(header):
        raise ValueError(
            f'{path}: the first line is {first_names(header) or "empty"}; expected the names of the columns'
        )
    return header


def _check_columns(path: str | os.PathLike, header: Sequence[str], names: Sequence[str]) -> None:
    for name in names:
        if name not in header:
            raise ValueError(f'{path}: there is no column {name!r} among {first_names(header)}')


def _rows(path: str | os.PathLike, header: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield number and values of each line behind the first."""
    lines = _lines(path)
    next(lines)
    for line, row in lines:
        if len(row) != len(header):
            raise ValueError(f'{path}, line {line}: {len(row)} columns; expected {len(header)}')
        yield line, row


def _lines(path: str | os.PathLike) -> Iterator[tuple[int, list[str]]]:
    """Yield number and values of each line that is not empty."""
    with open(path, newline='', encoding='utf-8-sig') as file:
        reader = csv.reader(file, strict=True)
        try:
            for row in reader:
                if row:
                    yield reader.line_num, row
        except (UnicodeDecodeError, csv.Error) as error:
            raise ValueError(f'{path}, line {reader.line_num + 1}: {error}') from None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True

"""`load_table`: vectors with labels from a .csv file."""

from __future__ import annotations

import csv
import os
from array import array
from typing import Iterable, NamedTuple

import numpy as np

from .._checks import first_names
from .._files import check_file
from .arrays import Arrays, samples_of


class Table(NamedTuple):
    """The rows of a .csv file: numbers, and the columns that are not numbers.

    Parameters
    ----------
    vectors : numpy.ndarray
        float64 (N, D).
    texts : dict of str to numpy.ndarray
        Columns of text, str (N,), by their names.
    """

    vectors: np.ndarray
    texts: dict[str, np.ndarray]


def load_table(
    path: str | os.PathLike, label_column: str | None = None, labelled: bool | None = True
) -> Arrays:
    """Load vectors with their labels from a .csv file.

    The first line names the columns. All columns are numbers, but for that of the labels.

    Parameters
    ----------
    path : path-like
        The file, UTF-8, with commas.
    label_column : str or None
        Name of the column of the labels, numbers or names; None: ``'label'``.
    labelled : bool or None
        Whether there are labels. None: if there is that column.

    Returns
    -------
    Arrays
        float32 (N, D), in the order of the columns. Classes are numbered in the order of their names.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        There is no such column, a line has another number of columns, or a value is not a finite number; the
        message names line and column.

    Examples
    --------
    >>> words = load_table('words.csv', label_column='topic')  # doctest: +SKIP
    """
    column = label_column or 'label'
    needed = [column] if labelled or label_column else []
    table = read_table(path, needed, [] if labelled is False else [column])
    labels = None if labelled is False else table.texts.get(column)
    return samples_of(path, 'vectors', table.vectors, labels, None)


def read_table(path: str | os.PathLike, needed: Iterable[str], texts: Iterable[str] = ()) -> Table:
    """Read a .csv file; the columns in `needed` and `texts` are text, the others numbers.

    Parameters
    ----------
    path : path-like
        The file.
    needed, texts : iterable of str
        Names of columns of text; those in `needed` have to be there.

    Returns
    -------
    Table

    Raises
    ------
    FileNotFoundError, ValueError
        As `load_table`.
    """
    check_file(path, 'expected a .csv file')
    try:
        with open(path, newline='', encoding='utf-8-sig') as file:
            lines = csv.reader(file, strict=True)
            header = next(lines, [])
            missing = next((name for name in needed if name not in header), None)
            if missing is not None:
                raise ValueError(f'there is no column {missing!r} among {first_names(header)}')
            if len(set(header)) < len(header):
                raise ValueError(f'two columns have one name: {first_names(header)}')
            return _rows(lines, header, {*needed, *texts} & {*header})
    except (ValueError, csv.Error) as error:
        raise ValueError(f'{path}: {error}') from None


def _rows(lines: Iterable[list[str]], header: list[str], texts: set[str]) -> Table:
    numbers = [i for i, name in enumerate(header) if name not in texts]
    values, columns = array('d'), {name: [] for name in texts}  # type: tuple[array, dict[str, list[str]]]
    of_text = [(header.index(name), column) for name, column in columns.items()]
    for row in lines:
        line = lines.line_num  # type: ignore[attr-defined]
        if not row:
            continue  # an empty line
        if len(row) != len(header):
            raise ValueError(f'line {line} has {len(row)} columns; expected {len(header)}')
        try:
            values.extend([float(row[i]) for i in numbers])
        except ValueError:
            wrong = next(i for i in numbers if not _is_number(row[i]))
            raise ValueError(
                f'line {line}, column {header[wrong]}: {row[wrong]!r} is not a number; expected numbers '
                'in all columns but that of the labels'
            ) from None
        for i, column in of_text:
            column.append(row[i])
    vectors = np.frombuffer(values, np.float64) if len(values) else np.zeros(0)
    count = len(vectors) // max(1, len(numbers))
    return Table(
        vectors.reshape(count, len(numbers)), {name: np.array(text, str) for name, text in columns.items()}
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True

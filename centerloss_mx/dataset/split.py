"""Samples divided into those to train with and those to test with."""

from __future__ import annotations

import os
from collections import defaultdict
from typing import Sequence

import numpy as np

from .._checks import check_choice, quantity
from .._choices import SPLITS
from .._optional import require
from .arrays import Samples
from .fingerprints import sample_names


def hold_out(samples: Samples, share: float, seed: int = 0, by: str = 'samples') -> tuple[Samples, Samples]:
    """Hold out a share of the samples of every class, or of the classes with all their samples.

    Parameters
    ----------
    samples : io.Images or Arrays
        What `load_samples` returned: at least two samples of each class, or at least four classes.
    share : float
        The share to hold out, > 0 and < 1.
    seed : int
        The seed of the selection.
    by : {'samples', 'classes'}
        What is held out.

    Returns
    -------
    remaining, held_out : io.Images or Arrays
        Both have the classes of `samples`; by classes, each its own.

    Raises
    ------
    ValueError
        A class has one sample, or the share is too small or too large to give both parts a sample of every
        class. By classes: to give both parts two of them.
    ImportError
        scikit-learn is not installed.

    Examples
    --------
    >>> train, test = hold_out(load_samples('digits'), 0.2)
    >>> len(train.labels), len(test.labels)
    (8000, 2000)
    """
    check_choice('', 'by', by, SPLITS)
    if by == 'classes':
        return _hold_out_classes(samples, share, seed)
    train_test_split = require('sklearn.model_selection', 'hold_out').train_test_split
    counts = np.bincount(samples.labels)
    if (counts == 1).any():
        name = samples.class_names[int((counts == 1).argmax())]
        raise ValueError(
            f'class {name} has one sample; expected at least two, because one is held out; min_images=2 '
            'leaves such classes out'
        )
    rows = np.arange(len(samples.labels))
    remaining, held_out = train_test_split(rows, test_size=share, stratify=samples.labels, random_state=seed)
    return samples.take(remaining), samples.take(held_out)


def split_by_rows(samples: Samples, is_test: np.ndarray) -> tuple[Samples, Samples]:
    """Divide samples by a mark of each.

    Parameters
    ----------
    samples : io.Images or Arrays
        The samples, N of them.
    is_test : numpy.ndarray
        bool (N,): whether a sample is to test with.

    Returns
    -------
    train, test : io.Images or Arrays
        Both have the classes of `samples`, if each class has a sample to train with. If none has samples of
        both kinds, each part has its own classes.

    Raises
    ------
    ValueError
        There is not one mark a sample, a part has no samples, or a class has samples to test with only, and
        others do not.

    Examples
    --------
    >>> samples = as_arrays(np.zeros((3, 8, 8), np.uint8), ['a', 'a', 'b'])
    >>> train, test = split_by_rows(samples, np.array([False, False, True]))
    >>> train.class_names, test.class_names
    (['a'], ['b'])
    """
    is_test = np.asarray(is_test, bool)
    if is_test.shape != samples.labels.shape:
        raise ValueError(
            f'is_test of shape {is_test.shape}; expected {samples.labels.shape}, a mark of each sample'
        )
    if is_test.all() or not is_test.any():
        raise ValueError(f'{is_test.sum()} of {quantity(len(is_test), "sample")} are to test with')
    train, test = samples.take(np.flatnonzero(~is_test)), samples.take(np.flatnonzero(is_test))
    of_train, of_test = np.unique(train.labels), np.unique(test.labels)
    only_test = np.setdiff1d(of_test, of_train)
    if not len(only_test):
        return train, test
    if len(only_test) < len(of_test):
        raise ValueError(
            f'class {samples.class_names[only_test[0]]} has samples to test with only, but other classes '
            'have both; expected either the same classes in both parts, or none'
        )
    return _with_classes(train, of_train), _with_classes(test, of_test)


def split_by_names(samples: Samples, names: Sequence[str]) -> tuple[Samples, Samples]:
    """Divide samples by the names of those to test with.

    Parameters
    ----------
    samples : io.Images or Arrays
        Pictures in files.
    names : sequence of str
        Ends of the paths of the samples to test with, such as ``'ann/3.jpg'``.

    Returns
    -------
    train, test : io.Images or Arrays
        As `split_by_rows`.

    Raises
    ------
    ValueError
        A name belongs to no sample, or to several; or as `split_by_rows`.

    Examples
    --------
    >>> train, test = split_by_names(load_samples('faces'), ['ann/3.jpg', 'bob/1.jpg'])  # doctest: +SKIP
    """
    rows = rows_by_names(sample_names(samples), names)
    return split_by_rows(samples, np.isin(np.arange(len(samples.labels)), rows))


def rows_by_names(paths: Sequence[str], names: Sequence[str]) -> list[int]:
    """Return for each name the row of the path that ends with it, whole folders and file name.

    Raises
    ------
    ValueError
        A name belongs to no path, or to several.
    """
    parts = [path.replace(os.sep, '/').split('/') for path in paths]
    by_file: dict[str, list[int]] = defaultdict(list)
    for row, of_path in enumerate(parts):
        by_file[of_path[-1]].append(row)
    found = []
    for name in names:
        of_name = os.path.normpath(name).replace(os.sep, '/').split('/')
        rows = [row for row in by_file[of_name[-1]] if parts[row][-len(of_name) :] == of_name]
        if len(rows) != 1:
            which = 'no sample has this name' if not rows else f'{paths[rows[0]]} and {paths[rows[1]]} end so'
            raise ValueError(f'{name}: {which}; expected the end of the path of one sample')
        found += rows
    return found


def _hold_out_classes(samples: Samples, share: float, seed: int) -> tuple[Samples, Samples]:
    classes = np.unique(samples.labels)
    count = round(share * len(classes))
    if not 2 <= count <= len(classes) - 2:
        raise ValueError(
            f'{count} of {quantity(len(classes), "class", "classes")} would be held out; expected at least '
            'two to test with, and two to train with'
        )
    held_out = np.random.RandomState(seed).permutation(classes)[:count]
    return split_by_rows(samples, np.isin(samples.labels, held_out))


def _with_classes(samples: Samples, classes: np.ndarray) -> Samples:
    """Number some classes, ascending and all that there are, from 0 on."""
    names = [samples.class_names[number] for number in classes]
    return samples._replace(labels=np.searchsorted(classes, samples.labels), class_names=names)

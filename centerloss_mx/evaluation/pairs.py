"""Pairs of samples to verify, and the check that nobody in them was trained on."""

from __future__ import annotations

from typing import Any, Iterable, NamedTuple

import numpy as np


class Pairs(NamedTuple):
    """Pairs of samples, to verify whether both are of one person.

    Parameters
    ----------
    first, second : numpy.ndarray
        int (P,): rows of the features.
    same : numpy.ndarray
        bool (P,): whether both are of one class, a genuine pair; else it is an impostor pair.
    fold : numpy.ndarray
        int (P,): the fold of each pair, 0..K-1.

    References
    ----------
    Huang et al., Labeled Faces in the Wild, 2007, Section III.
    """

    first: np.ndarray
    second: np.ndarray
    same: np.ndarray
    fold: np.ndarray


def verification_pairs(labels: np.ndarray, num_folds: int = 10, num_pairs: int = 300, seed: int = 0) -> Pairs:
    """Draw pairs to verify as LFW has them: folds without a common person, half of the pairs genuine.

    People are dealt out to the folds at random; pairs are drawn without repetition.

    Parameters
    ----------
    labels : numpy.ndarray
        Shape (N,): the person of each sample.
    num_folds : int
        How many folds, >= 2.
    num_pairs : int
        Genuine pairs of a fold at most, and as many impostor pairs; fewer where there are not as many.
    seed : int
        Of the drawing.

    Returns
    -------
    Pairs

    Raises
    ------
    ValueError
        A fold without genuine or without impostor pairs, or numbers out of their range.

    References
    ----------
    Huang et al., Labeled Faces in the Wild, 2007, Section III: View 2 has 10 folds of 300 and 300 pairs.

    Examples
    --------
    >>> pairs = verification_pairs(np.repeat(np.arange(4), 5), num_folds=2, num_pairs=6)
    >>> len(pairs.same), int(pairs.same.sum())
    (24, 12)
    """
    labels = np.asarray(labels)
    if num_folds < 2 or num_pairs < 1:
        raise ValueError(f'num_folds={num_folds}, num_pairs={num_pairs}; expected 2 and 1 at least')
    rng = np.random.RandomState(seed)
    people = rng.permutation(np.unique(labels))
    folds = []
    for fold in range(num_folds):
        members = np.flatnonzero(np.isin(labels, people[fold::num_folds]))
        first, second = (members[side] for side in np.triu_indices(len(members), 1))
        same = labels[first] == labels[second]
        kinds = [np.flatnonzero(same), np.flatnonzero(~same)]
        count = min(num_pairs, *map(len, kinds))
        if not count:
            kind, who = 'impostor' if len(kinds[0]) else 'genuine', people[fold::num_folds]
            raise ValueError(
                f'fold {fold} of {num_folds}, of people {who.tolist()}, has no {kind} pair; expected fewer '
                'folds, or more people and samples'
            )
        drawn = np.concatenate([rng.choice(kind, count, replace=False) for kind in kinds])
        folds.append((first[drawn], second[drawn], same[drawn], np.full(len(drawn), fold)))
    return Pairs(*map(np.concatenate, zip(*folds)))


def check_unseen(names: Iterable[Any], trained_on: Iterable[Any]) -> None:
    """Refuse to verify people that were trained on: numbers of a leak are too good.

    Parameters
    ----------
    names : iterable
        Names of the people to verify.
    trained_on : iterable
        Names of the training classes.

    Raises
    ------
    ValueError
        Somebody is in both; the message names them.

    References
    ----------
    The unrestricted protocols of LFW ask that test people are absent from training.

    Examples
    --------
    >>> check_unseen(['ann'], ['bob', 'eve'])
    """
    leaked = sorted(set(map(str, names)) & set(map(str, trained_on)))
    if leaked:
        shown = ', '.join(leaked[:10]) + (', ...' if len(leaked) > 10 else '')
        raise ValueError(f'{len(leaked)} of those to verify were trained on: {shown}; expected others')


def checked_pairs(pairs: Pairs, num_samples: int) -> Pairs:
    pairs = Pairs(*map(np.asarray, pairs))
    if len({part.shape for part in pairs}) != 1 or pairs.same.ndim != 1:
        raise ValueError(f'pairs of shapes {[part.shape for part in pairs]}; expected (P,) for all four')
    for side in pairs.first, pairs.second:
        out = (side < 0) | (side >= num_samples)
        if out.any():
            raise ValueError(f'a pair names row {side[out.argmax()]} of {num_samples} features')
    folds = np.unique(pairs.fold)
    if len(folds) < 2:
        raise ValueError(f'{len(folds)} folds of pairs; expected two at least')
    for fold in folds:
        same = pairs.same[pairs.fold == fold]
        if same.all() or not same.any():
            raise ValueError(f'fold {fold} has no {"impostor" if same.all() else "genuine"} pair')
    return pairs._replace(same=pairs.same.astype(bool))

"""Pairs of samples to verify, and the check that their classes were not trained on."""

from __future__ import annotations

from random import Random
from typing import Any, Iterable, NamedTuple
from unicodedata import normalize

import numpy as np

from .._checks import first_names, quantity
from .inputs import checked_labels


class Pairs(NamedTuple):
    """Pairs of samples; to verify a pair is to decide whether both are of one class.

    Parameters
    ----------
    first, second : numpy.ndarray
        int (P,): rows of the features.
    same : numpy.ndarray
        bool (P,): True for a genuine pair (one class), False for an impostor pair (two classes).
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
    """Draw pairs to verify in folds, half of each fold genuine, as in LFW.

    No two folds share a class. Classes are distributed to the folds at random; no pair is drawn twice.

    Parameters
    ----------
    labels : numpy.ndarray
        Shape (N,): the class (for faces, the person) of each sample.
    num_folds : int
        Number of folds, >= 2.
    num_pairs : int
        Genuine pairs of each fold, and as many impostor pairs, >= 1; fewer if the fold does not have as many.
    seed : int
        Seed of the draw.

    Returns
    -------
    Pairs
        Rows of the samples, sorted by fold.

    Raises
    ------
    ValueError
        A fold without genuine or without impostor pairs, or a number outside its range.

    References
    ----------
    Huang et al., Labeled Faces in the Wild, 2007, Section III: View 2 has 10 folds of 300 and 300 pairs.

    Examples
    --------
    >>> pairs = verification_pairs(np.repeat(np.arange(4), 5), num_folds=2, num_pairs=6)
    >>> len(pairs.same), int(pairs.same.sum())
    (24, 12)
    """
    labels = checked_labels(labels)
    if num_folds < 2 or num_pairs < 1:
        raise ValueError(
            f'num_folds={num_folds}, num_pairs={num_pairs}; expected num_folds >= 2 and num_pairs >= 1'
        )
    rng = np.random.RandomState(seed)
    names, numbers = np.unique(labels, return_inverse=True)
    shuffled = rng.permutation(len(names))
    fold_of_class = np.empty(len(names), int)
    fold_of_class[shuffled] = np.arange(len(names)) % num_folds
    by_class = np.argsort(numbers, kind='stable')
    # NumPy's choice without replacement would list all pairs that there are.
    drawn = Random(rng.bytes(16))
    folds = []
    for fold in range(num_folds):
        classes = shuffled[fold::num_folds]
        members = by_class[fold_of_class[numbers[by_class]] == fold]
        sizes = np.bincount(numbers[members], minlength=len(names))[np.sort(classes)]
        kinds = _genuine_starts(sizes), _impostor_starts(sizes)
        count = min(num_pairs, *(int(starts[-1]) for starts in kinds))
        if not count:
            kind = 'impostor' if kinds[0][-1] else 'genuine'
            raise ValueError(
                f'fold {fold} of {num_folds} (classes {first_names(names[classes].tolist())}) has no {kind} '
                'pair; expected fewer folds, or more classes and samples'
            )
        genuine, impostor = (np.array(drawn.sample(range(starts[-1]), count)) for starts in kinds)
        pairs = np.hstack([_genuine_pairs(genuine, sizes), _impostor_pairs(impostor, sizes)])
        first, second = np.sort(members[pairs], axis=0)
        folds.append((first, second, np.arange(2 * count) < count, np.full(2 * count, fold)))
    return Pairs(*map(np.concatenate, zip(*folds)))


def drawn_pairs(labels: np.ndarray, num_pairs: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw up to a number of genuine and of impostor pairs among all samples.

    Return the rows of the first and of the second samples, and which pairs are genuine. None is drawn twice.
    There are fewer of a kind, or none, where the samples do not have as many.
    """
    numbers = np.unique(labels, return_inverse=True)[1]
    members, sizes = np.argsort(numbers, kind='stable'), np.bincount(numbers)
    rng = Random(seed)

    def drawn(starts: np.ndarray) -> np.ndarray:
        number = int(starts[-1])
        return np.array(rng.sample(range(number), min(num_pairs, number)), int)

    genuine = _genuine_pairs(drawn(_genuine_starts(sizes)), sizes)
    impostor = _impostor_pairs(drawn(_impostor_starts(sizes)), sizes)
    first, second = members[np.hstack([genuine, impostor])]
    return first, second, np.arange(len(first)) < genuine.shape[1]


# The pairs of a fold are numbered, so that numbers are drawn and no list of all pairs is made. Its samples
# are sorted by class; `sizes` are the numbers of samples of its classes.


def _genuine_starts(sizes: np.ndarray) -> np.ndarray:
    """Return the number of the first genuine pair of each class, and at the end that of all of them."""
    return _starts(sizes * (sizes - 1) // 2)


def _impostor_starts(sizes: np.ndarray) -> np.ndarray:
    """Return the number of the first pair of each class with the later ones, and that of all pairs."""
    return _starts(sizes * (sizes.sum() - np.cumsum(sizes)))


def _genuine_pairs(numbers: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return the samples of genuine pairs, (2, P).

    Around a circle of n samples, each pair is i and i + d: first those with d = 1, then d = 2, up to n // 2.
    """
    starts = _genuine_starts(sizes)
    of_class = np.searchsorted(starts, numbers, side='right') - 1
    distance, i = np.divmod(numbers - starts[of_class], sizes[of_class])
    return _starts(sizes)[of_class] + np.array([i, (i + distance + 1) % sizes[of_class]])


def _impostor_pairs(numbers: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return the samples of impostor pairs, (2, P): one of a class, and one of a later class."""
    starts, ends = _impostor_starts(sizes), np.cumsum(sizes)
    of_class = np.searchsorted(starts, numbers, side='right') - 1
    i, j = np.divmod(numbers - starts[of_class], sizes.sum() - ends[of_class])
    return np.array([_starts(sizes)[of_class] + i, ends[of_class] + j])


def _starts(counts: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(counts)])


def check_unseen(names: Iterable[Any], trained_on: Iterable[Any]) -> None:
    """Raise ValueError if a class to verify was in the training set: that would inflate every score.

    Parameters
    ----------
    names : iterable
        Names of the classes (for faces, the people) to verify. Unicode's forms of a name count as one.
    trained_on : iterable
        Names of the training classes.

    Raises
    ------
    ValueError
        A name is in both; the message lists the first ten.

    References
    ----------
    The unrestricted protocols of LFW require that test people are absent from training.

    Examples
    --------
    >>> check_unseen(['ann'], ['bob', 'eve'])
    """
    seen = sorted({*map(_composed, names)} & {*map(_composed, trained_on)})
    if seen:
        raise ValueError(
            f'{quantity(len(seen), "class", "classes")} to verify {"is" if len(seen) == 1 else "are"} in the '
            f'training set: {first_names(seen)}; verify other classes'
        )


def _composed(name: Any) -> str:
    """Return a name in one form: names of files on macOS have accents as signs of their own."""
    return normalize('NFC', str(name))


def checked_pairs(pairs: Pairs, num_samples: int) -> Pairs:
    """Return pairs as arrays; raise ValueError where they name no sample or a fold lacks a kind of pair."""
    pairs = Pairs(*map(np.asarray, pairs))
    if len({part.shape for part in pairs}) != 1 or pairs.same.ndim != 1:
        raise ValueError(f'pairs of shapes {[part.shape for part in pairs]}; expected (P,) for all four')
    for side in pairs.first, pairs.second:
        outside = (side < 0) | (side >= num_samples)
        if outside.any():
            raise ValueError(
                f'pair {outside.argmax()} names row {side[outside.argmax()]}; expected 0..{num_samples - 1}'
            )
    folds = np.unique(pairs.fold)
    if len(folds) < 2:
        raise ValueError(f'{quantity(len(folds), "fold")} of pairs; expected at least two')
    for fold in folds:
        same = pairs.same[pairs.fold == fold]
        if same.all() or not same.any():
            kind = 'impostor' if same.all() else 'genuine'
            raise ValueError(f'fold {fold} has no {kind} pair; expected both kinds in each fold')
    return pairs._replace(same=pairs.same.astype(bool))

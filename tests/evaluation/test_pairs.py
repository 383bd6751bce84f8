"""Pairs to verify: folds without a common class, and nobody who was trained on."""

from __future__ import annotations

import tracemalloc
from itertools import combinations

from centerloss_mx.evaluation import check_unseen, verification_pairs

import numpy as np
import pytest
from scipy.stats import chisquare


def test_folds_share_no_person_and_hold_as_many_impostors_as_genuine_pairs(faces):
    _, labels = faces
    pairs = verification_pairs(labels, num_folds=5, num_pairs=40, seed=3)
    people = [
        set(labels[pairs.first[pairs.fold == k]]) | set(labels[pairs.second[pairs.fold == k]])
        for k in range(5)
    ]
    assert not any(people[j] & people[k] for j in range(5) for k in range(j))
    for k in range(5):
        of_fold = [part[pairs.fold == k] for part in pairs]
        assert len(of_fold[2]) == 80 and of_fold[2].sum() == 40
        assert len(set(zip(*of_fold[:2]))) == 80  # none twice
    np.testing.assert_array_equal(labels[pairs.first] == labels[pairs.second], pairs.same)
    assert (pairs.first != pairs.second).all()
    again = verification_pairs(labels, num_folds=5, num_pairs=40, seed=3)
    assert all((one == other).all() for one, other in zip(pairs, again))


@pytest.mark.parametrize('labels, num_folds, message', [
    ([0, 0, 1, 1, 2, 2], 3, r'fold 0 of 3 \(classes \d\) has no impostor pair; expected fewer folds'),
    (range(9), 3, r'fold 0 of 3 \(classes \d, \d, \d\) has no genuine pair'),
    ([0, 0, 1, 1], 1, 'num_folds=1, num_pairs=300; expected num_folds >= 2 and num_pairs >= 1'),
])  # fmt: skip
def test_folds_that_cannot_be_drawn_are_refused(labels, num_folds, message):
    with pytest.raises(ValueError, match=message):
        verification_pairs(np.array(labels), num_folds)


def test_only_those_may_be_verified_that_were_not_trained_on():
    check_unseen(['ann'], ['eve', 'bob'])
    with pytest.raises(
        ValueError, match=r'^1 class to verify is in the training set: bob; verify other classes$'
    ):
        check_unseen(['ann', 'bob'], ['eve', 'bob'])
    with pytest.raises(
        ValueError,
        match=r'^11 classes to verify are in the training set: 0, 1, 10, 2, .*, 8, \.\.\.; verify other cl',
    ):
        check_unseen(range(11), range(20))


def test_a_name_is_the_same_with_its_accents_written_otherwise():
    with pytest.raises(ValueError, match='1 class to verify is in the training set: Zoë'):
        check_unseen(['Zoe\u0308'], ['Ann', 'Zo\xeb'])
    check_unseen(['zo\xeb', 'Zoe'], ['Zo\xeb'])


def test_samples_without_a_class_are_in_no_pair():
    with pytest.raises(ValueError, match='label nan at row 5 is no class'):
        verification_pairs(np.array([0, 0, 1, 1, 2, np.nan]), num_folds=2)


def of_kind(pairs, fold, same):
    rows = (pairs.fold == fold) & (pairs.same == same)
    return [*zip(pairs.first[rows].tolist(), pairs.second[rows].tolist())]


def test_a_fold_of_few_pairs_gives_each_of_them_once():
    labels = np.random.RandomState(4).permutation(np.repeat([7, 1, 5, 2, 9], [5, 2, 2, 4, 3]))
    for seed in range(20):
        pairs = verification_pairs(labels, num_folds=2, num_pairs=1000, seed=seed)
        for fold in 0, 1:
            rows = np.concatenate([pairs.first, pairs.second])[np.tile(pairs.fold == fold, 2)]
            members = np.flatnonzero(np.isin(labels, labels[rows])).tolist()
            there = {True: set(), False: set()}
            for i, j in combinations(members, 2):
                there[labels[i] == labels[j]].add((i, j))
            drawn = {same: of_kind(pairs, fold, same) for same in there}
            fewer = min(map(len, there.values()))
            assert (
                [len(drawn[same]) for same in there]
                == [len(set(drawn[same])) for same in there]
                == [fewer] * 2
            )
            assert all(set(drawn[same]) <= there[same] for same in there)


def test_each_pair_is_drawn_as_often_as_any_other():
    labels = np.repeat([0, 1, 2, 3], [4, 2, 3, 5])
    counts = {}
    for seed in range(4000):
        pairs = verification_pairs(labels, num_folds=2, num_pairs=1, seed=seed)
        for i, j, same, fold in zip(*pairs):
            classes = frozenset(labels[pairs.first[pairs.fold == fold]]) | {labels[j]}
            if len(classes) < 2:  # a fold is two classes; the impostor pair shows both
                classes |= set(labels[pairs.second[pairs.fold == fold]])
            counts.setdefault((classes, bool(same)), []).append((int(i), int(j)))
    assert len(counts) == 12  # of 6 pairs of classes, genuine and impostor
    for (classes, same), drawn in counts.items():
        rows = np.flatnonzero(np.isin(labels, [*classes])).tolist()
        every = [(i, j) for i, j in combinations(rows, 2) if (labels[i] == labels[j]) == same]
        assert set(drawn) <= set(every)
        assert chisquare([drawn.count(pair) for pair in every]).pvalue > 1e-4, (classes, same)


def test_drawing_takes_memory_for_what_is_drawn():
    labels = np.repeat(np.arange(1000), 10)  # half a million pairs in each of 10 folds
    tracemalloc.start()
    pairs = verification_pairs(labels, num_pairs=300)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(pairs.same) == 6000 and peak < 4e6  # the pairs of one fold alone would take 8 MB

"""Pairs to verify: folds without a common class, and nobody who was trained on."""

from __future__ import annotations

from centerloss_mx.evaluation import check_unseen, verification_pairs

import numpy as np
import pytest


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

"""Nearest neighbors and nearest centers, counted by hand."""

from __future__ import annotations

from centerloss_mx.evaluation import knn_predict, nearest_center

import numpy as np
import pytest


def votes(known, labels, sample, count, metric, distance):
    """The classes of the `count` nearest known samples, and whether the next one is as near as the last."""
    ranked = sorted((distance(sample, x, metric), i) for i, x in enumerate(known))
    tie = count < len(ranked) and np.isclose(ranked[count - 1][0], ranked[count][0])
    return [labels[i] for _, i in ranked[:count]], tie


@pytest.mark.parametrize('metric', ['euclidean', 'cosine'])
@pytest.mark.parametrize('k', [1, 4, 7])
def test_neighbors_vote_as_counted_by_hand(k, metric, distance):
    rng = np.random.RandomState(1)
    known, labels, asked = rng.randn(40, 3), rng.randint(3, 8, 40), rng.randn(20, 3)
    expected, draws = [], 0
    for sample in asked:
        classes, tie = votes(known, labels, sample, k, metric, distance)
        assert not tie
        counts = {j: classes.count(j) for j in sorted(classes)}
        draws += sorted(counts.values())[-2:] == [max(counts.values())] * 2
        expected.append(max(counts, key=counts.get))  # of equally many votes, the class that sorts first
    assert k == 1 or draws  # there are classes with equally many votes
    np.testing.assert_array_equal(knn_predict(known, labels, asked, k, metric), expected)


def test_five_neighbors_vote_by_cosine_unless_said_otherwise():
    angles = np.radians([1, 2, 10, 11, 12, 13, 14, 90])  # of the known samples, from the asked one
    lengths = np.array([9, 9, 9, 9, 9, 9, 9, 1])
    known = lengths[:, np.newaxis] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    asked = np.array([[1.0, 0.0]])
    # by cosine, 1 to 4 neighbors vote for class 0, 5 for class 1, and 6 or 7 for class 0 again
    labels = np.array([0, 0, 1, 1, 1, 0, 0, 3])
    assert knn_predict(known, labels, asked).tolist() == [1]
    assert knn_predict(known, labels, asked, 4).tolist() == [0]
    assert knn_predict(known, labels, asked, 6).tolist() == [0]
    assert knn_predict(known, labels, asked, 1, 'euclidean').tolist() == [3]


def test_the_nearest_center_is_the_nearest_by_counting(tied, distance):
    features, _ = tied(2)
    centers = np.array([[0.0, 0.0], [3.0, 1.0], [3.0, 1.0], [1.0, 2.0]])
    expected = [min(range(4), key=lambda j: (distance(x, centers[j], 'euclidean'), j)) for x in features]
    np.testing.assert_array_equal(nearest_center(features, centers), expected)


def test_what_cannot_be_classified_is_refused(few):
    features, labels, broken = few
    with pytest.raises(ValueError, match=r'features of shape \(6, 1\); expected \(N, 2\)'):
        knn_predict(features, labels, features[:, :1])
    for k in 0, 7:
        with pytest.raises(ValueError, match=rf'num_neighbors={k} is outside 1\.\.6'):
            knn_predict(features, labels, features, k)
    with pytest.raises(ValueError, match='centers at row 4 are not finite'):
        nearest_center(features, broken)

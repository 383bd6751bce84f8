"""Places of names at clusters, checked by brute force."""

from __future__ import annotations

from centerloss_mx.visualization.placement import gap, place_boxes

import numpy as np
import pytest

FRAME = (320.0, 300.0)


def overlap(one, other):
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(width, 0) * max(height, 0)


@pytest.mark.parametrize('spread', [0, 5, 60])
def test_no_name_covers_another_and_none_is_cut_by_the_frame(spread):
    rng = np.random.RandomState(20161008)
    points = np.clip(150 + spread * rng.randn(25, 2), 0, 300)
    sizes = np.stack([rng.uniform(8, 80, 25), np.full(25, 12)], axis=1)
    places = place_boxes(points, sizes, FRAME)
    assert None not in places
    for i, box in enumerate(places):
        assert (box[2] - box[0], box[3] - box[1]) == pytest.approx(tuple(sizes[i]))
        assert box[0] >= 0 and box[1] >= 0 and box[2] <= FRAME[0] and box[3] <= FRAME[1]
        assert all(overlap(box, other) == 0 for other in places[:i])
    assert places == place_boxes(points, sizes, FRAME)


def test_a_lonely_name_stands_at_the_right_above_and_flips_at_the_frame():
    size = np.array([[30.0, 10.0]])
    assert place_boxes(np.array([[100, 100]]), size, FRAME) == [(109, 109, 139, 119)]
    assert place_boxes(np.array([[300, 100]]), size, FRAME) == [(261, 109, 291, 119)]
    assert place_boxes(np.array([[100, 295]]), size, FRAME) == [(109, 276, 139, 286)]


def test_a_name_avoids_a_center_unless_it_would_be_far_away():
    point, size = np.array([[100.0, 100.0]]), np.array([[30.0, 10.0]])
    beside = place_boxes(point, size, FRAME, [(115, 110, 123, 118)])
    assert beside == [(109, 81, 139, 91)]
    everywhere = place_boxes(point, size, FRAME, [(0, 0, 320, 300)])
    assert everywhere == [(109, 109, 139, 119)]


def test_a_name_without_a_free_place_is_left_out():
    points = np.array([[20.0, 20.0]] * 3)
    places = place_boxes(points, np.array([[20.0, 10.0]] * 3), (45, 40))
    assert places[0] is not None and None in places


def test_the_gap_is_the_distance_along_the_farther_axis():
    box = (10.0, 20.0, 30.0, 40.0)
    assert [gap(box, np.array(p)) for p in ([15, 25], [5, 30], [40, 45], [12, 8])] == [0, 5, 10, 12]

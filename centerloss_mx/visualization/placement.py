"""Names at clusters: where they stand so that none covers another."""

from __future__ import annotations

from typing import Iterator, Sequence, Tuple

import numpy as np

Box = Tuple[float, float, float, float]  # left, bottom, right, top

NEAR = 9.0  # points between a cluster's middle and a name beside it
RINGS = (NEAR, 15.0, 24.0, 36.0, 50.0, 66.0, 84.0, 104.0, 126.0)
DIRECTIONS = (
    (1, 1), (1, -1), (-1, 1), (-1, -1), (1, 0), (-1, 0), (0, 1), (0, -1),
    (1, 0.5), (-1, 0.5), (1, -0.5), (-1, -0.5), (0.5, 1), (-0.5, 1), (0.5, -1), (-0.5, -1),
)  # fmt: skip


def place_boxes(
    points: np.ndarray, sizes: np.ndarray, frame: tuple[float, float], obstacles: Sequence[Box] = ()
) -> list[Box | None]:
    """Find a place near each point for a box, so that no boxes overlap and all lie in the frame.

    The place at the right above the point is tried first, then places around it in growing distance. A place
    over an obstacle counts as two steps farther away.

    Parameters
    ----------
    points, sizes : numpy.ndarray
        Shape (K, 2): the points, and widths and heights of their boxes.
    frame : tuple of float
        Width and height of the frame; its lower left corner is (0, 0).
    obstacles : sequence of (float, float, float, float)
        Left, bottom, right and top of what boxes should not cover.

    Returns
    -------
    list of (float, float, float, float) or None
        The place of each box; None: no place is free.
    """
    placed: list[Box] = []
    places: list[Box | None] = []
    for point, size in zip(points, sizes):
        free = [
            (step + 2 * _overlaps(box, obstacles), box)
            for step, box in _around(point, size)
            if _inside(box, frame) and not _overlaps(box, placed)
        ]
        best = min(free, key=lambda place: place[0])[1] if free else None
        places.append(best)
        placed += [] if best is None else [best]
    return places


def gap(box: Box, point: np.ndarray) -> float:
    """Return the distance of a box from a point, along the axis where it is larger."""
    return max(box[0] - point[0], point[0] - box[2], box[1] - point[1], point[1] - box[3], 0.0)


def _around(point: np.ndarray, size: np.ndarray) -> Iterator[tuple[int, Box]]:
    """The boxes around a point, each with its ring's number; in direction d, its edge is d * ring away."""
    for step, ring in enumerate(RINGS):
        for direction in DIRECTIONS:
            left, bottom = (
                p + d * ring - (0 if d > 0.5 else extent if d < -0.5 else extent / 2)
                for p, d, extent in zip(point, direction, size)
            )
            yield step, (left, bottom, left + size[0], bottom + size[1])


def _inside(box: Box, frame: tuple[float, float]) -> bool:
    return box[0] >= 0 and box[1] >= 0 and box[2] <= frame[0] and box[3] <= frame[1]


def _overlaps(box: Box, boxes: Sequence[Box]) -> bool:
    return any(
        box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3] for other in boxes
    )

"""Pictures of pairs."""

from __future__ import annotations

from centerloss_mx.visualization import pairs_figure

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg


def test_pairs_are_drawn_side_by_side_with_their_captions():
    dark, bright = np.zeros((3, 10, 8)), np.full((3, 10, 8), 7.0)
    dark[0], bright[0, 0] = 1, 9
    figure = pairs_figure({'alike': [(dark, bright, 'cosine 0.9'), (dark, dark, 'cosine 1.0')], 'none': []})
    assert len(figure.axes) == 4
    assert [text.get_text() for text in figure.texts] == ['alike', 'cosine 0.9', 'cosine 1.0', 'none']
    left, right = (axes.get_position() for axes in figure.axes[:2])
    assert left.x1 == pytest.approx(right.x0) and left.y0 == right.y0
    drawn = figure.axes[0].images[0].get_array()
    assert drawn.shape == (10, 8, 3) and (drawn.min(), drawn.max()) == (0, 1)


def test_titles_longer_than_their_pairs_are_not_cut_off():
    picture = np.eye(8)[np.newaxis]
    figure = pairs_figure({'a title that is longer than one pair of pictures': [(picture, picture, '$1')]})
    FigureCanvasAgg(figure).draw()
    for text in figure.texts:
        box = text.get_window_extent(figure.canvas.get_renderer())
        assert box.x0 >= 0 and box.x1 <= figure.bbox.x1

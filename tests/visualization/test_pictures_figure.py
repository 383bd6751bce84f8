"""Pictures in a grid."""

from __future__ import annotations

from centerloss_mx.visualization import pictures_figure

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg


def test_pictures_are_drawn_in_rows_with_their_captions_below_and_nothing_overlaps():
    pictures = [np.arange(80.0).reshape(1, 10, 8) + k for k in range(11)]
    captions = [f'{k}.png\na class with a long name $\n→ {k}' for k in range(11)]
    figure = pictures_figure(pictures, captions)
    FigureCanvasAgg(figure).draw()
    renderer = figure.canvas.get_renderer()
    boxes = [text.get_window_extent(renderer) for text in figure.texts]
    places = [axes.get_window_extent(renderer) for axes in figure.axes]
    assert len(boxes) == len(places) == 11
    assert len({round(place.y0) for place in places}) == 2
    for text, place in zip(boxes, places):
        assert text.y1 <= place.y0 and text.x0 >= 0 and text.x1 <= figure.bbox.x1 and text.y0 >= 0
    for k, box in enumerate([*boxes, *places]):
        assert not any(box.overlaps(other) for other in [*boxes, *places][:k])
    drawn = figure.axes[0].images[0].get_array()
    assert drawn.shape == (10, 8) and (drawn.min(), drawn.max()) == (0, 1)


@pytest.mark.parametrize('pictures, captions', [([], []), ([np.zeros((1, 2, 2))], [])])
def test_pictures_without_captions_are_refused(pictures, captions):
    with pytest.raises(ValueError, match='0 captions; expected as many, > 0'):
        pictures_figure(pictures, captions)

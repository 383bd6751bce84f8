"""Pictures of curves."""

from __future__ import annotations

from centerloss_mx.visualization import Curve, CurvePanel, curve_figure

import numpy as np


def test_curves_are_drawn_with_their_errors_and_one_color_a_label():
    first = Curve('paper', [0, 1, 2], [1.0, 0.5, 0.25], [0.1, 0.2, 0.3])
    second = Curve('learned', [0, 1, 2], [1.0, 0.9, 0.8])
    panels = [
        CurvePanel('one', 'step', 'way left', [first, second]),
        CurvePanel('two', 'λ', 'way left', [second]),
    ]
    panels[1] = panels[1]._replace(ticks=['0', '0.1', '1'])
    figure = curve_figure(panels, columns=2)
    left, right = figure.axes
    assert (left.get_title(), left.get_xlabel(), left.get_ylabel()) == ('one', 'step', 'way left')
    assert left.get_ylim() == right.get_ylim() and not right.get_ylabel()
    assert [text.get_text() for text in right.get_xticklabels()] == ['0', '0.1', '1']
    lines = [container.lines for axes in figure.axes for container in axes.containers]
    for (line, _, bars), curve in zip(lines, [first, second, second]):
        np.testing.assert_array_equal(line.get_xydata(), np.transpose([curve.x, curve.y]))
        if curve.error:
            heights = [segment[1][1] - segment[0][1] for segment in bars[0].get_segments()]
            np.testing.assert_allclose(heights, 2 * np.array(curve.error))
    colors = [line.get_color() for line, _, _ in lines]
    assert colors[1] == colors[2] != colors[0]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ['paper', 'learned']

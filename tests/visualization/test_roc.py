"""Pictures of ROC curves."""

from __future__ import annotations

from centerloss_mx.visualization import roc_figure

import numpy as np
import pytest


def test_a_roc_curve_has_the_highest_rate_at_each_false_accept_rate_and_their_mean():
    splits = [
        (np.array([0, 0, 0.5, 1]), np.array([0, 0.2, 0.6, 1])),
        (np.array([0, 0, 0.5, 1]), np.array([0, 0.4, 0.8, 1])),
    ]
    axes = roc_figure({'softmax only': splits[:1], 'center loss': splits}).axes[0]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        'softmax only',
        'center loss, mean of 2',
    ]
    far, tar = axes.lines[-1].get_data()
    assert (far[0], far[-1]) == (pytest.approx(1e-3), pytest.approx(1))
    np.testing.assert_allclose(tar[far < 0.5], 0.3)
    np.testing.assert_allclose(tar[(far > 0.5) & (far < 0.999)], 0.7)
    assert tar[-1] == 1
    assert len({line.get_color() for line in axes.lines}) == 2


def test_no_point_of_a_roc_curve_is_cut_by_the_frame():
    splits = [(np.array([0.0, 1.0]), np.array([1.0, 1.0]))]
    axes = roc_figure({'perfect': splits}, least=0.01).axes[0]
    assert axes.get_xlim() == (0.01, 1) and axes.get_ylim()[1] > 1

"""The pictures: what is on them, and what they refuse. Looked at by people, too."""

from __future__ import annotations

from centerloss_mx.evaluation import cluster_ratio
from centerloss_mx.visualization import Panel, embedding_figure, save_animation, save_figure

import numpy as np
import pytest
from PIL import Image


def panel(dim=2, title='features', spread=1.0, centers=True):
    rng = np.random.RandomState(20161008)
    means = 10 * rng.randn(4, dim)
    y = rng.randint(0, 4, 200)
    return Panel(title, means[y] + spread * rng.randn(200, dim), y, means if centers else None)


@pytest.mark.parametrize('dim', [2, 5])
def test_panels_share_scale_and_unit(dim):
    wide, tight = panel(dim, 'wide', 3.0), panel(dim, 'tight', 0.1, centers=False)
    figure = embedding_figure([wide, tight._replace(features=1000 * tight.features)])
    left, right = figure.axes
    assert left.get_xlim() == right.get_xlim() == left.get_ylim() == right.get_ylim()
    assert [axes.get_title() for axes in figure.axes] == ['wide', 'tight']
    assert (
        len(left.collections) == 5 and len(right.collections) == 4
    )  # the centers are drawn where there are some
    drawn = np.concatenate([scatter.get_offsets() for scatter in right.collections])
    labels = np.repeat(np.arange(4), [len(scatter.get_offsets()) for scatter in right.collections])
    if dim == 2:
        assert cluster_ratio(drawn, labels).between == pytest.approx(1)


def test_saved_pictures_are_pictures_and_the_animation_has_all_of_them(tmp_path):
    for i in range(3):
        save_figure(embedding_figure([panel(spread=3.0 - i)], limit=2), tmp_path / f'{i}.png')
    pictures = [tmp_path / f'{i}.png' for i in range(3)]
    save_animation(pictures, tmp_path / 'all.gif')
    with Image.open(tmp_path / 'all.gif') as animation, Image.open(pictures[0]) as first:
        assert animation.n_frames == 3 and animation.info['loop'] == 0
        assert animation.size == first.size
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize('features, labels, message', [
    (np.ones((4, 1)), [0, 0, 1, 1], r'features of shape \(4, 1\); expected \(N, D\), D >= 2'),
    (np.ones((4, 2)), [0, 0, 0, 0], 'labels hold one class'),
    (np.full((4, 2), np.nan), [0, 0, 1, 1], 'features at row 0 are not finite'),
])  # fmt: skip
def test_what_cannot_be_drawn_is_refused(features, labels, message):
    with pytest.raises(ValueError, match=message):
        embedding_figure([Panel('features', features, np.asarray(labels))])

"""Pictures and animations as files, and names that are no formulas."""

from __future__ import annotations

import sys

from centerloss_mx.visualization import embedding_figure, roc_figure, save_animation, save_figure

import numpy as np
import pytest
from PIL import Image


def test_saved_pictures_are_pictures_and_the_animation_has_all_of_them(tmp_path, panel_of):
    for i in range(3):
        save_figure(embedding_figure([panel_of(3)], limit=2 + i), tmp_path / f'{i}.png')
    pictures = [tmp_path / f'{i}.png' for i in range(3)]
    save_animation(pictures, tmp_path / 'all.gif')
    with Image.open(tmp_path / 'all.gif') as animation, Image.open(pictures[0]) as first:
        assert animation.n_frames == 3 and animation.info['loop'] == 0
        assert animation.size == first.size
    assert len(list(tmp_path.iterdir())) == 4


def test_names_are_no_formulas(tmp_path, panel_of):
    names = [r'$\foo$', '_x_{$', 'a\nb']
    figure = embedding_figure([panel_of(3)._replace(title='$x_{$')], class_names=names)
    save_figure(figure, tmp_path / 'a.png')
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        r'\$\foo\$',
        r' _x_{\$',
        'a b',
        'center',
    ]
    curve = (np.array([0.0, 0.5, 1.0]), np.array([0.0, 0.5, 1.0]))
    figure = roc_figure({'_a$': [curve]})
    save_figure(figure, tmp_path / 'b.png')
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == [r' _a\$']


def test_pictures_are_png_or_svg(tmp_path, panel_of):
    figure = embedding_figure([panel_of(3)])
    for name in 'a.png', 'a.svg', 'a.SVG':
        save_figure(figure, tmp_path / name)
    assert (tmp_path / 'a.png').read_bytes()[1:4] == b'PNG'
    assert '<svg' in (tmp_path / 'a.svg').read_text() and '<svg' in (tmp_path / 'a.SVG').read_text()
    with pytest.raises(ValueError, match=r'a.pdf: expected a file that ends in .png or .svg'):
        save_figure(figure, tmp_path / 'a.pdf')
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize('package, name', [
    ('matplotlib', 'matplotlib'), ('sklearn', 'scikit-learn'), ('PIL', 'Pillow'),
])  # fmt: skip
def test_without_its_packages_it_says_what_to_install(monkeypatch, package, name):
    for module in list(sys.modules):
        if module.startswith('centerloss_mx.visualization'):
            monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    message = rf"^centerloss_mx.visualization needs {name}: pip install 'centerloss_mx\[examples\]'$"
    with pytest.raises(ImportError, match=message):
        import centerloss_mx.visualization  # noqa: F401

"""`plot`, as a user runs it: pictures of features."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image


def test_pictures_are_drawn_side_by_side(call, features, data):
    printed = call(
        'plot', features, features, '-o', 'both.png', '-o', 'both.svg', '--titles', 'left', 'right'
    )
    assert printed == 'Look at both.png and both.svg\n'
    with Image.open('both.png') as picture:
        assert picture.size[0] > 1000
    text = Path('both.svg').read_text()
    for told in 'left', 'right', 'c0', 'c4', 'center', 'principal component 1':
        assert f'<!-- {told}' in text, told
    call('plot', features, '-o', 'tsne.svg', '--projection', 'tsne', '--no-centers', '--num-samples', 30)
    for folder in 'a', 'b':  # two files of one name are called by their paths
        Path(folder).mkdir()
        shutil.copy(features, folder)
    call('plot', 'a/all.npz', 'b/all.npz', '-o', 'same.svg', '--highlight', 'c1', 'c3')
    text = Path('same.svg').read_text()
    assert '<!-- a/all.npz -->' in text and '<!-- b/all.npz -->' in text
    assert '<!-- c1 -->' in text and '<!-- c2 -->' not in text and '<!-- 3 other classes -->' in text
    text = Path('tsne.svg').read_text()
    assert '<!-- t-SNE 1' in text and '<!-- center' not in text and f'<!-- {features.stem}' in text


@pytest.mark.parametrize('arguments, message', [
    (['-o', 'x.pdf'], 'x.pdf: expected a file that ends in .png or .svg'),
    (['-o', 'none/x.png'], 'none is not a folder'),
    (['-o', 'there.png'], 'there.png already exists; --force replaces it'),
    (['-o', 'x.png', '--titles', 'a', 'b'], '--titles: 2 titles for 1 file; expected one for each file'),
])  # fmt: skip
def test_what_cannot_be_drawn_is_refused(refused, features, arguments, message, tmp_path):
    (tmp_path / 'there.png').write_text('mine')
    status, line = refused('plot', features, *arguments)
    assert status == 1 and message in line
    assert [path.name for path in tmp_path.iterdir()] == ['there.png']
    assert (tmp_path / 'there.png').read_text() == 'mine'

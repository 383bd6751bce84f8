"""`plot --html`, as a user runs it: where the pictures come from, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path

from centerloss_mx.dataset import load_samples
from centerloss_mx.model import load_features, save_features
from centerloss_mx.visualization import thumbnails

import numpy as np
import pytest
from cli_data import CLASSES, EACH

COUNT = CLASSES * EACH


@pytest.fixture(autouse=True, scope='module')
def bokeh():
    pytest.importorskip('bokeh', reason='the extra html is not installed')


@pytest.fixture
def history(features, tmp_path):
    """The features after two epochs."""
    kept = load_features(features)
    paths = [tmp_path / 'epoch-1.npz', tmp_path / 'epoch-2.npz']
    for scale, path in zip((1, 2), paths):
        save_features(path, kept._replace(features=scale * kept.features))
    return paths


def named(features, images, path):
    """The same features, of pictures in files."""
    kept = load_features(features)
    kept = kept._replace(names=images.names, labels=images.labels, class_names=images.class_names)
    save_features(path, kept)
    return path


def pictures_in(page):
    return Path(page).read_text().count('data:image/webp;base64,')


def test_epochs_are_steps_and_a_picture_is_in_the_page_once(call, history, data):
    printed = call('plot', *history, '--html', 'page.html', '--pictures', data / 'all.npz')
    assert printed == 'Look at page.html\n'
    text = Path('page.html').read_text()
    pictures = thumbnails(load_samples(data / 'all.npz'))
    assert pictures_in('page.html') == COUNT and all(picture in text for picture in pictures)
    assert '"epoch-1"' in text and '"epoch-2"' in text and '"row 0"' in text
    assert '<script src' not in text and '<link' not in text
    call('plot', *history, '--html', 'few.html', '--pictures', data / 'all.npz', '--num-samples', 12)
    assert pictures_in('few.html') == 12


@pytest.mark.parametrize('source', ['all', 'all.rec'])
def test_pictures_come_from_files_by_their_names(call, features, data, tmp_path, source):
    images = load_samples(data / source).take(np.arange(COUNT)[::-1])
    path = named(features, images, tmp_path / 'named.npz')
    given = [] if source == 'all' else ['--pictures', data / source]
    assert call('plot', path, '-o', 'a.png', '--html', 'page.html', *given) == 'Look at a.png and page.html\n'
    text = Path('page.html').read_text()
    order = [text.index(picture) for picture in dict.fromkeys(thumbnails(images))]
    assert order == sorted(order) and pictures_in('page.html') == COUNT
    assert f'"{Path(images.names[0]).name}"' in text and str(data / 'all' / 'c') not in text


def test_without_pictures_it_says_why(call, features, data, tmp_path):
    what = '--pictures names what was embedded\nLook at a.html\n'
    said = call('plot', features, '--html', 'a.html')
    assert said == f'without pictures: the features name no files; {what}'
    images = load_samples(data / 'all')
    images.files[3] = 'gone.png'
    path = named(features, images, tmp_path / 'named.npz')
    said = call('plot', path, '--html', 'a.html', '--force')
    assert said == f'without pictures: there is no file gone.png; {what}'
    assert pictures_in('a.html') == 0


@pytest.mark.parametrize('arguments, message', [
    ([], 'nothing to write; expected -o FILE, --html FILE or both'),
    (['--html', 'x.htm'], 'x.htm: expected a file that ends in .html'),
    (['--html', 'there.html'], 'there.html already exists; --force replaces it'),
    (['-o', 'x.png', '--pictures', 'digits'], '--pictures digits: they are for --html FILE'),
    (['--html', 'x.html', '--part', 'test'], '--part test: it is a part of --pictures DATA'),
    (['--html', 'x.html', '--pictures', 'digits'],
     f'--pictures: digits has 2000 samples of other classes than the {COUNT} features; expected the samples '
     'that were embedded'),
    (['--html', 'x.html', '--pictures', '{features}'],
     f'the samples are vectors of shape ({COUNT}, 3); expected pictures'),
    (['{other}', '-o', 'x.png', '--html', 'x.html'],
     'other.npz and {features} are of other samples; --html shows files of the same samples, one after the '
     'other'),
])  # fmt: skip
def test_pages_that_cannot_be_made_are_refused(refused, features, arguments, message, tmp_path):
    (tmp_path / 'there.html').write_text('mine')
    kept = load_features(features)
    save_features(tmp_path / 'other.npz', kept._replace(labels=kept.labels[::-1]))
    where = {'features': features, 'other': 'other.npz'}
    status, line = refused('plot', features, *(argument.format(**where) for argument in arguments))
    assert status == 1 and message.format(**where) in line
    assert sorted(path.name for path in tmp_path.iterdir()) == ['other.npz', 'there.html']
    assert (tmp_path / 'there.html').read_text() == 'mine'


def test_names_of_other_pictures_are_refused(refused, features, data, tmp_path):
    images = load_samples(data / 'all')
    path = named(features, images._replace(files=['gone.png', *images.files[1:]]), tmp_path / 'named.npz')
    line = refused('plot', path, '--html', 'x.html', '--pictures', data / 'all')[1]
    assert f'--pictures: {data / "all"} has no gone.png; expected the samples that were embedded' in line


def test_without_bokeh_it_says_what_to_install(refused, features, monkeypatch):
    for module in {'bokeh.models', *(name for name in sys.modules if name.split('.')[0] == 'bokeh')}:
        monkeypatch.setitem(sys.modules, module, None)
    line = refused('plot', features, '--html', 'x.html')[1]
    assert "a page of an embedding needs bokeh: pip install 'centerloss_mx[html]'" in line

"""Pages of embeddings in Chromium, as people use them: pointer, legend, search and slider."""

from __future__ import annotations

import json
import shutil
from base64 import b64decode
from io import BytesIO

from centerloss_mx.dataset import as_arrays
from centerloss_mx.io import list_images
from centerloss_mx.visualization import Panel, embedding_page, save_page, thumbnails
from centerloss_mx.visualization.projection import in_plane

import numpy as np
import pytest
from PIL import Image

HOSTILE = [
    '</script><script>harmed = 1</script>', '<img src=x onerror="harmed = 1">', r'$$\frac12$$ @name', 'élan',
]  # fmt: skip
COLORS = ['#332288', '#88ccee', '#44aa99', '#117733']
CORNERS = np.array([(1, 1), (1, -1), (-1, 1), (-1, -1)], float)

PLOT = """
    const plot = Bokeh.documents[0].roots()[0].children.at(-1)
    const view = Bokeh.index.find_one(plot)
    const {left, top} = view.el.getBoundingClientRect()
    const data = plot.renderers[0].data_source.data
"""
DEEP = """
    const deep = (root) => [...root.querySelectorAll('*')].flatMap((one) =>
        [one, ...(one.shadowRoot == null ? [] : deep(one.shadowRoot))])
    const found = (selector) => deep(document).filter((one) => one.matches(selector))
"""


@pytest.fixture(autouse=True, scope='module')
def bokeh():
    pytest.importorskip('bokeh', reason='the extra html is not installed')


@pytest.fixture(scope='module')
def browser():
    webdriver = pytest.importorskip('selenium.webdriver', reason='selenium is not installed')
    chromium = shutil.which('chromium') or shutil.which('chromium-browser')
    driver = shutil.which('chromedriver')
    if chromium is None or driver is None:
        pytest.skip(f'{"chromedriver" if chromium else "chromium"} is not installed')
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    options.set_capability('goog:loggingPrefs', {'browser': 'ALL', 'performance': 'ALL'})
    for argument in (
        '--headless=new', '--no-sandbox', '--disable-dev-shm-usage', '--window-size=1100,1000',
        '--host-resolver-rules=MAP * ~NOTFOUND',
    ):  # fmt: skip
        options.add_argument(argument)
    browser = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield browser
    browser.quit()


@pytest.fixture(scope='module')
def samples():
    """Twelve pictures, each of one grey of its own."""
    greys = np.arange(12, dtype=np.uint8) * 20
    return as_arrays(np.tile(greys[:, None, None], (1, 16, 16)), np.arange(12) % 4)


@pytest.fixture(scope='module')
def path(samples, tmp_path_factory):
    """A page of two steps: four classes of three samples in the corners; all move to the next corner."""
    labels = samples.labels
    near = CORNERS[labels] + 0.1 * np.repeat([(1, 0), (0, 1), (1, 0)], 4, axis=0)
    steps = [Panel(f'$$</script>{i}$$', near @ turn, labels, CORNERS @ turn) for i, turn in (
        (1, np.eye(2)), (2, np.array([(0, 1), (-1, 0)])),
    )]  # fmt: skip
    path = tmp_path_factory.mktemp('page') / 'page.html'
    names = [f'<i>{row}.png' for row in range(12)]
    save_page(embedding_page(steps, HOSTILE, names, thumbnails(samples)), path)
    return path


@pytest.fixture
def page(browser, path):
    from selenium.webdriver.support.ui import WebDriverWait

    browser.get(path.as_uri())
    WebDriverWait(browser, 60, 0.05).until(
        lambda browser: browser.execute_script('return window.Bokeh?.documents[0]?.is_idle')
    )
    yield browser
    assert browser.execute_script('return window.harmed') is None
    assert [entry for entry in browser.get_log('browser') if entry['level'] not in ('INFO', 'DEBUG')] == []


def places(page):
    """Where the samples are, in pixels of the window; None for one that is not drawn."""
    found = page.execute_script(
        f'{PLOT} return [...data.x].map((x, i) => isNaN(x) ? null : '
        '[left + view.frame.x_scale.compute(x), top + view.frame.y_scale.compute(data.y[i])])'
    )
    return [None if place is None else tuple(map(round, place)) for place in found]


def drawn_classes(page):
    labels = page.execute_script(f'{PLOT} return [...data.label]')
    return {label for label, place in zip(labels, places(page)) if place is not None}


def pointer(page, place, click=False):
    from selenium.webdriver.common.action_chains import ActionChains

    actions = ActionChains(page, duration=0)
    actions.w3c_actions.pointer_action.move_to_location(*map(round, place))
    if click:
        actions.click()
    actions.perform()


def told(page):
    """The texts and pictures of the samples in the tooltips that can be seen."""
    return page.execute_script(
        f'{DEEP} return found(".sample").filter((one) => one.checkVisibility()).map((one) => '
        '[one.querySelector("div").innerText, one.querySelector("img")?.src ?? null])'
    )


@pytest.mark.slow
def test_the_sample_under_the_pointer_is_told_with_its_picture(page, samples):
    page.get_log('performance')
    where = places(page)
    with Image.open(BytesIO(page.get_screenshot_as_png())) as picture:
        seen = [picture.convert('RGB').getpixel(place) for place in where]
    assert ['#{:02x}{:02x}{:02x}'.format(*color) for color in seen] == [COLORS[j] for j in samples.labels]
    uris = thumbnails(samples)
    for at, row in (5, 5), (2, 10):  # 10 lies on 2
        pointer(page, where[at])
        assert told(page) == [[f'{HOSTILE[row % 4]}\n<i>{row}.png', uris[row]]]
    assert page.execute_script(f'{DEEP} return found(".sample img")[0].naturalWidth') == 16
    pointer(page, (where[0][0] - 100, where[0][1] + 100))
    assert told(page) == []


@pytest.mark.slow
def test_nothing_is_loaded_but_the_file(browser, path):
    browser.get_log('performance')
    browser.get(path.as_uri())
    events = [json.loads(entry['message'])['message'] for entry in browser.get_log('performance')]
    urls = [one['params']['request']['url'] for one in events if one['method'] == 'Network.requestWillBeSent']
    assert [url for url in urls if not url.startswith('data:')] == [path.as_uri()]


@pytest.mark.slow
def test_a_click_in_the_legend_hides_a_class_and_shows_it_again(page):
    left, bottom = page.execute_script(
        f'{PLOT} const box = Bokeh.index.find_one(plot.right[0]).bbox\n'
        'return [left + box.left, top + box.bottom]'
    )
    entry = (left + 15, bottom - 4 - 15 * 3.5)  # that of class 1: below are classes 2, 3 and the centers
    pointer(page, entry, click=True)
    assert drawn_classes(page) == {0, 2, 3}
    pointer(page, entry, click=True)
    assert drawn_classes(page) == {0, 1, 2, 3}


@pytest.mark.slow
@pytest.mark.parametrize('text, classes', [
    ('ÉLAN', {3}), ('script, lan', {0, 3}), ('<img', {1}), ('nobody', set()), (' , ', {0, 1, 2, 3}),
])  # fmt: skip
def test_a_search_shows_the_classes_that_it_names(page, text, classes):
    page.execute_script(f'{DEEP} return found("input")[0]').send_keys(text)
    assert drawn_classes(page) == classes


@pytest.mark.slow
def test_the_slider_moves_samples_on_one_scale(page):
    from selenium.webdriver.common.keys import Keys

    first = places(page)
    axes = f'{PLOT} return [plot.x_range.start, plot.x_range.end, plot.y_range.start, plot.y_range.end]'
    frame = page.execute_script(axes)
    handle = page.execute_script(f'{DEEP} return found(".noUi-handle")[0]')
    handle.send_keys(Keys.ARROW_RIGHT)
    second = places(page)
    right, down = np.ptp(first, axis=0)
    assert right == pytest.approx(down, abs=1) and page.execute_script(axes) == frame
    middle = np.array(page.execute_script(
        f'{PLOT} return [left + view.frame.x_scale.compute(0), top + view.frame.y_scale.compute(0)]'
    ))  # fmt: skip
    turned = (np.array(first) - middle) @ np.array([(0, -1), (1, 0)])
    np.testing.assert_allclose(np.array(second) - middle, turned, atol=1.5)
    assert page.execute_script(f'{PLOT} return plot.title.text.text') == '$$</script>2$$'
    pointer(page, second[5])
    assert told(page)[0][0].endswith('5.png')
    handle.send_keys(Keys.ARROW_LEFT)
    assert places(page) == first


def test_equal_features_have_one_place_in_all_steps():
    rng = np.random.RandomState(20161008)
    means = 10 * rng.randn(3, 5)
    labels = np.arange(60) % 3
    first = means[labels] + rng.randn(60, 5)
    scaled = Panel('scaled', 7 * first + 3, labels, 7 * means + 3)
    for projection in 'pca', 'tsne':
        left, right = in_plane([Panel('first', first, labels, means), scaled], projection)
        close = 1e-6 if projection == 'pca' else 0.5  # t-SNE keeps neighbors, but draws apart what is equal
        np.testing.assert_allclose(left.features, right.features, atol=close)
        np.testing.assert_allclose(left.centers, right.centers, atol=close)
        middle = [left.features[labels == j].mean(axis=0) for j in range(3)]
        assert min(np.linalg.norm(middle[i] - middle[j]) for i, j in ((0, 1), (0, 2), (1, 2))) > 0.5
    moved = first.copy()
    moved[0] += 40 * rng.randn(5)
    left, right = in_plane([Panel('first', first, labels), Panel('moved', moved, labels)], 'pca')
    assert np.abs(left.features - right.features)[0].max() > 0.5


A, B = Panel('a', np.eye(4)[:, :3], np.array([0, 0, 1, 1])), Panel('b', np.eye(4), np.array([0, 0, 1, 1]))


@pytest.mark.parametrize('panels, options, message', [
    ([], {}, 'no panels to draw; expected at least one'),
    ([A, B], {}, "panel 'b' has 4 dimensions and panel 'a' 3; expected one number, to project them together"),
    ([A, A._replace(title='c', labels=1 - A.labels)], {},
     "panel 'c' has other labels than panel 'a'; expected the same samples in the same order"),
    ([A], {'names': ['x']}, '1 names; expected one for each of 4 samples'),
    ([A], {'pictures': []}, '0 pictures; expected one for each of 4 samples'),
    ([A._replace(labels=0 * A.labels)], {}, "panel 'a': labels hold one class, 0; expected at least two"),
    ([A._replace(features=A.features * np.nan)], {}, "panel 'a': features at row 0 are not finite"),
    ([A._replace(features=A.features[:0], labels=A.labels[:0])], {}, "panel 'a': "),
    ([A], {'class_names': ['x']}, "panel 'a': label 1 at row 2 is outside 0..0, the classes in class_names"),
    ([A], {'projection': 'umap'}, "projection='umap'"),
])  # fmt: skip
def test_what_cannot_be_shown_is_refused(panels, options, message):
    with pytest.raises(ValueError) as refused:
        embedding_page(panels, **options)
    assert str(refused.value).startswith(message)


def test_pages_are_html_and_names_need_not_be_unicode(tmp_path):
    page = embedding_page([A._replace(title='$$\udc80$$')], ['\udc81', 'b'], names=['\udc82'] * 4)
    assert 'BEGIN bokeh.min.js' in page and 'mathjax.min.js' not in page  # a title is no formula
    save_page(page, tmp_path / 'a.html')
    assert '<title>$$?$$</title>' in (tmp_path / 'a.html').read_text(encoding='utf-8')
    with pytest.raises(ValueError, match=r'a\.htm: expected a file that ends in .html'):
        save_page(page, tmp_path / 'a.htm')
    assert [path.name for path in tmp_path.iterdir()] == ['a.html']


def colors_of(uri):
    with Image.open(BytesIO(b64decode(uri.split(',')[1]))) as picture:
        return np.array(picture.convert('RGB')).astype(int)


def test_thumbnails_are_small_pictures_of_the_samples(samples, tmp_path):
    for i, size in enumerate([(100, 50), (30, 30), (50, 200)]):
        Image.new('RGB', size, ('red', 'lime', 'blue')[i]).save(tmp_path / f'{i}.png')
    files = list_images([tmp_path / f'{i}.png' for i in range(3)], labelled=False)
    wide, square, high = map(colors_of, thumbnails(files, 40))
    for picture, color in (wide, (255, 0, 0)), (square, (0, 255, 0)), (high, (0, 0, 255)):
        assert picture.shape == (40, 40, 3)
        np.testing.assert_allclose(picture[20, 20], color, atol=6)
    assert wide[2].min() > 245 and high[:, 2].min() > 245  # white above a wide picture and beside a high one
    greys = [colors_of(uri)[8, 8, 0] for uri in thumbnails(samples)]
    np.testing.assert_allclose(greys, np.arange(12) * 255 / 11, atol=3)  # from the darkest to the brightest
    large = as_arrays(np.zeros((1, 30, 60), np.float32), [0])
    assert colors_of(thumbnails(large, 20)[0]).shape == (10, 20, 3)
    with pytest.raises(ValueError, match=r'the samples are vectors of shape \(1, 3\); expected pictures'):
        thumbnails(as_arrays(np.zeros((1, 3), np.float32), [0]))

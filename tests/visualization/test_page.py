"""Pages of embeddings in Chromium, as people use them: pointer, legend, search and slider."""

from __future__ import annotations

import json
import shutil
from io import BytesIO

from centerloss_mx.dataset import as_arrays
from centerloss_mx.visualization import Panel, embedding_page, save_page, thumbnails

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
    near = CORNERS[labels] + 0.1 * np.repeat([(1, 0), (0, 1), (-1, -1)], 4, axis=0)
    steps = [Panel(f'epoch {i}', near @ turn, labels, CORNERS @ turn) for i, turn in (
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
    for row in 5, 2:
        pointer(page, where[row])
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
    assert page.execute_script(f'{PLOT} return plot.title.text.text') == 'epoch 2'
    pointer(page, second[5])
    assert told(page)[0][0].endswith('5.png')
    handle.send_keys(Keys.ARROW_LEFT)
    assert places(page) == first

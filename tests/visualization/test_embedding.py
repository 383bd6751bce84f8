"""Pictures of embeddings: what is on them, and what they refuse. Looked at by people, too."""

from __future__ import annotations

from centerloss_mx.evaluation import cluster_ratio
from centerloss_mx.visualization import Panel, embedding_figure, save_figure

import numpy as np
import pytest
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
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


def test_panels_in_rows_have_one_scale_and_a_horizontal_axis_in_each_column():
    figure = embedding_figure([panel(title=str(i)) for i in range(5)], columns=3)
    axes = figure.axes
    assert [a.get_title() for a in axes] == list('01234')
    assert len({(a.get_xlim(), a.get_ylim()) for a in axes}) == 1
    assert [bool(a.get_ylabel()) for a in axes] == [True, False, False, True, False]
    assert [bool(a.get_xlabel()) for a in axes] == [False, False, True, True, True]
    rows = [round(a.get_position().y0, 3) for a in axes]
    assert rows[:3] == [rows[0]] * 3 and rows[3:] == [rows[3]] * 2 and rows[3] < rows[0]


@pytest.mark.parametrize('features, labels, message', [
    (np.ones((4, 1)), [0, 0, 1, 1], r'features of shape \(4, 1\); expected \(N, D\), D >= 2'),
    (np.ones((4, 2)), [0, 0, 0, 0], 'labels hold one class'),
    (np.full((4, 2), np.nan), [0, 0, 1, 1], 'features at row 0 are not finite'),
])  # fmt: skip
def test_what_cannot_be_drawn_is_refused(features, labels, message):
    with pytest.raises(ValueError, match=message):
        embedding_figure([Panel('features', features, np.asarray(labels))])


def drawn_styles(axes, num_class):
    """Color and shape of each class, in the order in which they are drawn."""
    scatters = axes.collections[:num_class]
    return [
        (tuple(scatter.get_facecolors()[0]), scatter.get_paths()[0].vertices.tobytes())
        for scatter in scatters
    ]


@pytest.mark.parametrize('num_class, styles, named, in_legend', [
    (10, 10, True, True), (11, 11, False, True), (40, 40, False, True), (41, 10, False, False),
])  # fmt: skip
def test_up_to_forty_classes_are_told_apart(num_class, styles, named, in_legend, panel_of):
    names = [f'class {j}' for j in range(num_class)]
    figure = embedding_figure([panel_of(num_class)], class_names=names)
    axes = figure.axes[0]
    assert len(set(drawn_styles(axes, num_class))) == styles
    assert [text.get_text() for text in axes.texts] == (names if named else [])
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == [*(names if in_legend else []), 'center']
    FigureCanvasAgg(figure).draw()
    box = figure.legends[0].get_window_extent(figure.canvas.get_renderer())
    assert box.x0 >= axes.get_window_extent().x1 and box.x1 <= figure.bbox.x1
    assert box.y0 >= 0 and box.y1 <= figure.bbox.y1


def test_long_names_of_classes_are_shortened_and_missing_ones_are_numbers(panel_of):
    one = panel_of(2, centers=False)
    texts = [
        text.get_text() for text in embedding_figure([one], class_names=['x' * 13, 'y' * 12]).axes[0].texts
    ]
    assert texts == ['x' * 8 + '…' + 'x' * 3, 'y' * 12]
    assert [text.get_text() for text in embedding_figure([one]).axes[0].texts] == ['0', '1']


def test_a_class_has_its_color_in_every_panel_and_picture(panel_of):
    both = panel_of(5, centers=False)
    few = both._replace(features=both.features[both.labels > 2], labels=both.labels[both.labels > 2])
    left, right = embedding_figure([both, few]).axes
    assert drawn_styles(left, 5)[3:] == drawn_styles(right, 2)
    assert drawn_styles(embedding_figure([few]).axes[0], 2) == drawn_styles(right, 2)


def test_tsne_keeps_neighbors_together_and_draws_the_centers_among_them(panel_of):
    one = panel_of(4, dim=6)
    one = one._replace(features=one.features[::-1], labels=one.labels[::-1])
    figure = embedding_figure([one], projection='tsne')
    axes = figure.axes[0]
    assert axes.get_xlabel() == 't-SNE 1'
    drawn = np.concatenate([scatter.get_offsets() for scatter in axes.collections[:4]])
    labels = np.repeat(np.arange(4), 4)
    assert cluster_ratio(drawn, labels).between == pytest.approx(1) and cluster_ratio(drawn, labels).own < 0.3
    centers = axes.collections[4].get_offsets()
    for j, center in enumerate(centers):
        assert np.linalg.norm(drawn - center, axis=1).argmin() // 4 == j
    assert embedding_figure([panel_of(4)], projection='tsne').axes[0].get_xlabel().startswith('feature 1')
    with pytest.raises(ValueError, match="projection='umap' is not one of pca, tsne"):
        embedding_figure([one], projection='umap')


@pytest.mark.parametrize('projection', ['pca', 'tsne'])
def test_collapsed_features_are_refused_and_tiny_ones_drawn(projection, panel_of):
    one = panel_of(4, dim=6)
    with pytest.raises(ValueError, match="panel 'many': all 4 class means coincide"):
        embedding_figure([one._replace(features=np.ones_like(one.features))], projection=projection)
    tiny = one._replace(features=1e-30 * one.features, centers=1e-30 * one.centers)
    offsets = [
        embedding_figure([panel], projection=projection).axes[0].collections[0].get_offsets()
        for panel in (one, tiny)
    ]
    np.testing.assert_allclose(offsets[0], offsets[1], atol=1e-6)


def test_each_panel_says_what_its_axes_are(panel_of):
    left, right = embedding_figure([panel_of(3, dim=5), panel_of(3)]).axes
    assert left.get_xlabel().startswith('principal component 1') and right.get_xlabel().startswith(
        'feature 1'
    )
    assert left.get_ylabel().startswith('principal component 2')
    assert right.get_ylabel().startswith('feature 2')  # it does not share that of the left panel
    left, right = embedding_figure([panel_of(3), panel_of(3)]).axes
    assert left.get_ylabel().startswith('feature 2') and right.get_ylabel() == ''


def legend_of(figure):
    legend = figure.legends[0]
    return legend.get_title().get_text(), [text.get_text() for text in legend.get_texts()]


def test_beyond_forty_classes_the_picture_says_that_colors_repeat(panel_of):
    assert legend_of(embedding_figure([panel_of(41)])) == ('41 classes: colors repeat', ['center'])
    assert legend_of(embedding_figure([panel_of(41, centers=False)])) == ('41 classes: colors repeat', [])
    assert legend_of(embedding_figure([panel_of(40, centers=False)]))[0] == 'class'
    figure = embedding_figure([panel_of(41, centers=False, each=1)])
    FigureCanvasAgg(figure).draw()
    box = figure.legends[0].get_window_extent(figure.canvas.get_renderer())
    assert box.x0 >= figure.axes[0].get_window_extent().x1 and box.x1 <= figure.bbox.x1


@pytest.mark.parametrize('projection', ['pca', 'tsne'])
def test_only_the_centers_of_the_classes_shown_are_drawn(panel_of, projection):
    one = panel_of(30, dim=6)
    some = np.isin(one.labels, [4, 7, 9])
    few = one._replace(features=one.features[some], labels=one.labels[some])
    named = few._replace(centers=one.centers[::-1], center_labels=np.arange(30)[::-1])
    axes = embedding_figure([few], projection=projection).axes[0]
    assert [len(marks.get_offsets()) for marks in axes.collections] == [4, 4, 4, 3]
    for center, mean in zip(axes.collections[3].get_offsets(), axes.collections):
        assert np.linalg.norm(center - mean.get_offsets().mean(axis=0)) < 0.3
    if projection == 'pca':
        again = embedding_figure([named]).axes[0].collections[3].get_offsets()
        np.testing.assert_allclose(again, axes.collections[3].get_offsets()[::-1], rtol=1e-9)
    nobody = few._replace(center_labels=np.full(30, -1))
    figure = embedding_figure([nobody], projection=projection)
    assert len(figure.axes[0].collections) == 3 and legend_of(figure)[1] == ['4', '7', '9']


def test_a_panel_has_no_center_of_a_class_that_only_another_panel_has(panel_of):
    one = panel_of(4)
    few = one._replace(features=one.features[one.labels > 1], labels=one.labels[one.labels > 1])
    left, right = embedding_figure([one, few]).axes
    assert [len(axes.collections[-1].get_offsets()) for axes in (left, right)] == [4, 2]


def test_lists_are_drawn_as_arrays_are(panel_of):
    one = panel_of(3)
    lists = Panel('lists', one.features.tolist(), one.labels.tolist(), one.centers.tolist(), [0, 1, 2])
    for left, right in zip(*(axes.collections for axes in embedding_figure([one, lists]).axes)):
        np.testing.assert_array_equal(left.get_offsets(), right.get_offsets())


def test_highlighting_does_not_move_the_samples_of_tsne(panel_of):
    one = panel_of(5, dim=6)
    plain = embedding_figure([one], projection='tsne').axes[0].collections
    chosen = embedding_figure([one], projection='tsne', highlight=[3]).axes[0].collections
    np.testing.assert_array_equal(chosen[1].get_offsets(), plain[3].get_offsets())
    np.testing.assert_array_equal(chosen[2].get_offsets(), plain[5].get_offsets()[[3]])


def test_highlighted_classes_have_color_name_and_center_and_others_are_grey(panel_of):
    names = [f'p{j}' for j in range(50)]
    figure = embedding_figure([panel_of(50)], class_names=names, highlight=['p30', 7, 'p7', np.int64(12)])
    axes = figure.axes[0]
    assert legend_of(figure) == ('class', ['p30', 'p7', 'p12', '47 other classes', 'center'])
    grey, *colored, centers = axes.collections
    assert len(grey.get_offsets()) == 47 * 4 and [len(marks.get_offsets()) for marks in colored] == [4] * 3
    colors = [tuple(marks.get_facecolors()[0]) for marks in (grey, *colored)]
    red, green, blue, _ = colors[0]
    assert red == green == blue and len(set(colors)) == 4
    assert not any(r == g == b for r, g, b, _ in colors[1:])
    assert sorted(text.get_text() for text in axes.texts) == ['p12', 'p30', 'p7']
    assert len(centers.get_offsets()) == 3
    # the cross may hide its class, so it has its color
    assert {tuple(color) for color in centers.get_facecolors()} == set(colors[1:])


def test_ten_highlighted_classes_have_no_grey_and_one_other_is_a_class(panel_of):
    figure = embedding_figure([panel_of(11, centers=False)], highlight=range(10))
    assert legend_of(figure)[1] == [*map(str, range(10)), '1 other class']
    colors = [tuple(marks.get_facecolors()[0]) for marks in figure.axes[0].collections]
    assert len(set(colors)) == 11
    plain = embedding_figure([panel_of(10, centers=False)]).axes[0].collections
    assert [tuple(marks.get_facecolors()[0]) for marks in plain[:9]] == colors[1:10]
    assert all(max(r, g, b) - min(r, g, b) > 0.1 or r == 0 for r, g, b, _ in colors[1:])


@pytest.mark.parametrize('highlight, message', [
    (['bob'], "highlight: no sample is of class 'bob'; expected numbers or names of classes drawn: 0, 1, "),
    ([50], 'highlight: no sample is of class 50;'),
    ([], 'highlight: 0 classes; expected 1 to 40, which can be told apart'),
    (range(41), 'highlight: 41 classes; expected 1 to 40, which can be told apart'),
])  # fmt: skip
def test_what_cannot_be_highlighted_is_refused(panel_of, highlight, message):
    with pytest.raises(ValueError, match=message):
        embedding_figure([panel_of(50)], highlight=highlight)


def test_tsne_has_no_scale_and_others_have_one(panel_of):
    for projection, scaled in ('tsne', False), ('pca', True):
        figure = embedding_figure([panel_of(3, dim=5, centers=False)], projection=projection)
        FigureCanvasAgg(figure).draw()
        axes = figure.axes[0]
        ticks = [*axes.xaxis.get_major_ticks(), *axes.yaxis.get_major_ticks()]
        assert {tick.tick1line.get_visible() for tick in ticks} == {scaled}
        assert {tick.label1.get_visible() for tick in ticks} == {scaled}
        for label in axes.get_xlabel(), axes.get_ylabel():
            assert ('distance' in label) is scaled


def test_everything_fits_but_for_outliers_which_are_counted(panel_of):
    one = panel_of(4, each=60)
    axes = embedding_figure([one]).axes[0]
    assert len(axes.texts) == 4 and sum(len(marks.get_offsets()) for marks in axes.collections) == 244
    features, centers = one.features.copy(), one.centers.copy()
    features[[5, 9]] *= 200
    centers[2] *= 1000
    axes = embedding_figure([one._replace(features=features, centers=centers)]).axes[0]
    assert axes.texts[-1].get_text() == 'not shown: 2 of 240 samples, 1 of 4 centers, beyond the axes'
    drawn = np.concatenate([marks.get_offsets() for marks in axes.collections])
    assert len(drawn) == 241 and np.abs(drawn).max() <= axes.get_xlim()[1]


def test_no_mark_is_cut_by_the_frame_and_none_is_drawn_outside(panel_of):
    one = panel_of(4, each=60)
    axes = embedding_figure([one], limit=0.5).axes[0]
    assert axes.get_xlim() == axes.get_ylim() == (-0.5, 0.5)
    for marks in axes.collections:
        assert not marks.get_clip_on()
        assert len(marks.get_offsets()) == 0 or np.abs(marks.get_offsets()).max() <= 0.5
    assert axes.texts[-1].get_text().startswith('not shown: ')
    hidden = embedding_figure([one], limit=1e-9).axes[0].texts[-1].get_text()
    assert hidden.startswith('not shown: 240 of 240 samples')


@pytest.mark.parametrize('names', [None, ['a rather long name'] * 10])
def test_names_at_clusters_neither_overlap_nor_leave_the_panel(panel_of, names):
    one = panel_of(10, each=10)
    one = one._replace(features=np.where(one.labels[:, np.newaxis] < 6, 0.01, 1) * one.features)
    figure = embedding_figure([one], class_names=names)
    FigureCanvasAgg(figure).draw()
    renderer = figure.canvas.get_renderer()
    axes = figure.axes[0]
    boxes = [Text.get_window_extent(text, renderer) for text in axes.texts]  # without their lines
    frame = axes.get_window_extent()
    assert len(boxes) == 10
    for i, box in enumerate(boxes):
        assert frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
        assert not any(box.overlaps(other) for other in boxes[:i])


def test_a_name_stands_at_a_cluster_also_where_its_class_has_two(panel_of):
    one = panel_of(2, each=25, centers=False)
    features = one.features.copy()
    features[one.labels == 1] = [[10, 0]] * 13 + [[-10, 0]] * 12
    axes = embedding_figure([one._replace(features=features)]).axes[0]
    names = {text.get_text(): text.xy for text in axes.texts}
    assert sorted(names) == ['0', '1']
    np.testing.assert_allclose(names['1'], axes.collections[1].get_offsets()[0])


def test_a_line_leads_to_a_name_that_is_not_beside_its_cluster(panel_of):
    one = panel_of(25, each=2, centers=False)
    one = one._replace(features=np.where(one.labels[:, np.newaxis] < 24, 0.001, 1) * one.features)
    texts = embedding_figure([one], highlight=range(25)).axes[0].texts
    lines = [text.arrow_patch is not None for text in texts]
    assert len(lines) == 25 and not lines[0] and sum(lines) > 5


def test_titles_that_are_too_wide_are_shortened_in_their_middle(panel_of):
    figure = embedding_figure([panel_of(3, title='/a/long/path' * 9 + '/features.npz\n2 lines')] * 2)
    FigureCanvasAgg(figure).draw()
    first, second = (axes.title for axes in figure.axes)
    text = first.get_text()
    assert text.startswith('/a/long') and '…' in text and text.endswith('features.npz\n2 lines')
    renderer = figure.canvas.get_renderer()
    assert first.get_window_extent(renderer).x1 < second.get_window_extent(renderer).x0
    assert first.get_window_extent(renderer).y1 <= figure.bbox.y1


@pytest.mark.parametrize('changed, message', [
    ({'centers': np.ones((3, 5))}, r"panel 'many': centers of shape \(3, 5\); expected \(C, 2\)"),
    ({'centers': np.full((3, 2), np.nan)}, "panel 'many': centers at row 0 are not finite"),
    ({'center_labels': [0, 1]}, r"panel 'many': center_labels of shape \(2,\); expected \(3,\)"),
])  # fmt: skip
def test_centers_that_do_not_fit_are_refused(panel_of, changed, message):
    with pytest.raises(ValueError, match=message):
        embedding_figure([panel_of(3)._replace(**changed)])


@pytest.mark.parametrize('options, message', [
    ({'class_names': ['a', 'b']}, r"^panel 'many': label 2 at row 2 is outside 0\.\.1, the classes"),
    ({'columns': 0}, 'columns=0 is not a whole number > 0'),
    ({'limit': 0}, 'limit=0 is not a finite number > 0'),
])  # fmt: skip
def test_options_that_do_not_fit_are_refused(panel_of, options, message):
    with pytest.raises(ValueError, match=message):
        embedding_figure([panel_of(3)], **options)
    with pytest.raises(ValueError, match='no panels to draw'):
        embedding_figure([])


def test_a_users_settings_change_no_picture(panel_of, tmp_path):
    with rc_context({'font.size': 20, 'axes.grid': True, 'axes.titlesize': 30, 'figure.dpi': 50}):
        save_figure(embedding_figure([panel_of(3)]), tmp_path / 'user.png')
    save_figure(embedding_figure([panel_of(3)]), tmp_path / 'plain.png')
    with Image.open(tmp_path / 'user.png') as user, Image.open(tmp_path / 'plain.png') as plain:
        assert user.size == plain.size and user.tobytes() == plain.tobytes()


def test_a_panel_without_samples_is_named():
    with pytest.raises(ValueError, match=r"panel 'none': features of shape \(0, 2\); expected"):
        embedding_figure([Panel('none', np.zeros((0, 2)), np.zeros(0, int))])

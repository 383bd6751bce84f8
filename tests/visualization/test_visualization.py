"""The pictures: what is on them, and what they refuse. Looked at by people, too."""

from __future__ import annotations

from centerloss_mx.evaluation import class_accuracies, cluster_ratio, confused_pairs
from centerloss_mx.visualization import (
    Curve,
    CurvePanel,
    Panel,
    class_accuracy_figure,
    curve_figure,
    embedding_figure,
    pairs_figure,
    roc_figure,
    save_animation,
    save_figure,
)

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
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


def confusions(num_class, num_pictures=20, titles=('softmax only', 'center loss')):
    """For each title a random confusion matrix, `num_pictures` a class, most of them right."""
    rng = np.random.RandomState(20161008)
    shares = [np.eye(num_class) * 0.7 + 0.3 * rng.dirichlet(np.ones(num_class), num_class) for _ in titles]
    return {
        title: np.stack([rng.multinomial(num_pictures, row / row.sum()) for row in share])
        for title, share in zip(titles, shares)
    }


def tick_labels(axes):
    return [label.get_text() for label in axes.get_yticklabels()]


@pytest.mark.parametrize('num_class, rows, title', [
    (3, 3, 'Accuracy: all 3 classes (test samples)'),
    (40, 40, 'Accuracy: all 40 classes (test samples)'),
    (120, 40, 'Accuracy: the worst 40 of 120 classes (test samples)'),
])  # fmt: skip
def test_classes_and_pairs_are_sorted_by_both_networks_and_rows_are_as_high_in_both(num_class, rows, title):
    both = confusions(num_class)
    names = [f'class {j}' for j in range(num_class)]
    figure = class_accuracy_figure(both, names)
    left, right = figure.axes
    assert left.get_title() == title

    mean = sum(class_accuracies(confusion) for confusion in both.values()) / 2
    worst = np.argsort(mean, kind='stable')[:rows]
    assert tick_labels(left) == [f'class {j} (20)' for j in worst]
    for marks, confusion in zip(left.collections[1:], both.values()):
        drawn = np.stack([class_accuracies(confusion)[worst], np.arange(rows)], axis=1)
        np.testing.assert_allclose(marks.get_offsets(), drawn)

    pairs = confused_pairs(sum(both.values()), 15)
    assert tick_labels(right) == [f'class {j} → class {k}' for j, k, _ in pairs]
    for bars, confusion in zip(right.containers, both.values()):
        assert [bar.get_width() for bar in bars] == [confusion[j, k] for j, k, _ in pairs]
    heights = [axes.get_position().height / len(axes.get_yticks()) for axes in figure.axes]
    assert heights[0] == pytest.approx(heights[1])
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == [f'{t}: {np.trace(c) / c.sum():.2%} right' for t, c in both.items()]


def test_long_names_end_in_dots_and_classes_without_samples_are_left_out():
    confusion = np.array([[2, 1, 0], [0, 0, 0], [0, 0, 4]])
    figure = class_accuracy_figure({'softmax only': confusion}, ['x' * 25, 'absent', 'y' * 24])
    assert tick_labels(figure.axes[0]) == ['x' * 23 + '… (3)', 'y' * 24 + ' (4)']
    assert tick_labels(figure.axes[1]) == ['x' * 23 + '… → absent']


def test_no_text_of_the_class_picture_is_cut_off():
    for num_class in 2, 50:
        names = ['W' * 24] * num_class
        figure = class_accuracy_figure(confusions(num_class), names)
        FigureCanvasAgg(figure).draw()
        for axes in figure.axes:
            box, whole = axes.get_tightbbox(figure.canvas.get_renderer()), figure.bbox
            assert box.x0 >= 0 and box.x1 <= whole.x1 and box.y0 >= 0 and box.y1 <= whole.y1


def test_a_network_without_mistakes_can_be_drawn(tmp_path):
    figure = class_accuracy_figure({'softmax only': np.diag([3, 4])}, ['a', 'b'])
    assert figure.axes[1].get_title() == 'No sample was confused'
    save_figure(figure, tmp_path / 'confusion.png')


def test_a_confusion_of_other_classes_is_refused():
    with pytest.raises(
        ValueError, match=r"'other': confusion of shape \(2, 2\); expected \(3, 3\), one row and column"
    ):
        class_accuracy_figure({'other': np.eye(2, dtype=int)}, 'abc')


def test_panels_in_rows_have_one_scale_and_a_horizontal_axis_in_each_column():
    figure = embedding_figure([panel(title=str(i)) for i in range(5)], columns=3)
    axes = figure.axes
    assert [a.get_title() for a in axes] == list('01234')
    assert len({(a.get_xlim(), a.get_ylim()) for a in axes}) == 1
    assert [bool(a.get_ylabel()) for a in axes] == [True, False, False, True, False]
    assert [bool(a.get_xlabel()) for a in axes] == [False, False, True, True, True]
    rows = [round(a.get_position().y0, 3) for a in axes]
    assert rows[:3] == [rows[0]] * 3 and rows[3:] == [rows[3]] * 2 and rows[3] < rows[0]


def test_curves_are_drawn_with_their_errors_and_one_colour_a_label():
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


def test_pairs_are_drawn_side_by_side_with_their_captions():
    dark, bright = np.zeros((3, 10, 8)), np.full((3, 10, 8), 7.0)
    dark[0], bright[0, 0] = 1, 9
    figure = pairs_figure({'alike': [(dark, bright, 'cosine 0.9'), (dark, dark, 'cosine 1.0')], 'none': []})
    assert len(figure.axes) == 4
    assert [text.get_text() for text in figure.texts] == ['alike', 'cosine 0.9', 'cosine 1.0', 'none']
    left, right = (axes.get_position() for axes in figure.axes[:2])
    assert left.x1 == pytest.approx(right.x0) and left.y0 == right.y0
    drawn = figure.axes[0].images[0].get_array()
    assert drawn.shape == (10, 8, 3) and (drawn.min(), drawn.max()) == (0, 1)


def panel_of(num_class, dim=2, centers=True):
    rng = np.random.RandomState(20161008)
    means = 10 * rng.randn(num_class, dim)
    y = np.tile(np.arange(num_class), 4)
    return Panel('many', means[y] + rng.randn(len(y), dim), y, means if centers else None)


def drawn_styles(axes, num_class):
    """Colour and shape of each class, in the order in which they are drawn."""
    scatters = axes.collections[:num_class]
    return [
        (tuple(scatter.get_facecolors()[0]), scatter.get_paths()[0].vertices.tobytes())
        for scatter in scatters
    ]


@pytest.mark.parametrize('num_class, styles, named, in_legend', [
    (10, 10, True, True), (11, 11, False, True), (40, 40, False, True), (41, 10, False, False),
])  # fmt: skip
def test_up_to_forty_classes_are_told_apart(num_class, styles, named, in_legend):
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


def test_long_names_of_classes_are_shortened_and_missing_ones_are_numbers():
    one = panel_of(2, centers=False)
    texts = [
        text.get_text() for text in embedding_figure([one], class_names=['x' * 13, 'y' * 12]).axes[0].texts
    ]
    assert texts == ['x' * 11 + '…', 'y' * 12]
    assert [text.get_text() for text in embedding_figure([one]).axes[0].texts] == ['0', '1']


def test_a_class_has_its_colour_in_every_panel_and_picture():
    both = panel_of(5, centers=False)
    few = both._replace(features=both.features[both.labels > 2], labels=both.labels[both.labels > 2])
    left, right = embedding_figure([both, few]).axes
    assert drawn_styles(left, 5)[3:] == drawn_styles(right, 2)
    assert drawn_styles(embedding_figure([few]).axes[0], 2) == drawn_styles(right, 2)


def test_tsne_keeps_neighbors_together_and_draws_the_centers_among_them():
    one = panel_of(4, dim=6)
    one = one._replace(features=one.features[::-1], labels=one.labels[::-1])
    figure = embedding_figure([one], projection='tsne')
    axes = figure.axes[0]
    assert axes.get_xlabel() == 't-SNE 1 / mean distance between class means'
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
def test_collapsed_features_are_refused_and_tiny_ones_drawn(projection):
    one = panel_of(4, dim=6)
    with pytest.raises(ValueError, match='all class means coincide'):
        embedding_figure([one._replace(features=np.ones_like(one.features))], projection=projection)
    tiny = one._replace(features=1e-30 * one.features, centers=1e-30 * one.centers)
    offsets = [
        embedding_figure([panel], projection=projection).axes[0].collections[0].get_offsets()
        for panel in (one, tiny)
    ]
    np.testing.assert_allclose(offsets[0], offsets[1], atol=1e-6)


def test_names_are_no_formulas(tmp_path):
    names = [r'$\foo$', '_x_{$', 'a\nb']
    figure = embedding_figure([panel_of(3)._replace(title='$x_{$')], class_names=names)
    save_figure(figure, tmp_path / 'a.png')
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        r'\$\foo\$',
        r' _x_{\$',
        'a\nb',
        'center',
    ]
    curve = (np.array([0.0, 0.5, 1.0]), np.array([0.0, 0.5, 1.0]))
    figure = roc_figure({'_a$': [curve]})
    save_figure(figure, tmp_path / 'b.png')
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == [r' _a\$']


def test_each_panel_says_what_its_axes_are():
    left, right = embedding_figure([panel_of(3, dim=5), panel_of(3)]).axes
    assert left.get_xlabel().startswith('principal component 1') and right.get_xlabel().startswith(
        'feature 1'
    )
    assert left.get_ylabel().startswith('principal component 2')


def test_pictures_are_png_or_svg(tmp_path):
    figure = embedding_figure([panel_of(3)])
    for name in 'a.png', 'a.svg', 'a.SVG':
        save_figure(figure, tmp_path / name)
    assert (tmp_path / 'a.png').read_bytes()[1:4] == b'PNG'
    assert '<svg' in (tmp_path / 'a.svg').read_text() and '<svg' in (tmp_path / 'a.SVG').read_text()
    with pytest.raises(ValueError, match=r'a.pdf: expected a file that ends in .png or .svg'):
        save_figure(figure, tmp_path / 'a.pdf')
    assert len(list(tmp_path.iterdir())) == 3

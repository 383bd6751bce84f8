"""The picture of class accuracies and confused classes."""

from __future__ import annotations

from centerloss_mx.evaluation import class_accuracies, confused_pairs
from centerloss_mx.visualization import class_accuracy_figure, save_figure

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg


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


def test_long_names_are_shortened_and_classes_without_samples_are_left_out():
    confusion = np.array([[2, 1, 0], [0, 0, 0], [0, 0, 4]])
    figure = class_accuracy_figure({'softmax only': confusion}, ['x' * 25, 'absent', 'y' * 24])
    assert tick_labels(figure.axes[0]) == ['x' * 16 + '…' + 'x' * 7 + ' (3)', 'y' * 24 + ' (4)']
    assert tick_labels(figure.axes[1]) == ['x' * 16 + '…' + 'x' * 7 + ' → absent']


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


@pytest.mark.parametrize('count', [0, 5])
def test_more_networks_than_marks_are_refused(count):
    both = {str(i): np.eye(2, dtype=int) for i in range(count)}
    with pytest.raises(ValueError, match=f'{count} networks to compare; expected 1 to 4'):
        class_accuracy_figure(both, 'ab')

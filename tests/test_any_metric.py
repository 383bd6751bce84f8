"""The metrics, of batches of any size, counted by hand."""

from __future__ import annotations

from centerloss_mx.metric import Accuracy, CenterLossMetric

import mxnet as mx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mxnet.executor_manager import _split_input_slice

NUM_CLASS = 3
BATCHES = st.lists(st.lists(st.integers(-1, NUM_CLASS - 1), min_size=1, max_size=5), min_size=1, max_size=4)


def mean(total, count):
    return pytest.approx(total / count, rel=1e-6) if count else pytest.approx(np.nan, nan_ok=True)


@given(
    BATCHES,
    st.sampled_from(['float32', 'float64', 'float16', 'int32', 'int64', 'int8']),
    st.sampled_from([None, -1, 0]),
    st.data(),
)
def test_accuracy_is_the_share_of_right_ones_over_all_batches(batches, dtype, ignore_label, data):
    metric = Accuracy(ignore_label=ignore_label)
    right, count = 0, 0
    for labels in batches:
        # from a few values, so that classes tie: the first counts
        scores = data.draw(
            arrays(np.float32, (len(labels), NUM_CLASS), elements=st.sampled_from([0, 0.25, 1]))
        )
        metric.update_dict(
            {'softmax_label': mx.nd.array(labels, dtype=dtype)}, {'softmax_output': mx.nd.array(scores)}
        )
        kept = [row for row, label in enumerate(labels) if label != ignore_label]
        right += sum(scores[row].tolist().index(scores[row].max()) == labels[row] for row in kept)
        count += len(kept)
    assert metric.get() == ('accuracy', mean(right, count))


@given(
    BATCHES,
    st.sampled_from(['null', 'batch', 'valid']),
    st.sampled_from([None, -1]),
    st.integers(1, 3),
    st.data(),
)
def test_the_center_loss_is_the_mean_over_samples_whatever_divided_it(
    batches, normalization, ignore_label, num_devices, data
):
    metric = CenterLossMetric(normalization, ignore_label=ignore_label)
    total, count = 0.0, 0
    for labels in batches:
        losses = data.draw(st.lists(st.integers(0, 9), min_size=len(labels), max_size=len(labels)))
        losses = np.where(np.array(labels) == ignore_label, 0, losses)
        given_losses = []
        for part in _split_input_slice(len(labels), [1] * min(num_devices, len(labels))):
            kept = sum(label != ignore_label for label in labels[part])
            divisor = {'null': 1, 'batch': part.stop - part.start, 'valid': max(1, kept)}[normalization]
            given_losses.append(losses[part].sum() / divisor)
            count += kept
        total += losses.sum()
        metric.update([mx.nd.array(labels)], [mx.nd.array(given_losses)])
    assert metric.get() == ('center_loss', mean(total, count))


@pytest.mark.parametrize(
    'label, dtype', [(2.5, 'float32'), (2**32 + 2, 'int64'), (-0.5, 'float64'), (np.nan, 'float32')]
)
def test_a_label_that_is_no_class_is_not_taken_for_one(label, dtype):
    metric = Accuracy()
    for predicted in 0, 2:
        metric.update(
            [mx.nd.array(np.array([label], dtype), dtype=dtype)], [mx.nd.array([np.eye(3)[predicted]])]
        )
    assert metric.get() == ('accuracy', 0)


def test_the_classes_of_float16_outputs_are_not_rounded():
    metric = Accuracy()
    metric.update(
        [mx.nd.array([3001, 2048])], [mx.nd.one_hot(mx.nd.array([3001, 2049]), 3002, dtype='float16')]
    )
    assert metric.get() == ('accuracy', 0.5)

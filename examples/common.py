"""What several examples share: the digits, and how accuracy and clusters are printed."""

from __future__ import annotations

from typing import NamedTuple, Sequence

from centerloss_mx.evaluation import cluster_ratio
from centerloss_mx.io import load_mnist
from centerloss_mx.training import Training

import numpy as np

NUM_CLASS = 10


class Digits(NamedTuple):
    """MNIST as `load_mnist` returns it."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


def load_digits(data_dir: str | None = None, num_train: int | None = None) -> Digits:
    """The digits in a folder of idx files, or those of the package; the first to train with, or all."""
    train_images, train_labels, *test = load_mnist(data_dir)
    return Digits(train_images[:num_train], train_labels[:num_train], *test)


def accuracy_and_ratio(features: np.ndarray, scores: np.ndarray, labels: np.ndarray) -> str:
    """The numbers of test samples in words; ValueError: the features have collapsed or are not finite."""
    accuracy = float((scores.argmax(axis=1) == labels).mean())
    return f'test accuracy {accuracy:.2%}, ratio {cluster_ratio(features, labels).ratio:.3f}'


def table(trainings: Sequence[Training]) -> str:
    """The last epoch of each training, and the median of its seconds an epoch."""
    lines = [f'{"":24} test accuracy       own   between   ratio   s/epoch']
    for training in trainings:
        last = training.history[-1]
        seconds = np.median([row['seconds'] for row in training.history])
        lines.append(
            f'{training.title:24} {last["test_accuracy"]:13.2%} {last["own"]:9.3f} {last["between"]:9.3f} '
            f'{last["ratio"]:7.3f} {seconds:9.1f}'
        )
    return '\n'.join(lines)

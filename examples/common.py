"""What several examples share: the digits, a training, what is measured, and how it is printed."""

from __future__ import annotations

import argparse
import csv
import math
from pathlib import Path
from typing import NamedTuple, Sequence

from centerloss_mx import cli
from centerloss_mx.dataset import Arrays
from centerloss_mx.evaluation import ClusterRatio, cluster_ratio, knn_predict
from centerloss_mx.io import load_mnist
from centerloss_mx.model import write_whole
from centerloss_mx.training import Hook, Training, num_batches, sgd

import mxnet as mx
import numpy as np

NUM_CLASS = 10


class Digits(NamedTuple):
    """MNIST as `load_mnist` returns it."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


class Measured(NamedTuple):
    """The numbers of a network on test samples; of features that have collapsed, the distances are NaN."""

    accuracy: float
    knn_accuracy: float
    clusters: ClusterRatio
    features: np.ndarray


def load_digits(data_dir: str | None = None, num_train: int | None = None) -> Digits:
    """The digits in a folder of idx files, or those of the package; the first to train with, or all."""
    train_images, train_labels, *test = load_mnist(data_dir)
    return Digits(train_images[:num_train], train_labels[:num_train], *test)


def add_training_arguments(parser: argparse.ArgumentParser, num_epochs: int, lr: float) -> None:
    """The options of an example that repeats trainings on digits over seeds."""
    add, some = parser.add_argument, cli.whole_number(1)
    add('--data-dir', help="folder of MNIST's idx files; without it, the package's digits")
    add('--num-epochs', type=some, default=num_epochs, help='epochs of each training')
    add('--batch-size', type=some, default=50, help='samples a batch')
    add('--lr', type=cli.number(0, above=True), default=lr, help='learning rate after a warm-up of an epoch')
    add('--seeds', type=some, default=3, help='trainings of each kind, with seeds 1, 2, ...')


def train(
    net: mx.sym.Symbol,
    samples: Arrays,
    title: str,
    args: argparse.Namespace,
    seed: int,
    lr_share: float = 1.0,
    hooks: Sequence[Hook] = (),
) -> Training:
    """Fit one network by the options of `add_training_arguments`."""
    optimizer_params = sgd(args.lr * lr_share, num_batches(samples, args.batch_size), args.num_epochs)
    training = Training(
        net,
        samples,
        title=title,
        batch_size=args.batch_size,
        num_epoch=args.num_epochs,
        optimizer_params=optimizer_params,
        seed=seed,
        hooks=hooks,
    )
    training.fit()
    return training


def measure(training: Training, test: Arrays) -> Measured:
    """Accuracy of the network and of the nearest neighbour, clusters and features of test samples."""
    train_features, _ = training.predict(training.train)
    features, predicted = training.predict(test)
    accuracy = float((predicted == test.labels).mean())
    knn_accuracy, clusters = math.nan, ClusterRatio(math.nan, math.nan, math.nan)
    if np.isfinite(train_features).all() and np.isfinite(features).all():
        nearest = knn_predict(train_features, training.train.labels, features, 1, 'euclidean')
        knn_accuracy = float((nearest == test.labels).mean())
        if np.ptp(features, axis=0).any():
            clusters = cluster_ratio(features, test.labels)
    return Measured(accuracy, knn_accuracy, clusters, features)


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


def spread(values: Sequence[float], digits: int) -> str:
    """Mean ± standard deviation over seeds, of those that have not collapsed."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return 'collapsed'
    lost = len(values) - len(finite)
    text = f'{np.mean(finite):.{digits}f} ± {deviation(finite):.{digits}f}'
    return f'{text} ({lost} collapsed)' if lost else text


def deviation(values: Sequence[float]) -> float:
    """Standard deviation over seeds, 0 for one seed."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def write_results(results: Sequence[NamedTuple], path: Path) -> None:
    """Write one line for each training to a .csv file."""

    def write(name: str) -> None:
        with open(name, 'w', newline='', encoding='utf-8') as file:
            writer = csv.writer(file)
            writer.writerow(results[0]._fields)
            writer.writerows(results)

    write_whole(path, write)

"""What the recipes share: training on half of the classes, and measuring on the others."""

from __future__ import annotations

import argparse
from typing import Callable, Mapping

from centerloss_mx.cli import Help, whole_number
from centerloss_mx.dataset import Arrays, Samples, hold_out, load_samples
from centerloss_mx.model_zoo import get_model
from centerloss_mx.training import Training, Validation

import numpy as np
from mxnet.symbol import Symbol


def parse_recipe(description: str, num_epochs: int) -> argparse.Namespace:
    """The arguments of the recipes."""
    parser = argparse.ArgumentParser(description=description, formatter_class=Help)
    add, some = parser.add_argument, whole_number(1)
    add('data', help='folder of class folders, .rec or .npz file with at least four classes')
    add('--num-splits', type=some, default=3, help='how many splits of the classes')
    add('--image-size', type=some, help='height and width of pictures in files')
    add('--network', default='lenet', help='as for `centerloss-mx train`')
    add('--embedding-dim', type=some, default=128, help='length of a feature')
    add('--num-epochs', type=some, default=num_epochs, help='epochs of each training')
    return parser.parse_args()


def compare_on_unseen_classes(
    args: argparse.Namespace, trainings: Mapping[str, Callable[[argparse.Namespace, Samples, int], Training]]
) -> None:
    """Train on half of the classes, measure on the others; print mean and deviation over the splits."""
    samples = load_samples(args.data, min_classes=4, image_size=args.image_size)
    rows: dict[str, list[dict[str, float]]] = {title: [] for title in trainings}
    for split in range(args.num_splits):
        train, others = hold_out(samples, 0.5, split, by='classes')
        for title, make in trainings.items():
            training = make(args, train, split)
            training.title = f'split {split}, {title}'
            training.hooks.append(Validation(others))
            training.fit()
            rows[title].append(training.history[-1])
    columns = {
        'precision@1': 'validation_precision_at_1',
        'MAP@R': 'validation_map_at_r',
        'TAR@FAR=0.001': 'validation_tar_at_far_0.001',
    }
    print(f'{"% of unseen classes":24}' + ''.join(f'{name:>16}' for name in columns))
    for title, of_splits in rows.items():
        numbers = 100 * np.array([[row[name] for name in columns.values()] for row in of_splits])
        cells = [f'{mean:.1f} ± {sd:.1f}' for mean, sd in zip(numbers.mean(axis=0), numbers.std(axis=0))]
        print(f'{title:24}' + ''.join(f'{cell:>16}' for cell in cells))


def embedding(args: argparse.Namespace, samples: Samples) -> Symbol:
    """The network of a recipe up to the embedding."""
    size = args.image_size
    shape = samples.images.shape[1:] if isinstance(samples, Arrays) else (3, size, size)
    return get_model(args.network, args.embedding_dim, shape)

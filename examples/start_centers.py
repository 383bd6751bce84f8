"""Centers that start at 0, or at the class means of the first batches, compared.

    python examples/start_centers.py

Trains LeNet on the digits of the package four times with center loss: a fresh network, and one that softmax
alone has trained before, whose features are large, each with both starts. The centers are slow (alpha 0.01)
and the learning rate does not warm up, so that a bad start shows. Prints the result of each.
"""

from __future__ import annotations

import argparse
import os

# MXNet uses half of the processors unless this is set before it is imported.
os.environ.setdefault('OMP_NUM_THREADS', str(os.cpu_count()))

from centerloss_mx import cli
from centerloss_mx.callback import ProgressBar
from centerloss_mx.io import mnist_iter
from centerloss_mx.model import FeatureExtractor, start_centers
from centerloss_mx.model_zoo import lenet
from centerloss_mx.module import Module
from centerloss_mx.symbol import joint_supervision, supervised
from centerloss_mx.training import sgd

import mxnet as mx
import numpy as np
from common import NUM_CLASS, Digits, accuracy_and_ratio, load_digits

BATCH_SIZE = 50  # no rest in 10,000 and 2,000 digits


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Train LeNet with centers that start at 0 and at class means.',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument('--num-digits', type=int, default=10000, help='training digits, a multiple of 50')
    parser.add_argument('--num-epochs', type=int, default=2, help='epochs of each training')
    parser.add_argument('--num-batches', type=int, default=20, help='batches that start the centers')
    parser.add_argument('--scale', type=float, default=0.1, help="the paper's lambda")
    parser.add_argument('--alpha', type=float, default=0.01, help='step of the centers')
    parser.add_argument('--lr', type=float, default=0.05, help='learning rate, constant with center loss')
    parser.add_argument('--seed', type=int, default=1, help='of initial weights and order')
    args = parser.parse_args()
    if args.num_digits < BATCH_SIZE or args.num_digits % BATCH_SIZE:
        parser.error(f'--num-digits {args.num_digits}: expected a multiple of {BATCH_SIZE}')
    return args


def softmax_checkpoint(digits: Digits, args: argparse.Namespace) -> tuple[dict, dict]:
    """The parameters of a network that softmax alone has trained."""
    module = Module(supervised(lenet(2), NUM_CLASS, 'softmax', embedding_dim=2))
    samples = mnist_iter(digits.train_images, digits.train_labels, BATCH_SIZE, shuffle=True).data_iter
    fit(module, samples, 'softmax only', args, sgd(args.lr, args.num_digits // BATCH_SIZE, args.num_epochs))
    return module.get_params()


def fit(
    module: Module, samples: mx.io.DataIter, title: str, args: argparse.Namespace, optimizer_params: dict
) -> None:
    bar = ProgressBar(args.num_digits // BATCH_SIZE * args.num_epochs, title)
    module.fit(
        samples,
        eval_metric='centerloss_accuracy',
        batch_end_callback=bar,
        initializer=mx.init.Xavier(),
        optimizer_params=optimizer_params,
        num_epoch=args.num_epochs,
    )
    bar.close()


def train(
    digits: Digits, args: argparse.Namespace, checkpoint: tuple[dict, dict] | None, from_means: bool
) -> str:
    """Train with center loss, fresh or from a checkpoint without centers; return the result in words."""
    mx.random.seed(args.seed)
    np.random.seed(args.seed)
    samples = mnist_iter(digits.train_images, digits.train_labels, BATCH_SIZE, shuffle=True)
    net = joint_supervision(lenet(2), NUM_CLASS, args.scale, args.alpha, batchsize=BATCH_SIZE)
    module = Module(net, label_names=['softmax_label', 'center_label'])
    module.bind(samples.provide_data, samples.provide_label)
    arg_params, aux_params = checkpoint or (None, None)
    module.init_params(mx.init.Xavier(), arg_params, aux_params, allow_missing=True)
    if from_means:
        start_centers(module, samples, args.num_batches)
    try:
        fit(module, samples, 'center loss', args, {'learning_rate': args.lr, 'momentum': 0.9, 'wd': 0.0005})
    except mx.MXNetError:  # the operator's own sentence is printed above
        return 'diverged: the loss was no longer finite'
    samples = mnist_iter(*digits[2:], BATCH_SIZE).data_iter
    features, scores = (
        FeatureExtractor(net, *module.get_params(), layer).predict(samples)
        for layer in ('embedding_output', 'fc2_output')
    )
    try:
        return accuracy_and_ratio(features, scores, digits.test_labels)
    except ValueError as error:
        return f'collapsed: {error}'


def main() -> None:
    args = parse_args()
    digits = load_digits(num_train=args.num_digits)
    mx.random.seed(args.seed)
    np.random.seed(args.seed)
    checkpoint = softmax_checkpoint(digits, args)
    for network, start in ('fresh', None), ('after softmax', checkpoint):
        for from_means in False, True:
            centers = 'class means' if from_means else '0'
            print(
                f'{network:14} centers from {centers:12} {train(digits, args, start, from_means)}', flush=True
            )


if __name__ == '__main__':
    cli.run(main)

"""The recipe of re-identification beside plain softmax, measured on classes that were not trained.

    python examples/reid_recipe.py people        # people/<person>/<picture>.jpg, a .rec or an .npz file

P x K batches; softmax with label smoothing behind a BatchNorm (the BNNeck), triplet loss and center loss
before it; the learning rate warms up, then falls in steps. After Luo et al., Bag of Tricks and a Strong
Baseline for Deep Person Re-identification, CVPRW 2019. `docs/recipes.md` has the same as a command.
"""

from __future__ import annotations

import argparse
import os

# MXNet uses half of the processors unless this is set before it is imported.
os.environ.setdefault('OMP_NUM_THREADS', str(os.cpu_count()))

from centerloss_mx import cli
from centerloss_mx.dataset import Samples
from centerloss_mx.symbol import supervised
from centerloss_mx.training import IGNORE_LABEL, Training, lr_schedule, num_batches

from unseen_classes import compare_on_unseen_classes, embedding, parse_recipe

BATCH_SIZE, SAMPLES_PER_CLASS = 32, 4
PADDING = {'use_ignore': True, 'ignore_label': IGNORE_LABEL}


def learning_rate(args: argparse.Namespace, train: Samples) -> dict:
    """Warm up for a tenth of the epochs; a tenth after half of them, and again after three quarters."""
    epochs = args.num_epochs
    batches, steps = num_batches(train, BATCH_SIZE), (epochs // 2, epochs * 3 // 4)
    return lr_schedule('step', 0.001, batches, epochs, warmup=epochs // 10, steps=steps)


def softmax(args: argparse.Namespace, train: Samples, split: int) -> Training:
    """Softmax alone, on batches of any samples."""
    net = supervised(embedding(args, train), len(train.class_names), 'softmax', args.embedding_dim)
    optimizer = {'optimizer': 'adam', 'optimizer_params': learning_rate(args, train)}
    return Training(net, train, batch_size=BATCH_SIZE, num_epoch=args.num_epochs, seed=split, **optimizer)


def recipe(args: argparse.Namespace, train: Samples, split: int) -> Training:
    """All of the recipe. The features are those behind the neck."""
    net = supervised(
        embedding(args, train),
        len(train.class_names),
        'center_loss',
        args.embedding_dim,
        scale=0.0005,
        batchsize=BATCH_SIZE,
        classifier={'neck': 'bn', 'smooth_alpha': 0.1},
        triplet={'margin': 0.3, **PADDING},
        **PADDING,
    )
    return Training(
        net,
        train,
        batch_size=BATCH_SIZE,
        num_epoch=args.num_epochs,
        optimizer='adam',
        optimizer_params=learning_rate(args, train),
        seed=split,
        samples_per_class=SAMPLES_PER_CLASS,
        layer='neck_output',
    )


def main() -> None:
    args = parse_recipe(__doc__.splitlines()[0], num_epochs=40)
    compare_on_unseen_classes(args, {'softmax': softmax, 're-identification recipe': recipe})


if __name__ == '__main__':
    cli.run(main)

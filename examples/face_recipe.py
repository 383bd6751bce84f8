"""The recipe of face recognition beside plain softmax, measured on people who were not trained.

    python examples/face_recipe.py faces         # faces/<person>/<picture>.jpg, a .rec or an .npz file

Softmax of cosines with the margin of ArcFace (Deng et al., CVPR 2019), and center loss on features of length
1, whose weight warms up. `docs/recipes.md` has the same as a command.
"""

from __future__ import annotations

import argparse
import os

# MXNet uses half of the processors unless this is set before it is imported.
os.environ.setdefault('OMP_NUM_THREADS', str(os.cpu_count()))

from centerloss_mx import cli
from centerloss_mx.dataset import Samples
from centerloss_mx.symbol import scale_variable, supervised
from centerloss_mx.training import (
    IGNORE_LABEL,
    ScaleSchedule,
    Training,
    lr_schedule,
    num_batches,
    scale_warmup,
)

from unseen_classes import compare_on_unseen_classes, embedding, parse_recipe

BATCH_SIZE, SCALE = 32, 1.0


def options(args: argparse.Namespace, train: Samples, split: int) -> dict:
    """What both trainings have."""
    schedule = lr_schedule('cosine', 0.001, num_batches(train, BATCH_SIZE), args.num_epochs)
    return {
        'batch_size': BATCH_SIZE,
        'num_epoch': args.num_epochs,
        'optimizer': 'adam',
        'optimizer_params': schedule,
        'seed': split,
    }


def softmax(args: argparse.Namespace, train: Samples, split: int) -> Training:
    """Softmax alone."""
    net = supervised(embedding(args, train), len(train.class_names), 'softmax', args.embedding_dim)
    return Training(net, train, **options(args, train, split))


def recipe(args: argparse.Namespace, train: Samples, split: int) -> Training:
    """Margin and center loss on the sphere."""
    net = supervised(
        embedding(args, train),
        len(train.class_names),
        'center_loss',
        args.embedding_dim,
        scale=scale_variable(SCALE),
        batchsize=BATCH_SIZE,
        use_ignore=True,
        ignore_label=IGNORE_LABEL,
        classifier={'kind': 'margin', 's': 16, 'margins': (1, 0.3, 0)},
        normalize=True,
    )
    warmup = scale_warmup(SCALE, 5 * num_batches(train, BATCH_SIZE))
    return Training(net, train, hooks=[ScaleSchedule(warmup)], **options(args, train, split))


def main() -> None:
    args = parse_recipe(__doc__.splitlines()[0], num_epochs=40)
    compare_on_unseen_classes(args, {'softmax': softmax, 'face recipe': recipe})


if __name__ == '__main__':
    cli.run(main)

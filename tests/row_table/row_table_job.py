"""Train row tables of centers and of classes: one program for all KVStores, blocks and numbers of workers.

    python -m centerloss_mx.launch -n 2 -s 2 -- python tests/row_table/row_table_job.py OUTPUT BASE KVSTORE

A dense parameter, which has the KVStore's first key, is trained beside them.
"""

from __future__ import annotations

import sys

import centerloss_mx  # noqa: F401  # a server serves inside the import
from centerloss_mx.optimizer import Centers
from centerloss_mx.row_table import RowTable, normal_rows, zeros
from centerloss_mx.symbol.tables import RowTableInfo, table_inputs

import mxnet as mx
import numpy as np

NUM_CLASS, DIM, BATCH, STEPS, ALPHA, SEED = 23, 4, 12, 15, 0.5, 20161008
CENTERS, CLASSES, BIAS = 'center_loss_center_weight', 'fc2_weight', 'fc1_bias'
BASES = {
    'sgd': {'learning_rate': 0.1, 'momentum': 0.9, 'wd': 0.1},
    'adam': {'learning_rate': 0.01, 'wd': 0.1},
    'adagrad': {'learning_rate': 0.1},
    'ftrl': {'learning_rate': 0.1, 'wd': 0.1},
}


def samples(step: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels of few classes, so that blocks have no rows; features; gradients of the class layer's rows."""
    rng = np.random.RandomState(SEED + step)
    labels = rng.choice(rng.choice(NUM_CLASS, 5, replace=False), BATCH)
    return labels, rng.randn(BATCH, DIM), rng.randn(BATCH, DIM)


def network() -> mx.sym.Symbol:
    shape = {'num_class': NUM_CLASS, 'dtype': 'float32', 'label': 'label', 'ignored': None}
    tables = (
        RowTableInfo(CENTERS, 'centers', width=DIM + 1, **shape),
        RowTableInfo(CLASSES, 'classes', width=DIM, **shape),
    )
    return mx.sym.Group([table_inputs(table)[0] for table in tables])


def train(kvstore: mx.kv.KVStore, base: str, block_rows: int | None = None) -> dict[str, np.ndarray]:
    """Each worker has its samples of each batch, and the last one none in every third step."""
    bias = mx.nd.zeros(2)
    kvstore.init(BIAS, bias)
    centers = RowTable(kvstore, CENTERS, (NUM_CLASS, DIM + 1), block_rows=block_rows)
    classes = RowTable(kvstore, CLASSES, (NUM_CLASS, DIM), block_rows=block_rows)
    centers.init(zeros(centers.shape))
    classes.init(normal_rows(classes.shape, seed=1, sigma=1))
    keys = centers.keys + classes.keys
    optimizer = Centers(base, ALPHA, sym=network(), param_idx2name={0: BIAS}, table_keys=keys, **BASES[base])
    kvstore.set_optimizer(optimizer)
    for step in range(STEPS):
        labels, features, gradients = samples(step)
        workers = kvstore.num_workers - (step % 3 == 0 and kvstore.num_workers > 1)
        mine = np.arange(BATCH) % workers == kvstore.rank
        rows, of_sample = np.unique(labels[mine], return_inverse=True)
        offsets = centers.pull(rows).asnumpy()[of_sample, :DIM] - features[mine]
        centers.push(rows, summed(np.hstack([offsets, -np.ones((len(offsets), 1))]), of_sample, len(rows)))
        classes.push(rows, summed(gradients[mine], of_sample, len(rows)))
        kvstore.push(BIAS, mx.nd.ones(2))
        kvstore.pull(BIAS, out=bias)
        bias.wait_to_read()
    return {CENTERS: centers.read(0, NUM_CLASS), CLASSES: classes.read(0, NUM_CLASS), BIAS: bias.asnumpy()}


def summed(values: np.ndarray, of_sample: np.ndarray, rows: int) -> np.ndarray:
    total = np.zeros((rows, values.shape[1]))
    np.add.at(total, of_sample, values)
    return total


def main(output: str, base: str, kvstore: str) -> None:
    kv = mx.kv.create(kvstore)
    trained = train(kv, base, block_rows=4)
    if kv.rank == 0:
        np.savez(output, **trained)
    kv._barrier()


if __name__ == '__main__':
    main(*sys.argv[1:])

"""Train a small network with centers on the KVStore: one program for every layout of devices and workers.

    python -m centerloss_mx.launch -n 2 -s 2 -- python tests/kvstore_job.py OUTPUT BASE KVSTORE [FORM]

The same 40 batches of 48 samples, features, network and first parameters in every layout. FORM:
`plain`, a plain Module, or `weighted`: the weight of the center loss is set after each batch.
"""

from __future__ import annotations

import sys

import centerloss_mx as cl

import mxnet as mx
import numpy as np

DIM, NUM_CLASS, BATCH, BATCHES, EPOCHS = 8, 30, 48, 10, 4
SCALE, ALPHA = 0.1, 0.5
BASES = {
    'sgd': {'learning_rate': 0.1},
    'sgd momentum': {'base': 'sgd', 'learning_rate': 0.05, 'momentum': 0.9, 'wd': 0.01},
    'adam': {'learning_rate': 0.01},
    'adagrad': {'learning_rate': 0.1},
}


def samples() -> tuple[np.ndarray, np.ndarray]:
    """Of 480 samples, the first third of each batch is of 3 classes, the last of one class or another."""
    rng = np.random.RandomState(20161008)
    x = rng.randn(BATCHES * BATCH, 5).astype('float32')
    y = rng.randint(0, NUM_CLASS, (BATCHES, BATCH))
    y[:, :16] %= 3
    y[:, 32:] = np.where(rng.rand(BATCHES, 16) < 0.8, 7, y[:, 32:])
    return x, y.reshape(-1)


def parameters() -> dict[str, np.ndarray]:
    rng = np.random.RandomState(1)
    return {
        'embedding_weight': rng.randn(DIM, 5),
        'fc2_weight': rng.randn(NUM_CLASS, DIM) / 4,
        'fc2_bias': rng.randn(NUM_CLASS) / 4,
        'center_loss_center_weight': np.hstack([rng.randn(NUM_CLASS, DIM), np.zeros((NUM_CLASS, 1))]),
    }


def train(
    base: str, kvstore, contexts=1, plain: bool = False, weighted: bool = False
) -> dict[str, np.ndarray]:
    """Fit the network, on one or several CPU contexts, as a worker of a `dist_*` KVStore its part."""
    x, y = samples()
    batches = cl.io.CenterLossIter(mx.io.NDArrayIter(x, y, BATCH))
    if isinstance(kvstore, mx.kv.KVStore):
        batches = cl.io.PartIter(batches, kvstore.rank, kvstore.num_workers)
    embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=DIM, no_bias=True, name='embedding')
    scale = cl.symbol.scale_variable(SCALE) if weighted else SCALE
    net = cl.symbol.joint_supervision(embedding, NUM_CLASS, scale, centers='kvstore', embedding_dim=DIM)
    module = (mx.mod.Module if plain else cl.module.Module)(
        net,
        label_names=['softmax_label', 'center_label'],
        context=[mx.cpu(i) for i in range(contexts)],
    )
    # our Module takes dense centers; plain ones need all rows to be there
    first = {name: mx.nd.array(value) for name, value in parameters().items()}
    if plain:
        key = 'center_loss_center_weight'
        first[key] = cl.model.with_all_rows(first[key])
    module.fit(
        batches,
        eval_metric=cl.metric.CenterLossMetric('null'),
        batch_end_callback=(lambda param: module.set_scale(SCALE * param.nbatch)) if weighted else None,
        kvstore=kvstore,
        optimizer='centers',
        optimizer_params={'base': base, 'alpha': ALPHA, **BASES[base]},
        arg_params=first,
        allow_missing=weighted,
        num_epoch=EPOCHS,
        sparse_row_id_fn=cl.module.sparse_row_id_fn(module) if plain else None,
    )
    return {name: value.asnumpy() for name, value in module.get_params()[0].items()}


def main(output: str, base: str, kvstore: str, form: str = '') -> None:
    store = mx.kv.create(kvstore)
    trained = train(base, store, plain=form == 'plain', weighted=form == 'weighted')
    if store.rank == 0:
        np.savez(output, **trained)


if __name__ == '__main__':
    main(*sys.argv[1:])

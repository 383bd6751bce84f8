"""Train a small network with centers on the KVStore: one program for every layout of devices and workers.

    python -m centerloss_mx.launch -n 2 -s 2 -- python tests/kvstore_job.py OUTPUT BASE KVSTORE [FORM]

The same 40 batches of 48 samples, features, network and first parameters in every layout. FORM:

- `plain`: a plain Module.
- `weighted`: the weight of the center loss is set after each batch.
- `table`: the centers in a row table.
- `all` and `sampled`: so, and with a class layer that samples all classes, or some of them.
- `dense`: with a class layer of all classes, without a bias as a sampled one.
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
NUM_SAMPLED = {'all': NUM_CLASS, 'sampled': 24}  # more than a batch has classes
SEED = 7  # of the sampled class layer
TABLES = 'table', 'all', 'sampled'
BLOCK_ROWS = 4  # of row tables: some blocks have no class of a batch


def samples() -> tuple[np.ndarray, np.ndarray]:
    """Of 480 samples, the first third of each batch is of 3 classes, the last of one class or another."""
    rng = np.random.RandomState(20161008)
    x = rng.randn(BATCHES * BATCH, 5).astype('float32')
    y = rng.randint(0, NUM_CLASS, (BATCHES, BATCH))
    y[:, :16] %= 3
    y[:, 32:] = np.where(rng.rand(BATCHES, 16) < 0.8, 7, y[:, 32:])
    return x, y.reshape(-1)


def parameters(form: str = '') -> dict[str, np.ndarray]:
    rng = np.random.RandomState(1)
    first = {
        'embedding_weight': rng.randn(DIM, 5),
        'fc2_weight': rng.randn(NUM_CLASS, DIM) / 4,
        'fc2_bias': rng.randn(NUM_CLASS) / 4,
        'center_loss_center_weight': np.hstack([rng.randn(NUM_CLASS, DIM), np.zeros((NUM_CLASS, 1))]),
    }
    if form in (*NUM_SAMPLED, 'dense'):
        del first['fc2_bias']
    return first


def network(form: str) -> mx.sym.Symbol:
    embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=DIM, no_bias=True, name='embedding')
    if form == 'dense':
        logits = mx.sym.FullyConnected(embedding, num_hidden=NUM_CLASS, no_bias=True, name='fc2')
        loss = cl.symbol.sync_center_loss(embedding, mx.sym.Variable('center_label'), NUM_CLASS, DIM, SCALE)
        return mx.sym.Group([mx.sym.SoftmaxOutput(logits, name='softmax'), loss])
    return cl.symbol.joint_supervision(
        embedding,
        NUM_CLASS,
        cl.symbol.scale_variable(SCALE) if form == 'weighted' else SCALE,
        centers='table' if form in TABLES else 'kvstore',
        embedding_dim=DIM,
        classifier={'num_sampled': NUM_SAMPLED[form], 'seed': SEED} if form in NUM_SAMPLED else None,
    )


def train(base: str, kvstore, contexts=1, form: str = '') -> dict[str, np.ndarray]:
    """Fit the network, on one or several CPU contexts, as a worker of a `dist_*` KVStore its part."""
    x, y = samples()
    batches = cl.io.CenterLossIter(mx.io.NDArrayIter(x, y, BATCH))
    if isinstance(kvstore, mx.kv.KVStore):
        batches = cl.io.PartIter(batches, kvstore.rank, kvstore.num_workers)
    plain, weighted = form == 'plain', form == 'weighted'
    module = (mx.mod.Module if plain else cl.module.Module)(
        network(form),
        label_names=['softmax_label', 'center_label'],
        context=[mx.cpu(i) for i in range(contexts)],
        **({'block_rows': BLOCK_ROWS} if form in TABLES else {}),
    )
    # our Module takes dense centers; plain ones need all rows to be there
    first = {name: mx.nd.array(value) for name, value in parameters(form).items()}
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
    trained = {name: value.asnumpy() for name, value in module.get_params()[0].items()}
    tables = {} if plain else module.row_tables
    return {**trained, **{name: np.concatenate([*table.pieces()]) for name, table in tables.items()}}


def main(output: str, base: str, kvstore: str, form: str = '') -> None:
    store = mx.kv.create(kvstore)
    trained = train(base, store, form=form)
    if store.rank == 0:
        np.savez(output, **trained)


if __name__ == '__main__':
    main(*sys.argv[1:])

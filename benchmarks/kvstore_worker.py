"""One worker of `benchmarks.kvstore`: steps of a network of many classes, and what they cost."""

from __future__ import annotations

import json
import sys
import time
from typing import Any, Iterator, NamedTuple

import centerloss_mx as cl
from centerloss_mx import reference
from centerloss_mx.row_table import sample_classes

import mxnet as mx
import numpy as np

from .kvstore_job import loopback_bytes, memory, report

INPUT, HIDDEN, DIM, BATCH, SAMPLED = 784, 256, 128, 128, 1024
ALPHA, SCALE, RATE = 0.5, 0.001, 0.01
WARM_UP, STEPS = 10, 100
CENTERS, CLASSES = 'center_loss_center_weight', 'fc2_weight'


class Layout(NamedTuple):
    """Where the centers are, which classes the class layer scores, and what SGD remembers."""

    centers: str
    sampled: bool
    momentum: float = 0.0


LAYOUTS = {
    'table, sampled': Layout('table', True),
    'table, sampled, momentum': Layout('table', True, 0.9),
    'kvstore, sampled': Layout('kvstore', True),
    'kvstore, dense': Layout('kvstore', False),
    'aux, sampled': Layout('aux', True),
    'aux, dense': Layout('aux', False),
}


def supervised(
    features: mx.sym.Symbol, num_class: int, layout: Layout, num_sampled: int = SAMPLED
) -> mx.sym.Symbol:
    return cl.symbol.joint_supervision(
        features,
        num_class,
        SCALE,
        alpha=ALPHA if layout.centers == 'aux' else None,
        centers=layout.centers,
        embedding_dim=DIM,
        classifier={'num_sampled': min(num_sampled, num_class)} if layout.sampled else None,
    )


def network(num_class: int, layout: Layout) -> mx.sym.Symbol:
    """An MLP of 784, 256 and 128 units, class layer and centers."""
    hidden = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=HIDDEN, name='hidden')
    hidden = mx.sym.Activation(hidden, act_type='relu')
    return supervised(mx.sym.FullyConnected(hidden, num_hidden=DIM, name='embedding'), num_class, layout)


def batches(num_class: int, width: int, rank: int, number: int) -> list[mx.io.DataBatch]:
    rng = np.random.RandomState(rank)
    made = []
    for _ in range(number):
        label = mx.nd.array(rng.randint(0, num_class, BATCH))
        made.append(mx.io.DataBatch([mx.nd.array(rng.rand(BATCH, width) - 0.5)], [label, label]))
    return made


def start(
    module: cl.module.Module, kvstore: mx.kv.KVStore | None, layout: Layout, batch: mx.io.DataBatch
) -> float:
    """Seconds from a network to the first step."""
    before = time.perf_counter()
    labels = [(name, (BATCH,)) for name in module.label_names]
    module.bind([('data', batch.data[0].shape)], labels)
    module.init_params(mx.init.Xavier())
    options: dict[str, Any] = {'learning_rate': RATE, 'momentum': layout.momentum}
    if layout.centers == 'aux':
        module.init_optimizer(kvstore, 'sgd', options)
    else:
        module.init_optimizer(kvstore, 'centers', {'base': 'sgd', 'alpha': ALPHA, **options})
    wait(kvstore)
    return time.perf_counter() - before


def wait(kvstore: mx.kv.KVStore | None) -> None:
    """For what this process has begun, and for the other workers."""
    mx.nd.waitall()
    if kvstore is not None:
        kvstore._barrier()


def milliseconds(module: cl.module.Module, todo: list[mx.io.DataBatch]) -> Iterator[float]:
    """A whole step: forward, backward and update, until all has arrived."""
    for batch in todo:
        before = time.perf_counter()
        module.forward_backward(batch)
        module.update()
        mx.nd.waitall()
        yield (time.perf_counter() - before) * 1e3


def check_agreement(kvstore: mx.kv.KVStore | None) -> None:
    """A few steps of all workers, features their data, against the oracle of their global batch."""
    num_class, num_sampled, layout = 200, 150, LAYOUTS['table, sampled']
    net = supervised(mx.sym.Variable('data'), num_class, layout, num_sampled)
    module = cl.module.Module(net, label_names=['softmax_label', 'center_label'])
    workers, rank = (kvstore.num_workers, kvstore.rank) if kvstore else (1, 0)
    own = [batches(num_class, DIM, worker, 4) for worker in range(workers)]
    start(module, kvstore, layout, own[rank][0])
    centers = np.zeros((num_class, DIM))
    weight = module.row_tables[CLASSES].read(0, num_class).astype(float)
    wait(kvstore)
    for step in range(4):
        list(milliseconds(module, [own[rank][step]]))
        x = [todo[step].data[0].asnumpy().astype(float) for todo in own]
        y = [todo[step].label[0].asnumpy().astype(int) for todo in own]
        gradient = np.zeros_like(weight)
        for features, labels in zip(x, y):
            rng = np.random.default_rng([0, 0, step])  # seed of the class layer, epoch, step
            sampled = sample_classes(np.unique(labels), num_class, num_sampled, rng)
            gradient[sampled] += reference.sampled_softmax(features, labels, weight, sampled)[2]
        weight -= RATE * gradient / (BATCH * workers)
        centers = reference.center_update(np.concatenate(x), np.concatenate(y), centers, ALPHA)
    for name, expected in {CENTERS: centers, CLASSES: weight}.items():
        trained = module.row_tables[name].read(0, num_class)[:, :DIM]
        np.testing.assert_allclose(trained, expected, atol=1e-5 * np.abs(expected).max())
    wait(kvstore)


def measure(
    kvstore: mx.kv.KVStore | None, num_class: int, layout: Layout, prefix: str | None
) -> dict[str, Any]:
    """What steps cost, and with a prefix what a checkpoint does."""
    module = cl.module.Module(network(num_class, layout), label_names=['softmax_label', 'center_label'])
    todo = batches(num_class, INPUT, kvstore.rank if kvstore else 0, WARM_UP + STEPS)
    measured: dict[str, Any] = {'initialize': start(module, kvstore, layout, todo[0])}
    list(milliseconds(module, todo[:WARM_UP]))
    wait(kvstore)
    measured.update(memory())
    before = loopback_bytes()
    measured['times'] = list(milliseconds(module, todo[WARM_UP:]))
    wait(kvstore)
    measured['wire'] = (loopback_bytes() - before) / STEPS / (kvstore.num_workers if kvstore else 1)
    measured['centers'] = np.mean([len(np.unique(batch.label[0].asnumpy())) for batch in todo])
    wait(kvstore)
    if prefix is not None:
        started = time.perf_counter()
        cl.model.save_checkpoint(module, prefix, 1)
        measured['checkpoint'] = time.perf_counter() - started
        measured.update({f'{name}_checkpoint': value for name, value in memory().items()})
        wait(kvstore)
    return measured


def resume(kvstore: mx.kv.KVStore | None, num_class: int, layout: Layout, prefix: str) -> dict[str, Any]:
    """Seconds from a checkpoint to the first step, whose rows are compared with the checkpoint's."""
    todo = batches(num_class, INPUT, kvstore.rank if kvstore else 0, WARM_UP)
    before = time.perf_counter()
    module = cl.module.Module.load(prefix, label_names=['softmax_label', 'center_label'])
    start(module, kvstore, layout, todo[0])
    seconds = time.perf_counter() - before
    saved = cl.model.load_checkpoint(prefix, 1)[1]
    rows = np.unique(np.random.RandomState(0).randint(0, num_class, 1000))
    for name, table in module.row_tables.items():
        np.testing.assert_array_equal(table.pull(rows).asnumpy(), saved[name][rows])
    wait(kvstore)
    list(milliseconds(module, todo))
    wait(kvstore)
    return {'resume': seconds}


def main() -> None:
    """Do the task that is given in JSON."""
    task = json.loads(sys.argv[1])
    kvstore = mx.kv.create('dist_sync') if task['distributed'] else None
    if task['name'] == 'check':
        check_agreement(kvstore)
        return
    options = kvstore, task['num_class'], LAYOUTS[task['layout']], task['prefix']
    measured = resume(*options) if task['name'] == 'resume' else measure(*options)
    if kvstore is None or kvstore.rank == 0:
        report(measured)


if __name__ == '__main__':
    main()

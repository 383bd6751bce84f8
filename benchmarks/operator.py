"""One forward and backward of the operator, against one that does nothing and one with loops over samples.

    python -m benchmarks.operator

The cost must grow with the batch, N x D, and not with the number of classes.
"""

from __future__ import annotations

import time

from centerloss_mx import reference
from centerloss_mx.operator import center_loss
from centerloss_mx.operator.device_rows import DeviceRows
from centerloss_mx.operator.numpy_rows import HostRows

import mxnet as mx
import numpy as np

from . import classic, nothing  # noqa: F401  they register operators

SIZES = [(64, 2, 10), (128, 512, 10_000), (128, 512, 1_000_000), (256, 512, 100_000), (512, 512, 1_000_000)]
WAYS = ['nothing', 'host rows', 'device rows', 'classic']
ROUNDS, STEPS = 10, 5


def bind(way: str, n: int, dim: int, num_class: int) -> mx.executor.Executor:
    data, label = mx.sym.Variable('data'), mx.sym.Variable('label')
    if way == 'nothing':
        loss = mx.sym.Custom(data, label, op_type='nothing')
    elif way == 'classic':
        loss = mx.sym.Custom(data, label, op_type='classic', num_class=num_class, name='c')
    else:
        loss = mx.sym.Custom(data, label, op_type='centerloss', num_class=num_class, batchsize=n, name='c')
    pick = center_loss.rows_for
    center_loss.rows_for = lambda ctx: DeviceRows if way == 'device rows' else HostRows
    try:
        return mx.sym.MakeLoss(loss).simple_bind(
            mx.cpu(), data=(n, dim), grad_req={'data': 'write', 'label': 'null'}
        )
    finally:
        center_loss.rows_for = pick


def batch(n: int, dim: int, num_class: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.RandomState(1)
    return rng.randn(n, dim).astype('float32'), rng.randint(0, num_class, n)


def check_agreement(n: int, dim: int) -> None:
    x, y = batch(n, dim, num_class=20)
    expected = reference.center_update(x, y, np.zeros((20, dim)), alpha=0.5)
    for way in WAYS[1:]:
        executor = bind(way, n, dim, 20)
        executor.forward(is_train=True, data=mx.nd.array(x), label=mx.nd.array(y))
        executor.backward()
        mx.nd.waitall()
        np.testing.assert_allclose(executor.aux_dict['c_center_bias'].asnumpy(), expected, atol=1e-6)


def milliseconds(executor: mx.executor.Executor) -> float:
    start = time.perf_counter()
    for _ in range(STEPS):
        executor.forward(is_train=True)
        executor.backward()
    mx.nd.waitall()
    return (time.perf_counter() - start) / STEPS * 1e3


def main() -> None:
    print(f'forward + backward, ms, minimum of {ROUNDS} rounds of {STEPS} steps; in brackets: times nothing')
    print(f'{"N, D, C":>20} ' + ' '.join(f'{way:>18}' for way in WAYS))
    for n, dim, num_class in SIZES:
        check_agreement(n, dim)
        x, y = batch(n, dim, num_class)
        executors = [bind(way, n, dim, num_class) for way in WAYS]
        for executor in executors:
            executor.forward(is_train=True, data=mx.nd.array(x), label=mx.nd.array(y))
        best = np.min([[milliseconds(executor) for executor in executors] for _ in range(ROUNDS)], axis=0)
        print(
            f'{n:5}, {dim:3}, {num_class:8,} ' + ' '.join(f'{ms:9.2f} ({ms / best[0]:5.1f})' for ms in best)
        )


if __name__ == '__main__':
    main()

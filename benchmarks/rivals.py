"""The rivals of the operator: how they are made, and the oracle that they must agree with to be timed."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from itertools import cycle
from typing import Any, Callable, Iterator, Sequence

from centerloss_mx import reference
from centerloss_mx._mxnet.arrays import host_view
from centerloss_mx.operator import native

import mxnet as mx
import numpy as np

from . import classic, nothing  # noqa: F401  they register operators

try:
    import torch

    from .distance_matrix import DistanceMatrix
    from .touched_rows import TouchedRows
except ImportError:
    torch = None

ALPHA, SCALE = 0.5, 0.1
THREADS = (1, 2)  # the rivals in PyTorch run with each
MOST_DISTANCES = 100_000  # classes; beyond, an array of N x C is too large


class Operator:
    """A custom operator of MXNet, bound alone, which takes the batches of labels (B, N) in turn."""

    def __init__(
        self,
        op_type: str,
        x: np.ndarray,
        labels: np.ndarray,
        centers: mx.nd.NDArray,
        scale: float | str = SCALE,
    ) -> None:
        inputs = [
            mx.sym.Variable(name) for name in ('data', 'label', 'scale')[: 3 if scale == 'input' else 2]
        ]
        parameters = {'num_class': len(centers), 'alpha': ALPHA, 'scale': scale}
        loss = mx.sym.MakeLoss(mx.sym.Custom(*inputs, op_type=op_type, **parameters))
        shapes = loss.infer_shape(data=x.shape)[2]
        states = [centers if shape == centers.shape else mx.nd.zeros(shape) for shape in shapes]
        batches = [mx.nd.array(y) for y in labels]
        arguments = {'data': mx.nd.array(x), 'label': batches[0].copy()}
        gradients = {'data': mx.nd.zeros(x.shape)}
        requests = {'data': 'write', 'label': 'null'}
        if scale == 'input':
            arguments['scale'], requests['scale'] = mx.nd.array([SCALE], dtype='float64'), 'null'
        self.executor = loss.bind(mx.cpu(), arguments, gradients, requests, states)
        self.label = arguments['label']
        self.batches = cycle(batches) if len(batches) > 1 else None

    def run(self, steps: int) -> None:
        for _ in range(steps):
            if self.batches is not None:
                next(self.batches).copyto(self.label)
            self.executor.forward(is_train=True)
            self.executor.backward()
        mx.nd.waitall()

    def loss_and_gradient(self) -> tuple[float, np.ndarray]:
        return self.executor.outputs[0].asscalar(), self.executor.grad_dict['data'].asnumpy()


@contextmanager
def without_kernel() -> Iterator[None]:
    """The operators that are created inside run in NumPy."""
    kernel, native.library = native.library, None
    try:
        yield
    finally:
        native.library = kernel


def in_torch(module: Callable, x: np.ndarray, labels: np.ndarray, centers: mx.nd.NDArray) -> Any:
    """A rival in PyTorch, on the memory of the same centers."""
    rival = module(x, labels, torch.from_numpy(host_view(centers)), ALPHA, SCALE)
    rival.memory = centers  # the array must live as long as the tensor that shares its memory
    return rival


NOTHING, DISTANCES, AGAIN, INPUT = 'nothing', 'N x C', 'again', 'scale input'
RIVALS: dict[str, Callable] = {
    'kernel': partial(Operator, 'centerloss'),
    NOTHING: partial(Operator, 'nothing'),
    'NumPy': without_kernel()(partial(Operator, 'centerloss')),
    'classic': partial(Operator, 'classic'),
}
MISSING = []
if native.library is None:
    RIVALS.pop('kernel')
    MISSING.append(f'`kernel` is left out: it {native.missing}.')
if torch is None:
    MISSING.append(
        "`touched rows` and `N x C` are left out: pip install 'centerloss_mx[bench]' brings PyTorch."
    )
else:
    RIVALS['touched rows'] = partial(in_torch, TouchedRows)
    RIVALS[DISTANCES] = partial(in_torch, DistanceMatrix)
OURS = 'kernel' if 'kernel' in RIVALS else 'NumPy'
TABLE = tuple(RIVALS)
# No rivals: the operator a second time, and with a weight that is an input.
RIVALS.update({AGAIN: RIVALS[OURS], INPUT: partial(Operator, 'centerloss', scale='input')})


def batch(n: int, dim: int, num_class: int, batches: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, dim), and labels (batches, n) drawn from all classes."""
    rng = np.random.RandomState(1)
    return rng.randn(n, dim).astype('float32'), rng.randint(0, num_class, (batches, n))


def runs(
    n: int, dim: int, num_class: int, names: Sequence[str] = TABLE, batches: int = 1
) -> dict[str, Callable[[int], None]]:
    """For each rival, what runs a number of steps. They share the centers; each has agreed with the oracle.

    The names of rivals in PyTorch are followed by their numbers of threads.
    """
    x, labels = batch(n, dim, num_class, batches)
    centers = mx.nd.zeros((num_class, dim))
    found = {}
    for name in names:
        if name == DISTANCES and num_class > MOST_DISTANCES:
            continue
        rival = RIVALS[name](x, labels, centers)
        if name != NOTHING:
            check_agreement(name, rival, x, labels[0], host_view(centers))
        if isinstance(rival, Operator):
            found[name] = rival.run
        else:
            found.update({f'{name}, {count}': partial(run_with_threads, rival, count) for count in THREADS})
    return found


def run_with_threads(rival: Any, threads: int, steps: int) -> None:
    torch.set_num_threads(threads)
    rival.run(steps)


def check_agreement(name: str, rival: Any, x: np.ndarray, y: np.ndarray, centers: np.ndarray) -> None:
    """One step: loss, gradient and centers are the oracle's, and no center of another class has moved."""
    present, of_class = np.unique(y, return_inverse=True)
    start = np.random.RandomState(2).randn(len(present), x.shape[1]).astype('float32')
    centers[present] = start
    rival.run(1)
    loss, gradient = reference.center_loss(x, of_class, start)
    if name == DISTANCES:  # its optimizer knows no n_j: the gradient to the centers, divided by N as the loss
        moved = start - ALPHA * reference.learned_center_loss(x, of_class, start)[2] / len(x)
    else:
        moved = reference.center_update(x, of_class, start, ALPHA)
    found = rival.loss_and_gradient()
    np.testing.assert_allclose(found[0], loss / len(x), rtol=1e-5, err_msg=name)
    np.testing.assert_allclose(found[1], gradient * SCALE / len(x), atol=1e-5 * SCALE / len(x), err_msg=name)
    np.testing.assert_allclose(centers[present], moved, atol=1e-5, err_msg=name)
    np.testing.assert_array_equal(np.flatnonzero(centers.any(axis=1)), present, err_msg=name)
    centers[present] = 0

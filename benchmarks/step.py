"""One step of the center loss, forward + backward + update of the centers, against its rivals.

    python -m benchmarks.step                            # the tables, in 3 minutes
    python -m benchmarks.step --picture step_cost.png    # also the curves, in 4 more

`kernel` is the operator as it is, `NumPy` the same operator without the kernel. `nothing` is an operator in Python
that computes nothing, `classic` one with an array operation a sample. `touched rows` and `N x C` are in PyTorch.
"""

from __future__ import annotations

import argparse
from typing import Iterable, Sequence

import numpy as np

from . import rivals
from .machine import copy_bandwidth, describe
from .rivals import NOTHING, OURS, RIVALS
from .rounds import PERCENTILES, ROUNDS, STEPS, milliseconds_per_step, percentiles

SIZES = [(64, 2, 10), (128, 512, 10_000), (256, 512, 100_000), (512, 512, 1_000_000)]  # N, D, C
CLASSES = [1000, 10_000, 100_000, 1_000_000]
BATCHES = [16, 64, 256, 1024]
N, D, C = 256, 512, 10_000  # where the others do not say
FRESH = 200  # batches of labels, whose rows do not fit into the caches together

Times = 'dict[str, np.ndarray]'


def measure(n: int, dim: int, num_class: int, names: Sequence[str] = tuple(RIVALS), batches: int = 1) -> Times:
    """Milliseconds a step in each round; of the numbers of threads the one with the lowest minimum."""
    measured = milliseconds_per_step(rivals.runs(n, dim, num_class, names, batches))
    best: dict[str, tuple[str, np.ndarray]] = {}
    for name, times in measured.items():
        rival = name.partition(',')[0]
        if rival not in best or times.min() < best[rival][1].min():
            best[rival] = name, times
    return dict(best.values())


def print_sizes() -> None:
    print(f'\nforward + backward + update, ms a step, {ROUNDS} rounds of {STEPS} steps, in turns; after a comma: threads')
    print(f'{"":18}{PERCENTILES}    / {OURS}: minimum    p50')
    for n, dim, num_class in SIZES:
        print(f'N = {n}, D = {dim}, C = {num_class:,}')
        measured = measure(n, dim, num_class)
        ours = measured[OURS]
        for name, times in measured.items():
            ratios = times.min() / ours.min(), np.median(times) / np.median(ours)
            print(f'  {name:16}{percentiles(times)}{ratios[0]:19.2f}{ratios[1]:7.2f}')


def print_classes() -> None:
    """The cost over C: it should not grow."""
    compared = [name for name in (OURS, NOTHING, 'touched rows') if name in RIVALS]
    for title, batches in ('the same batch in each step', 1), ('other classes in each step', FRESH):
        print(f'\nN = {N}, D = {D}, {title}: ms a step; / first: minimum by that of C = {CLASSES[0]:,}')
        print(f'{"C":>10} {"":16}{PERCENTILES}   / first')
        first: dict[str, float] = {}
        for num_class in CLASSES:
            for name, times in measure(N, D, num_class, compared, batches).items():
                rival = name.partition(',')[0]
                ratio = times.min() / first.setdefault(rival, times.min())
                print(f'{num_class:10,} {name:16}{percentiles(times)}{ratio:10.2f}')


def print_traffic() -> None:
    """The memory that a step must read and write, per second, beside the speed of a copy."""
    print('\nmemory traffic of a step: (4 N + 3 K) D x 4 bytes, K the classes present. x and the rows of centers are read, the')
    print('difference is written, and read again; the gradient is written; the rows are read and written again.')
    large = copy_bandwidth(2**29)
    print(f'{"N, D, C":>20}      MB        ms    GB/s   a copy of as much: GB/s   a copy of 512 MB: GB/s')
    for n, dim, num_class in SIZES[1:]:
        labels = rivals.batch(n, dim, num_class)[1]
        size = (4 * n + 3 * len(np.unique(labels))) * dim * 4
        ms = measure(n, dim, num_class, (OURS,))[OURS].min()
        shape = f'{n}, {dim}, {num_class:,}'
        print(
            f'{shape:>20} {size / 1e6:7.3f} {ms:9.3f} {size / ms / 1e6:7.1f} {copy_bandwidth(size):25.1f} {large:24.1f}'
        )


def curves(points: Iterable[tuple[int, tuple[int, int, int]]]) -> dict[str, list[tuple[int, float]]]:
    """For each rival its (position, minimum of ms a step)."""
    found: dict[str, list[tuple[int, float]]] = {}
    for position, shape in points:
        for name, times in measure(*shape).items():
            found.setdefault(name.partition(',')[0], []).append((position, times.min()))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description='Time a step of the center loss against its rivals.')
    parser.add_argument('--picture', metavar='FILE', help='also draw time over C and over N, a .png or .svg')
    args = parser.parse_args()
    print(describe('numpy', 'mxnet', 'torch'))
    for sentence in rivals.MISSING:
        print(sentence)
    print_sizes()
    print_classes()
    print_traffic()
    if args.picture:
        from .step_picture import draw

        over_classes = curves((num_class, (N, D, num_class)) for num_class in CLASSES)
        over_batches = curves((n, (n, D, C)) for n in BATCHES)
        draw(args.picture, over_classes, over_batches, N, D, C)


if __name__ == '__main__':
    main()

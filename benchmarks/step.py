"""One step of the center loss, forward + backward + update of the centers, against its rivals.

    python -m benchmarks.step                            # tables, in 3 minutes
    python -m benchmarks.step --picture step_cost.png    # also curves over C and over N, in 5 more

`kernel` is the operator as it is, and `NumPy` the same operator without the kernel. `nothing` is an operator
in Python that computes nothing; `classic` has an array operation for each sample. In PyTorch, `touched rows`
works on the rows of the batch's classes, and `N x C` on the distances of all samples to all centers.
"""

from __future__ import annotations

import argparse
from typing import Iterable

import numpy as np

from . import rivals
from .machine import copy_bandwidth, describe
from .rivals import AGAIN, INPUT, NOTHING, OURS, RIVALS
from .rounds import (
    MORE,
    PERCENTILES,
    ROUNDS,
    STEPS,
    median_interval,
    milliseconds_per_step,
    percentiles,
)

SIZES = [(64, 2, 10), (128, 512, 10_000), (256, 512, 100_000), (512, 512, 1_000_000)]  # N, D, C
CLASSES = [1000, 10_000, 100_000, 1_000_000]
BATCHES = [16, 64, 256, 1024]
N, D, C = 256, 512, 10_000  # where another one varies
MANY = 200  # batches of labels: their rows of centers do not fit into the caches together

Times = 'dict[str, np.ndarray]'  # ms a step in each round


def fastest(measured: Times) -> Times:
    """Of a rival with several numbers of threads, the one with the lowest minimum."""
    best: dict[str, str] = {}
    for name, times in measured.items():
        rival = name.partition(',')[0]
        if times.min() <= measured[best.setdefault(rival, name)].min():
            best[rival] = name
    return {name: measured[name] for name in best.values()}


def print_sizes() -> None:
    print(f'\none step, ms; {ROUNDS} rounds of {STEPS} steps, {MORE} more of the fast rivals')
    print(f'{"":18}{PERCENTILES}   / {OURS}: minimum, p50')
    for n, dim, num_class in SIZES:
        print(f'N = {n}, D = {dim}, C = {num_class:,}')
        measured = fastest(milliseconds_per_step(rivals.runs(n, dim, num_class)))
        ours = measured[OURS]
        for name, times in measured.items():
            ratios = times.min() / ours.min(), np.median(times) / np.median(ours)
            print(f'  {name:16}{percentiles(times)}{ratios[0]:14.2f}{ratios[1]:11.2f}')
        print_traffic(n, dim, num_class, ours.min())


def print_scale_input() -> None:
    """What a weight that is an input costs, where it is not set again: the ratios of rounds, in pairs.

    A second operator with a fixed weight shows what two operators that do the same differ by.
    """
    print(f'\n{OURS}, ms, and median of the ratios to a fixed weight, with its interval of 95 %')
    for n, dim, num_class in SIZES:
        print(f'N = {n}, D = {dim}, C = {num_class:,}')
        measured = milliseconds_per_step(rivals.runs(n, dim, num_class, (OURS, AGAIN, INPUT)))
        for name, times in measured.items():
            ratio, low, high = median_interval(times / measured[OURS])
            print(f'  {name:16}{percentiles(times)}{ratio:10.3f}, {low:.3f} to {high:.3f}')


def print_classes(batches: int) -> None:
    """The cost over C, which should not grow: all numbers of classes and the rivals take turns."""
    compared = [name for name in (OURS, NOTHING, 'touched rows') if name in RIVALS]
    runs = {num_class: rivals.runs(N, D, num_class, compared, batches) for num_class in CLASSES}
    together = milliseconds_per_step(
        {(c, name): run for c, named in runs.items() for name, run in named.items()}
    )
    labels = 'the same batch in each step' if batches == 1 else 'other classes in each step'
    print(f'\nN = {N}, D = {D}, {labels}; / first: minimum by that of C = {CLASSES[0]:,}')
    print(f'{"C":>10} {"":16}{PERCENTILES}   / first   / {OURS}')
    first: dict[str, float] = {}
    for num_class, named in runs.items():
        measured = fastest({name: together[num_class, name] for name in named})
        ours = measured[OURS].min()
        for name, times in measured.items():
            lowest = times.min()
            ratio = lowest / first.setdefault(name.partition(',')[0], lowest)
            print(f'{num_class:10,} {name:16}{percentiles(times)}{ratio:10.2f}{lowest / ours:10.2f}')
    print_traffic(N, D, CLASSES[-1], ours)


def print_traffic(n: int, dim: int, num_class: int, ms: float) -> None:
    """What a step must read and write, in this time, beside the speed of a copy.

    It reads x and the rows of the K classes present, and writes the difference. It reads that again, writes
    the gradient, and reads and writes the rows: (4 N + 3 K) D floats.
    """
    present = len(np.unique(rivals.batch(n, dim, num_class)[1]))
    size = (4 * n + 3 * present) * dim * 4
    print(
        f'  {OURS}: (4 N + 3 K) D floats, {size / 1e6:.2f} MB, at {size / ms / 1e6:.1f} GB/s. '
        f'A copy: {copy_bandwidth(size):.1f} GB/s of as much, {copy_bandwidth(2**29):.1f} GB/s of 512 MB'
    )


def curves(points: Iterable[tuple[int, tuple[int, int, int]]]) -> dict[str, list[tuple[int, float]]]:
    """For each rival its points: the position, and the minimum of ms a step."""
    found: dict[str, list[tuple[int, float]]] = {}
    for position, shape in points:
        for name, times in fastest(milliseconds_per_step(rivals.runs(*shape))).items():
            found.setdefault(name.partition(',')[0], []).append((position, times.min()))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description='Time a step of the center loss against its rivals.')
    parser.add_argument('--picture', metavar='FILE', help='also draw time over C and over N, a .png or .svg')
    args = parser.parse_args()
    print(describe('numpy', 'mxnet', 'torch'))
    if rivals.torch is not None:
        print('after the name of a rival in PyTorch: its number of threads, the better one of 1 and 2')
    for sentence in rivals.MISSING:
        print(sentence)
    print_sizes()
    print_scale_input()
    for batches in 1, MANY:
        print_classes(batches)
    if args.picture:
        from .step_picture import draw

        over_classes = curves((num_class, (N, D, num_class)) for num_class in CLASSES)
        over_batches = curves((n, (n, D, C)) for n in BATCHES)
        draw(args.picture, over_classes, over_batches, N, D, C)


if __name__ == '__main__':
    main()

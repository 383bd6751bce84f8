"""Peak memory of a step over the number of classes, beside the size of the centers.

    python -m benchmarks.memory      # about a minute

Each size has a process of its own, which takes ten steps. What the libraries and the batch take is not
counted. One copy of the centers is what the loss cannot do without.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

from centerloss_mx._mxnet.arrays import host_view

import mxnet as mx

from . import rivals
from .kvstore import peak_memory
from .machine import describe

N, D, STEPS = 256, 512, 10
CLASSES = [1000, 10_000, 100_000, 1_000_000]
COMPARED = [name for name in (rivals.OURS, 'touched rows', rivals.DISTANCES) if name in rivals.RIVALS]


def measure(name: str, num_class: int) -> float:
    """GB that ten steps in this process take at their peak."""
    make = rivals.RIVALS[name]
    # libraries load much of themselves in their first step
    make(*rivals.batch(4, 2, 8), mx.nd.zeros((8, 2))).run(1)
    x, labels = rivals.batch(N, D, num_class)
    before = peak_memory()
    centers = mx.nd.zeros((num_class, D))
    rival = make(x, labels, centers)
    rival.run(STEPS)
    peak = peak_memory()
    rivals.check_agreement(name, rival, x, labels[0], host_view(centers))
    return peak - before


def in_own_process(name: str, num_class: int) -> float:
    command = [sys.executable, '-m', 'benchmarks.memory', '--rival', name, '--num-class', str(num_class)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description='Measure the peak memory of a step, by number of classes.')
    parser.add_argument('--rival', help=argparse.SUPPRESS)  # in a process of its own
    parser.add_argument('--num-class', type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.rival:
        print(json.dumps(measure(args.rival, args.num_class)))
        return
    print(describe('numpy', 'mxnet', 'torch'))
    for sentence in rivals.MISSING:
        print(sentence)
    print(f'\npeak memory, GB, of {STEPS} steps, N = {N}, D = {D}; in brackets: copies of the centers')
    print(f'{"C":>10}{"one copy":>10}' + ''.join(f'{name:>20}' for name in COMPARED))
    for num_class in CLASSES:
        copy = num_class * D * 4 / 2**30
        cells = ''
        for name in COMPARED:
            if name == rivals.DISTANCES and num_class > rivals.MOST_DISTANCES:
                continue
            peak = in_own_process(name, num_class)
            cells += f'{peak:11.3f} ({peak / copy:6.2f})'
        print(f'{num_class:10,}{copy:10.3f}{cells}')


if __name__ == '__main__':
    main()

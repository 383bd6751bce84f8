"""The whole training step with many classes: its time, memory and bytes by the number of classes.

    python -m benchmarks.kvstore               # row tables, 10^3 to 4 * 10^6 classes, 1 and 2 workers
    python -m benchmarks.kvstore --largest     # 10^7 classes, too: 15 GB of memory, 11 GB of disk
    python -m benchmarks.kvstore --compare     # with centers='kvstore' and 'aux', and dense class layers

A network of 784, 256 and 128 units, a class layer that samples 1,024 classes (all of 1,000) and centers learn
by SGD from 128 random samples a worker and step, of classes drawn from all. Scheduler, servers (one for each
worker) and workers run on this machine and talk over its loopback. Sizes take turns, several rounds.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from . import machine
from .kvstore_job import run

DIM, SAMPLED = 128, 1024
TABLES = 'table, sampled'
CLASSES = [1000, 10_000, 100_000, 1_000_000, 4_000_000]
LARGEST = 10_000_000
COMPARED = {  # by layout and number of workers; 0: one process without a KVStore
    ('aux, dense', 0): [1000, 10_000, 100_000],
    ('aux, sampled', 0): [1000, 10_000, 100_000, 1_000_000],
    (TABLES, 0): [1000, 10_000, 100_000, 1_000_000],
    ('kvstore, dense', 1): [1000, 10_000, 100_000],
    ('kvstore, sampled', 1): [1000, 10_000, 100_000, 1_000_000],
    (TABLES, 1): [1000, 10_000, 100_000, 1_000_000],
    (f'{TABLES}, momentum', 1): [1_000_000],
}
Case = tuple  # layout, number of workers, number of classes


def task(name: str, case: Case, prefix: str | None = None) -> dict[str, Any]:
    layout, workers, num_class = case
    found = {'name': name, 'distributed': workers > 0, 'layout': layout}
    return run(workers, {**found, 'num_class': num_class, 'prefix': prefix})


def table_bytes(num_class: int) -> int:
    """Of the centers with their counts, and of the class layer."""
    return num_class * (DIM + 1 + DIM) * 4


def with_checkpoint(case: Case, folder: str | None) -> dict[str, Any]:
    """Measure steps, and then how long a checkpoint takes, and a new job that loads it."""
    with tempfile.TemporaryDirectory(dir=folder) as made:
        free, needed = shutil.disk_usage(made).free, table_bytes(case[2]) + 2**30
        if free < needed:
            sys.exit(f'{made} has {free:,} bytes free, and a checkpoint takes {needed:,}: see --folder')
        prefix = str(Path(made, 'net'))
        return {**task('measure', case, prefix), **task('resume', case, prefix)}


def measure(cases: list[Case], rounds: int, folder: str | None = None) -> dict[Case, list[dict[str, Any]]]:
    """Every case in turn, several times; checkpoints in the first round, if there is a folder."""
    found = defaultdict(list)
    for turn in range(1, rounds + 1):
        for case in cases:
            print(f'round {turn} of {rounds}: {case}', file=sys.stderr)
            saves = folder is not None and turn == 1
            found[case].append(with_checkpoint(case, folder) if saves else task('measure', case))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description='Measure a training step by the number of classes.')
    parser.add_argument('--largest', action='store_true', help=f'{LARGEST:,} classes with one worker, too')
    parser.add_argument('--compare', action='store_true', help='other places for centers, and dense layers')
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--folder', default=tempfile.gettempdir(), help='for checkpoints, removed at the end')
    args = parser.parse_args()
    print(machine.describe('numpy', 'mxnet'))
    for workers in 0, 1, 2:
        task('check', (TABLES, workers, CLASSES[0]))
    if args.compare:
        cases = [(*key, num_class) for key, sizes in COMPARED.items() for num_class in sizes]
        print_comparison(measure(cases, args.rounds))
        return
    cases = [(TABLES, workers, num_class) for num_class in CLASSES for workers in (1, 2)]
    if args.largest:
        cases.append((TABLES, 1, LARGEST))
    found = measure(cases, args.rounds, args.folder)
    print_times(found)
    print_bytes(found)
    print_memory(found)
    print_seconds(found)


def best(found: list[dict[str, Any]]) -> np.ndarray:
    """p20, p50 and p80 of the round with the lowest p50."""
    rounds = [np.percentile(one['times'], [20, 50, 80]) for one in found]
    return min(rounds, key=lambda row: row[1])


def least(found: list[dict[str, Any]], key: str) -> float:
    return min((one[key] for one in found if key in one), default=np.nan)


def heading(*columns: str) -> None:
    print(f'{"workers":>9}{"classes":>12}' + ''.join(f'{name:>13}' for name in columns))


def row(case: Case, *values: float, digits: int = 2) -> None:
    print(f'{case[1]:9}{case[2]:12,}' + ''.join(f'{value:13.{digits}f}' for value in values))


def print_times(found: dict) -> None:
    print('\na step, ms, of the best round; p50 / that of 10,000 classes')
    heading('p20', 'p50', 'p80', '/ 10,000')
    for case, rounds in found.items():
        times = best(rounds)
        row(case, *times, times[1] / best(found[TABLES, case[1], 10_000])[1])


def print_bytes(found: dict) -> None:
    print('\nKB on the wire for a worker and step: all; and of it rows of tables, pulled and pushed')
    heading('all', 'centers', 'class layer')
    for case, rounds in found.items():
        centers = 2 * rounds[0]['centers'] * (DIM + 1) * 4
        classes = 2 * min(SAMPLED, case[2]) * DIM * 4
        row(case, *(count / 1024 for count in (least(rounds, 'wire'), centers, classes)), digits=0)


def print_memory(found: dict) -> None:
    print('\nmemory, GB, after the first steps and at most until then, of the worker of rank 0 and of the')
    print('largest server; the two tables; the worker / that of 1,000 classes')
    heading('tables', 'worker', '/ 1,000', 'its peak', 'server', 'its peak')
    for case, rounds in found.items():
        worker = least(rounds, 'worker')
        ratio = worker / least(found[TABLES, case[1], 1000], 'worker')
        others = [least(rounds, key) for key in ('worker_peak', 'server', 'server_peak')]
        row(case, table_bytes(case[2]) / 2**30, worker, ratio, *others)


def print_seconds(found: dict) -> None:
    print('\nseconds to initialize all, to save a checkpoint, and to load it and initialize all;')
    print('peaks, GB, until it is saved')
    heading('initialize', 'save', 'resume', 'worker peak', 'server peak')
    keys = 'initialize', 'checkpoint', 'resume', 'worker_peak_checkpoint', 'server_peak_checkpoint'
    for case, rounds in found.items():
        row(case, *(least(rounds, key) for key in keys))


def print_comparison(found: dict) -> None:
    print('\nthe same by layout (centers, class layer); workers 0: one process without a KVStore')
    print(
        'a step, ms, of the best round; KB on the wire for a worker and step; memory, GB, after first steps'
    )
    columns = 'p20', 'p50', 'p80', 'KB', 'worker', 'its peak', 'server'
    print(f'{"centers, class layer":26}', end='')
    heading(*columns)
    for case, rounds in found.items():
        memory = [least(rounds, key) for key in ('worker', 'worker_peak', 'server')]
        print(f'{case[0]:26}', end='')
        row(case, *best(rounds), least(rounds, 'wire') / 1024, *memory)


if __name__ == '__main__':
    main()

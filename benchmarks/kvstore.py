"""Centers on the KVStore, the center loss alone: step time, memory and bytes by number of classes.

    python -m benchmarks.kvstore               # 10^3 to 10^6 classes, 1 and 2 workers; about 6 minutes
    python -m benchmarks.kvstore --largest     # 4 * 10^6 classes with one worker, too

Scheduler, servers (one for each worker) and workers run on this machine and talk over its loopback. Features
of 128 dimensions come from the data, 128 a worker and step, of classes drawn from all. None of step time,
memory of a step and bytes should grow with the number of classes, but for one pass over the classes in
MXNet's Embedding.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import centerloss_mx as cl
from centerloss_mx import reference

import mxnet as mx
import numpy as np

DIM, BATCH, ALPHA = 128, 128, 0.5
CLASSES = [1000, 10_000, 100_000, 1_000_000]
LARGEST = 4_000_000  # MXNet's servers take less than 2^31 bytes
WARM_UP, STEPS = 10, 100
MARK = 'measured: '


def module(num_class: int, storage: str = 'kvstore') -> cl.module.Module:
    """The center loss alone, its features the module's data."""
    data, label = mx.sym.Variable('data'), mx.sym.Variable('label')
    if storage == 'kvstore':
        loss = cl.symbol.sync_center_loss(data, label, num_class, DIM)
    else:
        loss = cl.symbol.center_loss(data, label, num_class, ALPHA, batchsize=BATCH, normalization='null')
    made = cl.module.Module(loss, label_names=['label'])
    made.bind([('data', (BATCH, DIM))], [('label', (BATCH,))], inputs_need_grad=True)
    made.init_params()
    return made


def batches(num_class: int, rank: int, number: int) -> list[mx.io.DataBatch]:
    rng = np.random.RandomState(rank)
    return [
        mx.io.DataBatch([mx.nd.array(rng.randn(BATCH, DIM))], [mx.nd.array(rng.randint(0, num_class, BATCH))])
        for _ in range(number)
    ]


def step(made: cl.module.Module, batch: mx.io.DataBatch) -> None:
    made.forward_backward(batch)
    if made.optimizer_initialized:
        made.update()
    mx.nd.waitall()


def milliseconds(made: cl.module.Module, todo: list[mx.io.DataBatch]) -> list[float]:
    times = []
    for batch in todo:
        start = time.perf_counter()
        step(made, batch)
        times.append((time.perf_counter() - start) * 1e3)
    return times


def check_agreement(kvstore: mx.kv.KVStore) -> None:
    """A few steps of all workers, against the oracle of their global batch."""
    num_class = 50
    made = module(num_class)
    made.init_optimizer(kvstore, 'centers', {'alpha': ALPHA})
    own = [batches(num_class, rank, 4) for rank in range(kvstore.num_workers)]
    centers = np.zeros((num_class, DIM))
    for i in range(4):
        step(made, own[kvstore.rank][i])
        x = np.concatenate([todo[i].data[0].asnumpy() for todo in own])
        y = np.concatenate([todo[i].label[0].asnumpy() for todo in own])
        centers = reference.center_update(x, y, centers, ALPHA)
    trained = made.get_params()[0]['center_loss_center_weight'].asnumpy()[:, :DIM]
    np.testing.assert_allclose(trained, centers, atol=1e-5)


def loopback_bytes() -> int:
    """All that this machine has sent to itself."""
    for line in Path('/proc/net/dev').read_text().splitlines():
        name, _, counters = line.partition(':')
        if name.strip() == 'lo':
            return int(counters.split()[0])
    raise RuntimeError('there is no loopback in /proc/net/dev')


def peak_memory(process: str = 'self') -> float:
    """GB, by the kernel's count."""
    status = Path(f'/proc/{process}/status').read_text()
    return int(status.partition('VmHWM:')[2].split()[0]) / 2**20


def servers() -> list[str]:
    """The process numbers of this job's servers."""
    port = f'DMLC_PS_ROOT_PORT={os.environ["DMLC_PS_ROOT_PORT"]}'.encode()
    found = []
    for number in filter(str.isdigit, os.listdir('/proc')):
        try:
            environment = Path(f'/proc/{number}/environ').read_bytes().split(b'\0')
        except OSError:  # another user's, or gone
            continue
        if port in environment and b'DMLC_ROLE=server' in environment:
            found.append(number)
    return found


def work(num_class: int, agreement: bool) -> None:
    """One worker's part of a job; rank 0 prints what it has measured."""
    kvstore = mx.kv.create('dist_sync')
    if agreement:
        check_agreement(kvstore)
        return
    made = module(num_class)
    made.init_optimizer(kvstore, 'centers', {'alpha': ALPHA})
    todo = batches(num_class, kvstore.rank, WARM_UP + STEPS)
    milliseconds(made, todo[:WARM_UP])
    kvstore._barrier()
    before = loopback_bytes()
    times = milliseconds(made, todo[WARM_UP:])
    kvstore._barrier()
    wire = (loopback_bytes() - before) / STEPS / kvstore.num_workers
    of_steps = peak_memory(), max(map(peak_memory, servers()))
    start = time.perf_counter()
    made.set_params(*made.get_params())  # what `fit` does
    mx.nd.waitall()
    seconds = time.perf_counter() - start
    kvstore._barrier()
    if kvstore.rank == 0:
        rows = np.mean([len(np.unique(batch.label[0].asnumpy())) for batch in todo])
        measured = {
            'times': times,
            'wire': wire,
            'rows': rows,
            'worker': of_steps[0],
            'server': of_steps[1],
            'epoch_end': seconds,
            'worker_end': peak_memory(),
            'server_end': max(map(peak_memory, servers())),
        }
        print(MARK + json.dumps(measured), flush=True)


def alone(num_class: int) -> dict[str, list[float]]:
    """Forward and backward in this process: of the operator, and of the symbol without a KVStore."""
    todo = batches(num_class, 0, WARM_UP + STEPS)
    times = {}
    for storage in 'aux', 'kvstore':
        made = module(num_class, storage)
        milliseconds(made, todo[:WARM_UP])
        times[storage] = milliseconds(made, todo[WARM_UP:])
    return times


def job(num_class: int, workers: int, *options: str) -> dict[str, Any]:
    """What the worker of rank 0 has measured."""
    launch = [sys.executable, '-m', 'centerloss_mx.launch', '-n', str(workers), '--']
    worker = [sys.executable, '-m', 'benchmarks.kvstore', '--work', str(num_class), *options]
    # Split over all servers whatever its size: else the servers of few classes would be fewer.
    environment = {**os.environ, 'MXNET_KVSTORE_BIGARRAY_BOUND': '1000'}
    done = subprocess.run([*launch, *worker], env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    lines = [line.partition(MARK)[2] for line in done.stdout.splitlines()]
    return json.loads(next(filter(None, lines), '{}'))


def best(rounds: list[list[float]]) -> np.ndarray:
    """p20, p50 and p80 of the round with the lowest p50."""
    return min((np.percentile(times, [20, 50, 80]) for times in rounds), key=lambda row: row[1])


def measure(sizes: list[tuple[int, int]], rounds: int) -> tuple[dict, dict]:
    """Every size in turn, several times."""
    in_one, in_jobs = defaultdict(list), defaultdict(list)
    for turn in range(1, rounds + 1):
        for num_class, workers in sizes:
            print(f'round {turn} of {rounds}: {num_class:,} classes, {workers} workers', file=sys.stderr)
            if workers == 1:
                in_one[num_class].append(alone(num_class))
            in_jobs[num_class, workers].append(job(num_class, workers))
    return in_one, in_jobs


def main() -> None:
    parser = argparse.ArgumentParser(description='Measure centers on the KVStore, by number of classes.')
    parser.add_argument('--largest', action='store_true', help=f'{LARGEST:,} classes with one worker, too')
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--work', type=int, help=argparse.SUPPRESS)  # in a worker: the number of classes
    parser.add_argument('--check', action='store_true', help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        work(args.work, args.check)
        return
    for workers in 1, 2:
        job(CLASSES[0], workers, '--check')
    sizes = [(num_class, workers) for num_class in CLASSES for workers in (1, 2)]
    in_one, in_jobs = measure(sizes, args.rounds)
    if args.largest:
        largest = measure([(LARGEST, 1)], 1)
        in_one.update(largest[0])
        in_jobs.update(largest[1])
    print_times(in_one, in_jobs)
    print_memory(in_jobs)
    print_bytes(in_jobs)


def print_times(in_one: dict, in_jobs: dict) -> None:
    columns = {
        'operator': {key: best([one['aux'] for one in found]) for key, found in in_one.items()},
        'symbol': {key: best([one['kvstore'] for one in found]) for key, found in in_one.items()},
    }
    for workers in 1, 2:
        found = {num_class: jobs for (num_class, number), jobs in in_jobs.items() if number == workers}
        columns[f'{workers} workers'] = {
            key: best([one['times'] for one in jobs]) for key, jobs in found.items()
        }
    print('a step, ms: p20 p50 p80 of the best round; in brackets: p50 by that of 1,000 classes')
    print(f'{"classes":>10}' + ''.join(f'{name:>28}' for name in columns))
    for num_class in in_one:
        cells = ''
        for column in columns.values():
            row = column.get(num_class)
            ratio = '' if row is None else f'{row[1] / column[CLASSES[0]][1]:.2f}'
            cells += f'{"":28}' if row is None else f'{row[0]:8.2f}{row[1]:7.2f}{row[2]:7.2f} ({ratio})'
        print(f'{num_class:10,}{cells}')


def print_memory(in_jobs: dict) -> None:
    print('peak memory, GB, of the worker of rank 0 and of the largest server; one copy of the centers, GB')
    print(f'{"":20}{"":>9}{"after steps":>18}{"end of an epoch":>26}')
    print(
        f'{"classes":>10}{"workers":>10}{"copy":>9}{"worker":>9}{"server":>9}{"worker":>9}{"server":>9}{"s":>8}'
    )
    for (num_class, workers), jobs in in_jobs.items():
        copy = num_class * (DIM + 1) * 4 / 2**30
        row = [
            min(one[key] for one in jobs)
            for key in ('worker', 'server', 'worker_end', 'server_end', 'epoch_end')
        ]
        print(
            f'{num_class:10,}{workers:10}{copy:9.2f}'
            + ''.join(f'{value:9.2f}' for value in row[:4])
            + f'{row[4]:8.2f}'
        )


def print_bytes(in_jobs: dict) -> None:
    print('KB on the wire for a worker and step, all that the loopback carried; of it rows pulled and pushed')
    print(f'{"classes":>10}{"workers":>10}{"measured":>10}{"rows":>8}{"pulled":>8}{"pushed":>8}')
    for (num_class, workers), jobs in in_jobs.items():
        rows = jobs[0]['rows']
        payload = rows * (DIM + 1) * 4 / 1024
        wire = min(one['wire'] for one in jobs) / 1024
        print(f'{num_class:10,}{workers:10}{wire:10.1f}{rows:8.1f}{payload:8.1f}{payload:8.1f}')


if __name__ == '__main__':
    main()

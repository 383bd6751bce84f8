"""A job of workers and servers on this machine, and what its processes use."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

MARK = 'measured: '


def run(workers: int, task: dict[str, Any]) -> dict[str, Any]:
    """What the worker of rank 0 reports of a task; without workers, one process without a KVStore."""
    command = [sys.executable, '-m', 'benchmarks.kvstore_worker', json.dumps(task)]
    if workers:
        command = [sys.executable, '-m', 'centerloss_mx.launch', '-n', str(workers), '--', *command]
    # Arrays of few classes are split over all servers, too, as those of many classes are.
    environment = {**os.environ, 'MXNET_KVSTORE_BIGARRAY_BOUND': '1000'}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    reports = [line.partition(MARK)[2] for line in done.stdout.splitlines()]
    return json.loads(next(filter(None, reports), '{}'))


def report(measured: dict[str, Any]) -> None:
    """Print what `run` returns."""
    print(MARK + json.dumps(measured), flush=True)


def loopback_bytes() -> int:
    """All that this machine has sent to itself."""
    for line in Path('/proc/net/dev').read_text().splitlines():
        name, _, counters = line.partition(':')
        if name.strip() == 'lo':
            return int(counters.split()[0])
    raise RuntimeError('there is no loopback in /proc/net/dev')


def memory() -> dict[str, float]:
    """GB of this process and of the largest of the job's servers, now and at most so far."""
    used = {'worker': _gigabytes('self', 'VmRSS'), 'worker_peak': _gigabytes('self', 'VmHWM')}
    servers = _servers() if 'DMLC_PS_ROOT_PORT' in os.environ else []
    if servers:
        used['server'] = max(_gigabytes(server, 'VmRSS') for server in servers)
        used['server_peak'] = max(_gigabytes(server, 'VmHWM') for server in servers)
    return used


def _gigabytes(process: str, field: str) -> float:
    status = Path(f'/proc/{process}/status').read_text()
    return int(status.partition(f'{field}:')[2].split()[0]) / 2**20


def _servers() -> list[str]:
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

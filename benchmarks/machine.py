"""What figures depend on: the processor, the versions, and how fast memory is copied."""

from __future__ import annotations

import os
import platform
import time
from importlib import metadata
from pathlib import Path

import numpy as np


def describe(*packages: str) -> str:
    """One line: cores, processor, Python, these packages and OpenMP's threads."""
    versions = [f'Python {platform.python_version()}']
    for package in packages:
        try:
            versions.append(f'{package} {metadata.version(package)}')
        except metadata.PackageNotFoundError:
            versions.append(f'no {package}')
    threads = os.environ.get('OMP_NUM_THREADS', 'not set')
    return f'{os.cpu_count()} cores, {processor()}; {", ".join(versions)}; OMP_NUM_THREADS {threads}'


def processor() -> str:
    cpuinfo = Path('/proc/cpuinfo')
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.machine()


def copy_bandwidth(size: int, rounds: int = 15) -> float:
    """GB/s, read and written, of one thread that copies one block to another; `size` bytes are both."""
    source, target = np.ones(size // 2, np.uint8), np.zeros(size // 2, np.uint8)
    copies = max(1, 2**27 // size)
    best = float('inf')
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(copies):
            np.copyto(target, source)
        best = min(best, time.perf_counter() - start)
    return copies * size / best / 1e9

"""Timing in turns: what is compared runs in the same minutes, so that a busy machine slows all alike."""

from __future__ import annotations

import time
from math import comb
from typing import Any, Callable, Mapping

import numpy as np

ROUNDS, MORE, STEPS = 15, 45, 10
SLOW = 0.05  # seconds a step


def take_turns(turns: Mapping[Any, Callable[[], None]], rounds: int) -> dict[Any, np.ndarray]:
    """Seconds of each turn, shape (rounds,). Each round has an order of its own, the same in every run."""
    rng = np.random.RandomState(0)
    seconds = {name: np.zeros(rounds) for name in turns}
    names = list(turns)
    for i in range(rounds):
        for k in rng.permutation(len(names)):
            name = names[k]
            start = time.perf_counter()
            turns[name]()
            seconds[name][i] = time.perf_counter() - start
    return seconds


def milliseconds_per_step(runs: Mapping[Any, Callable[[int], None]]) -> dict[Any, np.ndarray]:
    """Milliseconds a step in each round, shape (rounds,); `run(n)` runs n steps to their end.

    All take turns in 15 rounds of 10 steps, and those whose step takes less than 50 ms in 45 more. The slower
    ones have one step a round: the minimum of single steps is lower, which favours them.
    """
    steps = {}
    for name, run in runs.items():
        run(1)  # warm-up
        start = time.perf_counter()
        run(1)
        steps[name] = 1 if time.perf_counter() - start > SLOW else STEPS
    turns = {name: lambda run=run, number=steps[name]: run(number) for name, run in runs.items()}
    seconds = take_turns(turns, ROUNDS)
    more = take_turns({name: turn for name, turn in turns.items() if steps[name] > 1}, MORE)
    return {name: np.append(one, more.get(name, [])) * 1e3 / steps[name] for name, one in seconds.items()}


def percentiles(times: np.ndarray) -> str:
    """Minimum, p20, p50 and p80, as the tables have them."""
    return ''.join(f'{time:10.3f}' for time in (times.min(), *np.percentile(times, [20, 50, 80])))


PERCENTILES = ''.join(f'{name:>10}' for name in ('minimum', 'p20', 'p50', 'p80'))


def median_interval(values: np.ndarray) -> tuple[float, float, float]:
    """The median and its interval of 95 % or more, by order statistics: no shape of the noise is assumed.

    The interval is from the r-th smallest to the r-th largest of n values. It lies above the median with
    probability P(B(n, 1/2) < r), and below it with the same one. r is the largest for which that is at most
    2.5 %.
    """
    n = len(values)
    rank, tail = 0, 1  # tail: the sum of comb(n, k) over k <= rank
    while tail <= 0.025 * 2**n:
        rank += 1
        tail += comb(n, rank)
    if not rank:
        raise ValueError(f'{n} values have no interval of 95 % for their median; it takes 6')
    ordered = np.sort(values)
    return float(np.median(values)), float(ordered[rank - 1]), float(ordered[n - rank])

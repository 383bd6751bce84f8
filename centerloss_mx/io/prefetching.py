"""`prefetched`: threads fill the next batches of an epoch while the present one is used."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, Iterator

_NUM_AHEAD = 2  # batches


def prefetched(
    batches: Iterator[tuple[Any, list[partial[None]]]], num_threads: int
) -> Iterator[tuple[Any, list[Future[None]]]]:
    """Give the batches in their order; threads fill those that come next.

    The threads end when the iterator has ended or goes, or when the process ends, after the piece of work
    that each one does. A process that has been forked has none of them, and needs a new iterator.

    Parameters
    ----------
    batches : iterator of (object, list of functools.partial)
        Each batch, and the pieces of work that fill it.
    num_threads : int
        Number of threads, > 0.

    Yields
    ------
    batch : object
    work : list of Future
        Wait for all of them; they raise what their piece of work has raised.
    """
    pool, process = ThreadPoolExecutor(num_threads, 'centerloss_mx decodes'), os.getpid()
    begun: deque[tuple[Any, list[Future[None]]]] = deque()
    try:
        for batch, work in batches:
            begun.append((batch, [_begun(pool, piece) for piece in work]))
            if len(begun) > _NUM_AHEAD:
                yield begun.popleft()
        while begun:
            yield begun.popleft()
    finally:
        if os.getpid() == process:  # else the threads may have held locks when the process was forked
            for _, futures in begun:
                for future in futures:
                    future.cancel()
            pool.shutdown(wait=False)  # the garbage collector may run in one of the threads


def _begun(pool: ThreadPoolExecutor, piece: partial[None]) -> Future[None]:
    """Give a piece of work to the threads; a thread that outlives the main thread does it itself.

    Once the main thread has ended, Python lets a pool finish its work, and gives it no more.
    """
    try:
        return pool.submit(piece)
    except RuntimeError:
        done: Future[None] = Future()
        try:
            done.set_result(piece())
        except Exception as error:  # whatever it is, as a pool keeps it
            done.set_exception(error)
        return done

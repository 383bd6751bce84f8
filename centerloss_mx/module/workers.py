"""A module that is one of several workers: its errors name it, and a worker that fails does not wait."""

from __future__ import annotations

from typing import Any

from mxnet.symbol import Symbol

from .._mxnet.kvstore import wait_for_workers_at_exit
from .scoring import ScoringModule

__all__ = ['WorkerModule']


class WorkerModule(ScoringModule):
    """`mx.mod.Module` whose process does not wait for other workers once it has failed.

    Parameters
    ----------
    symbol, ...
        As for `mx.mod.Module`.
    """

    def __init__(self, symbol: Symbol, *args: Any, **kwargs: Any) -> None:
        super().__init__(symbol, *args, **kwargs)
        self._waits_at_exit = True

    def _failure(self, kind: type[Exception], message: str) -> Exception:
        """Return the error to raise, with the worker's rank, and do not wait for other workers at exit."""
        self._wait_at_exit(False)
        if self._is_distributed:
            message = f'worker {self._kvstore.rank}: {message}'
        return kind(message)

    def _wait_at_exit(self, wait: bool) -> None:
        """Choose whether this process waits for other workers when it ends."""
        if self._is_distributed:
            wait_for_workers_at_exit(self._kvstore, wait)
        self._waits_at_exit = wait

    @property
    def _is_distributed(self) -> bool:
        return bool(self._kvstore and 'dist' in self._kvstore.type)

    def _go_on(self) -> None:
        """Wait at exit again: the caller has caught an error and goes on training."""
        if not self._waits_at_exit:
            self._wait_at_exit(True)

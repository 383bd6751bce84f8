"""Faults of ps-lite, which carries MXNet's distributed KVStore: ranks that nobody can choose, news only in a log.

This module imports nothing of MXNet: the launcher starts before it.
"""

from __future__ import annotations

import re

__all__ = ['VERBOSE', 'has_registered_server', 'is_log', 'with_rank']

VERBOSE = {'PS_VERBOSE': '2'}
"""Environment of the scheduler that makes it log who registers; see `has_registered_server`."""

# Several threads write, so that a line can end in the middle.
_LOG = re.compile(rb'ps-lite/src/\S+:(?!.*Check failed)|^\W*[\d:]*\W*$|Meta: request=|Barrier count for ')
_REGISTERED = re.compile(rb'cmd=ADD_NODE, node={ role=server, ip=')


def with_rank(port: int) -> dict[str, str]:
    """Return the environment that gives a process its rank: ps-lite numbers the processes of a host by their ports.

    A process tries the port in `PORT` first. With ascending ports, the processes have the ranks in which they were
    started, and `worker 0` is the worker of rank 0.

    | https://github.com/dmlc/ps-lite/blob/34fd45cae457d59850fdcb2066467778d0673f21/src/van.cc#L59
    | https://github.com/dmlc/ps-lite/blob/34fd45cae457d59850fdcb2066467778d0673f21/src/van.cc#L295
    """
    return {'PORT': str(port)}


def is_log(line: bytes) -> bool:
    """Return whether a line of the scheduler is of the log that `VERBOSE` turns on, and no error."""
    return bool(_LOG.search(line))


def has_registered_server(line: bytes) -> bool:
    """Return whether a line of the scheduler's log says that a server has registered.

    Workers whose servers do not come up wait for ever, and nothing but this log says that a server has come.
    """
    return bool(_REGISTERED.search(line))

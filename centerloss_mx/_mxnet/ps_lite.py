"""Faults of ps-lite, under MXNet's distributed KVStore: no choice of ranks, and no news of servers.

This module imports nothing of MXNet: the launcher starts before it.
"""

from __future__ import annotations

import re

__all__ = ['VERBOSE', 'has_registered_server', 'is_log', 'with_rank']

VERBOSE = {'PS_VERBOSE': '2'}
"""The environment variable that makes a scheduler log each process that registers."""

# Several threads write, so that a line can end in the middle.
_LOG = re.compile(rb'ps-lite/src/\S+:(?!.*Check failed)|^\W*[\d:]*\W*$|Meta: request=|Barrier count for ')
_REGISTERED = re.compile(rb'cmd=ADD_NODE, node={ role=server, ip=')


def with_rank(port: int) -> dict[str, str]:
    """Return the environment variable that gives a process its place among the ranks.

    ps-lite numbers the processes of a host by their ports, which it draws at random. A process tries the port
    in `PORT` first. With ascending ports, the ranks have the order in which the processes were started.

    | https://github.com/dmlc/ps-lite/blob/34fd45cae457d59850fdcb2066467778d0673f21/src/van.cc#L59
    | https://github.com/dmlc/ps-lite/blob/34fd45cae457d59850fdcb2066467778d0673f21/src/van.cc#L295
    """
    return {'PORT': str(port)}


def is_log(line: bytes) -> bool:
    """Return whether a line comes from the log that `VERBOSE` turns on, and is not an error."""
    return bool(_LOG.search(line))


def has_registered_server(line: bytes) -> bool:
    """Return whether a line of the scheduler's log says that a server has registered.

    Workers wait for ever for servers that do not start, and only this log says which have started.

    https://github.com/dmlc/ps-lite/blob/34fd45cae457d59850fdcb2066467778d0673f21/src/van.cc#L70
    """
    return bool(_REGISTERED.search(line))

"""Devices by their names, and the KVStore that a process may use."""

from __future__ import annotations

import os

from mxnet import context as mxcontext
from mxnet.context import Context

from .._checks import quantity
from .._choices import devices


def check_workers(kvstore: str) -> int:
    """Check that the KVStore of this name fits this process, and count the workers.

    Parameters
    ----------
    kvstore : str
        A name of `KV_STORES`.

    Returns
    -------
    int
        Number of workers, 1 without a distributed KVStore.

    Raises
    ------
    ValueError
        A distributed KVStore in a process that is not a worker, or another KVStore in a worker.

    Examples
    --------
    >>> check_workers('local')
    1
    """
    if kvstore.startswith('dist'):
        if 'DMLC_ROLE' not in os.environ:
            raise ValueError(
                f'kvstore {kvstore!r}: this process is not a worker (DMLC_ROLE is not set); '
                'start it with `python -m centerloss_mx.launch`'
            )
        return int(os.environ.get('DMLC_NUM_WORKER', 1))
    if 'DMLC_ROLE' in os.environ:
        # Each worker would train alone and write the same files.
        raise ValueError(f"kvstore {kvstore!r}: this process is one of several workers; expected 'dist_sync'")
    return 1


def contexts(text: str) -> list[Context]:
    """Return the devices with these names: 'cpu:0,cpu:1' is [mx.cpu(0), mx.cpu(1)].

    Parameters
    ----------
    text : str
        Names separated by commas: cpu, cpu:0, gpu:0, ...

    Returns
    -------
    list of mxnet.Context

    Raises
    ------
    ValueError
        A name that is not a device, or a device that does not exist.

    Examples
    --------
    >>> contexts('cpu:0,cpu:1')
    [cpu(0), cpu(1)]
    """
    found = devices(text)
    for kind, number in found:
        if kind == 'gpu' and number >= mxcontext.num_gpus():
            raise ValueError(
                f"there is no 'gpu:{number}'; MXNet sees {quantity(mxcontext.num_gpus(), 'GPU')}"
            )
    return [Context(kind, number) for kind, number in found]

"""Devices by their names, and the KVStore that a process may use."""

from __future__ import annotations

import os

from mxnet import context as mxcontext
from mxnet.context import Context

from .._checks import quantity

KV_STORES = ('local', 'device', 'dist_sync', 'dist_device_sync', 'dist_async')

_DEVICES = 1024  # MXNet allocates memory for each number below a device's: a typo could use all of it


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
    devices = []
    for part in text.split(','):
        kind, _, number = part.strip().partition(':')
        if kind not in ('cpu', 'gpu') or not (number or '0').isdigit():
            raise ValueError(f'{part!r} is not a device; expected cpu, cpu:0, gpu:0, ...')
        if kind == 'gpu' and int(number or 0) >= mxcontext.num_gpus():
            raise ValueError(f'there is no {part!r}; MXNet sees {quantity(mxcontext.num_gpus(), "GPU")}')
        if int(number or 0) >= _DEVICES:
            raise ValueError(f'there is no {part!r}; expected a number below {_DEVICES}')
        devices.append(Context(kind, int(number or 0)))
    return devices

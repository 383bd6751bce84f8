"""Devices, and the KVStore that a process may use."""

from __future__ import annotations

import os

from mxnet import context as mxcontext
from mxnet.context import Context

KV_STORES = ('local', 'device', 'dist_sync', 'dist_device_sync', 'dist_async')

_DEVICES = 1024  # far more than there are; MXNet takes memory for each number below that of a device


def check_workers(kvstore: str) -> int:
    """Whether this process is one that the KVStore of this name is for.

    Parameters
    ----------
    kvstore : str
        A name of `KV_STORES`.

    Returns
    -------
    int
        The number of workers.

    Raises
    ------
    ValueError
        A distributed KVStore in a process that is no worker, or another one in a worker.

    Examples
    --------
    >>> check_workers('local')
    1
    """
    if kvstore.startswith('dist'):
        if 'DMLC_ROLE' not in os.environ:
            raise ValueError(
                f'--kv-store {kvstore}: this process is no worker (DMLC_ROLE is not set); '
                'start it by `python -m centerloss_mx.launch`'
            )
        return int(os.environ.get('DMLC_NUM_WORKER', 1))
    if 'DMLC_ROLE' in os.environ:
        # Each worker would train alone, and write the same files.
        raise ValueError(f'--kv-store {kvstore}: this process is one of several workers; expected dist_sync')
    return 1


def contexts(text: str) -> list[Context]:
    """The devices that a text names: 'cpu:0,cpu:1' is [mx.cpu(0), mx.cpu(1)].

    Parameters
    ----------
    text : str
        Devices with commas between them: cpu, cpu:0, gpu:0, ...

    Returns
    -------
    list of mxnet.Context

    Raises
    ------
    ValueError
        Something that is no device, or one that is not there.

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
            raise ValueError(f'{part!r} is not there; this MXNet sees {mxcontext.num_gpus()} GPUs')
        if int(number or 0) >= _DEVICES:
            raise ValueError(f'{part!r} is not there; expected a number below {_DEVICES}')
        devices.append(Context(kind, int(number or 0)))
    return devices

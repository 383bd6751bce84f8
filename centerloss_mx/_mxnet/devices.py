"""Faults of MXNet around devices.

One fault has no function: the number of a device costs memory. MXNet accepts any number for a CPU, and
allocates memory for each number below it; `mx.cpu(10**9)` asks for gigabytes. `training.contexts` refuses
numbers from 1024 on.

https://github.com/apache/mxnet/blob/1.9.1/src/common/lazy_alloc_array.h#L121
"""

from __future__ import annotations

from mxnet.executor_manager import _split_input_slice

__all__ = ['device_slices']


def device_slices(batch_size: int, num_devices: int) -> list[slice]:
    """Return which samples of a batch each device gets.

    MXNet's `Module` splits a batch with a private function, and there is no public one. `CenterLossMetric`
    needs the split to count the samples of each device's loss.

    https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/executor_manager.py#L30

    Examples
    --------
    >>> device_slices(5, 2)
    [slice(0, 2, None), slice(2, 5, None)]
    """
    return _split_input_slice(batch_size, [1] * num_devices)

"""Faults of inference: executors fuse some layers wrongly, and `CachedOp` is not for several threads."""

from __future__ import annotations

import threading
from typing import Callable

from mxnet import autograd
from mxnet import ndarray as nd
from mxnet.context import Context
from mxnet.ndarray import NDArray
from mxnet.symbol import Symbol

__all__ = ['without_fusion']


def without_fusion(
    symbol: Symbol, data_name: str, params: dict[str, NDArray], ctx: Context
) -> Callable[[NDArray], NDArray]:
    """Return a function that computes a network for a batch of any size, on `ctx`, without fused layers.

    An executor without gradients fuses layers on a CPU. In ResNet v2 for small pictures, the fused sum of a
    convolution and a shortcut is another sum: the features were wrong by 10 to 40 %. The environment variable
    MXNET_SUBGRAPH_BACKEND would turn that off, for all executors of the process. `CachedOp`, which runs
    Gluon's blocks, does not fuse, and it prints no line as executors do.

    Several threads may call the function. A lock lets one of them at a time into `CachedOp`, whose first call
    changes its graph without one: four threads ended the process. The engine computes after that, for all
    threads at once.

    Where gradients are not needed, layers are fused; the fused sum; and the graph that changes:
    https://github.com/apache/mxnet/blob/1.9.1/src/executor/graph_executor.cc#L1713
    https://github.com/apache/mxnet/blob/1.9.1/src/operator/subgraph/mkldnn/mkldnn_conv.cc#L156
    https://github.com/apache/mxnet/blob/1.9.1/src/imperative/cached_op.cc#L133

    Parameters
    ----------
    symbol : Symbol
        The network, with one output and one data input.
    data_name : str
        Name of the data input, which is float32.
    params : dict of str to NDArray
        All parameters and auxiliary states of the network.
    ctx : mxnet.Context
        The device.
    """
    types, _, state_types = symbol.infer_type_partial(**{data_name: 'float32'})
    dtypes = dict(zip([*symbol.list_arguments(), *symbol.list_auxiliary_states()], [*types, *state_types]))
    inputs = {
        name: value.astype(dtypes[name] or value.dtype, copy=False).as_in_context(ctx)
        for name, value in params.items()
    }
    names, run, lock = symbol.list_inputs(), nd.CachedOp(symbol), threading.Lock()

    def compute(data: NDArray) -> NDArray:
        batch = {**inputs, data_name: data.astype('float32', copy=False).as_in_context(ctx)}
        with lock, autograd.pause():  # inference, even where the caller records a training step
            return run(*(batch[name] for name in names))

    return compute

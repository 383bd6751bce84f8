"""`nothing`: what a custom operator of MXNet costs by itself. Benchmarks compare with it."""

from __future__ import annotations

from centerloss_mx._mxnet.arrays import host_view

import mxnet as mx


class Nothing(mx.operator.CustomOp):
    """Same inputs and output as `centerloss`; computes nothing, keeps nothing."""

    def forward(self, is_train, req, in_data, out_data, aux):
        pass

    def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
        host_view(in_grad[0])[:] = 0  # the gradient is added to that of the softmax: it cannot stay as it is


@mx.operator.register('nothing')
class NothingProp(mx.operator.CustomOpProp):
    def __init__(self, **parameters):  # those of `centerloss`
        super().__init__(need_top_grad=False)

    def list_arguments(self):
        return ['data', 'label']

    def infer_shape(self, in_shape):
        return [in_shape[0], in_shape[0][:1]], [[1]], []

    def create_operator(self, ctx, in_shapes, in_dtypes):
        return Nothing()

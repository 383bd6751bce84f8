"""`classic`: center loss as scripts for MXNet have it, with one array operation a sample."""

from __future__ import annotations

import mxnet as mx
import numpy as np


class Classic(mx.operator.CustomOp):
    """The paper's loss and update on NDArrays, in loops over samples and classes."""

    def __init__(self, alpha, scale):
        super().__init__()
        self.alpha, self.scale = alpha, scale

    def forward(self, is_train, req, in_data, out_data, aux):
        (data, label), (diff, centers, _) = in_data, aux
        for i, j in enumerate(label.asnumpy().astype(int)):
            diff[i] = data[i] - centers[int(j)]
        self.assign(out_data[0], req[0], mx.nd.sum(mx.nd.square(diff)) / len(diff) / 2)

    def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
        diff, centers, total = aux
        self.assign(in_grad[0], req[0], diff * (self.scale / len(diff)))
        labels = in_data[1].asnumpy().astype(int)
        for j in np.unique(labels):
            members = np.flatnonzero(labels == j)
            total[:] = 0
            for i in members:
                total += diff[int(i)]
            centers[int(j)] += total * (self.alpha / (1 + len(members)))


@mx.operator.register('classic')
class ClassicProp(mx.operator.CustomOpProp):
    def __init__(self, num_class, alpha=0.5, scale=1.0):
        super().__init__(need_top_grad=False)
        self.num_class, self.alpha, self.scale = int(num_class), float(alpha), float(scale)

    def list_arguments(self):
        return ['data', 'label']

    def list_auxiliary_states(self):
        return ['diff_bias', 'center_bias', 'sum_bias']

    def infer_shape(self, in_shape):
        n, dim = in_shape[0]
        return [in_shape[0], [n]], [[1]], [[n, dim], [self.num_class, dim], [dim]]

    def create_operator(self, ctx, in_shapes, in_dtypes):
        return Classic(self.alpha, self.scale)

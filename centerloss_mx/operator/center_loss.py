"""The operator `centerloss`: forward emits the center loss, backward its gradient, and moves the centers."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import Any, Iterator

import numpy as np
from mxnet import operator as mxop
from mxnet.context import Context
from mxnet.ndarray import NDArray

from .batch import Batch
from .device_rows import DeviceRows
from .labels import check_labels, exact_below, group_by_class
from .native import NativeCallbacks, NativeState, centers_lock
from .numpy_rows import HostRows
from .parameters import INPUT, CenterLossParam

__all__ = ['CenterLoss', 'CenterLossProp', 'rows_for']


class CenterLoss(mxop.CustomOp):
    """Center loss of one device's slice of the batch; the centers move in backward.

    | forward:  L = 1/2 sum_i ||x_i - c_{y_i}||^2 / z                              (Eq. 2)
    | backward: dL/dx_i = scale * (x_i - c_{y_i}) / z                              (Eq. 3)
    |           c_j += alpha * sum_{i: y_i = j} (x_i - c_j) / (1 + n_j)            (Eq. 4, `paper`)
    |           c_j += alpha * sum_{i: y_i = j} (x_i - c_j) / n_j                  (`moving_average`)

    z is N, 1 or max(1, samples not ignored), as `normalization` says. Every sample of a class sees the
    same old c_j; classes absent from the batch do not move.

    Parameters
    ----------
    parameters : CenterLossParam
        The operator's parameters.
    ctx : mxnet.Context
        The device it runs on.

    References
    ----------
    Wen et al. 2016, Eqs. 2 to 4 and Algorithm 1.
    """

    per_sample = False
    _ref_holder = NativeCallbacks()

    def __init__(self, parameters: CenterLossParam, ctx: Context) -> None:
        super().__init__()
        self.parameters = parameters
        self.rows = rows_for(ctx)
        self.native: NativeState | None = None  # the kernel's, once MXNet has the operator
        self._batch: Batch | None = None

    @property
    def batch(self) -> Batch | None:
        """What the last forward has left for backward; None: it was refused."""
        left_by_the_kernel = None if self.native is None else self.native.batch
        return self._batch if left_by_the_kernel is None else left_by_the_kernel

    @batch.setter
    def batch(self, batch: Batch | None) -> None:
        self._batch = batch
        if self.native is not None:
            self.native.has_batch = False

    def forward(
        self,
        is_train: bool,
        req: list[str],
        in_data: list[NDArray],
        out_data: list[NDArray],
        aux: list[NDArray],
    ) -> None:
        """Emit the loss (1,) of features (N, D) and labels (N,), and keep x_i - c_{y_i} for backward.

        Parameters
        ----------
        is_train : bool
            False: nothing is kept, and an invalid label makes the loss NaN instead of an error.
        req : list of str
            'write', 'add' or 'null' for the loss.
        in_data, out_data, aux : list of NDArray
            Features, labels and, if it is an input, the weight; the loss; diff, centers and sum.

        Raises
        ------
        ValueError
            In training, an invalid label or weight, or a loss that is not finite. The loss is NaN then, and
            nothing else is written.
        """
        if is_train:
            self.batch = None  # backward must not use the last batch if this one is refused
        view = self.rows.view
        output, diff_buffer = view(out_data[0]), view(aux[0])
        with self._nan_if_refused(output, req[0]):
            batch, _, loss = self._measure(is_train, in_data, aux[1])
        if is_train:
            self.batch = batch
            diff_buffer[: len(batch.diff)] = batch.diff
        self.assign(output, req[0], loss)

    def backward(
        self,
        req: list[str],
        out_grad: list[NDArray],
        in_data: list[NDArray],
        out_data: list[NDArray],
        in_grad: list[NDArray],
        aux: list[NDArray],
    ) -> None:
        """Write the gradient of the features, then move the centers of the classes present.

        Parameters
        ----------
        req : list of str
            'write', 'add' or 'null' for the gradients of the inputs.
        out_grad, in_data, out_data, in_grad, aux : list of NDArray
            The head gradient, which is ignored; features and labels; the loss; gradients of the features and
            of the other inputs (zeros); diff, centers and sum.
        """
        batch = self.batch
        self._assign_gradients(batch, req, in_grad)
        if batch is not None:
            self._move(batch, aux[1])
            self.rows.view(aux[2])[:] = batch.diff.sum(axis=0)

    @contextmanager
    def _nan_if_refused(self, output: np.ndarray | NDArray, req: str) -> Iterator[None]:
        """Make the loss of a refused batch NaN.

        MXNet raises the error to the first who waits, such as a fork, which can only print it. Whoever reads
        the loss after that gets what is in its memory.
        """
        try:
            yield
        except ValueError:
            self.assign(output, req, math.nan)
            raise

    def _measure(
        self, is_train: bool, in_data: list[NDArray], center_bias: NDArray
    ) -> tuple[Batch, np.ndarray | NDArray, float]:
        """Return what backward needs, ||x_i - c_{y_i}||^2 of each sample, and the loss."""
        data, centers = self.rows.view(in_data[0]), self.rows.view(center_bias)
        num_class, ignored = self.parameters.num_class, self.parameters.ignored
        try:
            classes, kept = check_labels(self.rows.host(in_data[1]), num_class, ignored)
            invalid = False
        except ValueError:
            if is_train:
                raise
            classes, kept, invalid = np.zeros(len(data), np.intp), None, True
        with centers_lock:  # until the total is known, so that another device has read the centers
            diff = self.rows.difference(data, centers, classes, kept)
            if invalid:
                diff = diff * math.nan
            squares = self.rows.squares(diff)
            total = self.rows.total(squares)
        divisor, scale = self._divisor(len(data), kept), self._scale(is_train, in_data)
        loss = 0.5 * total / divisor
        dtype = np.dtype(diff.dtype)
        if is_train and not loss <= np.finfo(dtype).max:
            raise ValueError(
                f'centerloss: the loss of this batch, {loss:.3g}, is not finite in {dtype}; no center moved. '
                'If training diverges, lower the scale or the learning rate'
            )
        return Batch(diff, classes, kept, divisor, scale, is_train), squares, loss

    def _divisor(self, batch_size: int, kept: np.ndarray | None) -> int:
        if self.parameters.normalization == 'null':
            return 1
        if self.parameters.normalization == 'batch' or kept is None:
            return batch_size
        return max(1, int(kept.sum()))

    def _scale(self, is_train: bool, in_data: list[NDArray]) -> float:
        """Return the weight of the gradient. Scoring, which has none, takes any value of the input."""
        if not isinstance(self.parameters.scale, str):
            return self.parameters.scale
        scale = float(self.rows.host(in_data[2])[0])
        if is_train and not 0 <= scale < math.inf:
            raise ValueError(
                f'centerloss: the input scale is {scale:g}; expected a finite number >= 0. No center moved'
            )
        return scale

    def _assign_gradients(
        self,
        batch: Batch | None,
        req: list[str],
        in_grad: list[NDArray],
        head: float | np.ndarray | NDArray = 1,
    ) -> None:
        data_grad, *other_grads = (self.rows.view(gradient) for gradient in in_grad)
        for gradient, request in zip(other_grads, req[1:]):
            self.assign(gradient, request, 0)
        if batch is None:
            # Forward has refused this batch. MXNet runs backward all the same.
            self.assign(data_grad, req[0], 0)
        else:
            factor = head * (batch.scale / batch.divisor)
            self.rows.assign(data_grad, req[0], batch.diff, factor)

    def _move(self, batch: Batch, center_bias: NDArray) -> None:
        groups = group_by_class(batch.classes, batch.kept)
        counts = groups.counts + (1 if self.parameters.update == 'paper' else 0)
        with centers_lock:
            self.rows.move(self.rows.view(center_bias), batch.diff, groups, self.parameters.alpha / counts)


class CenterLossProp(mxop.CustomOpProp):
    """`mx.sym.Custom(op_type='centerloss')`: parameters, names, shapes and dtypes of `CenterLoss`.

    Weight it with `scale` only. Multiplying the symbol, or `MakeLoss(grad_scale=...)`, has no effect: the
    operator ignores incoming gradients.

    Inputs: `data` (N, D), float16, float32 or float64; `label` (N,), any numeric dtype; with `scale='input'`
    also `scale` (1,), the weight, any numeric dtype, float64 unless it is given. Output: `output` (1,), the
    loss. Auxiliary states: `diff_bias` (batchsize or N, D), `center_bias` (num_class, D),
    `sum_bias` (D,). Output and states have the features' dtype, but float32 for float16. The names end
    in `_bias` so that MXNet's initializers zero them.

    Parameters
    ----------
    **keywords
        The fields of `CenterLossParam`. An invalid one raises an error when the symbol is built.

    References
    ----------
    Wen et al. 2016, Eqs. 2 to 4. `scale` multiplies the gradient, not the loss; the default
    `normalization='batch'` divides both by N.

    Examples
    --------
    >>> data, label = mx.sym.Variable('data'), mx.sym.Variable('label')
    >>> loss = mx.sym.Custom(data, label, op_type='centerloss', num_class=10, batchsize=128, name='c')
    >>> loss.list_auxiliary_states()
    ['c_diff_bias', 'c_center_bias', 'c_sum_bias']
    """

    _need_top_grad = False

    def __init__(self, /, **keywords: Any) -> None:  # `/`: an attribute may be called self
        super().__init__(self._need_top_grad)
        self._bound_batch: int | None = None
        self.parameters = CenterLossParam.parse(**keywords)

    def list_arguments(self) -> list[str]:
        """Return the inputs' names."""
        return ['data', 'label', 'scale'] if self.parameters.scale == INPUT else ['data', 'label']

    def list_outputs(self) -> list[str]:
        """Return the output's name."""
        return ['output']

    def list_auxiliary_states(self) -> list[str]:
        """Return the states' names, in the order of the classic script's checkpoints."""
        return ['diff_bias', 'center_bias', 'sum_bias']

    def declare_backward_dependency(
        self, out_grad: list[int], in_data: list[int], out_data: list[int]
    ) -> list[int]:
        """Return the numbers of the arrays that backward gets: all but the weight, which forward has read."""
        return super().declare_backward_dependency(out_grad, in_data[:2], out_data)

    def infer_shape(self, in_shape: list[list[int]]) -> tuple[list, list, list]:
        """Infer all shapes from the features' (N, D).

        Raises
        ------
        ValueError
            Features that are not 2-d; labels that are not (N,); a weight that is not (1,); a batch above the
            capacity.
        """
        data_shape, label_shape, *scale_shapes = in_shape
        if len(data_shape) != 2:
            raise ValueError(
                f'centerloss: data has shape {tuple(data_shape)}; expected 2-d features (N, D). '
                'mx.sym.Flatten makes them'
            )
        batch, dim = data_shape
        if label_shape and list(label_shape) != [batch]:
            raise ValueError(f'centerloss: label has shape {tuple(label_shape)}; expected ({batch},)')
        for shape in scale_shapes:
            if shape and list(shape) != [1]:
                raise ValueError(f'centerloss: scale has shape {tuple(shape)}; expected (1,)')
        num_class, capacity = self.parameters.num_class, self.parameters.batchsize
        if capacity is None:
            if self._bound_batch not in (None, batch):
                raise ValueError(
                    f'centerloss: got a batch of {batch}, but {self._bound_batch} was bound. '
                    f'Set batchsize={max(batch, self._bound_batch)} on the loss to run any batch up to it'
                )
            capacity = batch
        if batch > capacity:
            raise ValueError(
                f'centerloss: got a batch of {batch}, more than the capacity batchsize={capacity}. Set '
                f'batchsize={batch} or more on the loss'
            )
        inputs = [data_shape, [batch], *([1] for _ in scale_shapes)]
        return inputs, [[1]], [[capacity, dim], [num_class, dim], [dim]]

    def infer_type(self, in_type: list[Any]) -> tuple[list, list, list]:
        """Infer all dtypes from the features' dtype; labels without one are float32, a weight is float64.

        Raises
        ------
        ValueError
            Features that are not floating point; more classes than the label dtype represents exactly.
        """
        data_type, label_type = (np.dtype(given or np.float32) for given in in_type[:2])
        # A weight in float32 would not be the number that the parameter `scale` is, in float64 and after a
        # division.
        scale_types = [np.dtype(given or np.float64).type for given in in_type[2:]]
        if data_type.kind != 'f':
            raise ValueError(f'centerloss: data is {data_type}; expected float16, float32 or float64')
        if label_type.kind not in 'fiu':
            raise ValueError(f'centerloss: label is {label_type}; expected a numeric dtype')
        most = exact_below(label_type)
        if self.parameters.num_class > most:
            raise ValueError(
                f'centerloss: num_class={self.parameters.num_class} is too large for {label_type} labels, '
                f'which represent at most {most} classes exactly; use labels of a wider dtype'
            )
        wide = np.promote_types(data_type, np.float32).type
        return [data_type.type, label_type.type, *scale_types], [wide], [wide] * 3

    def create_operator(self, ctx: Context, in_shapes: list[list[int]], in_dtypes: list[int]) -> CenterLoss:
        """Return the operator of one executor; without `batchsize`, its batch fixes the batch size."""
        self._bound_batch = in_shapes[0][0]
        return CenterLoss(self.parameters, ctx)


def rows_for(ctx: Context) -> type[HostRows] | type[DeviceRows]:
    """Pick the row functions for a device.

    Parameters
    ----------
    ctx : mxnet.Context
        The device that holds the arrays.

    Returns
    -------
    type
        `HostRows` for CPU memory, `DeviceRows` for everything else: the host must not read memory of another
        device.

    References
    ----------
    Both compute Wen et al. 2016, Eqs. 2 to 4.
    """
    return HostRows if ctx.device_type.startswith('cpu') else DeviceRows

"""The center loss as a function of the head gradient, one number a sample: what `gluon.CenterLoss` runs."""

from __future__ import annotations

from typing import Any

from mxnet.context import Context
from mxnet.ndarray import NDArray

from .center_loss import CenterLoss, CenterLossProp
from .parameters import INPUT

__all__ = ['CenterLossPerSample', 'CenterLossPerSampleProp']


class CenterLossPerSample(CenterLoss):
    """The center loss as a function of the head gradient: what `gluon.CenterLoss` runs.

    | forward:  l_i = scale * 1/2 ||x_i - c_{y_i}||^2 / z                          (the terms of Eq. 2)
    | backward: dL/dx_i = dL/dl_i * scale * (x_i - c_{y_i}) / z                    (Eq. 3)

    z and the update of the centers are those of `CenterLoss`; the head gradient dL/dl_i does not weight the
    update.

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

    per_sample = True

    def forward(
        self,
        is_train: bool,
        req: list[str],
        in_data: list[NDArray],
        out_data: list[NDArray],
        aux: list[NDArray],
    ) -> None:
        """Emit the losses (N,) of features (N, D) and labels (N,), and keep x_i - c_{y_i} for backward.

        Parameters
        ----------
        is_train : bool
            False: backward will not move the centers, and an invalid label makes the losses NaN instead of
            an error.
        req : list of str
            'write', 'add' or 'null' for the losses.
        in_data, out_data, aux : list of NDArray
            Features and labels; the losses; the centers.

        Raises
        ------
        ValueError
            In training, an invalid label or a loss that is not finite. The losses are NaN then, and nothing
            else is written.
        """
        self.batch = None  # backward must not use the last batch if this one is refused
        losses = self.rows.view(out_data[0])
        with self._nan_if_refused(losses, req[0]):
            self.batch, squares, _ = self._measure(is_train, in_data, aux[0])
        self.assign(losses, req[0], squares * (0.5 * self.batch.scale / self.batch.divisor))

    def backward(
        self,
        req: list[str],
        out_grad: list[NDArray],
        in_data: list[NDArray],
        out_data: list[NDArray],
        in_grad: list[NDArray],
        aux: list[NDArray],
    ) -> None:
        """Write the gradient of the features, then move the centers if forward ran in training mode.

        Parameters
        ----------
        req : list of str
            'write', 'add' or 'null' for the gradients of features and labels.
        out_grad, in_data, out_data, in_grad, aux : list of NDArray
            The head gradient (N,); features and labels; the losses; gradients of features and labels
            (zeros); the centers.
        """
        batch = self.batch
        self._assign_gradients(batch, req, in_grad, head=self.rows.view(out_grad[0]).reshape((-1, 1)))
        if batch is not None and batch.moves:
            self._move(batch, aux[0])


class CenterLossPerSampleProp(CenterLossProp):
    """`op_type='_centerloss_per_sample'`: parameters, names, shapes and dtypes of `CenterLossPerSample`.

    Inputs are those of `centerloss`. Output: `output` (N,), one loss a sample, multiplied by `scale`.
    Auxiliary state: `center_bias` (num_class, D); there is no capacity, any batch runs.

    Parameters
    ----------
    **keywords
        The fields of `CenterLossParam`. An invalid one raises an error when the symbol is built. `scale` is a
        number: a weight that changes is a factor behind the operator.

    References
    ----------
    Wen et al. 2016, Eqs. 2 to 4, one sample's loss at a time.
    """

    _need_top_grad = True

    def __init__(self, /, **keywords: Any) -> None:
        super().__init__(**keywords)
        if self.parameters.scale == INPUT:
            raise ValueError(
                f'centerloss: scale={INPUT!r} is for one loss a batch; multiply these by the weight'
            )

    def list_auxiliary_states(self) -> list[str]:
        """Return the state's name."""
        return ['center_bias']

    def infer_shape(self, in_shape: list[list[int]]) -> tuple[list, list, list]:
        """Infer all shapes from the features' (N, D)."""
        arguments, _, states = super().infer_shape(in_shape)
        return arguments, arguments[1:], states[1:2]

    def infer_type(self, in_type: list[Any]) -> tuple[list, list, list]:
        """Infer all dtypes from the features' dtype."""
        arguments, outputs, states = super().infer_type(in_type)
        return arguments, outputs, states[1:2]

    def create_operator(
        self, ctx: Context, in_shapes: list[list[int]], in_dtypes: list[int]
    ) -> CenterLossPerSample:
        """Return the operator for one call or executor."""
        return CenterLossPerSample(self.parameters, ctx)

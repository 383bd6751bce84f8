"""Center loss as a Gluon block, to stand beside the losses of `mx.gluon.loss`."""

from __future__ import annotations

from typing import Any

import numpy as np
from mxnet import autograd
from mxnet.gluon.loss import Loss
from mxnet.ndarray import NDArray
from mxnet.symbol import Symbol

from .._checks import check_size
from .._mxnet.arrays import check_legacy_arrays
from .._mxnet.mixed_precision import without_bfloat16
from .._mxnet.parameters import MovingParameter
from ..operator import CenterLossPerSampleProp
from ..operator.labels import check_labels

__all__ = ['CenterLoss']


class _Centers(MovingParameter):
    """The centers: float32 at least."""

    def cast(self, dtype: Any) -> None:
        super().cast('float32' if np.dtype(dtype) == np.float16 else dtype)


class CenterLoss(Loss):
    """Center loss, one number a sample like Gluon's own losses: `center_loss(embedding, label)`.

    | l_i = w_i * scale * 1/2 ||x_i - c_{y_i}||^2 / z                                      (terms of Eq. 2)
    | dl_i/dx_i = w_i * scale * (x_i - c_{y_i}) / z                                        (Eq. 3)
    | backward: c_j += alpha * sum_{i: y_i = j} (x_i - c_j) / (1 + n_j)                    (Eq. 4)

    z is 1, N or max(1, samples not ignored), as `normalization` says. w_i is 1, or the sample's weight in
    ``center_loss(embedding, label, sample_weight)``; it weighs neither the move of the centers nor n_j.
    `scale` multiplies the loss and its gradient. Unlike in the operator `centerloss`, so does every factor
    behind the block: ``(center_loss(x, y) * 0.001).sum()`` has a thousandth of the gradient.

    With the default `normalization='null'`, ``loss = softmax_loss(output, y) + center_loss(embedding, y)``,
    ``loss.backward()`` and ``trainer.step(N)``, N the batch size, train the paper's L = L_S + scale * L_C
    (Eq. 5): `scale` is its lambda, and Trainer divides the gradients of both sums by N. 'batch' and 'valid'
    divide before, for training without `Trainer.step(N)`.

    Backward moves the centers whatever the head gradient is. They do not move under `autograd.pause()`, in
    predict mode, under `record(train_mode=False)`, or when backward does not reach the block. Several calls
    before one backward all use the old centers, and their updates add up. The centers are the parameter
    `center_bias`: `save_parameters` saves it, no optimizer updates it, and reading it waits for pending
    updates.

    On several devices each has centers of its own, moved by its slice of the batch. `save_parameters` and
    `export` write their mean. Trainer copies the first device's centers to the others in its first step, if
    `center_bias` is among its parameters. Several workers never exchange their centers.

    Called with NDArrays, the block validates them before anything runs. Inside a hybridized block it gets
    symbols: the operator then validates labels and loss, an error is an MXNetError when the loss is read, and
    its sentence is on standard output. An exported network computes the same in `SymbolBlock`, after `import
    centerloss_mx`; call `mx.nd.waitall()` there before reading the centers.

    Parameters
    ----------
    num_class : int
        Number of classes, > 0.
    embedding_dim : int
        Length D of a feature, > 0.
    alpha : float
        Step of the centers, in [0, 1].
    scale : float
        Weight of the loss, >= 0; the paper's lambda.
    normalization : {'null', 'batch', 'valid'}
        Divide by 1, by N, or by max(1, samples not ignored), of the device's slice.
    use_ignore : bool
        Whether rows with the label `ignore_label` are ignored: loss 0, gradient 0, whatever they hold.
    ignore_label : float
        A whole number.
    update : {'paper', 'moving_average'}
        'moving_average' divides by n_j instead of 1 + n_j: momentum 1 - alpha.
    **kwargs
        `prefix` and `params` of `mxnet.gluon.loss.Loss`.

    Raises
    ------
    ValueError
        A parameter that is out of its range. Called with NDArrays: an embedding that is not (N, D) or has
        another dtype than the centers (float16 goes with float32), labels that are not (N,) or are bool,
        weights that are not (N,) or (N, 1), and in training an invalid label. In predict mode an invalid
        label makes the losses NaN. `mx.npx.set_np()` is on.

    References
    ----------
    Wen et al., A Discriminative Feature Learning Approach for Deep Face Recognition, ECCV 2016: Eqs. 2 to 5
    and Algorithm 1.

    Examples
    --------
    >>> center_loss = CenterLoss(num_class=10, embedding_dim=2, scale=0.1)
    >>> center_loss.initialize()
    >>> embedding, label = mx.nd.array([[3, 4], [0, 1]]), mx.nd.array([7, 2])
    >>> embedding.attach_grad()
    >>> with mx.autograd.record():
    ...     loss = center_loss(embedding, label)
    >>> loss.backward()
    >>> loss.asnumpy()
    array([1.25, 0.05], dtype=float32)
    >>> embedding.grad.asnumpy()
    array([[0.3, 0.4],
           [0. , 0.1]], dtype=float32)
    >>> center_loss.center_bias.data()[7].asnumpy()
    array([0.75, 1.  ], dtype=float32)
    """

    def __init__(
        self,
        num_class: int,
        embedding_dim: int,
        alpha: float = 0.5,
        scale: float = 1.0,
        normalization: str = 'null',
        use_ignore: bool = False,
        ignore_label: float = -1,
        update: str = 'paper',
        **kwargs: Any,
    ) -> None:
        check_legacy_arrays('CenterLoss')
        super().__init__(weight=None, batch_axis=0, **kwargs)
        check_size('CenterLoss: ', 'embedding_dim', embedding_dim)
        self._embedding_dim = int(embedding_dim)
        self._parameters = CenterLossPerSampleProp(
            num_class=num_class,
            alpha=alpha,
            scale=scale,
            normalization=normalization,
            use_ignore=use_ignore,
            ignore_label=ignore_label,
            update=update,
        ).parameters
        self.center_bias = self.params.get(
            'center_bias',
            grad_req='null',
            shape=(self._parameters.num_class, self._embedding_dim),
            init='zeros',
            differentiable=False,
        )
        self.center_bias.__class__ = _Centers

    def forward(
        self,
        embedding: NDArray | Symbol,
        label: NDArray | Symbol,
        sample_weight: NDArray | Symbol | None = None,
    ) -> NDArray | Symbol:
        """Return the losses.

        Parameters
        ----------
        embedding : NDArray or Symbol
            Features x, shape (N, D); float16, bfloat16 or float32, or float64 after `cast('float64')`.
        label : NDArray or Symbol
            Classes y, shape (N,); whole numbers in 0..num_class-1, any numeric dtype.
        sample_weight : NDArray, Symbol or None
            Weights w of losses and gradients, shape (N,) or (N, 1), any dtype; None: 1. The centers move as
            without them.

        Returns
        -------
        NDArray or Symbol
            The losses, shape (N,), of the features' dtype, but float32 for float16 and bfloat16.

        Raises
        ------
        ValueError
            As for the class.
        """
        check_legacy_arrays(self.name)
        if isinstance(embedding, NDArray) and isinstance(label, NDArray):
            embedding = without_bfloat16(embedding)
            self._check(embedding, label, sample_weight)
        weights = [] if sample_weight is None else [sample_weight]
        return super().forward(embedding, label, *weights)

    def hybrid_forward(
        self, F: Any, embedding: Any, label: Any, sample_weight: Any = None, center_bias: Any = None
    ) -> Any:
        """Run the operator on arrays, or compose it into a symbol."""
        options = self._parameters._asdict()
        losses = F.Custom(
            embedding, label, center_bias, op_type='_centerloss_per_sample', name='fwd', **options
        )
        if sample_weight is None:
            return losses
        # The operator's output has the centers' dtype. Its head gradient moves no center.
        return losses * F.cast(F.reshape(sample_weight, shape=(-1,)), dtype=self.center_bias.dtype)

    def _check(self, embedding: NDArray, label: NDArray, sample_weight: NDArray | None) -> None:
        if len(embedding.shape) != 2 or embedding.shape[1] != self._embedding_dim:
            raise ValueError(
                f'{self.name}: embedding has shape {embedding.shape}; expected (N, {self._embedding_dim})'
            )
        if label.shape != embedding.shape[:1]:
            raise ValueError(f'{self.name}: label has shape {label.shape}; expected {embedding.shape[:1]}')
        num = len(label)
        if sample_weight is not None and sample_weight.shape not in ((num,), (num, 1)):
            raise ValueError(
                f'{self.name}: sample_weight has shape {sample_weight.shape}; expected ({num},) or ({num}, 1)'
            )
        dtype, centers = np.dtype(embedding.dtype), np.dtype(self.center_bias.dtype)
        if dtype != centers and (dtype, centers) != (np.float16, np.float32):
            raise ValueError(
                f'{self.name}: embedding is {dtype} and center_bias {centers}; expected the same, or float16 '
                'and float32. Use cast()'
            )
        if np.dtype(label.dtype) == bool:
            raise ValueError(
                f'{self.name}: label is bool; expected class numbers, as of label.astype("int32")'
            )
        if autograd.is_training():
            try:
                check_labels(label.asnumpy(), self._parameters.num_class, self._parameters.ignored)
            except ValueError as error:
                raise ValueError(f'{self.name}: {error}') from None

    def __repr__(self) -> str:
        num_class, alpha, scale = self._parameters[:3]
        return f'CenterLoss({num_class=}, embedding_dim={self._embedding_dim}, {alpha=}, {scale=})'

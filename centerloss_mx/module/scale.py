"""`ScaleModule`: the weight of a center loss is set between two steps."""

from __future__ import annotations

from typing import Any

from mxnet.symbol import Symbol

from .._checks import check_number
from ..symbol.description import loss_named
from .table_steps import StepModule


class ScaleModule(StepModule):
    """`mx.mod.Module` that sets weights of center losses without a rebind.

    Such a weight is a Variable of the network, see `symbol.scale_variable`. It is a fixed parameter: no
    optimizer moves it, and no KVStore overwrites it.

    Parameters
    ----------
    symbol, ...
        As for `mx.mod.Module`.
    """

    def __init__(self, symbol: Symbol, *args: Any, **kwargs: Any) -> None:
        super().__init__(symbol, *args, **kwargs)
        read = {loss.scale for loss in self._center_losses}
        self._weights = [name for name in self._param_names if name in read]
        self._fixed_param_names += self._weights
        self._scales: dict[str, float] = {}  # those that were set

    def init_params(self, *args: Any, **kwargs: Any) -> None:
        """Initialize parameters as `mx.mod.Module.init_params` does; a weight that was set holds.

        Raises
        ------
        ValueError
            A weight that is not finite or is less than 0.
        """
        super().init_params(*args, **kwargs)
        self._assign_scales()
        for name in self._weights:
            check_number('', name, float(self._arg_params[name].asscalar()))

    def set_params(self, *args: Any, **kwargs: Any) -> None:
        """Assign parameters as `mx.mod.Module.set_params` does; a weight that was set holds."""
        super().set_params(*args, **kwargs)
        self._assign_scales()

    def set_scale(self, value: float, name: str | None = None) -> None:
        """Set the weight lambda of a center loss for the next step, on all devices.

        It holds until the next call, also before `bind`, and if parameters with another weight are set. Each
        worker sets its own: give all of them the same.

        Parameters
        ----------
        value : float
            The weight, finite and >= 0.
        name : str or None
            Name of the loss; None: the only one, or of several the one with the default name, `center_loss`.

        Raises
        ------
        ValueError
            A weight that is not finite or is less than 0; there is no such loss, or its weight is no
            parameter of this module. Nothing has changed.

        References
        ----------
        lambda of Wen et al. 2016, Eq. 5.

        Examples
        --------
        >>> net = joint_supervision(embedding, 10, scale=scale_variable(0.1), batchsize=50)  # doctest: +SKIP
        >>> mod = Module(net, label_names=['softmax_label', 'center_label'])  # doctest: +SKIP
        >>> mod.set_scale(0.01)  # doctest: +SKIP
        """
        loss = loss_named(name, self._center_losses)
        if loss.scale is None:
            raise ValueError(
                f'{loss.name} has a fixed weight; make the loss with scale=symbol.scale_variable(...)'
            )
        if loss.scale not in self._weights:
            raise ValueError(f'{loss.name} reads its weight from {loss.scale}, which is no parameter')
        check_number(f'{loss.scale}: ', 'value', value)
        unchanged = self._scales.get(loss.scale) == value
        self._scales[loss.scale] = float(value)
        if self.params_initialized and not unchanged:
            self._assign_scales()

    def _assign_scales(self) -> None:
        executors = self._exec_group.execs if self.binded else []
        for name, value in self._scales.items():
            for params in [self._arg_params, *(executor.arg_dict for executor in executors)]:
                params[name][:] = value

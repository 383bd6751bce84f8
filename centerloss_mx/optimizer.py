"""The optimizer `centers`: the paper's update for center parameters, a base optimizer for the rest."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np
from mxnet import ndarray as nd
from mxnet import optimizer as mxopt
from mxnet.ndarray import NDArray
from mxnet.symbol import Symbol

from . import _compat
from ._mxnet.kvstore import sparse_rows
from .operator import CenterLossParam
from .symbol.description import kvstore_centers
from .symbol.tables import row_tables

__all__ = ['Centers']


@mxopt.register
class Centers(mxopt.Optimizer):
    """Moves centers by the paper's rule after the KVStore has summed; a base optimizer moves all else.

    | g_j = [sum_{i: y_i = j} (c_j - x_i),  -n_j]                    of `sync_center_loss`
    | c_j -= alpha * g_j / (1 + n_j)                                 (Eq. 4, `paper`)
    | c_j -= alpha * g_j / n_j                                       (`moving_average`)
    | seen_j += n_j                                                  the last column

    n_j counts the samples of all devices and workers whose gradients the KVStore has summed; under
    'dist_async' those of one worker, because a server then applies each worker's gradient as it comes.
    Centers are the parameters whose Variable has the attribute `__centers__`, and the row tables of kind
    'centers'. No learning rate, `lr_mult`, `rescale_grad`, weight decay, clipping, scheduler or
    multi-precision applies to them, and they have no state. Each update reads and writes the rows of the
    batch's classes only. For all other parameters and row tables this is the base optimizer.

    Parameters
    ----------
    base : str
        MXNet's name of the optimizer of all other parameters, which gets `**kwargs`.
    alpha : float
        Step of the centers, in [0, 1].
    update : {'paper', 'moving_average'}
        Whether the step is divided by 1 + n_j or by n_j.
    sym : Symbol
        The network, in which the centers are found. `Module` passes it when the optimizer is given by its
        name, `'centers'`.
    param_idx2name : dict of int to str
        The parameters' names by index. `Module` passes it.
    table_keys : sequence of str
        The keys of the row tables' blocks on the KVStore, in the order in which they are initialized, after
        the parameters. `Module` passes them.
    **kwargs
        For the base optimizer: learning_rate, momentum, wd, ...

    Raises
    ------
    ValueError
        A parameter that is out of its range; no `sym`, or one without centers on the KVStore; a base that is
        not a name, or is `centers`; several devices that would each move their own copy of the centers. In an
        update: a number that names no key; a gradient of centers that is not finite or not row_sparse. No
        center has moved then.

    References
    ----------
    Wen et al. 2016, Eq. 4 and Algorithm 1.

    Examples
    --------
    >>> net = mx.sym.Variable('center_loss_center_weight', attr={'__centers__': 'center_loss'})
    >>> mx.optimizer.create('centers', base='adam', alpha=0.5, learning_rate=0.01, sym=net).names
    {'center_loss_center_weight'}
    """

    aggregate_num = 0  # one parameter at a time

    # These attributes belong to this object. All others are read from and written to the base, so that
    # MXNet's code finds one learning rate, one scheduler and one count of updates in either.
    _OWN = ('base', 'alpha', 'rule', 'names', 'tables', 'table_keys', 'version')

    def __init__(
        self,
        base: str = 'sgd',
        alpha: float = 0.5,
        update: str = 'paper',
        sym: Symbol | None = None,
        param_idx2name: dict[int, str] | None = None,
        table_keys: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        parameters = CenterLossParam.parse(num_class=1, alpha=alpha, update=update)
        self.alpha, self.rule = parameters.alpha, parameters.update
        self.version = _compat.VERSION
        if sym is None:
            raise ValueError(
                "optimizer 'centers' needs the network: pass sym, or use Module.fit(optimizer='centers'), "
                'which passes it'
            )
        self.table_keys = tuple(table_keys)
        self.tables = {table.name for table in row_tables(sym) if table.kind == 'centers'}
        self.names = kvstore_centers(sym) | self.tables
        if not self.names:
            raise ValueError(
                "optimizer 'centers': the network has no centers on the KVStore; use sync_center_loss, or "
                "joint_supervision with centers='kvstore'"
            )
        names = list((param_idx2name or {}).values())
        for name in sorted(self.names):
            if names.count(name) > 1:
                raise ValueError(
                    f"optimizer 'centers': with this KVStore each of {names.count(name)} devices would move "
                    f"its own copy of {name}. Use kvstore='device' or 'dist_sync', and unset "
                    "MXNET_UPDATE_ON_KVSTORE ('local' stops updating when a parameter exceeds 2^24 elements)"
                )
        if not isinstance(base, str) or base.lower() == 'centers':
            raise ValueError(
                f"optimizer 'centers': base={base!r} is not the name of another optimizer, such as 'sgd'"
            )
        self.base = mxopt.create(base, sym=sym, param_idx2name=param_idx2name, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name in Centers._OWN or name.startswith('__'):  # while it is unpickled
            raise AttributeError(name)
        return getattr(self.base, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in Centers._OWN:
            super().__setattr__(name, value)
        else:
            setattr(self.base, name, value)

    def __getstate__(self) -> dict[str, Any]:
        return dict(self.__dict__)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Refuse to be unpickled on a server with another version, which `module.Module` detects."""
        if state['version'] != _compat.VERSION:
            raise RuntimeError(
                f'the optimizer was pickled by centerloss_mx {state["version"]}, but this process has '
                f'{_compat.VERSION}: install the same version everywhere'
            )
        self.__dict__.update(state)

    def create_state(self, index: int | str, weight: NDArray) -> Any:
        """Create the base optimizer's state of a parameter; centers have none."""
        return None if self._is_centers(index) else self.base.create_state(index, weight)

    def create_state_multi_precision(self, index: int | str, weight: NDArray) -> Any:
        """Create the base optimizer's state of a parameter, with a float32 copy of float16 weights."""
        return None if self._is_centers(index) else self.base.create_state_multi_precision(index, weight)

    def update(self, index: int | str, weight: NDArray, grad: NDArray, state: Any) -> None:
        """Move one parameter by its gradient: centers by the paper's rule, others as the base does."""
        if self._is_centers(index):
            self._move(self._name(index), weight, grad)
        else:
            self.base.update(index, weight, grad, state)

    def update_multi_precision(self, index: int | str, weight: NDArray, grad: NDArray, state: Any) -> None:
        """Move one parameter by its gradient, as `update`; the base may keep a float32 copy."""
        if self._is_centers(index):
            self._move(self._name(index), weight, grad)
        else:
            self.base.update_multi_precision(index, weight, grad, state)

    def _name(self, index: int | str) -> int | str:
        # Servers number keys in the order in which they are initialized. The base must not know the names of
        # blocks: it would switch weight decay off for each that does not end in `_weight`.
        name: int | str = self.idx2name.get(index, index)
        if isinstance(name, str) or not self.tables:
            return name
        number = name - len(self.idx2name)
        if not 0 <= number < len(self.table_keys):
            raise ValueError(
                f"optimizer 'centers': key {name} is neither a parameter nor a block of a row table: pass "
                f'param_idx2name, and as table_keys the block_keys of each table, or use Module'
            )
        return self.table_keys[number]

    def _is_centers(self, index: int | str) -> bool:
        name = self._name(index)
        return name in self.names or str(name).rpartition('.')[0] in self.tables

    def _move(self, name: int | str, centers: NDArray, grad: NDArray) -> None:
        if grad.stype != 'row_sparse':
            raise ValueError(f"optimizer 'centers': gradient of {name} is {grad.stype}; expected row_sparse")
        classes, step = grad.indices.asnumpy(), grad.data.asnumpy()  # of the classes present, as copies
        if not len(step):
            return
        finite = np.isfinite(step).all(axis=1)
        if not finite.all():
            raise ValueError(
                f"optimizer 'centers': gradient of {name} is not finite at class {classes[finite.argmin()]}; "
                'expected finite features (no center moved)'
            )
        counts = -step[:, -1:]  # n_j, shape (K, 1)
        divisor = 1 + counts if self.rule == 'paper' else np.maximum(counts, 1)  # ignored rows count 0
        moves, memory = sparse_rows(classes, centers.shape, np.dtype(centers.dtype))
        np.multiply(step[:, :-1], self.alpha / divisor, out=memory[:, :-1])
        memory[:, -1] = step[:, -1]
        # centers -= moves, at its rows only and in place
        moves = moves.as_in_context(centers.context)
        nd.sgd_update(centers, moves, out=centers, lr=1, wd=0, lazy_update=True)

"""Centers of a network: find them, move them between auxiliary states and the KVStore."""

from __future__ import annotations

import numpy as np
from mxnet import ndarray as nd
from mxnet.ndarray import NDArray
from mxnet.symbol import Symbol

from .._mxnet.arrays import with_all_rows
from ..symbol.description import CenterLossInfo, describe, find_center_loss


def find_centers(
    symbol: Symbol, arg_params: dict[str, NDArray], aux_params: dict[str, NDArray], name: str | None = None
) -> np.ndarray | None:
    """Find the centers of a center loss among the parameters of its network.

    Parameters
    ----------
    symbol : Symbol
        The network, with its losses.
    arg_params, aux_params : dict of str to NDArray
        Its parameters, as `Module.get_params` and `load_checkpoint` return them.
    name : str or None
        Name of the loss; None: the network has at most one center loss.

    Returns
    -------
    numpy.ndarray or None
        (num_class, D), without the column that counts samples on a KVStore. None: the network has no center
        loss, or the parameters lack its centers.

    Raises
    ------
    ValueError
        There is no loss of that name, there are several and `name` is None, or the centers are not
        (num_class, D).

    Examples
    --------
    >>> from centerloss_mx.symbol import center_loss
    >>> net = center_loss(mx.sym.Variable('data'), mx.sym.Variable('label'), num_class=10)
    >>> find_centers(net, {}, {'center_loss__center_bias': mx.nd.ones((10, 2))}).shape
    (10, 2)
    """
    if name is None and not describe(symbol):
        return None
    info = find_center_loss(symbol, name)
    centers = {**arg_params, **aux_params}.get(info.centers)
    if centers is None:
        return None
    if len(centers.shape) != 2 or len(centers) != info.num_class:
        raise ValueError(f'{info.centers} of shape {centers.shape}; expected ({info.num_class}, D)')
    return (centers if isinstance(centers, np.ndarray) else centers.asnumpy())[:, info.columns]


def centers_dim(arg_params: dict[str, NDArray], aux_params: dict[str, NDArray], info: CenterLossInfo) -> int:
    """Return D of the centers of a center loss, (num_class, D)."""
    width: int = {**arg_params, **aux_params}[info.centers].shape[1]
    return len(range(width)[info.columns])


def with_centers(
    arg_params: dict[str, NDArray],
    aux_params: dict[str, NDArray],
    info: CenterLossInfo,
    rows: np.ndarray,
    centers: np.ndarray,
) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
    """Return parameters and auxiliary states with other centers, (len(rows), D), in some rows."""
    arg_params, aux_params = dict(arg_params), dict(aux_params)
    home = aux_params if info.storage == 'auxiliary state' else arg_params
    old = home[info.centers]
    if isinstance(old, np.ndarray):  # of a row table
        home[info.centers] = values = np.array(old)
        values[rows, info.columns] = centers
        return arg_params, aux_params
    values = old.asnumpy()
    values[rows, info.columns] = centers
    new = nd.array(values, dtype=values.dtype)
    home[info.centers] = with_all_rows(new) if old.stype == 'row_sparse' else new
    return arg_params, aux_params


def centers_to_kvstore(
    arg_params: dict[str, NDArray], aux_params: dict[str, NDArray], name: str = 'center_loss'
) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
    """Move centers from auxiliary states to the KVStore: from `center_loss` to `sync_center_loss`.

    Parameters
    ----------
    arg_params, aux_params : dict of str to NDArray
        Parameters of a network with `center_loss`, as `Module.get_params` and `load_checkpoint` return them.
        They are not changed.
    name : str
        Name of the loss.

    Returns
    -------
    arg_params, aux_params : dict of str to NDArray
        For the same network with `sync_center_loss`: the parameter `<name>_center_weight` (num_class, D + 1),
        whose last column counts samples and starts at 0, in place of the states `<name>__diff_bias`,
        `<name>__center_bias` and `<name>__sum_bias`.

    Raises
    ------
    ValueError
        The centers are missing.

    Examples
    --------
    >>> arg_params, aux_params = centers_to_kvstore({}, {'center_loss__center_bias': mx.nd.ones((10, 2))})
    >>> arg_params['center_loss_center_weight'].shape
    (10, 3)
    """
    key = f'{name}__center_bias'
    if key not in aux_params:
        raise ValueError(f'there is no state {key}; there are {", ".join(aux_params) or "none"}')
    centers = aux_params[key]
    weight = nd.concat(centers, nd.zeros((len(centers), 1), centers.context, centers.dtype), dim=1)
    states = [f'{name}__{state}_bias' for state in ('diff', 'center', 'sum')]
    rest = {state: value for state, value in aux_params.items() if state not in states}
    return {**arg_params, f'{name}_center_weight': with_all_rows(weight)}, rest


def centers_to_aux(
    arg_params: dict[str, NDArray], aux_params: dict[str, NDArray], name: str = 'center_loss'
) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
    """Move centers from the KVStore to auxiliary states: from `sync_center_loss` to `center_loss`.

    Parameters
    ----------
    arg_params, aux_params : dict of str to NDArray
        Parameters of a network with `sync_center_loss`, as `Module.get_params` and `load_checkpoint` return
        them. They are not changed.
    name : str
        Name of the loss.

    Returns
    -------
    arg_params, aux_params : dict of str to NDArray
        For the same network with `center_loss`: the state `<name>__center_bias` (num_class, D) in place of
        the parameter `<name>_center_weight`. The operator's other states are buffers, which
        `Module.init_params(..., allow_missing=True)` creates.

    Raises
    ------
    ValueError
        The centers are missing.

    Examples
    --------
    >>> weight = mx.nd.ones((10, 3))
    >>> arg_params, aux_params = centers_to_aux({'center_loss_center_weight': weight}, {})
    >>> aux_params['center_loss__center_bias'].shape
    (10, 2)
    """
    key = f'{name}_center_weight'
    if key not in arg_params:
        raise ValueError(f'there is no parameter {key}; there are {", ".join(arg_params) or "none"}')
    weight = arg_params[key]
    if isinstance(weight, np.ndarray):  # of a row table
        centers = nd.array(weight[:, :-1], dtype=weight.dtype)
    else:
        centers = weight.tostype('default')[:, :-1]  # tostype copies
    rest = {param: value for param, value in arg_params.items() if param != key}
    return rest, {**aux_params, f'{name}__center_bias': centers}

"""`load_params`: parameters that training starts from."""

from __future__ import annotations

import os

from mxnet.base import MXNetError
from mxnet.ndarray import NDArray

from .._files import check_file
from .._mxnet.files import read_params
from .networks import NETWORKS, backbone


def load_params(
    name: str, path: str | os.PathLike, data_shape: tuple[int, ...] = (3, 224, 224)
) -> dict[str, NDArray]:
    """Load parameters for a network of `get_model`, to start training from.

    Parameters
    ----------
    name : str
        The network's name.
    path : path-like
        A .params file: that of a checkpoint, or, for a network of MXNet's model zoo, one that
        `Block.save_parameters` wrote.
    data_shape : tuple of int
        Shape of a sample: (channels, height, width).

    Returns
    -------
    dict of str to NDArray
        Arguments and auxiliary states by their names in the symbol, without those of the model zoo's class
        layer.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file has no parameters, or those of another network.

    Examples
    --------
    >>> params = load_params('resnet18_v2', 'resnet18_v2.params')  # doctest: +SKIP
    """
    check_file(path, 'expected a .params file')
    params = read_params(path)
    if any(key.startswith(('arg:', 'aux:')) for key in params):
        return {key[4:]: value for key, value in params.items()}
    if name in NETWORKS or str(name).endswith('.json'):
        raise ValueError(
            f'{path}: expected the .params file of a checkpoint, names beginning with arg: or aux:'
        )
    network = backbone(name, data_shape, thumbnail=False)
    try:
        network.load_parameters(str(path))
    except (AssertionError, MXNetError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise ValueError(f'{path}: not parameters of {name}: {reason}') from None
    return {key: parameter.data() for key, parameter in network.features.collect_params().items()}

"""The weight of a center loss as a Variable, which may change from step to step."""

from __future__ import annotations

from mxnet import symbol as mxsym
from mxnet.initializer import Constant
from mxnet.symbol import Symbol

from .._checks import check_number
from .description import input_attribute

__all__ = ['read_scale', 'scale_variable']


def scale_variable(value: float, name: str = 'center_loss_scale') -> Symbol:
    """Make the Variable for a weight lambda that changes during a training: the `scale` of a center loss.

    `module.Module.set_scale` sets it for the next step, `training.ScaleSchedule` before each step. It is a
    parameter of the network that no optimizer moves, and checkpoints store it.

    Parameters
    ----------
    value : float
        The weight to start with, finite and >= 0.
    name : str
        Name of the Variable.

    Returns
    -------
    Symbol
        Shape (1,), float64: the value is the same number as a fixed `scale`.

    Raises
    ------
    ValueError
        A weight that is not finite or is less than 0.

    References
    ----------
    lambda of Wen et al., ECCV 2016, Eq. 5.

    Examples
    --------
    >>> from centerloss_mx.symbol import joint_supervision
    >>> net = joint_supervision(mx.sym.Variable('embedding'), 10, scale=scale_variable(0.1), batchsize=128)
    >>> net.list_arguments()[-1]
    'center_loss_scale'
    """
    check_number(f'{name}: ', 'value', value)
    return mxsym.Variable(name, shape=(1,), dtype='float64', init=Constant(float(value)), wd_mult=0)


def read_scale(name: str, scale: Symbol, dtype: str) -> Symbol:
    """Return the weight (1,) of the loss `name`, without gradient: NaN for a number less than 0.

    Raises
    ------
    ValueError
        A weight of another shape.
    """
    shape = scale.infer_shape_partial()[1][0]
    if shape not in ((), (1,)):
        raise ValueError(f'{name}: scale has shape {shape}; expected (1,)')
    weight = mxsym.cast(scale, dtype=dtype, name=f'{name}_scale_cast', attr=input_attribute(name, 'scale'))
    weight = mxsym.BlockGrad(weight)
    return weight + 0 * mxsym.sqrt(weight)

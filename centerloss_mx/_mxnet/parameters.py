"""A fault of Gluon's parameters: they are read before pending backward passes have moved them."""

from __future__ import annotations

from typing import Any

from mxnet.gluon import Parameter

from .engine import wait_for_centers, wait_for_readers

__all__ = ['MovingParameter']


class MovingParameter(Parameter):
    """A Gluon parameter that backward of a custom operator moves: reading it waits for the move.

    The engine does not order a read behind backward (see `engine`). Gluon reads a parameter through
    `_check_and_get`, which waits here. Only `cast` reads the arrays without it, and waits by itself.

    `ParameterDict.get` can make parameters of this class only afterwards: it creates plain ones, or returns
    those of another block. A block therefore sets `__class__` of the parameter that it gets.

    | https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/gluon/parameter.py#L211 (reading)
    | https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/gluon/parameter.py#L652 (cast)
    | https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/gluon/parameter.py#L790 (plain parameters)
    """

    def _check_and_get(self, arr_list: Any, ctx: Any) -> Any:
        found = super()._check_and_get(arr_list, ctx)
        for array in found if ctx is list else [found]:
            wait_for_readers(array)
        return found

    def cast(self, dtype: Any) -> None:
        """Cast the parameter, after pending moves."""
        wait_for_centers()
        super().cast(dtype)

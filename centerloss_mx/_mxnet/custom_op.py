"""Faults of custom operators in Python: errors that end the process or get lost, and a set that all share.

One fault has no function: **backward runs although forward has failed.** MXNet keeps the error until an
output is read, and marks the operation as done. The operators of this package keep nothing of a batch that
has failed: backward then writes zeros as gradients and moves no center.

https://github.com/apache/mxnet/blob/1.9.1/src/operator/custom/custom-inl.h#L114
"""

from __future__ import annotations

from typing import Any, TextIO

from mxnet import operator as mxop
from mxnet.ndarray import NDArray

__all__ = ['OperatorErrors', 'register']


def register(name: str, prop: type[mxop.CustomOpProp]) -> None:
    """Register an operator, as `mx.operator.register(name)(prop)` does, but without two faults.

    - An error in the constructor of `prop` ends the process, because MXNet then calls a callback that was
      never set. Here `list_arguments` raises that error. MXNet calls it next, and reports its errors.
      https://github.com/apache/mxnet/blob/1.9.1/src/operator/custom/custom.cc#L101
    - MXNet keeps one set, for all operators, of the arrays that backward reads. The operator that was parsed
      last overwrites it, and the backward of another can fail with "unknown storage type". Here the numbers
      of our arrays are objects that equal no number, so that other operators do not find them in the set. The
      arrays of our operators are dense, and are made without the set.
      https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/operator.py#L964
      https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/operator.py#L1019

    Parameters
    ----------
    name : str
        The `op_type`.
    prop : type
        A subclass of `mxnet.operator.CustomOpProp` whose arrays are dense.
    """
    classes = mxop._ndarray_cls, mxop._np_ndarray_cls
    mxop._ndarray_cls = mxop._np_ndarray_cls = _dense_array  # MXNet binds one of them while it registers
    try:
        mxop.register(name)(_registrable(prop))
    finally:
        mxop._ndarray_cls, mxop._np_ndarray_cls = classes


def _dense_array(handle: Any, writable: bool = True, stype: Any = None) -> NDArray:
    return NDArray(handle, writable=writable)


class _Number(int):
    """A number that C++ reads, and that equals nothing else in a Python set."""

    __eq__ = object.__eq__
    __hash__ = object.__hash__


def _registrable(prop: type[mxop.CustomOpProp]) -> type[mxop.CustomOpProp]:
    class Registrable(prop):
        def __init__(self, /, **keywords: str) -> None:  # `/`: an attribute of a symbol may be called self
            self._error: Exception | None = None
            try:
                super().__init__(**keywords)
            except Exception as error:
                self._error = error

        def list_arguments(self) -> list[str]:
            if self._error is not None:
                raise self._error
            return super().list_arguments()

        def declare_backward_dependency(
            self, out_grad: list[int], in_data: list[int], out_data: list[int]
        ) -> list[int]:
            return [_Number(n) for n in super().declare_backward_dependency(out_grad, in_data, out_data)]

    return Registrable


class OperatorErrors:
    """Standard output that keeps the errors of custom operators and passes on everything else.

    MXNet prints the traceback of an error in a custom operator, and raises an MXNetError without its message.
    As `sys.stdout`, this object does not print the traceback, and keeps the message.

    | https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/operator.py#L1007 (prints)
    | https://github.com/apache/mxnet/blob/1.9.1/src/operator/custom/custom.cc#L339 (raises)

    Parameters
    ----------
    stream : file
        The standard output.

    Attributes
    ----------
    sentence : str
        The message of the last error; '' before the first.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.sentence, self._in_error = stream, '', False

    def write(self, text: str) -> int:
        """Write a text; of an operator's traceback, keep the message instead."""
        if text.startswith('Error in '):
            self.sentence = text.strip().splitlines()[-1].partition(': ')[2]
        elif not (self._in_error and text == '\n'):  # the end of the same print
            return self.stream.write(text)
        self._in_error = text != '\n'
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

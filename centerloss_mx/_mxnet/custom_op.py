"""Faults of MXNet's custom operators in Python."""

from __future__ import annotations

from typing import Any, TextIO

from mxnet import operator as mxop
from mxnet.ndarray import NDArray

__all__ = ['Dependency', 'OperatorErrors', 'register']


# MXNet keeps the numbers of the backward inputs of the custom operator that was parsed last, for all of them,
# and asks for the storage type of the arrays so numbered. One that takes no head gradient was never given
# that array, and its backward fails.
class Dependency(int):
    # C++ reads the number; as no lookup finds it, MXNet asks other operators for nothing in our name.
    __eq__ = object.__eq__
    __hash__ = object.__hash__


def _dense_array(handle: Any, writable: bool = True, stype: Any = None) -> NDArray:
    return NDArray(handle, writable=writable)


def register(name: str, prop: type[mxop.CustomOpProp]) -> None:
    # All arrays of our operators are dense; nothing needs to be asked in the name of others.
    asking = mxop._ndarray_cls, mxop._np_ndarray_cls
    mxop._ndarray_cls = mxop._np_ndarray_cls = _dense_array
    try:
        mxop.register(name)(prop)
    finally:
        mxop._ndarray_cls, mxop._np_ndarray_cls = asking


class OperatorErrors:
    """Standard output without the tracebacks that MXNet prints of errors in custom operators.

    What MXNet then raises lacks the sentence; it is kept here.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.sentence, self._inside = stream, '', False

    def write(self, text: str) -> int:
        if text.startswith('Error in '):
            self.sentence = text.strip().splitlines()[-1].partition(': ')[2]
        elif not (self._inside and text == '\n'):  # the end of the same print
            return self.stream.write(text)
        self._inside = text != '\n'
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

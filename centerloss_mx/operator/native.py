"""The compiled kernel in the place of Python's callbacks: on a CPU, MXNet calls it without Python.

MXNet runs a custom operator by a list of three C functions: Delete, Forward and Backward. MXNet's Python
fills the list with callbacks, which need the GIL. Here the functions of `kernel.c` take their place.
They hand everything but the plain case to Python's callbacks, with the same arrays.

| https://github.com/apache/mxnet/blob/1.9.1/include/mxnet/c_api.h#L150 (the list and its functions)
| https://github.com/apache/mxnet/blob/1.9.1/src/operator/custom/custom.cc#L336 (MXNet calls Forward)
| https://github.com/apache/mxnet/blob/1.9.1/src/operator/custom/custom.cc#L411 (MXNet calls Backward)
| https://github.com/apache/mxnet/blob/1.9.1/src/operator/custom/custom.cc#L284 (MXNet calls Delete, once)
"""

from __future__ import annotations

import ctypes
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
from mxnet.base import _LIB

from .batch import Batch
from .numpy_rows import HostRows
from .parameters import INPUT, NORMALIZATIONS, UPDATES, CenterLossParam

__all__ = ['NativeCallbacks', 'NativeState', 'centers_lock', 'library', 'load', 'missing']

ENTRIES = ('centerloss_delete', 'centerloss_forward', 'centerloss_backward')  # as the list has them

FLOATS = (ctypes.c_float, ctypes.c_double)  # by MXNet's number of the dtype


class _Callback(ctypes.Structure):
    _fields_ = [('entry', ctypes.c_void_p), ('context', ctypes.c_void_p)]


class NativeState(ctypes.Structure):
    """`struct center_loss` of `kernel.c`: parameters, what forward leaves for backward, and workspace.

    References
    ----------
    Wen et al. 2016, Eqs. 2 to 4.
    """

    _fields_ = [
        ('alpha', ctypes.c_double),
        ('scale', ctypes.c_double),
        ('ignore_label', ctypes.c_double),
        ('normalization', ctypes.c_int32),
        ('update', ctypes.c_int32),
        ('use_ignore', ctypes.c_int32),
        ('per_sample', ctypes.c_int32),
        ('reads_scale', ctypes.c_int32),
        ('has_batch', ctypes.c_int32),
        ('moves', ctypes.c_int32),
        ('dtype', ctypes.c_int32),
        ('table_bits', ctypes.c_int32),
        ('n', ctypes.c_int64),
        ('dim', ctypes.c_int64),
        ('divisor', ctypes.c_double),
        ('classes', ctypes.c_void_p),
        ('diff', ctypes.c_void_p),
        ('python', _Callback * 3),
        ('next_deleted', ctypes.c_void_p),
        ('workspace', ctypes.c_void_p * 6),
    ]

    def set(self, parameters: CenterLossParam, per_sample: bool) -> None:
        """Set the parameters of an operator with one loss a batch, or one a sample."""
        self.alpha, self.reads_scale = parameters.alpha, parameters.scale == INPUT
        if not isinstance(parameters.scale, str):
            self.scale = parameters.scale
        self.use_ignore, self.ignore_label = parameters.use_ignore, parameters.ignore_label
        self.normalization = NORMALIZATIONS.index(parameters.normalization)
        self.update = UPDATES.index(parameters.update)
        self.per_sample = per_sample

    @property
    def batch(self) -> Batch | None:
        """What forward has left here, without a copy of the features' differences; None: nothing."""
        if not self.has_batch:
            return None
        diff = _array(self.diff, FLOATS[self.dtype], self.n, self.dim)
        classes = _array(self.classes, ctypes.c_int64, self.n)
        kept = classes >= 0
        return Batch(
            diff,
            np.where(kept, classes, 0).astype(np.intp),
            None if kept.all() else kept,
            self.divisor,
            self.scale,
            bool(self.moves),
        )


class NativeCallbacks:
    """The attribute `_ref_holder`, where MXNet leaves an operator the list of its callbacks.

    MXNet sets it on every operator that Python has created, when the list is complete and before C++ reads
    it. For an operator on a CPU, this descriptor then replaces the callbacks and their contexts in the list,
    and sets its attribute `native`. A subclass of an operator keeps Python's: it may override what they call.

    Python's callbacks stay alive: MXNet keeps the operator, and the operator the list, until Python's Delete.
    The kernel does not call that one, because MXNet deletes an operator in any thread: in one of MXNet's, it
    would wait for the GIL while a fork, with the GIL, waits for the thread; at the end of the process, Python
    may be gone. The kernel frees its memory, and Python's Delete is called when the next operator is created.

    | https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/operator.py#L1066 (the attribute is set)
    | https://github.com/apache/mxnet/blob/1.9.1/src/operator/custom/custom-inl.h#L190 (a fork waits)
    """

    def __set__(self, operator: Any, holder: list) -> None:
        vars(operator)['_ref_holder'] = holder
        is_subclass = 'per_sample' not in vars(type(operator))
        if library is None or operator.rows is not HostRows or is_subclass:
            return
        _forget_deleted_operators(library)
        address = library.centerloss_new()
        _operators[address] = operator
        operator.native = NativeState.from_address(address)
        operator.native.set(operator.parameters, operator.per_sample)
        callbacks = holder[0].contents
        entries = ctypes.cast(callbacks.callbacks, ctypes.POINTER(ctypes.c_void_p))
        for k, name in enumerate(ENTRIES):
            operator.native.python[k] = _Callback(entries[k], callbacks.contexts[k])
            entries[k] = _address(getattr(library, name))
            callbacks.contexts[k] = address


_operators: dict[int, Any] = {}  # by the address of `native`


def _forget_deleted_operators(kernel: ctypes.CDLL) -> None:
    """Call Python's Delete for the operators that MXNet has deleted, and free what is left of them."""
    address = kernel.centerloss_take_deleted()
    while address:
        state = NativeState.from_address(address)
        delete, following = state.python[0], state.next_deleted
        ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(delete.entry)(delete.context)
        _operators.pop(address).native = None
        kernel.centerloss_free(ctypes.c_void_p(address))
        address = following


def _array(address: int, dtype: Any, *shape: int) -> np.ndarray:
    return np.ctypeslib.as_array(ctypes.cast(address, ctypes.POINTER(dtype)), shape)


def _address(function: Any) -> int | None:
    return ctypes.cast(function, ctypes.c_void_p).value


def load(path: Path) -> tuple[ctypes.CDLL | None, str]:
    """Return the kernel of a file and '', or None and what is wrong with the kernel."""
    if os.environ.get('CENTERLOSS_MX_KERNEL') == '0':
        return None, 'is turned off by CENTERLOSS_MX_KERNEL=0'
    if not path.exists():
        return None, 'was not compiled: install a C compiler, and then centerloss_mx again'
    sources = path.with_name('kernel.c'), path.with_name('kernel_rows.h')  # not in a wheel
    if any(source.exists() and source.stat().st_mtime > path.stat().st_mtime for source in sources):
        return None, 'is older than kernel.c: install centerloss_mx again'
    try:
        kernel = ctypes.CDLL(str(path))
        kernel.centerloss_new.restype = kernel.centerloss_take_deleted.restype = ctypes.c_void_p
        kernel.centerloss_size.restype = ctypes.c_size_t
        if kernel.centerloss_size() != ctypes.sizeof(NativeState):
            return None, 'was compiled for another version: install centerloss_mx again'
        functions = 'WaitToRead', 'GetDType', 'GetShapeEx', 'GetData', 'Free'
        addresses = [ctypes.c_void_p(_address(getattr(_LIB, f'MXNDArray{name}'))) for name in functions]
        kernel.centerloss_connect(*addresses)
        # A thread of the parent may hold the lock, and is not there in a child.
        os.register_at_fork(after_in_child=kernel.centerloss_renew_lock)
    except (OSError, AttributeError) as error:
        return None, f'does not load: {error}'
    return kernel, ''


library, missing = load(Path(__file__).with_name('_kernel.so'))


class _Mutex:
    """The kernel's lock around the use of centers. Python waits for it without the GIL."""

    def __init__(self, kernel: ctypes.CDLL) -> None:
        self._kernel = kernel

    def __enter__(self) -> None:
        self._kernel.centerloss_lock()

    def __exit__(self, *error: Any) -> None:
        self._kernel.centerloss_unlock()


centers_lock = threading.Lock() if library is None else _Mutex(library)
"""A lock around every use of centers.

MXNet's engine takes operators that share centers for readers, backward too, and may run two of them at the
same time: one would read rows that the other has moved in part, or a move would be lost.
"""

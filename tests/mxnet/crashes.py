"""What ends a process of plain MXNet: run by test_mxnet_crashes.py, which reads the lines that this prints.

Each function runs in a fork of this process, so that MXNet is imported once.
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

import numpy as np


def status(function):
    """The status of a fork of this process that runs a function: 0 where that returns, 7 where it raises."""
    process = os.fork()
    if process == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            function()
            os._exit(0)
        except BaseException:
            os._exit(7)
    return os.waitpid(process, 0)[1] >> 8


def without_numpys_bool():
    """As on NumPy 1.24."""
    vars(np).pop('bool', None)
    np.__getattr__ = None  # which has it, with a warning, on NumPy 1.20 to 1.23
    import mxnet  # noqa: F401


def without_distutils():
    """As on Python 3.12."""
    np.bool = bool
    sys.modules['distutils'] = None
    import mxnet  # noqa: F401


print('import without numpy.bool', status(without_numpys_bool))
print('import without distutils', status(without_distutils), flush=True)
if 'bool' not in vars(np):
    np.bool = bool

import mxnet as mx  # noqa: E402


def constructor():
    """The constructor of an operator's properties raises."""

    @mx.operator.register('plain_bad_constructor')
    class Prop(mx.operator.CustomOpProp):
        def __init__(self):
            raise ValueError

    mx.sym.Custom(mx.sym.Variable('data'), op_type='plain_bad_constructor')


def memory_of_a_device(number):
    """How much more memory the process has, in MB, after an array of one element on this device."""
    before = resident_pages()
    mx.nd.zeros((1,), ctx=mx.cpu(number)).wait_to_read()
    return (resident_pages() - before) * resource.getpagesize() / 2**20


def resident_pages():
    """Of this process now: its largest size would begin with that of the process that started it."""
    return int(Path('/proc/self/statm').read_text().split()[1])


print('constructor', status(constructor))
print('memory', memory_of_a_device(5 * 10**6) > 50)

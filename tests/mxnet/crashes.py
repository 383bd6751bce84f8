"""What ends a process of plain MXNet: run by test_mxnet_crashes.py, which reads the lines that this prints.

Each function runs in a fork of this process, so that MXNet is imported once.
"""

from __future__ import annotations

import io
import json
import os
import resource
import struct
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image


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
    found = os.waitpid(process, 0)[1]
    return found >> 8 if os.WIFEXITED(found) else -os.WTERMSIG(found)


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


def number_of_an_output():
    """The input of a node is an output that another node does not have."""
    net = mx.sym.FullyConnected(mx.sym.Activation(act_type='relu', name='a'), num_hidden=2)
    mx.sym.load_json(net.tojson().replace('[1, 0, 0]', '[1, 900000, 0]')).infer_shape(a_data=(2, 2))


def missing_input():
    """A convolution has no bias, and does not say so."""
    graph = json.loads(mx.sym.Convolution(kernel=(3, 3), num_filter=2, name='c').tojson())
    graph['nodes'][-1]['inputs'].pop()
    mx.sym.load_json(json.dumps(graph)).simple_bind(mx.cpu(), c_data=(1, 1, 8, 8))


def in_300_mb(function, *arguments):
    """A function for `status`: 9 where MXNet asks for more memory than 300 MB."""

    def limited():
        size = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize() + 300 * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
        try:
            function(*arguments)
        except mx.MXNetError as error:
            os._exit(9 if 'alloc' in str(error).lower() or 'memory' in str(error).lower() else 7)

    return limited


def picture(height=8):
    """A grey JPEG of 8 x 8 pixels whose header says another height and, with it, a width of 9000."""
    content = io.BytesIO()
    Image.new('L', (8, 8)).save(content, 'JPEG')
    size = struct.pack('>HH', height, 9000 if height > 8 else 8)
    content = content.getvalue().replace(b'\x08\0\x08\0\x08', b'\x08' + size)
    mx.image.imdecode(content).wait_to_read()


def parameters(size):
    """A parameter file of 3 values whose header says another number."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'net.params'
        mx.nd.save(str(path), {'w': mx.nd.ones((3,))})
        path.write_bytes(path.read_bytes().replace(struct.pack('<iq', 1, 3), struct.pack('<iq', 1, size)))
        mx.nd.load(str(path))


def record(size):
    """A record of 100 bytes whose header says another size."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'all.rec'
        path.write_bytes(struct.pack('<II', 0xCED7230A, size) + bytes(100))
        mx.recordio.MXRecordIO(str(path), 'r').read()


print('constructor', status(constructor))
print('memory', memory_of_a_device(5 * 10**6) > 50)
print('output', status(number_of_an_output) not in (0, 7))
print('input', status(missing_input) not in (0, 7))
print('picture', status(in_300_mb(picture)), status(in_300_mb(picture, 20000)))
print('parameters', status(in_300_mb(parameters, 3)), status(in_300_mb(parameters, 2**28)))
print('record', status(in_300_mb(record, 100)), status(in_300_mb(record, 2**29 - 1)))

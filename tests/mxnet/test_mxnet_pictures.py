"""`_mxnet.pictures`: each fault as plain MXNet has it, and what the package does about it.

There is no test of plain MXNet with a PNG of 4 to 23 bytes: the size that it takes is read from behind the
end, and may ask for all memory.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zlib

from centerloss_mx._mxnet.pictures import decode

import mxnet as mx
import pytest


def chunk(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))


HEADER = b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', 8, 8, 8, 0, 0, 0, 0))
PNG = HEADER + chunk(b'IDAT', zlib.compress(8 * bytes([0, *[100] * 8]))) + chunk(b'IEND', b'')
WIDE = PNG.replace(b'\0\0\0\x08', b'\0\0\0\x09', 1)  # the width, without another checksum


def test_a_png_is_decoded():
    assert (decode(PNG).asnumpy() == 100).all()


@pytest.mark.parametrize(('content', 'width'), [(WIDE, 9), (HEADER, 8)], ids=['of another size', 'cut off'])
def test_mxnet_returns_memory_for_a_png_that_it_cannot_decode(content, width, capfd):
    picture = mx.image.imdecode(content)
    picture.wait_to_read()  # no error, and nothing was written to this memory
    assert picture.shape == (8, width, 3)
    with pytest.raises(RuntimeError, match='not a complete PNG'):
        decode(content)
    capfd.readouterr()


def test_mxnet_raises_the_error_of_a_picture_later(capfd):
    broken = bytearray(PNG)
    broken[len(HEADER) + 12] ^= 0xFF  # in the compressed pixels
    picture = mx.image.imdecode(bytes(broken))  # no error
    with pytest.raises(mx.MXNetError):
        picture.wait_to_read()
    with pytest.raises(RuntimeError):
        decode(bytes(broken))
    capfd.readouterr()


GROWTH = """
import resource, sys, threading
from io import BytesIO
import numpy as np
from centerloss_mx._mxnet.pictures import decode
from mxnet import nd
from PIL import Image

def flip():
    array.flip(axis=0).wait_to_read()

def turn():
    decode(content.getvalue())

def resident():
    with open('/proc/self/statm') as statm:
        return int(statm.read().split()[1]) * resource.getpagesize() / 2**20

array, content, exif = nd.zeros((112, 92, 3), dtype='uint8'), BytesIO(), Image.Exif()
exif[0x0112] = 4
Image.fromarray(np.zeros((112, 92, 3), 'uint8')).save(content, 'PNG', exif=exif)
for function in turn, flip:
    for number in range(15):
        before = resident() if number == 3 else before if number else None
        thread = threading.Thread(target=function)
        thread.start()
        thread.join()
    print(resident() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists('/proc/self/statm'), reason='there is no /proc to read memory from')
def test_mxnet_s_flip_keeps_memory_for_each_thread_and_a_turned_picture_does_not():
    done = subprocess.run([sys.executable, '-c', GROWTH], capture_output=True, text=True, timeout=100)
    turned, flipped = map(float, done.stdout.split())
    assert turned < 12 and flipped > 24  # MB

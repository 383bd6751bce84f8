"""InsightFace's .bin files: what Python 2 and 3 and NumPy pickle is read, and nothing else is run."""

from __future__ import annotations

import codecs
import os
import pickle
import struct
import tracemalloc

from centerloss_mx.dataset import load_samples
from centerloss_mx.dataset.fingerprints import fingerprints
from centerloss_mx.io import image_iter, list_images
from centerloss_mx.io.bin_pairs import read_bin

import makers
import numpy as np
import pytest
from makers import png, random_pictures

PNGS = [png(picture) for picture in random_pictures(4, 8, 8)]
SAME = [True, False]


def as_uint8(content, shape=(-1,)):
    return np.frombuffer(content, np.uint8).reshape(shape).copy()


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize('form', [
    lambda content: content,
    as_uint8,
    lambda content: as_uint8(content, (-1, 1)),  # of OpenCV's imencode
], ids=['bytes', 'array', 'column'])  # fmt: skip
@pytest.mark.parametrize('flags', [SAME, [*map(np.bool_, SAME)], np.array(SAME), [1, 0]])
def test_pictures_of_every_protocol_are_read(protocol, form, flags, tmp_path):
    path = tmp_path / 'two.bin'
    path.write_bytes(pickle.dumps(([*map(form, PNGS)], flags), protocol))
    contents, same = read_bin(path)
    assert contents == PNGS and all(type(content) is bytes for content in contents)
    assert same.dtype == bool and same.tolist() == SAME


def python2(contents, numpy_module=None):
    """A pickle of protocol 2 as Python 2 writes it: bytes, or arrays by a name of NumPy."""

    def text(content):
        return b'T' + struct.pack('<i', len(content)) + content

    def array(content):
        made = (
            f'c{numpy_module}\n_reconstruct\ncnumpy\nndarray\n'.encode() + b'K\0\x85' + text(b'b') + b'\x87R'
        )
        dtype = (
            b'cnumpy\ndtype\n'
            + text(b'u1')
            + b'K\0K\1\x87R(K\3'
            + text(b'|')
            + b'NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb'
        )
        return (
            made
            + b'(K\1M'
            + struct.pack('<H', len(content))
            + b'\x85'
            + dtype
            + b'\x89'
            + text(content)
            + b'tb'
        )

    picture = text if numpy_module is None else array
    return b'\x80\2](' + b''.join(map(picture, contents)) + b'e](\x88\x89e\x86.'


@pytest.mark.parametrize('module', [None, 'numpy.core.multiarray', 'numpy._core.multiarray'])
def test_pictures_that_python_2_and_new_numpy_wrote_are_read(module, tmp_path):
    path = tmp_path / 'two.bin'
    path.write_bytes(python2(PNGS, module))
    assert read_bin(path)[0] == PNGS


def test_the_pictures_are_samples_without_classes(tmp_path):
    path = tmp_path / 'two.bin'
    path.write_bytes(pickle.dumps(([*map(as_uint8, PNGS)], SAME)))
    images = load_samples(path, labelled=None)
    assert images.class_names == [] and images.labels.tolist() == [-1] * 4
    assert images.names == [f'{path}: picture {number}' for number in range(4)]
    batch = image_iter(images.take([3, 0]), 2, 8).next().data[0].asnumpy()
    makers.write_folder(tmp_path / 'all', 'abcd', PNGS)
    expected = image_iter(list_images(tmp_path / 'all'), 4, 8).next().data[0].asnumpy()
    np.testing.assert_array_equal(batch, expected[[3, 0]])
    assert images.take([3, 0]).names == [f'{path}: picture 3', f'{path}: picture 0']
    found = fingerprints(images)
    assert len(set(found.tolist())) == 4 and fingerprints(images.take([2])).tolist() == [found[2]]
    with pytest.raises(
        ValueError, match=r'two\.bin: the pictures of a \.bin file have no labels; expected labe'
    ):
        load_samples(path, min_classes=2)


def test_a_picture_that_cannot_be_decoded_is_named(tmp_path):
    path = tmp_path / 'two.bin'
    path.write_bytes(pickle.dumps(([*PNGS[:3], PNGS[3][:40]], SAME)))
    with pytest.raises(ValueError, match=r'two\.bin: picture 3: not a picture that MXNet can decode'):
        image_iter(load_samples(path, labelled=False), 4, 8).next()


class Named:
    """Something that is pickled as a call."""

    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize('hidden, message', [
    (makers.Payload(), 'it names builtins.exec, which a .bin file of pairs does not hold; '
     'nothing of it was run'),
    (Named(os.system, ('touch here',)), 'it names posix.system,'),
    (Named(eval, ('1',)), 'it names builtins.eval,'),
    (Named(bytes, (10**12,)), 'it names builtins.bytes,'),
    (Named(bytearray, (10**12,)), 'it names builtins.bytearray,'),
    (Named(np.zeros, (10**12,)), 'it names numpy.zeros,'),
    (Named(codecs.decode, (b'', 'zip')), 'it names _codecs.decode,'),
    (Named(codecs.encode, ('', 'zip')), "it encodes a text as 'zip'; expected latin1"),
    (np.array([makers.Payload()]), "it holds an array of dtype 'O8'; expected uint8 or bool"),
    (np.zeros(3), "it holds an array of dtype 'f8'; expected uint8 or bool"),
    (np.dtype('V1000000000'), "it holds an array of dtype 'V1000000000'; expected uint8 or bool"),
    (np.zeros(3, bool), 'picture 0 is not the bytes of a picture'),
    (7, 'picture 0 is not the bytes of a picture'),
])  # fmt: skip
@pytest.mark.parametrize('protocol', [2, 4])
def test_what_such_files_do_not_hold_is_refused_and_not_run(hidden, message, protocol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / 'evil.bin'
    content = pickle.dumps(([hidden, *PNGS[1:]], SAME), protocol)
    path.write_bytes(content)
    with pytest.raises(ValueError) as error:
        read_bin(path)
    message = message.replace('builtins', '__builtin__') if protocol == 2 else message
    assert str(error.value).startswith(f'{path}: {message}')
    assert not makers.Payload.ran and [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize('content', [
    b'\x80\x04\x8e' + struct.pack('<Q', 2**40) + b'x.',  # bytes of a terabyte
    b'\x80\x05\x96' + struct.pack('<Q', 2**40) + b'x.',  # a bytearray
    b'\x80\x04\x95' + struct.pack('<Q', 2**40) + b'x.',  # a frame
    b'\x80\x02]r' + struct.pack('<I', 2**24) + b'.',  # object number 2^24
    b'\x80\x02]p16777216\n.',
    b'\x80\x02c_codecs\nencode\n(X' + struct.pack('<I', 2**20) + b'x' * 2**20 + b'q\0X\6\0\0\0latin1q\1tq\2R'
    + b'](' + b'c_codecs\nencode\nh\2R' * 1000 + b'e\x86.',  # a text of a megabyte, a thousand times
    python2(PNGS)[:-40],
    b'not a pickle', b'', b'\x80\x02cos\n', b'\xff' * 50,
])  # fmt: skip
def test_a_crafted_or_damaged_file_takes_no_memory(content, tmp_path):
    path = tmp_path / 'evil.bin'
    path.write_bytes(content)
    tracemalloc.start()
    with pytest.raises(ValueError, match=r'evil\.bin'):
        read_bin(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1e6 + 8 * len(content)


@pytest.mark.parametrize('found, message', [
    ((PNGS[:3], SAME), '3 pictures and 2 pairs; expected two pictures a pair, and at least one pair'),
    (([], []), '0 pictures and 0 pairs'),
    ((PNGS, [True, 2]), 'flag 1 is neither True nor False'),
    ((PNGS, None), 'its flags are NoneType; expected a list'),
    ((PNGS[0], SAME), 'its pictures are bytes; expected a list'),
    ({'a': 1}, r'dict; expected the pickle of \(pictures, same\)'),
])  # fmt: skip
def test_another_pickle_is_refused(found, message, tmp_path):
    path = tmp_path / 'other.bin'
    path.write_bytes(pickle.dumps(found))
    with pytest.raises(ValueError, match=rf'other\.bin: {message}'):
        read_bin(path)
    with pytest.raises(FileNotFoundError, match=r'none\.bin does not exist; expected a \.bin file of pairs'):
        read_bin(tmp_path / 'none.bin')

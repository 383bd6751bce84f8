"""InsightFace's .bin files of pairs of pictures, such as lfw.bin, cfp_fp.bin and agedb_30.bin.

A file is a pickle of (pictures, same): 2 P encoded pictures, bytes or uint8 arrays, and P flags. Pictures
2 i and 2 i + 1 are pair i. Unpickling runs what a pickle names. So the names that such files hold get
substitutes, which only keep bytes, and every other name is refused.
https://github.com/deepinsight/insightface/blob/master/recognition/arcface_mxnet/common/build_eval_pack.py
"""

from __future__ import annotations

import io
import os
import pickle
import pickletools
from pathlib import Path
from typing import Any, Callable

import numpy as np

from .._checks import quantity
from .._files import check_file
from .images import Images

__all__ = ['bin_images', 'read_bin']

_PUTS = ('PUT', 'BINPUT', 'LONG_BINPUT')
_NUMPY = ('numpy.core.multiarray', 'numpy._core.multiarray', 'numpy.core.numeric', 'numpy._core.numeric')


def bin_images(path: str | os.PathLike[str]) -> Images:
    """Read the pictures of a .bin file, without classes.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    Images
        The 2 P pictures; pair i is pictures 2 i and 2 i + 1. `class_names` is empty, and all labels are -1.

    Raises
    ------
    FileNotFoundError, ValueError
        As `read_bin`.

    Examples
    --------
    >>> bin_images('lfw.bin').names[17]  # doctest: +SKIP
    'lfw.bin: picture 17'
    """
    contents, _ = read_bin(path)
    names = [f'{path}: picture {number}' for number in range(len(contents))]
    return Images(np.full(len(contents), -1, np.int64), [], files=names, contents=contents)


def read_bin(path: str | os.PathLike[str]) -> tuple[list[bytes], np.ndarray]:
    """Read the pictures and the pairs of a .bin file. Nothing that the file names is imported or called.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    contents : list of bytes
        The 2 P encoded pictures.
    same : numpy.ndarray
        bool (P,): whether pictures 2 i and 2 i + 1 show one person.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is not such a pickle, is damaged, or names what such files do not hold.

    Examples
    --------
    >>> contents, same = read_bin('lfw.bin')  # doctest: +SKIP
    >>> len(contents), int(same.sum())  # doctest: +SKIP
    (12000, 3000)
    """
    check_file(path, 'expected a .bin file of pairs of pictures')
    content = Path(path).read_bytes()
    try:
        found = _unpickled(content)
    except _Refused as error:
        raise ValueError(f'{path}: {error}') from None
    except Exception as error:  # a damaged pickle raises errors of any kind
        raise ValueError(
            f"{path} is not InsightFace's .bin file of pairs, or it is damaged "
            f'({type(error).__name__}: {error})'
        ) from None
    if not isinstance(found, (tuple, list)) or len(found) != 2:
        raise ValueError(f'{path}: {type(found).__name__}; expected the pickle of (pictures, same)')
    try:
        contents, same = _pictures(found[0]), _flags(found[1])
    except _Refused as error:
        raise ValueError(f'{path}: {error}') from None
    if len(contents) != 2 * len(same) or not contents:
        raise ValueError(
            f'{path}: {quantity(len(contents), "picture")} and {quantity(len(same), "pair")}; '
            'expected two pictures a pair, and at least one pair'
        )
    return contents, same


class _Refused(ValueError):
    """What a .bin file of pairs does not hold."""


def _unpickled(content: bytes) -> Any:
    """Unpickle what the file holds; it takes no more memory than a few times the size of the file."""
    # genops raises where a length is beyond the end. Numbers of objects: the unpickler makes room for the
    # largest one.
    for before, (code, number, _) in enumerate(pickletools.genops(content)):
        if code.name in _PUTS and (number or 0) > before:
            raise _Refused(f'it numbers an object {number}, after {before} steps; expected fewer')
    return _BinUnpickler(content).load()


class _BinUnpickler(pickle.Unpickler):
    """An unpickler that knows bytes, uint8 arrays and flags."""

    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content), encoding='bytes')  # those that Python 2 wrote
        self._room = len(content)

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        """Return the substitute of what bytes and arrays are pickled as; refuse every other name."""
        substitutes: dict[tuple[str, str], Callable[..., Any]] = {
            ('_codecs', 'encode'): self._latin1,
            ('numpy', 'ndarray'): _Array,
            ('numpy', 'dtype'): _Dtype,
        }
        if module in _NUMPY:
            substitutes[module, '_reconstruct'] = _empty
            substitutes[module, 'scalar'] = _Array.filled
            substitutes[module, '_frombuffer'] = _from_buffer
        if (module, name) not in substitutes:
            raise _Refused(
                f'it names {module}.{name}, which a .bin file of pairs does not hold; nothing of it was run'
            )
        return substitutes[module, name]

    def _latin1(self, text: str, encoding: str) -> bytes:
        """Make bytes of a text, as which Python 3 pickles them for Python 2."""
        self._room -= len(text)
        if self._room < 0:
            raise _Refused('its texts, taken several times, are more than the file holds')
        if encoding not in ('latin1', b'latin1'):
            raise _Refused(f'it encodes a text as {encoding!r}; expected latin1')
        return text.encode('latin1')


class _Dtype:
    """A dtype in a pickle: uint8 or bool."""

    __slots__ = ('kind',)

    def __init__(self, kind: str | bytes, align: bool = False, copy: bool = False) -> None:
        self.kind = kind.decode('latin1') if isinstance(kind, bytes) else kind
        if self.kind not in ('u1', 'b1'):
            raise _Refused(f'it holds an array of dtype {str(self.kind)[:20]!r}; expected uint8 or bool')

    def __setstate__(self, state: Any) -> None:
        """Take the byte order and the alignment, which one byte does not have."""


class _Array:
    """The bytes of an array in a pickle."""

    __slots__ = ('content', 'kind')

    @classmethod
    def filled(cls, dtype: _Dtype, content: bytes) -> _Array:
        """Make the array of a dtype and its bytes."""
        array = cls()
        array.__setstate__((1, (len(content),), dtype, False, content))
        return array

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """Take the bytes of (version, shape, dtype, order, bytes)."""
        _, _, dtype, _, content = state
        if not isinstance(dtype, _Dtype) or not isinstance(content, (bytes, bytearray)):
            raise _Refused('it holds an array that is not made of bytes')
        self.kind, self.content = dtype.kind, content


def _empty(kind: type, shape: Any, code: Any) -> _Array:
    """Make the array whose bytes follow: NumPy's `_reconstruct`."""
    return _Array()


def _from_buffer(content: bytes, dtype: _Dtype, shape: Any, order: Any) -> _Array:
    """Make an array of its bytes: NumPy's `_frombuffer`, of protocol 5."""
    return _Array.filled(dtype, content)


def _pictures(found: Any) -> list[bytes]:
    if not isinstance(found, (list, tuple)):
        raise _Refused(f'its pictures are {type(found).__name__}; expected a list')
    contents, made = [], {}
    for number, picture in enumerate(found):
        content = picture.content if isinstance(picture, _Array) and picture.kind == 'u1' else picture
        if not isinstance(content, (bytes, bytearray)):
            raise _Refused(f'picture {number} is not the bytes of a picture')
        if id(content) not in made:  # a file may hold one picture many times
            made[id(content)] = bytes(content)
        contents.append(made[id(content)])
    return contents


def _flags(found: Any) -> np.ndarray:
    found = list(found.content) if isinstance(found, _Array) else found
    if not isinstance(found, (list, tuple)):
        raise _Refused(f'its flags are {type(found).__name__}; expected a list')
    flags = [flag.content[0] if isinstance(flag, _Array) and flag.content else flag for flag in found]
    for number, flag in enumerate(flags):
        if not isinstance(flag, int) or flag not in (0, 1):
            raise _Refused(f'flag {number} is neither True nor False')
    return np.array(flags, bool)

"""A fault of MXNet's writers of files: on a full disk, the end of a file is lost without an error.

MXNet writes through a buffer of the C library, which is emptied when the file is closed. MXNet does not look
at the result of closing. If the disk is full, `mx.nd.save` returns as if it had written everything, and what
was in the buffer is lost, up to a page of the file system.

https://github.com/dmlc/dmlc-core/blob/5df8305fe699/src/io/local_filesys.cc#L60
"""

from __future__ import annotations

import os
import select
import threading
import zlib
from typing import BinaryIO, Callable

from .._files import write_checked

__all__ = ['save_whole']

_CHUNK = 1 << 20  # bytes


def save_whole(path: str | os.PathLike, save: Callable[[str], object]) -> None:
    """Let MXNet write a file, completely or not at all; see `write_whole`.

    MXNet writes to a pipe. Python copies what comes out of it to the file and gets the error of a full disk.
    Then it reads the file, and compares length and checksum with what came out of the pipe.

    Parameters
    ----------
    path : path-like
        The file.
    save : callable
        A writer of MXNet, called with a name: `Module.save_params`, `Block.save_parameters`.

    Raises
    ------
    OSError
        As `write_checked`: the old file stays. Errors of `save` are passed on.

    Examples
    --------
    >>> save_whole('net.params', net.save_parameters)  # doctest: +SKIP
    """
    written = _Sum()

    def write(name: str) -> None:
        with open(name, 'wb') as file:
            _copy(save, file, written)

    def is_written(name: str) -> bool:
        read = _Sum()
        with open(name, 'rb') as file:
            for chunk in iter(lambda: file.read(_CHUNK), b''):
                read.add(chunk)
        return vars(read) == vars(written)

    write_checked(path, write, is_written)


class _Sum:
    """Length and checksum of bytes."""

    def __init__(self) -> None:
        self.size = self.crc = 0

    def add(self, chunk: bytes) -> None:
        self.size, self.crc = self.size + len(chunk), zlib.crc32(chunk, self.crc)


def _copy(save: Callable[[str], object], file: BinaryIO, written: _Sum) -> None:
    """Copy what `save` writes to a pipe into a file.

    A second pipe tells the copying thread that `save` has returned. The first one may have no end: a process
    that another thread has forked meanwhile has it open, too.
    """
    source, sink = os.pipe()
    end, ending = os.pipe()
    errors: list[BaseException] = []

    def copy() -> None:
        ready = select.poll()
        ready.register(source, select.POLLIN)
        ready.register(end, select.POLLIN)
        while source in dict(ready.poll()):
            chunk = os.read(source, _CHUNK)
            try:
                if not errors:  # after one, the pipe is only emptied: a full one would stop `save`
                    written.add(chunk)
                    file.write(chunk)
            except BaseException as error:  # raised below, in the thread that called
                errors.append(error)

    thread = threading.Thread(target=copy)
    try:
        thread.start()
        try:
            save(f'/dev/fd/{sink}')
        finally:
            os.write(ending, b'.')
            thread.join()
    finally:
        for descriptor in source, sink, end, ending:
            os.close(descriptor)
    if errors:
        raise errors[0]

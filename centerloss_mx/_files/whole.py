"""Files that are written completely or not at all."""

from __future__ import annotations

import errno
import os
import re
import secrets
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Callable, Iterator

from .lock import open_locked, remove_locked
from .there import check_folder

__all__ = ['remove_partial_files', 'write_bytes', 'write_checked', 'write_whole']

_PARTIAL = re.compile(r'\..+\.part-[0-9a-f]{8}(?:\.[^.]*)?', re.DOTALL)


def write_whole(path: str | os.PathLike, write: Callable[[str], object]) -> None:
    """Write a file completely or not at all: readers find the new file or the old one, never a part.

    The new file takes its name once it is on the disk. Its temporary file is locked while it is written. If
    the process is killed, the lock ends, and the next writer of the same file removes what is left.

    Parameters
    ----------
    path : path-like
        The file.
    write : callable
        Called with the name of a temporary file in the same folder, with the same suffix. It must raise an
        exception if it cannot write everything; MXNet's writers do not, see `save_whole`.

    Raises
    ------
    OSError
        The folder does not exist or is not writable, or the disk is full. Errors of `write` are passed on.
        The old file stays.

    Examples
    --------
    >>> write_whole('report.txt', lambda name: Path(name).write_text('done'))  # doctest: +SKIP
    """
    write_checked(path, write, lambda name: True)


def write_checked(
    path: str | os.PathLike, write: Callable[[str], object], is_written: Callable[[str], bool]
) -> None:
    """Write a file as `write_whole` does, and read what is on the disk before it takes its name.

    Parameters
    ----------
    path, write
        As for `write_whole`.
    is_written : callable
        Called with the name of the temporary file; whether it has what was written.

    Raises
    ------
    OSError
        As `write_whole`; or what has been written reads as something else. Errors of `is_written` are passed
        on, too.

    Examples
    --------
    >>> write_checked('faces.zip', write, zipfile.is_zipfile)  # doctest: +SKIP
    """
    path = Path(path)
    check_folder(path)
    remove_partial_files(path)
    partial = None
    try:
        with _partial_file(path) as partial:
            write(partial)
            _sync(partial)
            if not is_written(partial):
                raise OSError(errno.EIO, 'what has been written reads as something else', partial)
            os.replace(partial, path)
        _sync(path.parent)
    except OSError as error:
        if error.errno is None or error.filename not in (None, partial):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error  # the name that the caller knows


def write_bytes(path: str | os.PathLike, content: bytes) -> None:
    """Write bytes as `write_whole` does, and compare what is on the disk with them.

    Parameters
    ----------
    path : path-like
        The file.
    content : bytes
        What to write.

    Raises
    ------
    OSError
        As `write_checked`.

    Examples
    --------
    >>> write_bytes('options.json', b'{}')  # doctest: +SKIP
    """
    write_checked(
        path,
        lambda name: Path(name).write_bytes(content),
        lambda name: Path(name).read_bytes() == content,
    )


def remove_partial_files(path: str | os.PathLike) -> None:
    """Remove what writers that were killed have left of a file, or of all files with this beginning.

    A temporary file that a process still writes is locked, and stays. So do all where a file system has no
    locks.

    Parameters
    ----------
    path : path-like
        The file, or folder and beginning of the files' names.

    Examples
    --------
    >>> remove_partial_files('runs/net-')  # doctest: +SKIP
    """
    folder, beginning = os.path.split(path)
    if not os.path.isdir(folder or os.curdir):
        return
    with os.scandir(folder or os.curdir) as entries:
        names = [entry.name for entry in entries if entry.name.startswith(f'.{beginning}')]
    for partial in (os.path.join(folder, name) for name in names if _PARTIAL.fullmatch(name)):
        with suppress(OSError):  # it is renamed or removed meanwhile, of another user, or cannot be locked
            lock = open_locked(partial)
            if lock is not None:
                remove_locked(lock, partial)


@contextmanager
def _partial_file(path: Path) -> Iterator[str]:
    """Make a temporary file, locked while it is written; it is removed unless it has been renamed."""
    lock = None
    while lock is None:
        partial = str(path.with_name(f'.{path.name}.part-{secrets.token_hex(4)}{path.suffix}'))
        lock = open_locked(partial, os.O_CREAT | os.O_EXCL, needed=False)
    try:
        yield partial
    finally:
        remove_locked(lock, partial)  # nothing happens in a forked child that ends here


def _sync(path: str | os.PathLike) -> None:
    """Wait until a file or a folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # this file system cannot wait, as some for folders
            raise
    finally:
        os.close(descriptor)

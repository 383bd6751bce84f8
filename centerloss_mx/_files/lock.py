"""Locked files: a lock ends with the process that holds it, however it ends."""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress

__all__ = ['NO_LOCKS', 'close_lock', 'open_locked', 'remove_locked']

NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)  # of a file system
_held: set[int] = set()  # the descriptors that this process, not its parent, has locked


def _close_all() -> None:
    while _held:
        os.close(_held.pop())


# A forked child shares its parent's locks: it would hold them after its parent's end.
os.register_at_fork(after_in_child=_close_all)


def open_locked(path: str | os.PathLike, flags: int = 0, needed: bool = True) -> int | None:
    """Open a file and lock it with flock, without waiting.

    Parameters
    ----------
    path : path-like
        The file.
    flags : int
        Flags of `os.open`, beside O_RDWR.
    needed : bool
        False: on a file system without locks, such as some network file systems, the file is opened unlocked.

    Returns
    -------
    int or None
        The descriptor, for `close_lock`; None: another process or thread holds the lock.

    Raises
    ------
    OSError
        The file cannot be opened. Or its file system has no locks, and one is needed.

    Examples
    --------
    >>> lock = open_locked('net.lock', os.O_CREAT)  # doctest: +SKIP
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | flags, 0o666)
        _held.add(descriptor)
        locked = named = False
        try:
            locked = _lock(descriptor, needed)
            named = _is_named(descriptor, path)
        finally:
            if not (locked and named):
                close_lock(descriptor)
        if not locked:
            return None
        if named:
            return descriptor


def _lock(descriptor: int, needed: bool) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if needed or error.errno not in NO_LOCKS:
            raise
    return True


def _is_named(descriptor: int, path: str | os.PathLike) -> bool:
    """Whether a path still names an open file, which its last owner may have removed or renamed."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def close_lock(descriptor: int) -> None:
    """Close a locked file, which unlocks it; nothing happens in a forked child of the process."""
    if descriptor in _held:
        _held.remove(descriptor)
        os.close(descriptor)


def remove_locked(descriptor: int, path: str | os.PathLike) -> None:
    """Remove a locked file, unless it has been renamed or removed, and close it as `close_lock` does."""
    if descriptor in _held:
        try:
            with suppress(FileNotFoundError):
                os.unlink(path)
        finally:
            close_lock(descriptor)

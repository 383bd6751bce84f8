"""One training for each prefix: a lock that ends with its process."""

from __future__ import annotations

import os
import platform
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from .._files import NO_LOCKS, check_folder, open_locked, remove_locked


@contextmanager
def only_training(prefix: str | os.PathLike) -> Iterator[None]:
    """Refuse a second training with the same prefix, from any process or thread.

    `<prefix>.lock` is locked inside this context, and removed at its end. It names the process. If that is
    killed, the file stays, but the lock has ended: the next training takes it. Forked children do not hold
    the lock.

    Parameters
    ----------
    prefix : path-like
        Beginning of the files' names.

    Raises
    ------
    FileExistsError
        There is another training; the message names its process.
    FileNotFoundError
        The folder does not exist.

    Warns
    -----
    UserWarning
        The file system has no locks, as some network file systems: a second training is not refused.

    Examples
    --------
    >>> with only_training('runs/net'):  # doctest: +SKIP
    ...     training.fit('runs/net')
    """
    path = Path(f'{prefix}.lock')
    check_folder(path)
    try:
        lock = open_locked(path, os.O_CREAT)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        warnings.warn(f'{path} cannot be locked ({error.strerror}); do not train twice with one prefix')
        path.unlink()
        yield
        return
    if lock is None:
        raise FileExistsError(
            f'{prefix} belongs to a training that runs ({_owner(path)}); wait for its end, or use another '
            'prefix'
        )
    try:
        _sign(path)
        yield
    finally:
        remove_locked(lock, path)  # nothing happens in a forked child that ends here


def _sign(path: Path) -> None:
    try:
        path.write_text(f'process {os.getpid()} on {platform.node()}')
    except OSError as error:  # that of a full disk does not name the file
        raise OSError(error.errno, error.strerror, str(path)) from None


def _owner(path: Path) -> str:
    try:
        return path.read_text(errors='replace') or 'which has just begun'
    except FileNotFoundError:
        return 'which has just ended'

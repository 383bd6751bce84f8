"""Disks that are full: a limit on the length of files, and a small file system."""

from __future__ import annotations

import resource
import subprocess
from contextlib import contextmanager

import pytest

PAGE = 4096


@contextmanager
def files_up_to(size):
    """Let no file grow beyond a number of bytes: a write past it fails with EFBIG, as ENOSPC would.

    Python ignores the signal SIGXFSZ, which would end the process.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def small_disk(folder, pages):
    """Mount a file system with room for a number of pages; skip the test where that is not allowed."""
    folder.mkdir()
    mount = ['mount', '-t', 'tmpfs', '-o', f'size={pages * PAGE}', 'tmpfs', str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip('this process may not mount a file system')
    try:
        yield folder
    finally:
        subprocess.run(['umount', str(folder)], check=True)

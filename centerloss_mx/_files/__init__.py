"""Files that are written completely or not at all, arrays in .npz and .npy files, and locks."""

from .arrays import read_npz, write_npz
from .lock import NO_LOCKS, close_lock, open_locked, remove_locked
from .npy import read_npy, write_npy
from .there import check_file, check_folder
from .whole import remove_partial_files, write_bytes, write_checked, write_whole

__all__ = [
    'NO_LOCKS',
    'check_file',
    'check_folder',
    'close_lock',
    'open_locked',
    'read_npy',
    'read_npz',
    'remove_locked',
    'remove_partial_files',
    'write_bytes',
    'write_checked',
    'write_npy',
    'write_npz',
    'write_whole',
]

"""Files that are written completely or not at all, arrays in .npz files, and locks."""

from .arrays import read_npz, write_npz
from .lock import NO_LOCKS, close_lock, open_locked, remove_locked
from .there import check_file, check_folder
from .whole import remove_partial_files, write_bytes, write_checked, write_whole

__all__ = [
    'NO_LOCKS',
    'check_file',
    'check_folder',
    'close_lock',
    'open_locked',
    'read_npz',
    'remove_locked',
    'remove_partial_files',
    'write_bytes',
    'write_checked',
    'write_npz',
    'write_whole',
]

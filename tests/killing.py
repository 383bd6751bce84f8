"""The end of a process at a change of a file, within this process."""

from __future__ import annotations

import sys

from centerloss_mx._files import lock


class Killed(BaseException):
    """What ends a process of which nothing runs any more."""


class Killer:
    """An audit hook: from the n-th change of a name in a folder on, each use of a file there fails."""

    folder, left = None, 0

    def __init__(self):
        sys.addaudithook(self)  # nothing removes it

    def __call__(self, event, arguments):
        if self.folder is None or event not in ('open', 'os.rename', 'os.remove'):
            return
        if str(arguments[0]).startswith(self.folder):
            self.left -= event != 'open'
            if self.left < 0:
                raise Killed

    def kill(self, folder, change):
        self.folder, self.left = str(folder), change

    def stop(self):
        self.folder = None
        lock._close_all()  # as the end of the process does

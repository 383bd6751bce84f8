"""Run a command of centerloss-mx that is killed at a moment of its writing.

    python tests/cli/killed_train.py FOLDER EVENT BYTES train data.npz -o FOLDER/net

Python announces each file that it opens to write, renames or removes. The process is killed before the
EVENTth of FOLDER; or, with BYTES >= 0, from that one on where a file grows past so many bytes.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from itertools import count

from centerloss_mx.cli import main

FOLDER, EVENT, BYTES = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
numbers = count(1)


def killed(event: str, arguments: tuple) -> None:
    if event == 'open' and not (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        return
    if event not in ('open', 'os.rename', 'os.remove') or FOLDER not in str(arguments[0]):
        return
    if next(numbers) != EVENT:
        return
    if BYTES < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # the kernel ends the process inside a write
    resource.setrlimit(resource.RLIMIT_FSIZE, (BYTES, resource.RLIM_INFINITY))


sys.addaudithook(killed)
print('begins', flush=True)
main(sys.argv[4:])

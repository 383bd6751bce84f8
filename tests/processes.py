"""Processes: of a job, those that a test has started, by a variable of their environment; Ctrl-C in one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time


def launch(workers, servers, *command, timeout=120, **environment):
    """Run a job by centerloss_mx.launch."""
    sizes = ['-n', str(workers), '-s', str(servers)]
    return subprocess.run(
        [sys.executable, '-m', 'centerloss_mx.launch', *sizes, '--', *command],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def processes(marker, role=''):
    """The numbers of the processes that have the marker in their environment, and a role in MXNet's job."""
    wanted = {f'MARKER={marker}'.encode(), *([f'DMLC_ROLE={role}'.encode()] if role else [])}
    found = set()
    for number in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open(f'/proc/{number}/environ', 'rb') as environment:
                if wanted <= set(environment.read().split(b'\0')):
                    found.add(int(number))
        except OSError:
            pass  # it has ended since
    return found


class Interrupting:
    """Receives Ctrl-C where Python forgets the exceptions that are raised."""

    def __del__(self):
        signal.raise_signal(signal.SIGINT)
        time.monotonic()

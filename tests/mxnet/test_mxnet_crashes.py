"""Faults that end the process of plain MXNet, all in one process of their own: crashes.py.

Ours: test_operator.py (a bad parameter is an error of MXNet), test_exit.py (a process with pending work ends).
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_mxnet_ends_or_swells_the_process():
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name('crashes.py')], capture_output=True, text=True, timeout=120
    )
    assert done.stdout.splitlines() == ['constructor True', 'memory True', 'exit'], done.stderr
    assert done.returncode == -signal.SIGABRT, done.stderr  # a pending operator at exit
    assert 'terminate called' in done.stderr

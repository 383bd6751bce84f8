"""Damaged files of each format that the package reads, in a process with limits of memory and time.

Each ends in a result, or in an error of one line that names the file. See damaged_files.py.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FORMATS = [
    'arrays.npz', 'features.npz', 'npy', 'idx', 'gz', 'params', 'states', 'json', 'rec', 'rec.idx', 'jpg',
    'png', 'bmp', 'options', 'history',
]  # fmt: skip


def read_damaged(folder, count, *formats):
    """Read `count` damaged files of each format."""
    script = Path(__file__).with_name('damaged_files.py')
    paths = os.pathsep.join([str(script.parents[1]), os.environ.get('PYTHONPATH', '')])
    done = subprocess.run(
        [sys.executable, script, folder, str(count), *formats],
        capture_output=True, text=True, errors='replace', timeout=1200,
        env={**os.environ, 'PYTHONPATH': paths},
    )  # fmt: skip
    now = (folder / 'now').read_text() if (folder / 'now').exists() else 'nothing'
    assert done.returncode == 0, f'ended with {done.returncode} while it read {now}: {done.stderr[-2000:]}'
    assert 'WRONG' not in done.stdout, done.stdout
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{')]
    assert [row['format'] for row in found] == list(formats)
    for row in found:
        assert row['read'] + row['refused'] == count and row['refused'] > 0, row


pytestmark = pytest.mark.skipif(not sys.platform.startswith('linux'), reason='it reads /proc')


def test_a_damaged_file_ends_in_a_result_or_in_one_line(tmp_path):
    read_damaged(tmp_path, 10, *FORMATS)


@pytest.mark.slow
@pytest.mark.parametrize('name', FORMATS)
def test_hundreds_of_damaged_files_end_in_a_result_or_in_one_line(tmp_path, name):
    read_damaged(tmp_path, 400, name)

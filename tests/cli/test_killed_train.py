"""A training that is killed at any moment leaves whole files; resumed, it ends as if nothing had happened."""

from __future__ import annotations

import logging
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from centerloss_mx.cli import main
from centerloss_mx.model import latest_checkpoint
from centerloss_mx.training import read_history

import mxnet as mx
import numpy as np
import pytest
from makers import patterned_pictures
from processes import processes

PROGRAM = Path(__file__).with_name('killed_train.py')
OPTIONS = ['--num-epochs', '6', '--embedding-dim', '2', '--batch-size', '8']
RECIPE = [  # stopped after 4 of 6 epochs; the first is the best
    *OPTIONS, '--samples-per-class', '4', '--triplet', '--neck', 'bn', '--label-smoothing', '0.1',
    '--scale-warmup', '2', '--start-centers', '--lr', '0.2', '--lr-schedule', 'step', '--lr-steps', '1,3',
    '--lr-warmup', '0.5', '--select', 'test_accuracy', '--patience', '3',
]  # fmt: skip
NEVER = 'event', 0, -1


class Uninterrupted(NamedTuple):
    """A training that nobody killed: what was in each file, its history, what is left, and its seconds."""

    options: list[str]
    files: dict[str, set[bytes]]
    history: list[dict[str, float]]
    left: dict[str, bytes]
    seconds: float


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp('data') / 'data.npz'
    pictures, labels = patterned_pictures(3, 10)
    np.savez(path, images=pictures, labels=labels)
    return path


@pytest.fixture(scope='module', params=[OPTIONS, RECIPE], ids=['plain', 'recipe'])
def uninterrupted(data, tmp_path_factory, request):
    folder, files = tmp_path_factory.mktemp('uninterrupted'), defaultdict(set)

    class Keep(logging.Handler):
        def emit(self, record):  # a line follows each checkpoint
            for path in folder.iterdir():
                files[path.name].add(path.read_bytes())

    logger, handler = logging.getLogger('centerloss_mx.training'), Keep()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    begin = time.monotonic()
    with mx.name.NameManager():  # a process of its own numbers the layers without a name from 0
        main(['train', str(data), '-o', str(folder / 'net'), *request.param])
    seconds = time.monotonic() - begin
    logger.removeHandler(handler)
    logger.setLevel(level)
    left = contents(folder)
    accuracies = [row['test_accuracy'] for row in history(folder)]
    epochs = {len(accuracies), int(np.argmax(accuracies)) + 1 if request.param is RECIPE else 6}
    assert {name for name in left if name.endswith('.params')} == {f'net-{n:04d}.params' for n in epochs}
    return Uninterrupted(request.param, dict(files), history(folder), left, seconds)


def contents(folder):
    """What is in each file, but for the seconds of the history and the process in the lock."""
    names = [path.name for path in folder.iterdir()]
    return {name: b'' if name.endswith(('.csv', '.lock')) else (folder / name).read_bytes() for name in names}


def without_best(content):
    """A symbol file without the note that a checkpoint is the best, which comes after the checkpoint."""
    return re.sub(rb'\s*"__best_epoch__": "\d+",', b'', content)


def history(folder):
    """The rows of the history, but for the seconds."""
    rows = read_history(folder / 'net-history.csv') if (folder / 'net-history.csv').exists() else []
    return [{name: value for name, value in row.items() if name != 'seconds'} for row in rows]


def assert_whole(folder, uninterrupted):
    """Each file is to the byte one of the uninterrupted training; the history reaches the checkpoint.

    The row of the first epoch may be missing: the training begins anew then.
    """
    rows = history(folder)
    assert rows == uninterrupted.history[: len(rows)]
    visible = {path.name: path for path in folder.iterdir() if not path.name.startswith('.')}
    for name, path in visible.items():
        assert name in uninterrupted.files, f'{name} is left'
        if not name.endswith(('.csv', '.lock')):
            assert without_best(path.read_bytes()) in map(without_best, uninterrupted.files[name]), name
    for name in visible:
        if name.endswith('.params'):
            assert {name.replace('.params', '.states'), 'net-symbol.json', 'net-options.json'} <= set(visible)
            epoch = int(name[4:8])  # the first row is written after its checkpoint
            assert len(rows) >= epoch or (len(rows), epoch) == (0, 1)


def moments(seed, seconds):
    """Random moments: at an event of the writing, in the middle of a file, and at any time."""
    rng = random.Random(seed)
    while True:
        yield 'event', rng.randint(1, 15), -1
        yield 'bytes', rng.randint(1, 15), int(2 ** rng.uniform(0, 18))
        yield 'seconds', rng.uniform(0, seconds)


def trained_until(moment, data, folder, options):
    """Train or resume, and be killed at a moment; whether that came before the end."""
    at = moment[1:] if moment[0] != 'seconds' else (0, -1)
    command = [
        sys.executable, PROGRAM, folder, *at, 'train', data, '-o', folder / 'net', '--resume', *options
    ]  # fmt: skip
    process = subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    if moment[0] == 'seconds':
        assert process.stdout.readline() == 'begins\n'
        time.sleep(moment[1])
        process.kill()
    errors = process.communicate(timeout=100)[1]
    assert process.returncode in (0, -signal.SIGKILL, -signal.SIGXFSZ), errors
    return process.returncode != 0


@pytest.mark.slow  # training/test_crashes.py kills at each change of a file, in one process
def test_killed_at_random_moments_and_resumed_it_ends_as_if_nothing_had_happened(
    data, uninterrupted, tmp_path
):
    """Killed again and again while it goes on; whenever it has come to its end, another one begins."""
    number, killed = 12 if uninterrupted.options is OPTIONS else 6, 0
    every = moments(2, uninterrupted.seconds)
    while killed < number:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        while trained_until(next(every) if killed < number else NEVER, data, folder, uninterrupted.options):
            killed += 1
            assert_whole(folder, uninterrupted)
        assert_whole(folder, uninterrupted)
        assert history(folder) == uninterrupted.history
        assert contents(folder) == uninterrupted.left


LAUNCH = [sys.executable, '-m', 'centerloss_mx.launch', '-n', '2', '-s', '1', '--']
JOB = [*LAUNCH, sys.executable, '-m', 'centerloss_mx', 'train']
# Without momentum: MXNet cannot fetch it from its servers.
CENTERS = ['--loss', 'sync_center_loss', '--kv-store', 'dist_sync', '--momentum', '0']
JOB_OPTIONS = [*OPTIONS, '--num-epochs', '12', *CENTERS]


def start_job(data, folder, environment):
    """Start two workers and a server, or resume; without a checkpoint, several workers have to begin anew."""
    go_on = '--force' if latest_checkpoint(folder / 'net') is None else '--resume'
    return subprocess.Popen(
        [*JOB, str(data), '-o', str(folder / 'net'), go_on, *JOB_OPTIONS],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir('/proc/self'), reason='there is no /proc to look for processes in')
@pytest.mark.parametrize('victim, number', [('worker', 5), ('server', 5)])
def test_a_job_of_which_a_process_is_killed_ends_and_resumed_it_ends_as_if_nothing_had_happened(
    victim, number, data, nobody_left, tmp_path
):
    (tmp_path / 'whole').mkdir()
    job = start_job(data, tmp_path / 'whole', nobody_left)
    errors = job.communicate(timeout=100)[1]
    assert job.returncode == 0, errors
    rng, killed = random.Random(victim), 0
    while killed < number:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        while True:
            job = start_job(data, folder, nobody_left)
            if killed < number:
                for _ in range(rng.randint(0, 4)):
                    job.stdout.readline()  # of the end of an epoch
                time.sleep(rng.uniform(0, 0.1))
                found = set()
                while not found and job.poll() is None:
                    found = processes(nobody_left['MARKER'], victim)
                if found:
                    with suppress(ProcessLookupError):  # it has just ended
                        os.kill(rng.choice(sorted(found)), signal.SIGKILL)
            errors = job.communicate(timeout=60)[1]
            assert not processes(nobody_left['MARKER'])
            if job.returncode == 0:
                break
            last = errors.splitlines()[-1]
            assert re.fullmatch(f'launch: {victim} . was killed by SIGKILL; the others were stopped', last)
            killed += 1
        assert history(folder) == history(tmp_path / 'whole')
        expected = {path.name: path.read_bytes() for path in (tmp_path / 'whole').iterdir()}
        assert {path.name for path in folder.iterdir()} == set(expected)
        assert all(
            path.read_bytes() == expected[path.name]
            for path in folder.iterdir()
            if path.suffix not in ('.csv', '.lock')
        )

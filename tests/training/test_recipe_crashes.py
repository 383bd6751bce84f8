"""A training with all that a recipe has, killed at each moment, ends as if nothing had happened."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from centerloss_mx.model import best_checkpoint, latest_checkpoint, load_checkpoint, load_symbol, noted
from centerloss_mx.training import read_history

import mxnet as mx
import pytest
import recipe
from killing import Killed, Killer
from recipe import BEST, LAST, SCORES, go_on

pytestmark = pytest.mark.filterwarnings('ignore:.*samples_per_class.*:UserWarning')


def left_in(folder):
    """The bytes of each file, and the history without its times."""
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != '.csv'}
    rows = read_history(folder / 'net.csv')
    return files, [{name: value for name, value in row.items() if name != 'seconds'} for row in rows]


@pytest.fixture(scope='module')
def killer():
    killer = Killer()
    yield killer
    killer.stop()


@pytest.fixture(scope='module')
def expected(tmp_path_factory):
    folder = tmp_path_factory.mktemp('whole')
    with mx.name.NameManager():  # in each training, layers without a name are numbered from 0
        one = go_on(folder)
    assert one.stop == 'score has not improved on 0.5 of epoch 2 for 2 epochs'
    files, rows = left_in(folder)
    saved = {f'net-{epoch:04d}.{kind}' for epoch in (BEST, LAST) for kind in ('params', 'states')}
    assert {*files} == {*saved, 'net-samples.npz', 'net-symbol.json'}
    assert [row['score'] for row in rows] == SCORES[:LAST] and 'validation_map_at_r' in rows[0]
    assert best_checkpoint(folder / 'net') == BEST
    return files, rows


def other_is_there(folder):
    """Whether the checkpoint of the other training is there, or its history, which then says so."""
    if latest_checkpoint(folder / 'net') is None:
        return (folder / 'net.csv').exists() and read_history(folder / 'net.csv') != []
    return load_checkpoint(folder / 'net')[1]['embedding_weight'].shape[0] == 4


def assert_best_is_there(folder):
    """The noted checkpoint is there, and is the best one but for what the killed epoch would have noted."""
    last = latest_checkpoint(folder / 'net')
    if last is None:
        return
    best = noted(load_symbol(folder / 'net-symbol.json'), 'best_epoch', int)
    assert best == best_checkpoint(folder / 'net')
    assert best in ({None, 1}, {1, 2}, {2}, {2})[last - 1]


@pytest.mark.slow  # test_crashes.py does the same to a smaller training
@pytest.mark.parametrize('replaced', [False, True], ids=['new', 'replaced'])
def test_killed_at_any_change_of_a_file_it_ends_with_the_same_files(
    tmp_path, killer, monkeypatch, expected, replaced
):
    monkeypatch.setattr(os, 'fsync', lambda descriptor: None)  # the disk does not crash
    (tmp_path / 'other').mkdir()
    if replaced:
        recipe.recipe(width=4, patience=3).fit(tmp_path / 'other' / 'net', tmp_path / 'other' / 'net.csv')
    kills = 0
    for change in range(100):
        folder = tmp_path / str(change)
        shutil.copytree(tmp_path / 'other', folder)
        killer.kill(folder, change)
        with mx.name.NameManager():
            try:
                recipe.recipe().fit(folder / 'net', folder / 'net.csv')
            except Killed:
                kills += 1
        killer.stop()
        if other_is_there(folder):
            continue
        assert_best_is_there(folder)
        with mx.name.NameManager():
            go_on(folder)
        assert left_in(folder) == expected
        if kills == change:
            break
    # Of each epoch history, states and parameters; the network, its two notes of the best, the record of the
    # samples, another history; two files of each checkpoint that is removed, and the lock.
    assert kills >= 3 * LAST + 5 + 2 * 2 + 1


@pytest.mark.slow
def test_killed_with_kill_9_again_and_again_it_ends_with_the_same_files(tmp_path, expected):
    rng, killed = random.Random(15), 0
    paths = [str(path) for path in (*Path(__file__).parents[:2], *filter(None, sys.path))]
    while killed < 15:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        while True:
            event = rng.randint(1, 25) if killed < 15 else 0
            command = [sys.executable, '-W', 'ignore', recipe.__file__, str(folder), str(event)]
            process = subprocess.run(
                command,
                env={**os.environ, 'PYTHONPATH': os.pathsep.join(paths)},
                capture_output=True,
                text=True,
                timeout=100,
            )
            assert process.returncode in (0, -signal.SIGKILL), process.stderr
            if process.returncode == 0:
                break
            killed += 1
        assert left_in(folder) == expected

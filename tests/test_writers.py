"""Every writer, on a disk that is full at each byte: the old file stays, and the error names the file."""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import centerloss_mx
from centerloss_mx._files import (
    close_lock,
    open_locked,
    write_bytes,
    write_checked,
    write_npy,
    write_npz,
    write_whole,
)
from centerloss_mx.cli.evaluate import evaluate
from centerloss_mx.cli.evaluate_options import RetrieveOptions
from centerloss_mx.model import Features, save_features
from centerloss_mx.training import keep_options
from centerloss_mx.training.history import HistoryFile

import numpy as np
import pytest
from disks import PAGE, files_up_to, small_disk

HISTORY = [{'epoch': epoch, 'loss': 0.1 * epoch} for epoch in (1, 2, 3)]


def write_text(path):
    write_whole(path, lambda name: Path(name).write_text('some text, longer than the other'))


def write_features(path):
    features = np.random.RandomState(20161008).rand(7, 3).astype('float32')
    save_features(
        path, Features(features, np.arange(7) % 2, ['a', 'b'], centers=features[:2], trained_on=['a', 'b'])
    )


def write_history(path):
    HistoryFile(path).epoch_end(SimpleNamespace(history=HISTORY), 3)


def write_figure(path):
    figures = pytest.importorskip('matplotlib.figure')
    from centerloss_mx.visualization import save_figure

    save_figure(figures.Figure(figsize=(0.2, 0.2)), path)


def write_animation(path):
    images = pytest.importorskip('PIL.Image')
    pytest.importorskip('matplotlib')
    from centerloss_mx.visualization import save_animation

    pictures = [path.parent.parent / f'{gray}.png' for gray in (0, 200)]
    for picture, gray in zip(pictures, (0, 200)):
        if not picture.exists():
            images.new('L', (8, 8), gray).save(picture)
    save_animation(pictures, path)


def write_results(path):
    features = path.parent.parent / 'features.npz'
    if not features.exists():
        write_features(features)
    options = RetrieveOptions(str(features), None, output=path, force=True, metric='cosine')
    evaluate(options)


WRITERS = {
    'text.txt': write_text,
    'bytes.bin': lambda path: write_bytes(path, bytes(range(100))),
    'arrays.npz': lambda path: write_npz(path, {'labels': np.arange(30)}),
    'rows.npy': lambda path: write_npy(path, (9, 4), 'float32', [np.ones((5, 4)), np.zeros((4, 4))]),
    'features.npz': write_features,
    'history.csv': write_history,
    'options.json': lambda path: keep_options(path, {'lr': 0.1, 'seed': 1}),
    'figure.png': write_figure,
    'figure.svg': write_figure,
    'animation.gif': write_animation,
    'results.json': write_results,
}


@pytest.mark.parametrize('name', WRITERS)
def test_a_file_that_does_not_fit_is_named_and_the_old_one_stays(tmp_path, name):
    write, path = WRITERS[name], tmp_path / 'folder' / name
    path.parent.mkdir()
    write(path)
    size, content = path.stat().st_size, path.read_bytes()
    path.write_bytes(b'old')
    for room in sorted({*np.linspace(3, size - 1, 25).astype(int).tolist(), *range(size - 9, size)}):
        # The limit holds for every file of the process, so for what a writer prints, too.
        with pytest.raises(OSError) as refused, files_up_to(room):
            write(path)
        assert str(refused.value) == f"[Errno 27] File too large: '{path}'"
        assert path.read_bytes() == b'old' and os.listdir(path.parent) == [name]
    write(path)
    assert path.stat().st_size == size and stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask()
    if name not in ('arrays.npz', 'features.npz', 'figure.svg'):  # which hold the time or random names
        assert path.read_bytes() == content


def umask():
    os.umask(mask := os.umask(0))
    return mask


def test_a_full_disk_is_said_in_words(tmp_path):
    with small_disk(tmp_path / 'disk', 4) as disk:
        path = disk / 'a.bin'
        write_bytes(path, b'1' * PAGE)
        for pages in 4, 5, 40:
            with pytest.raises(OSError, match=rf"^\[Errno 28\] No space left on device: '{path}'$"):
                write_bytes(path, b'2' * pages * PAGE)
        assert path.read_bytes() == b'1' * PAGE and os.listdir(disk) == ['a.bin']
        write_bytes(path, b'2' * 2 * PAGE)
        assert path.read_bytes() == b'2' * 2 * PAGE


def test_what_reads_as_something_else_takes_no_name(tmp_path, monkeypatch):
    """A disk, or a writer, that loses bytes without an error."""
    sync = os.fsync

    def lose(descriptor):
        sync(descriptor)
        os.truncate(f'/dev/fd/{descriptor}', os.fstat(descriptor).st_size - 1)

    path = tmp_path / 'file'
    path.write_bytes(b'old')
    monkeypatch.setattr(os, 'fsync', lose)
    with pytest.raises(OSError, match=rf"what has been written reads as something else: '{path}'"):
        write_bytes(path, b'new')
    with pytest.raises(OSError, match=rf"what has been written reads as something else: '{path}'"):
        write_npz(path, {'new': np.arange(3)})
    with pytest.raises(OSError, match=rf"what has been written reads as something else: '{path}'"):
        write_npy(path, (3,), 'int64', [np.arange(3)])
    with pytest.raises(OSError, match='other error'):
        write_checked(path, lambda name: Path(name).write_bytes(b'new'), fail)
    assert path.read_bytes() == b'old' and os.listdir(tmp_path) == ['file']


def fail(name):
    raise OSError('other error')


def test_a_file_and_its_folder_are_on_the_disk_before_and_after_it_takes_its_name(tmp_path, monkeypatch):
    calls, sync, replace = [], os.fsync, os.replace

    def record_sync(descriptor):
        sync(descriptor)
        calls.append(os.path.realpath(f'/dev/fd/{descriptor}'))

    def record_replace(old, new):
        replace(old, new)
        calls.append((str(old), str(new)))

    monkeypatch.setattr(os, 'fsync', record_sync)
    monkeypatch.setattr(os, 'replace', record_replace)
    write_bytes(tmp_path / 'file', b'content')
    partial, (renamed, path), folder = calls
    assert partial == renamed and path == str(tmp_path / 'file') and folder == str(tmp_path)


# The files' code alone, without MXNet, which takes a second to load.
FOLDER = str(Path(centerloss_mx.__file__).parent)
FILES = f'import os, sys, time\nsys.path.insert(0, {FOLDER!r})\nimport _files\n'


def child(code, *arguments):
    """Start a process; return it when it has printed a line."""
    command = [sys.executable, '-c', FILES + code, *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    process.first_line = process.stdout.readline().strip()
    return process


def kill(process):
    process.kill()
    process.wait()
    process.stdout.close()


WRITE_AND_WAIT = """
def write(name):
    with open(name, 'w') as file:
        file.write('half')
        file.flush()
        print('writing', flush=True)
        time.sleep(60)
_files.write_whole(sys.argv[1], write)
"""


@pytest.mark.parametrize('name', ['net-0003.params', 'no ending', '.hidden', 'a.b.c', 'ü\n'])
def test_what_a_killed_writer_leaves_goes_and_what_a_living_one_writes_stays(tmp_path, name):
    path = tmp_path / name
    others = {f'.{name}.part-of-mine', f'.{name}.part-0123456', f'x.{name}.part-01234567'}
    for other in others:
        (tmp_path / other).write_text('mine')
    killed, living = child(WRITE_AND_WAIT, path), child(WRITE_AND_WAIT, path)
    try:
        assert len(os.listdir(tmp_path)) == len(others) + 2
        kill(killed)
        write_bytes(path, b'whole')
        (partial,) = {*os.listdir(tmp_path)} - others - {name}
        assert partial.startswith(f'.{name}.part-') and (tmp_path / partial).read_text() == 'half'
    finally:
        kill(living)
    write_bytes(path, b'whole again')
    assert {*os.listdir(tmp_path)} == others | {name} and path.read_bytes() == b'whole again'


FORK_AND_WAIT = """
lock = _files.open_locked(sys.argv[1], os.O_CREAT)
if os.fork() == 0:
    _files.remove_locked(lock, sys.argv[1])  # as it would in a `finally`
    print(os.getpid(), flush=True)
time.sleep(60)
"""


def test_a_lock_ends_with_its_process_although_its_children_live(tmp_path):
    path = tmp_path / 'lock'
    process = child(FORK_AND_WAIT, path)
    forked = int(process.first_line)
    try:
        assert open_locked(path) is None
        process.kill()
        process.wait()
        os.kill(forked, 0)  # it lives
        assert open_locked(path) is not None
    finally:
        os.kill(forked, signal.SIGKILL)
        kill(process)


def test_where_a_file_system_has_no_locks_files_are_written_and_nothing_is_removed(tmp_path, no_locks):
    (tmp_path / '.file.part-01234567').write_text('may be of a living process on another computer')
    write_bytes(tmp_path / 'file', b'content')
    assert sorted(os.listdir(tmp_path)) == ['.file.part-01234567', 'file']


def test_a_file_that_its_last_owner_removes_meanwhile_is_locked_anew(tmp_path, monkeypatch):
    """Between opening and locking: who locks a file without a name does not keep others out."""
    path, lock = tmp_path / 'lock', fcntl.flock

    def end_first(descriptor, how):
        monkeypatch.setattr(fcntl, 'flock', lock)
        path.unlink()
        lock(descriptor, how)

    monkeypatch.setattr(fcntl, 'flock', end_first)
    descriptor = open_locked(path, os.O_CREAT)
    assert path.exists() and open_locked(path, os.O_CREAT) is None
    close_lock(descriptor)
    monkeypatch.setattr(fcntl, 'flock', end_first)
    with pytest.raises(FileNotFoundError):
        open_locked(path)

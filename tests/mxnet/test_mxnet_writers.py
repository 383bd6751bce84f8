"""`_mxnet.writers`: on a full disk plain MXNet loses the end of a file, and `save_whole` says so."""

from __future__ import annotations

import os
import signal
from functools import partial

from centerloss_mx._mxnet.writers import save_whole
from centerloss_mx.gluon import CenterLoss

import mxnet as mx
import numpy as np
import pytest
from disks import PAGE, files_up_to, small_disk


def arrays(size):
    values = np.random.RandomState(20161008).rand(size).astype('float32')
    return {'arg:weight': mx.nd.array(values), 'aux:center': mx.nd.ones((3, 2))}


def test_mxnet_loses_the_end_of_a_file_without_an_error(tmp_path):
    """More than a page is lost with an error; what the buffer holds when the file is closed, without."""
    path = tmp_path / 'net.params'
    mx.nd.save(str(path), arrays(300))
    size, lost = path.stat().st_size, []
    for room in range(0, size, 50):
        with files_up_to(room):
            mx.nd.save(str(path), arrays(300))
        lost.append(size - path.stat().st_size)
        with pytest.raises(OSError, match=f"File too large: '{path}'"), files_up_to(room):
            save_whole(path, lambda name: mx.nd.save(name, arrays(300)))
    assert min(lost) > 0


@pytest.mark.parametrize('size', [1, 300, 60_000, 3_000_000])
def test_what_it_writes_is_what_mxnet_writes(tmp_path, size):
    content, path = arrays(size), tmp_path / 'net.params'
    content['arg:rows'] = mx.nd.sparse.zeros('row_sparse', (4, 2))
    mx.nd.save(str(tmp_path / 'plain'), content)
    save_whole(path, lambda name: mx.nd.save(name, content))
    assert path.read_bytes() == (tmp_path / 'plain').read_bytes()
    assert sorted(os.listdir(tmp_path)) == ['net.params', 'plain']


def test_gluon_parameters_and_errors_pass_through(tmp_path):
    loss = CenterLoss(3, 2)
    loss.initialize()
    save_whole(tmp_path / 'centers.params', loss.save_parameters)
    loss.load_parameters(str(tmp_path / 'centers.params'))
    with pytest.raises(ZeroDivisionError):
        save_whole(tmp_path / 'centers.params', lambda name: 1 / 0)
    assert os.listdir(tmp_path) == ['centers.params']


def test_a_disk_that_lacks_one_page_or_many_is_full(tmp_path):
    with small_disk(tmp_path / 'disk', 40) as disk:
        path, whole = disk / 'net.params', arrays(10 * PAGE // 4)
        save_whole(path, lambda name: mx.nd.save(name, whole))
        before = path.read_bytes()
        for more in range(18, 60, 3):  # the old file and a new one of 29 pages, or more, do not fit
            large = partial(mx.nd.save, data=arrays((11 + more) * PAGE // 4))
            with pytest.raises(OSError, match=f"No space left on device: '{path}'"):
                save_whole(path, large)
            assert path.read_bytes() == before and os.listdir(disk) == ['net.params']


def test_a_process_forked_meanwhile_holds_nothing_up(tmp_path):
    """It has inherited the pipe, which does not end before the process does."""
    forked = []

    def save(name):
        pid = os.fork()
        if pid == 0:
            signal.pause()
        forked.append(pid)
        mx.nd.save(name, content)

    content = arrays(10)
    mx.nd.waitall()
    try:
        save_whole(tmp_path / 'net.params', save)
        assert mx.nd.load(str(tmp_path / 'net.params'))['arg:weight'].shape == (10,)
    finally:
        for pid in forked:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def test_what_reads_as_something_else_takes_no_name(tmp_path, monkeypatch):
    """A disk that loses the last byte, or changes one, without an error."""
    sync, path = os.fsync, tmp_path / 'net.params'
    path.write_bytes(b'old')
    for change in (lambda content: content[:-1]), (lambda content: b'\0' + content[1:]):

        def damage(descriptor, change=change):
            sync(descriptor)
            name = f'/dev/fd/{descriptor}'
            if os.path.isfile(name):
                with open(name, 'rb') as file:
                    content = file.read()
                with open(name, 'wb') as file:
                    file.write(change(content))

        monkeypatch.setattr(os, 'fsync', damage)
        with pytest.raises(OSError, match=f"what has been written reads as something else: '{path}'"):
            save_whole(path, lambda name: mx.nd.save(name, arrays(300)))
        assert path.read_bytes() == b'old' and os.listdir(tmp_path) == ['net.params']

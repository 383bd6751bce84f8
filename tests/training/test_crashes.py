"""What a training leaves wherever it ends: killed, on a full disk, beside another one with its prefix."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import centerloss_mx
from centerloss_mx.dataset import as_arrays
from centerloss_mx.model import latest_checkpoint, load_checkpoint
from centerloss_mx.symbol import supervised
from centerloss_mx.training import Hook, Training, read_history, resumable_epoch
from centerloss_mx.training.lock import only_training

import mxnet as mx
import numpy as np
import pytest
from disks import PAGE, small_disk
from killing import Killed, Killer

EPOCHS = 2
LEFT = ['net-0002.params', 'net-0002.states', 'net-samples.npz', 'net-symbol.json', 'net.csv']


def training(num_epoch=EPOCHS, width=3, **options):
    rng = np.random.RandomState(20161008)
    samples = as_arrays(rng.randint(0, 255, (10, 6, 6)).astype('uint8'), np.arange(10) % 2)
    embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=width, name='embedding')
    net = supervised(
        embedding, 2, 'center_loss', width, scale=0.1, batchsize=4, use_ignore=True, ignore_label=-1
    )
    params = {'learning_rate': 0.01, 'momentum': 0.9}
    return Training(net, samples, None, 'one', 4, num_epoch, optimizer_params=params, **options)


def fit(folder, one=None, **options):
    """Train to the end, from the last epoch; the parameters, and the history without its times."""
    one = training(**options) if one is None else one
    begin_epoch = resumable_epoch(folder / 'net', folder / 'net.csv')
    params = one.fit(folder / 'net', folder / 'net.csv', begin_epoch).get_params()
    rows = [{**row, 'seconds': 0} for row in read_history(folder / 'net.csv')]
    return {name: value.asnumpy() for arrays in params for name, value in arrays.items()}, rows


def assert_same_end(found, expected):
    assert found[1] == expected[1]
    for name, value in expected[0].items():
        np.testing.assert_array_equal(found[0][name], value, err_msg=name)


@pytest.fixture(scope='module')
def killer():
    killer = Killer()
    yield killer
    killer.stop()


@pytest.fixture(scope='module')
def expected(tmp_path_factory):
    return fit(tmp_path_factory.mktemp('whole'))


@pytest.mark.parametrize('replaced', [False, True], ids=['new', 'replaced'])
def test_killed_at_any_change_of_a_file_it_goes_on_and_ends_the_same(
    tmp_path, killer, monkeypatch, expected, replaced
):
    monkeypatch.setattr(os, 'fsync', lambda descriptor: None)  # the disk does not crash
    (tmp_path / 'other').mkdir()
    if replaced:
        training(EPOCHS + 2, width=4).fit(tmp_path / 'other' / 'net', tmp_path / 'other' / 'net.csv')
    kills = 0
    for change in range(100):
        folder = tmp_path / str(change)
        shutil.copytree(tmp_path / 'other', folder)
        killer.kill(folder, change)
        try:
            training().fit(folder / 'net', folder / 'net.csv')
        except Killed:
            kills += 1
        killer.stop()
        if other_is_there(folder):
            continue
        assert_same_end(fit(folder), expected)
        assert sorted(os.listdir(folder)) == LEFT
        if kills == change:
            break
    # Of each epoch states, parameters and history, of the first the symbol and another history; two files of
    # each checkpoint that is removed, and the lock.
    assert kills >= 3 * EPOCHS + 2 + 2 * (EPOCHS - 1 + replaced) + 1


def other_is_there(folder):
    """Whether the checkpoint of the other training is there, whole; or its history, which then says so."""
    last = latest_checkpoint(folder / 'net')
    if last is None:
        history = folder / 'net.csv'
        return history.exists() and len(read_history(history)) == EPOCHS + 2
    assert (folder / f'net-{last:04d}.states').stat().st_size > 0
    if load_checkpoint(folder / 'net', last)[1]['embedding_weight'].shape[0] != 4:
        return False
    assert last == len(read_history(folder / 'net.csv')) == EPOCHS + 2
    return True


def test_a_full_disk_leaves_the_last_checkpoint_and_says_so(tmp_path):
    """Whatever number of pages is free when the second epoch ends."""

    class Fill(Hook):
        def epoch_end(self, training, epoch):
            if epoch == 2:
                free = os.statvfs(disk).f_bavail * PAGE
                (disk / 'filling').write_bytes(b'.' * (free - pages * PAGE))

    (tmp_path / 'whole').mkdir()
    expected = fit(tmp_path / 'whole', training(width=64))
    full = set()
    for pages in range(12):
        with small_disk(tmp_path / str(pages), 60) as disk:
            try:
                training(width=64, hooks=[Fill()]).fit(disk / 'net', disk / 'net.csv')
            except OSError as error:
                full.add(str(error).replace(str(disk), ''))
                assert latest_checkpoint(disk / 'net') == 1
            (disk / 'filling').unlink()
            assert_same_end(fit(disk, training(width=64)), expected)
            assert sorted(os.listdir(disk)) == LEFT
    files = 'net.csv', 'net-0002.states', 'net-0002.params'
    assert full == {f"[Errno 28] No space left on device: '/{file}'" for file in files}


def test_a_second_training_with_a_prefix_is_refused(tmp_path):
    refused = []

    class Second(Hook):
        def epoch_end(self, _, epoch):
            if epoch == 1:
                for prefix in tmp_path / 'net', f'{tmp_path}/./net':
                    with pytest.raises(FileExistsError) as error:
                        training(1).fit(prefix, tmp_path / 'other.csv')
                    refused.append((str(prefix), str(error.value)))
                training(1).fit(tmp_path / 'net2')

    training(2, hooks=[Second()]).fit(tmp_path / 'net', tmp_path / 'net.csv')
    for prefix, sentence in refused:
        assert sentence == (
            f'{prefix} belongs to a training that runs (process {os.getpid()} on {os.uname().nodename}); '
            'wait for its end, or use another prefix'
        )
    assert len(refused) == 2 and not list(tmp_path.glob('*.lock')) and not (tmp_path / 'other.csv').exists()


def test_threads_with_one_prefix_are_two_trainings(tmp_path):
    errors = []

    def second():
        try:
            with only_training(tmp_path / 'net'):
                pass
        except FileExistsError as error:
            errors.append(error)

    with only_training(tmp_path / 'net'):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    second()
    assert len(errors) == 1


LOCK_AND_WAIT = f"""
import sys, time, os
sys.path.insert(0, {str(Path(centerloss_mx.__file__).parent)!r})
import _files
_files.open_locked(sys.argv[1], os.O_CREAT)
print('locked', flush=True)
time.sleep(60)
"""


def test_the_lock_of_a_killed_training_is_none(tmp_path):
    command = [sys.executable, '-c', LOCK_AND_WAIT, str(tmp_path / 'net.lock')]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        process.stdout.readline()
        with pytest.raises(FileExistsError, match=r'runs \(which has just begun\)'):
            training(1).fit(tmp_path / 'net')
        assert os.listdir(tmp_path) == ['net.lock']
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    training(1).fit(tmp_path / 'net')
    assert not (tmp_path / 'net.lock').exists()


def test_an_error_leaves_no_lock_and_the_workers_of_other_ranks_need_none(tmp_path):
    class Stop(Hook):
        def epoch_end(self, training, epoch):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        training(1, hooks=[Stop()]).fit(tmp_path / 'net')
    assert os.listdir(tmp_path) == []
    one = training(1)
    one.leads = False
    with only_training(tmp_path / 'net'):
        one.fit(tmp_path / 'net')
    assert os.listdir(tmp_path) == []
    with pytest.raises(
        FileNotFoundError, match=r'nowhere is not a folder; expected one to write net\.lock to'
    ):
        training(1).fit(tmp_path / 'nowhere' / 'net')


def test_without_locks_it_warns(tmp_path, no_locks):
    with pytest.warns(
        UserWarning, match=r'net\.lock cannot be locked \(Operation not supported\); do not train'
    ):
        training(1).fit(tmp_path / 'net')
    assert not (tmp_path / 'net.lock').exists()


def test_a_history_without_its_checkpoint_is_told_from_one_that_has_none_yet(tmp_path):
    prefix, history = tmp_path / 'net', tmp_path / 'net.csv'
    assert resumable_epoch(prefix, history) == 0
    training(2).fit(prefix, history)
    assert resumable_epoch(prefix, history) == 2
    rows = history.read_text()
    (tmp_path / 'net-0002.states').rename(tmp_path / 'states')
    with pytest.raises(
        FileNotFoundError, match=r'net-0002\.states does not exist; expected the optimizer states'
    ):
        training(3).fit(prefix, history, 2)
    history.unlink()
    with pytest.raises(
        FileNotFoundError, match=r'net\.csv does not exist, but the checkpoint .*net is of epoch 2'
    ):
        resumable_epoch(prefix, history)
    history.write_text(rows)
    for path in tmp_path.glob('*.params'):
        path.unlink()
    sentence = r'net\.csv has 2 epochs, but there is no checkpoint .*net-NNNN\.params; put it back, or '
    with pytest.raises(FileNotFoundError, match=sentence):
        resumable_epoch(prefix, history)
    history.write_text(rows.splitlines(True)[0])
    assert resumable_epoch(prefix, history) == 0
    history.write_text('mine')
    with pytest.raises(ValueError, match=r'net\.csv: not the history of a training'):
        resumable_epoch(prefix, history)

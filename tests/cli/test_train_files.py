"""The files of `train`: what begins, goes on, is refused, and what a killed or failed training leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from centerloss_mx.cli import resume
from centerloss_mx.model import latest_checkpoint
from centerloss_mx.training import read_history

import pytest
from cli_data import TRAIN


def test_a_history_whose_checkpoint_is_lost_is_not_begun_anew(data, call, refused):
    call('train', data / 'all.npz', '-o', 'net', *TRAIN)
    Path('net-0002.params').unlink()
    before = {path.name: path.read_bytes() for path in Path().iterdir()}
    assert refused('train', data / 'all.npz', '-o', 'net', *TRAIN, '--resume') == (
        1,
        'centerloss-mx: --resume: net-history.csv has 2 epochs, but there is no checkpoint net-NNNN.params; '
        'put it back, or begin anew with --force\n',
    )
    assert 'net-symbol.json already exists' in refused('train', data / 'all.npz', '-o', 'net', *TRAIN)[1]
    assert {path.name: path.read_bytes() for path in Path().iterdir()} == before
    call('train', data / 'all.npz', '-o', 'net', *TRAIN, '--force')
    assert latest_checkpoint('net') == 2
    Path('net-history.csv').unlink()
    line = refused('train', data / 'all.npz', '-o', 'net', *TRAIN, '--resume')[1]
    assert (
        '--resume: net-history.csv does not exist, but the checkpoint net is of epoch 2; put it back, or'
        in line
    )


def test_an_option_that_an_earlier_version_did_not_have_cannot_be_given_on_resume(data, call, refused):
    call('train', data / 'all.npz', '-o', 'net', *TRAIN)
    path = Path('net-options.json')
    saved = json.loads(path.read_text())
    path.write_text(json.dumps({name: saved[name] for name in saved if name not in ('classifier', 'select')}))
    call('train', data / 'all.npz', '-o', 'net', *TRAIN, '--resume')
    line = refused('train', data / 'all.npz', '-o', 'net', *TRAIN, '--resume', '--classifier', 'margin')[1]
    assert line == (
        'centerloss-mx: --resume: --classifier is margin, but net-options.json says that it was begun '
        'without\n'
    )


@pytest.mark.parametrize('first', [False, True], ids=['after another training', 'first'])
def test_a_training_that_fails_in_its_first_epoch_blocks_nothing(data, call, refused, first):
    diverging = [data / 'all.npz', '-o', 'net', *TRAIN, '--loss', 'softmax', '--lr', '1e38']
    if not first:
        call('train', data / 'all.npz', '-o', 'net', *TRAIN)
        diverging.append('--force')
    assert 'training diverged' in refused('train', *diverging)[1]
    assert os.listdir() == ['net-options.json']
    call('train', data / 'all.npz', '-o', 'net', *TRAIN)
    assert latest_checkpoint('net') == 2 and len(read_history('net-history.csv')) == 2


def test_what_is_left_of_a_first_epoch_is_replaced_but_not_the_files_of_others(data, call, refused):
    call('train', data / 'all.npz', '-o', 'net', *TRAIN)
    header = Path('net-history.csv').read_text().splitlines(True)[0]
    Path('net-history.csv').write_text(header)  # as if killed before the first checkpoint
    Path('net-0002.params').unlink()
    options = Path('net-options.json').read_text()
    for damage in '{', None:
        Path('net-options.json').write_text(damage) if damage else Path('net-options.json').unlink()
        assert 'net-symbol.json already exists' in refused('train', data / 'all.npz', '-o', 'net', *TRAIN)[1]
    Path('net-options.json').write_text(options)
    call('train', data / 'all.npz', '-o', 'net', *TRAIN, '--lr', 0.02)
    assert latest_checkpoint('net') == 2


@pytest.mark.parametrize('command', [
    ['train', 'DATA', '-o', 'runs/', *TRAIN], ['embed', 'x', 'DATA', '-o', 'runs/x.npz/'],
    ['plot', 'x.npz', '-o', 'runs/'],
])  # fmt: skip
def test_a_slash_at_the_end_makes_a_folder(data, refused, command):
    Path('runs').mkdir(exist_ok=True)
    status, line = refused(*[data / 'all.npz' if argument == 'DATA' else argument for argument in command])
    output = command[command.index('-o') + 1]
    assert status == 2
    assert (
        f'argument -o/--output: {output} is a folder; expected a file, or a prefix such as runs/net' in line
    )
    assert not [path for path in Path().iterdir() if path.name.startswith('runs-')]


def test_a_training_that_ended_meanwhile_is_not_replaced(data, call, refused, monkeypatch):
    """The second one has seen no files when it began; its first batch comes after the end of the other."""
    begun = resume.remove_training

    def end_first(options):
        Path('net-0002.params').write_text('of the other training')
        begun(options)

    monkeypatch.setattr('centerloss_mx.cli.train.remove_training', end_first)
    line = refused('train', data / 'all.npz', '-o', 'net', *TRAIN)[1]
    assert 'net-0002.params already exists; --resume goes on, --force replaces it' in line
    assert Path('net-0002.params').read_text() == 'of the other training'


@pytest.mark.slow
def test_a_second_training_is_refused_until_the_first_is_killed(data, refused):
    command = [sys.executable, '-m', 'centerloss_mx', 'train', str(data / 'all.npz'), '-o', 'net']
    options = [str(option) for option in (*TRAIN[2:], '--num-epochs', 500, '--resume')]
    first = subprocess.Popen([*command, *options], stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        while not list(Path().glob('net-*.params')):
            assert first.poll() is None
            time.sleep(0.05)
        status, line = refused('train', data / 'all.npz', '-o', 'net', *options)
        assert status == 1
        assert f'net belongs to a training that runs (process {first.pid} on ' in line
        assert 'wait for its end, or use another prefix' in line
    finally:
        first.send_signal(signal.SIGKILL)
        first.communicate()
    done = latest_checkpoint('net')
    assert done >= 1 and len(read_history('net-history.csv')) >= done
    resumed = subprocess.Popen([*command, *options], stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        while latest_checkpoint('net') in (done, None):
            assert resumed.poll() is None
            time.sleep(0.05)
    finally:
        resumed.kill()
        resumed.communicate()

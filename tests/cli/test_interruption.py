"""A program before it has loaded MXNet, and Ctrl-C from its first line to its end."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

from centerloss_mx import _program
from centerloss_mx.cli import interruption, run

import pytest
from processes import Interrupting

# As pip writes it; and it tells when Ctrl-C is listened to.
SCRIPT = """
import os, signal
install = signal.signal
def tell(*arguments):
    before = install(*arguments)
    os.write(1, b'.')
    return before
signal.signal = tell
from centerloss_mx.cli import main
main()
"""

needs_orig_argv = pytest.mark.skipif(sys.version_info < (3, 10), reason='Python does not tell the module')


@pytest.fixture(scope='module')
def script(tmp_path_factory):
    path = tmp_path_factory.mktemp('bin') / 'centerloss-mx'
    path.write_text(SCRIPT)
    return str(path)


@pytest.fixture(params=['script', pytest.param('module', marks=needs_orig_argv)])
def started(request, script):
    return {'script': [script], 'module': ['-m', 'centerloss_mx']}[request.param]


@pytest.mark.parametrize('arguments, status', [
    (['--help'], 0),
    (['train', '--help'], 0),
    ([], 2),
    (['train', 'digits', '-o', 'x', '--ctx', 'tpu:0'], 2),
    (['train', 'digits', '-o', 'x', '--optimizer', 'nadam'], 2),
    (['evaluate', 'knn', 'a.npz', 'b.npz', '--metric', 'l1'], 2),
])  # fmt: skip
def test_help_and_errors_of_arguments_load_no_mxnet(started, arguments, status):
    command = [sys.executable, '-X', 'importtime', *started, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == status
    loaded = [line.rpartition('|')[2].strip() for line in done.stderr.splitlines() if '|' in line]
    assert 'centerloss_mx.cli.main' in loaded
    heavy = {'mxnet', 'centerloss_mx.operator', 'centerloss_mx.training', 'sklearn', 'matplotlib'}
    assert not heavy & set(loaded)


def test_a_module_that_python_has_not_found_yet_may_import_the_package(tmp_path):
    """A program whose package imports ours gets all that is registered."""
    (tmp_path / 'theirs').mkdir()
    (tmp_path / 'theirs' / '__init__.py').write_text('import centerloss_mx\n')
    (tmp_path / 'theirs' / '__main__.py').write_text('import mxnet\nmxnet.metric.create("center_loss")\n')
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get('PYTHONPATH')])])
    command = [sys.executable, '-m', 'theirs']
    subprocess.run(command, env={**os.environ, 'PYTHONPATH': path}, check=True, timeout=60)


def test_importing_the_command_line_leaves_the_environment_alone():
    program = 'import os; b = dict(os.environ); import centerloss_mx.cli as c; c.run; assert b == os.environ'
    environment = {name: value for name, value in os.environ.items() if not name.startswith('MXNET')}
    subprocess.run([sys.executable, '-c', program], env=environment, check=True, timeout=60)


def interrupt_after(seconds, script, folder):
    """Status, and the lines on standard error, of a training with Ctrl-C so long after its first line."""
    process = subprocess.Popen(
        [sys.executable, script, 'train', 'digits', '-o', str(folder / 'net'), '--embedding-dim', '2'],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout.read(1) == b'.'
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors.decode().splitlines()


@pytest.mark.parametrize('moments', [
    [0, 0.1, 0.3, 1],
    pytest.param([random.Random(seed).uniform(0, 2) for seed in range(15)], marks=pytest.mark.slow),
], ids=['few', 'many'])  # fmt: skip
def test_an_interrupted_training_is_one_line_and_130(moments, script, tmp_path):
    for seconds in moments:
        status, lines = interrupt_after(seconds, script, tmp_path)
        assert (status, len(lines)) == (130, 1), (seconds, lines)
        assert lines[0].startswith('centerloss-mx: interrupted')
        assert not [name for name in os.listdir(tmp_path) if name.startswith('.')]


def lost():
    Interrupting()


def made_another_error():
    try:
        signal.raise_signal(signal.SIGINT)
        time.monotonic()
    except KeyboardInterrupt:
        raise ValueError('the callback failed') from None


@pytest.mark.parametrize('program', [lost, made_another_error])
def test_an_interruption_is_told_whatever_python_makes_of_it(program, listening, capsys):
    alarm, hook = signal.getsignal(signal.SIGALRM), sys.unraisablehook
    with pytest.raises(SystemExit) as stopped:
        run(program, 'interrupted; go on', 'prog')
    assert stopped.value.code == 130 and capsys.readouterr().err == 'prog: interrupted; go on\n'
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGALRM) is alarm and sys.unraisablehook is hook
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


@pytest.mark.parametrize('again', [True, False])
def test_a_program_that_goes_on_or_is_interrupted_again_ends_at_once(again, listening, monkeypatch, capsys):
    class Ended(BaseException):
        pass

    said = []

    def end(line):
        said.append(line)
        raise Ended

    def program():
        Interrupting()
        if again:
            signal.raise_signal(signal.SIGINT)
        time.sleep(60)

    monkeypatch.setattr(_program, 'end', end)
    monkeypatch.setattr(interruption, 'SECONDS_TO_TIDY_UP', 60 if again else 0.01)
    with pytest.raises(SystemExit):
        run(program, 'interrupted', 'prog')
    assert said == ['prog: interrupted']


def test_a_program_that_does_not_listen_to_interruptions_is_left_so(listening):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    run(lambda: signal.raise_signal(signal.SIGINT), 'interrupted', 'prog')
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN

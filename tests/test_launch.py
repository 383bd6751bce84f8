"""The launcher: names, ranks and lines of its processes, and an end for all of them whatever happens."""

from __future__ import annotations

import io
import os
import re
import signal
import socket
import subprocess
import sys
import time

from centerloss_mx.launch import JobError, launch, main

import pytest
from processes import Interrupting, processes

LAUNCH = [sys.executable, '-m', 'centerloss_mx.launch']
PYTHON = [sys.executable, '-c']

# Each process leaves its number; a worker of rank 1 then does what a test asks for, the others wait for it.
WORKER = """
import os, signal, sys, time
from pathlib import Path
folder = Path(sys.argv[1])
import centerloss_mx
import mxnet as mx
kvstore = mx.kv.create('dist_sync')
(folder / f'worker-{kvstore.rank}').write_text(str(os.getpid()))
print('rank', kvstore.rank, 'of', kvstore.num_workers, flush=True)
if kvstore.rank == 1:
    exec(sys.argv[2])
    (folder / 'died').write_text(repr(time.time()))
    exec(sys.argv[3])
kvstore._barrier()
"""


def run(*arguments, timeout=60, **environment):
    return subprocess.run(
        [*LAUNCH, *map(str, arguments)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
    )


needs_proc = pytest.mark.skipif(
    not os.path.isdir('/proc/self'), reason='there is no /proc to look for processes in'
)
pytestmark = needs_proc


@pytest.mark.parametrize('workers, servers', [(2, 1), pytest.param(3, 2, marks=pytest.mark.slow)])
def test_workers_have_the_rank_of_their_name_and_all_end_well(workers, servers, tmp_path, nobody_left):
    job = run('-n', workers, '-s', servers, '--', *PYTHON, WORKER, tmp_path, '', '', **nobody_left)
    assert job.returncode == 0, job.stdout + job.stderr
    expected = [f'worker {rank} | rank {rank} of {workers}' for rank in range(workers)]
    assert sorted(job.stdout.splitlines()) == expected
    assert 'ps-lite' not in job.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    'act, how',
    [
        ('os.kill(os.getpid(), 9)', 'was killed by SIGKILL'),
        ("print('my last words', end='', file=sys.stderr, flush=True); os._exit(3)", 'ended with status 3'),
    ],
)
def test_a_worker_that_dies_ends_the_job_within_ten_seconds(act, how, tmp_path, nobody_left):
    job = run('-n', 2, '--', *PYTHON, WORKER, tmp_path, 'pass', act, **nobody_left)
    assert time.time() - float((tmp_path / 'died').read_text()) < 10
    assert job.returncode == 1
    *before, last = job.stderr.splitlines()
    assert last == f'launch: worker 1 {how}; the others were stopped'
    assert ('worker 1 | my last words' in before) == ('words' in act)


@pytest.mark.slow
@pytest.mark.parametrize('victim', ['server', 'scheduler'])
def test_a_server_or_the_scheduler_that_is_killed_ends_the_job_within_ten_seconds(
    victim, tmp_path, nobody_left
):
    job = subprocess.Popen(
        [*LAUNCH, '-n', '2', '--', *PYTHON, WORKER, str(tmp_path), 'time.sleep(60)', ''],
        env={**os.environ, **nobody_left},
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (tmp_path / 'worker-1').exists():
        assert job.poll() is None
        time.sleep(0.1)
    os.kill(processes(nobody_left['MARKER'], victim).pop(), signal.SIGKILL)
    _, printed = job.communicate(timeout=10)
    assert job.returncode == 1
    last = printed.splitlines()[-1]
    assert last.startswith(f'launch: {victim}') and last.endswith(
        'was killed by SIGKILL; the others were stopped'
    )


@pytest.mark.slow
@pytest.mark.parametrize('number, status', [(signal.SIGINT, 1), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_launcher_that_is_interrupted_leaves_nobody(number, status, tmp_path, nobody_left):
    # a child of a worker's, too, is to end, and one that does not listen
    act = """
import subprocess
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen(['sleep', '60'])
(folder / 'up').touch()
time.sleep(60)
"""
    job = subprocess.Popen(
        [*LAUNCH, '-n', '2', '--', *PYTHON, WORKER, str(tmp_path), act, ''],
        env={**os.environ, **nobody_left},
        # where a shell has started the tests in the background, their children ignore it
        preexec_fn=lambda: [signal.signal(each, signal.SIG_DFL) for each in (signal.SIGINT, signal.SIGHUP)],
    )
    while not (tmp_path / 'up').exists():
        assert job.poll() is None
        time.sleep(0.1)
    job.send_signal(number)
    time.sleep(0.5)
    job.send_signal(number)  # once more, by someone impatient
    assert job.wait(timeout=10) == status


def test_an_interruption_that_python_would_forget_stops_the_job(nobody_left, monkeypatch, listening):
    monkeypatch.setenv('MARKER', nobody_left['MARKER'])
    slept, sleep = [], time.sleep

    def interrupted(seconds):
        slept.append(seconds)
        assert len(slept) < 100, 'the launcher goes on'
        sleep(seconds)
        if len(slept) == 2:
            Interrupting()

    monkeypatch.setattr(time, 'sleep', interrupted)
    with pytest.raises(KeyboardInterrupt):
        launch(['sleep', '60'], 1, 1)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interruption_between_two_processes_stops_the_first(nobody_left, monkeypatch, listening):
    monkeypatch.setenv('MARKER', nobody_left['MARKER'])

    class Popen(subprocess.Popen):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(subprocess, 'Popen', Popen)
    with pytest.raises(KeyboardInterrupt):
        launch(['sleep', '60'], 1, 1)


def test_a_handler_of_the_callers_does_not_hide_that_the_job_was_stopped(nobody_left, monkeypatch):
    monkeypatch.setenv('MARKER', nobody_left['MARKER'])
    seen = []
    before = signal.signal(signal.SIGTERM, lambda number, _: seen.append(number))
    try:
        monkeypatch.setattr(time, 'sleep', lambda _: seen or signal.raise_signal(signal.SIGTERM))
        with pytest.raises(JobError, match='interrupted by SIGTERM; all processes were stopped'):
            launch(['sleep', '60'], 1, 1)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert seen == [signal.SIGTERM]


@pytest.mark.slow
def test_a_launcher_that_is_interrupted_at_any_moment_leaves_nobody(nobody_left):
    for milliseconds in range(0, 3000, 200):
        job = subprocess.Popen(
            [*LAUNCH, '-n', '2', '--', *PYTHON, 'import time; time.sleep(60)'],
            env={**os.environ, **nobody_left},
            stderr=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        time.sleep(milliseconds / 1000)
        job.send_signal(signal.SIGINT)
        job.communicate(timeout=20)
        assert job.returncode and not processes(nobody_left['MARKER'])


@pytest.mark.slow
def test_servers_that_do_not_come_up_are_not_waited_for(tmp_path, nobody_left):
    sleeps = "import os, time\nif os.environ.get('DMLC_ROLE') == 'server':\n    time.sleep(60)\n"
    (tmp_path / 'sitecustomize.py').write_text(sleeps)
    worker = ['--', *PYTHON, WORKER, tmp_path, '', '']
    job = run('-n', 1, '-s', 2, '--timeout', 3, *worker, PYTHONPATH=str(tmp_path), **nobody_left)
    assert job.returncode == 1
    assert job.stderr.splitlines()[-1] == 'launch: 2 of 2 servers did not come up within 3 s'


def test_a_taken_port_is_named_at_once():
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(JobError, match=f'port {port} of 127.0.0.1 is in use; choose another'):
            launch(['true'], 1, 1, port)


@pytest.mark.slow
def test_a_port_of_ones_own_is_the_schedulers(tmp_path, nobody_left):
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    program = "import os; print(os.environ['DMLC_PS_ROOT_PORT'], os.environ['OMP_NUM_THREADS'])"
    job = run('-n', 1, '--port', port, '--', *PYTHON, program, OMP_NUM_THREADS='7', **nobody_left)
    assert (job.returncode, job.stdout) == (0, f'worker 0 | {port} 7\n')


@pytest.mark.slow
def test_workers_that_make_no_kvstore_end_the_job_and_every_byte_comes_through(nobody_left):
    program = "import sys; sys.stdout.buffer.write(b'\\xff\\xce\\xbb\\r\\nno newline at the end')"
    job = subprocess.run(
        [*LAUNCH, '-n', '1', '--', *PYTHON, program],
        env={**os.environ, 'LC_ALL': 'C', **nobody_left},
        stdout=subprocess.PIPE,
        timeout=60,
    )
    assert job.returncode == 0
    assert job.stdout == b'worker 0 | \xff\xce\xbb\nworker 0 | no newline at the end\n'


@pytest.mark.parametrize(
    'arguments, message',
    [
        (['-n', '0', '--', 'true'], 'num_workers=0 is not a whole number > 0'),
        (['-n', '1', '-s', '-1', '--', 'true'], 'num_servers=-1 is not a whole number > 0'),
        (['-n', '1', '--timeout', 'nan', '--', 'true'], 'timeout=nan is not > 0'),
        (['-n', '1', '--port', '65536', '--', 'true'], 'port=65536 is outside 1..65535'),
        (['-n', '1', '--port', '0', '--', 'true'], 'port=0 is outside 1..65535'),
        (['-n', '1'], 'the following arguments are required: command'),
        (['-n', 'two', '--', 'true'], "invalid int value: 'two'"),
        (
            ['-n', '1', '--port', '65535', '--', 'no-such-program'],
            'launch: command not found or not executable: no-such-program',
        ),
    ],
)
def test_what_cannot_be_started_is_said_in_a_sentence(arguments, message, monkeypatch, capsys):
    monkeypatch.setattr(signal, 'signal', lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    said = capsys.readouterr().err or ended.value.code  # what Python prints at its exit
    assert message in said.splitlines()[-1]


@pytest.mark.parametrize('command', [[], 'python train.py'])
def test_what_is_no_command_is_refused(command):
    with pytest.raises(
        ValueError,
        match=f'command={re.escape(repr(command))}: expected a sequence, a program and its arguments',
    ):
        launch(command, 1, 1)


def test_a_program_that_the_system_does_not_run_is_named(tmp_path, nobody_left, monkeypatch):
    monkeypatch.setenv('MARKER', nobody_left['MARKER'])
    program = tmp_path / 'train'
    program.write_bytes(b'no program')
    program.chmod(0o755)
    with pytest.raises(JobError, match=f'worker 0 could not be started: {program}: Exec format error'):
        launch([str(program)], 1, 1)


@pytest.mark.slow
def test_a_text_stream_gets_the_lines(monkeypatch, nobody_left):
    monkeypatch.setenv('MARKER', nobody_left['MARKER'])
    stream = io.StringIO()
    monkeypatch.setattr(sys, 'stdout', stream)
    launch([*PYTHON, "print('hello')"], 1, 1)
    assert stream.getvalue() == 'worker 0 | hello\n'


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='there is no /dev/full')
def test_a_full_disk_does_not_hold_the_job_up(nobody_left):
    with open('/dev/full', 'w') as full:
        job = subprocess.run(
            [*LAUNCH, '-n', '1', '--', *PYTHON, "print('x' * 10**6)"],
            env={**os.environ, **nobody_left}, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60,
        )  # fmt: skip
    assert 'Traceback' not in job.stderr

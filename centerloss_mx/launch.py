"""Start a distributed job on this machine: MXNet's scheduler, its parameter servers, and the workers.

    python -m centerloss_mx.launch -n 2 -s 2 -- python examples/train_mnist.py --kv-store dist_sync

Every line that a process prints is passed on behind its name, as in `worker 0 | ...`; `worker 0` is the
worker of rank 0. The job ends when all workers have. If any process dies, all others are stopped, and the
last line says which and how.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import IO, NamedTuple, Sequence, TextIO

__all__ = ['JobError', 'launch', 'main']

HOST = '127.0.0.1'
SERVER = [sys.executable, '-c', 'import centerloss_mx']  # which does not return before the job ends
_SIGNALS = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
POLL, GRACE, MERCY = 0.1, 5, 3  # seconds: between looks; for servers to end; from SIGTERM to SIGKILL

# What ps-lite says on the scheduler with PS_VERBOSE=2, by several threads at once, and of a server that has
# come.
_VERBOSE = re.compile(rb'ps-lite/src/\S+:(?!.*Check failed)|^\W*[\d:]*\W*$|Meta: request=|Barrier count for ')
_REGISTERED = re.compile(rb'cmd=ADD_NODE, node={ role=server, ip=')


class JobError(RuntimeError):
    """A job that could not be started or has not ended well; all its processes have been stopped."""


class _Process(NamedTuple):
    name: str
    popen: subprocess.Popen
    readers: list[threading.Thread]


def launch(
    command: Sequence[str], num_workers: int, num_servers: int, port: int | None = None, timeout: float = 30
) -> None:
    """Run a command as each worker of a distributed job on this machine, and wait for its end.

    Parameters
    ----------
    command : sequence of str
        The workers' program and its arguments; no shell reads them.
    num_workers, num_servers : int
        How many processes of each kind, > 0. Servers are `python -c 'import centerloss_mx'`.
    port : int or None
        The scheduler's, 1..65535; None: a free one.
    timeout : float
        Seconds that the servers have to find the scheduler, > 0. Workers may take their time.

    Raises
    ------
    ValueError
        A number that is out of its range, or no command.
    JobError
        The program is not there, the port is taken, the servers did not come up, or a process died.

    Examples
    --------
    >>> launch(['python', 'train.py'], num_workers=2, num_servers=1)  # doctest: +SKIP
    """
    for name, number in {'num_workers': num_workers, 'num_servers': num_servers, 'timeout': timeout}.items():
        if not number > 0:
            raise ValueError(f'{name}={number} is not > 0')
    if port is not None and not 0 < port < 2**16:
        raise ValueError(f'port={port} is outside 1..65535')
    if not command or isinstance(command, str):
        raise ValueError(f'command={command!r} is no program with its arguments, in a sequence')
    if shutil.which(command[0]) is None:
        raise JobError(f'{command[0]} is no program that can be run here')
    if port is not None and not _is_free(port):
        raise JobError(f'port {port} of {HOST} is taken; give another, or none for a free one')

    root, *ports = _free_ports(1 + num_servers + num_workers)
    shared = {
        'DMLC_PS_ROOT_URI': HOST,
        'DMLC_PS_ROOT_PORT': str(port or root),
        'DMLC_NUM_WORKER': str(num_workers),
        'DMLC_NUM_SERVER': str(num_servers),
        'DMLC_NODE_HOST': HOST,
        'DMLC_INTERFACE': 'lo0' if sys.platform == 'darwin' else 'lo',
        'PYTHONUNBUFFERED': '1',
        # MXNet takes half of the processors in each process unless it is told.
        'OMP_NUM_THREADS': str(max(1, (os.cpu_count() or 1) // num_workers)),
    }
    environment = {**shared, **os.environ, **{key: shared[key] for key in shared if key.startswith('DMLC_')}}
    registered: list[bytes] = []
    processes: list[_Process] = []

    def start(name: str, arguments: Sequence[str], role: str, **variables: str) -> None:
        own = {**environment, 'DMLC_ROLE': role, **variables}
        processes.append(_start(name, arguments, own, registered if role == 'scheduler' else None))

    try:
        start('scheduler', SERVER, 'scheduler', PS_VERBOSE='2')
        # ps-lite counts ranks by port, and PORT is the one it tries first.
        for i, own_port in enumerate(ports[:num_servers]):
            start(f'server {i}', SERVER, 'server', PORT=str(own_port))
        for i, own_port in enumerate(ports[num_servers:]):
            start(f'worker {i}', command, 'worker', PORT=str(own_port))
        _watch(processes, registered, num_servers, timeout)
    finally:
        _stop(processes)


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a past job's port is free at once
        try:
            listener.bind((HOST, port))
        except OSError:
            return False
        return True


def _free_ports(number: int) -> list[int]:
    """Ascending."""
    listeners = [socket.socket() for _ in range(number)]
    for listener in listeners:
        listener.bind((HOST, 0))
    ports = sorted(listener.getsockname()[1] for listener in listeners)
    for listener in listeners:
        listener.close()
    return ports


def _start(
    name: str, arguments: Sequence[str], environment: dict[str, str], registered: list[bytes] | None
) -> _Process:
    try:
        popen = subprocess.Popen(
            arguments,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # so that its children can be stopped with it
        )
    except OSError as error:
        raise JobError(f'{name} could not be started: {arguments[0]}: {error.strerror}') from None
    pipes = (popen.stdout, sys.stdout), (popen.stderr, sys.stderr)
    readers = [
        threading.Thread(target=_pass_on, args=(name, source, target, registered), daemon=True)
        for source, target in pipes
    ]
    for reader in readers:
        reader.start()
    return _Process(name, popen, readers)


def _pass_on(name: str, source: IO[bytes], target: TextIO, registered: list[bytes] | None) -> None:
    """Write each line behind the process's name; keep those of the scheduler that tell of servers."""
    with source:
        for line in source:
            if registered is not None and _VERBOSE.search(line):
                if _REGISTERED.search(line):
                    registered.append(line)
                continue
            line = f'{name} | '.encode() + line.rstrip(b'\r\n') + b'\n'
            # Where it cannot be written (a closed pipe, a full disk), the process must not have to wait.
            with suppress(OSError, ValueError):
                if hasattr(target, 'buffer'):
                    target.buffer.write(line)  # one call: whole lines
                    target.flush()
                else:  # a StringIO, or None where it is closed
                    print(line.decode(errors='replace'), end='', file=target)


def _watch(processes: list[_Process], registered: list[bytes], num_servers: int, timeout: float) -> None:
    """Return when all workers have ended well, and the others after them."""
    workers = [process for process in processes if process.name.startswith('worker')]
    deadline = time.monotonic() + timeout
    while any(worker.popen.poll() is None for worker in workers):
        _check_alive(processes)
        if len(registered) < num_servers and time.monotonic() > deadline:
            missing = num_servers - len(registered)
            raise JobError(f'{missing} of {num_servers} servers did not come up within {timeout:g} s')
        time.sleep(POLL)
    _check_alive(processes)
    # Workers that made no KVStore leave the others waiting.
    deadline = time.monotonic() + GRACE
    while any(process.popen.poll() is None for process in processes) and time.monotonic() < deadline:
        time.sleep(POLL)


def _check_alive(processes: list[_Process]) -> None:
    for name, popen, _ in processes:
        status = popen.poll()
        if status:
            how = f'ended with status {status}'
            if status < 0:
                names = {number.value: number.name for number in signal.Signals}
                how = f'was killed by {names.get(-status, f"signal {-status}")}'
            raise JobError(f'{name} {how}; the others were stopped')


def _stop(processes: list[_Process]) -> None:
    for number in signal.SIGTERM, signal.SIGKILL:
        for process in processes:
            with suppress(ProcessLookupError):  # it and its children have ended
                os.killpg(process.popen.pid, number)
        deadline = time.monotonic() + MERCY
        while any(process.popen.poll() is None for process in processes) and time.monotonic() < deadline:
            time.sleep(POLL)
    for process in processes:
        for reader in process.readers:
            reader.join(timeout=1)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str or None
        None: those of this process.

    Raises
    ------
    SystemExit
        With a sentence, and status 2 for arguments that cannot be used, 1 for a job that has not ended well.
    """
    parser = argparse.ArgumentParser(
        prog='python -m centerloss_mx.launch',
        description='Run a distributed job on this machine: scheduler, servers and workers.',
        epilog='example: python -m centerloss_mx.launch -n 2 -s 2 -- '
        'python examples/train_mnist.py --kv-store dist_sync',
    )
    parser.add_argument('-n', '--num-workers', type=int, required=True, metavar='N', help='number of workers')
    parser.add_argument('-s', '--num-servers', type=int, metavar='N', help='of servers (default: as many)')
    parser.add_argument('--port', type=int, help="the scheduler's (default: a free one)")
    parser.add_argument(
        '--timeout', type=float, default=30, help='seconds for the servers to come up (default: 30)'
    )
    parser.add_argument('command', nargs='+', help="the workers' program and its arguments, behind --")
    args = parser.parse_args(arguments)
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as it is under nohup, or behind a shell's &
            signal.signal(number, _interrupt)
    try:
        launch(
            args.command,
            args.num_workers,
            args.num_workers if args.num_servers is None else args.num_servers,
            args.port,
            args.timeout,
        )
    except ValueError as error:
        parser.error(str(error))
    except JobError as error:
        sys.exit(f'launch: {error}')
    except KeyboardInterrupt:
        sys.exit('launch: interrupted; all processes were stopped')


def _interrupt(number: int, _: object) -> None:
    """Stop, by way of `finally`, and do not listen to a second signal while the processes are stopped."""
    for other in _SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(128 + number)


if __name__ == '__main__':
    main()

"""Start a distributed job on this machine: MXNet's scheduler, its parameter servers, and the workers.

    python -m centerloss_mx.launch -n 2 -s 2 -- python examples/train_mnist.py --kv-store dist_sync

Every line that a process prints appears behind the name of the process, as in `worker 0 | ...`; `worker 0`
has rank 0. The job ends when all workers have ended. If a process fails, all others are stopped, and the last
line says which one failed and how.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import IO, Iterator, NamedTuple, Sequence, TextIO

from ._checks import check_size
from ._mxnet.ps_lite import VERBOSE, has_registered_server, is_log, with_rank

__all__ = ['JobError', 'launch', 'main']

HOST = '127.0.0.1'
SERVER = [sys.executable, '-c', 'import centerloss_mx']  # serves inside the import, until the job ends
POLL_SECONDS = 0.1
SERVER_EXIT_SECONDS = 5
TERM_TO_KILL_SECONDS = 3
_SIGNALS = signal.SIGINT, signal.SIGTERM, signal.SIGHUP


class JobError(RuntimeError):
    """A job could not be started, or a process of it failed; all its processes have been stopped."""


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
        The workers' program and its arguments. No shell is started.
    num_workers, num_servers : int
        Number of processes of each kind, > 0. Servers run `python -c 'import centerloss_mx'`.
    port : int or None
        The scheduler's port, 1..65535; None: a free one.
    timeout : float
        Seconds in which all servers must reach the scheduler, > 0. Workers have no limit.

    Raises
    ------
    ValueError
        A number is out of its range, or `command` is empty or one string.
    JobError
        The program does not exist, the port is in use, the servers did not reach the scheduler, or a process
        failed.
    KeyboardInterrupt
        After Ctrl-C, once all processes have been stopped. SIGTERM and SIGHUP do then what they do elsewhere.

    Examples
    --------
    >>> launch(['python', 'train.py'], num_workers=2, num_servers=1)  # doctest: +SKIP
    """
    check_size('', 'num_workers', num_workers)
    check_size('', 'num_servers', num_servers)
    if not timeout > 0:
        raise ValueError(f'timeout={timeout} is not > 0')
    if port is not None and not 0 < port < 2**16:
        raise ValueError(f'port={port} is outside 1..65535')
    if not command or isinstance(command, str):
        raise ValueError(f'command={command!r}: expected a sequence, a program and its arguments')
    if shutil.which(command[0]) is None:
        raise JobError(f'command not found or not executable: {command[0]}')
    if port is not None and not _is_free(port):
        raise JobError(f'port {port} of {HOST} is in use; choose another, or none for a free one')

    scheduler_port, *ports = _free_ports(1 + num_servers + num_workers)
    environment = _environment(num_workers, num_servers, port or scheduler_port)
    registered: list[bytes] = []  # a line for each server that has reached the scheduler
    processes: list[_Process] = []

    def start(name: str, arguments: Sequence[str], role: str, **variables: str) -> None:
        own = {**environment, 'DMLC_ROLE': role, **variables}
        processes.append(_start(name, arguments, own, registered if role == 'scheduler' else None))

    with _noted_signals() as received:
        try:
            start('scheduler', SERVER, 'scheduler', **VERBOSE)
            for i, own_port in enumerate(ports[:num_servers]):
                start(f'server {i}', SERVER, 'server', **with_rank(own_port))
            for i, own_port in enumerate(ports[num_servers:]):
                start(f'worker {i}', command, 'worker', **with_rank(own_port))
            _watch(processes, registered, received, num_servers, timeout)
        finally:
            _stop(processes)
    if received:
        signal.raise_signal(received[0])
        raise JobError(f'interrupted by {signal.Signals(received[0]).name}; all processes were stopped')


@contextmanager
def _noted_signals() -> Iterator[list[int]]:
    """Note signals in a list, which `_watch` looks at, instead of raising an exception.

    An exception that a signal raises can be lost: in `__del__` or in a callback of a weak reference, Python
    prints and forgets it. It could also come between the start of a process and the entry in the list of
    processes to stop.
    """
    received: list[int] = []
    before = {}
    if threading.current_thread() is threading.main_thread():  # no other thread may set handlers
        for number in _SIGNALS:
            # None: a handler in C. Signals are ignored under nohup, or behind a shell's &.
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, lambda number, _: received.append(number))
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _environment(num_workers: int, num_servers: int, port: int) -> dict[str, str]:
    """The environment of all processes of a job: DMLC variables of this process are replaced."""
    job = {
        'DMLC_PS_ROOT_URI': HOST,
        'DMLC_PS_ROOT_PORT': str(port),
        'DMLC_NUM_WORKER': str(num_workers),
        'DMLC_NUM_SERVER': str(num_servers),
        'DMLC_NODE_HOST': HOST,
        'DMLC_INTERFACE': 'lo0' if sys.platform == 'darwin' else 'lo',
    }
    defaults = {
        'PYTHONUNBUFFERED': '1',
        # Without this, each process of MXNet uses half of the processors.
        'OMP_NUM_THREADS': str(max(1, (os.cpu_count() or 1) // num_workers)),
    }
    return {**defaults, **os.environ, **job}


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        # With this option the port of a job that has just ended counts as free.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError:
            return False
        return True


def _free_ports(number: int) -> list[int]:
    """Ports that are free, in ascending order."""
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
            start_new_session=True,  # a process group of its own, to be stopped with its children
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
    """Print each line behind the name of its process; keep the scheduler's lines about servers."""
    with source:
        for line in source:
            if registered is not None and is_log(line):
                if has_registered_server(line):
                    registered.append(line)
                continue
            line = f'{name} | '.encode() + line.rstrip(b'\r\n') + b'\n'
            # Where the line cannot be written (a closed pipe, a full disk), reading goes on: the process
            # would wait for ever otherwise.
            with suppress(OSError, ValueError):
                if hasattr(target, 'buffer'):
                    target.buffer.write(line)  # one call, so that lines of two processes do not mix
                    target.flush()
                else:  # a StringIO, or None where it is closed
                    print(line.decode(errors='replace'), end='', file=target)


def _watch(
    processes: list[_Process],
    registered: list[bytes],
    received: list[int],
    num_servers: int,
    timeout: float,
) -> None:
    """Wait until all workers have ended, and then the servers and the scheduler, or for a signal."""
    workers = [process for process in processes if process.name.startswith('worker')]
    deadline = time.monotonic() + timeout
    while not received and _any_alive(workers):
        _check_alive(processes)
        if len(registered) < num_servers and time.monotonic() > deadline:
            missing = num_servers - len(registered)
            raise JobError(f'{missing} of {num_servers} servers did not come up within {timeout:g} s')
        time.sleep(POLL_SECONDS)
    if received:
        return
    _check_alive(processes)
    # Servers and scheduler end by themselves, unless the workers made no KVStore.
    deadline = time.monotonic() + SERVER_EXIT_SECONDS
    while not received and _any_alive(processes) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


def _any_alive(processes: list[_Process]) -> bool:
    return any(process.popen.poll() is None for process in processes)


def _check_alive(processes: list[_Process]) -> None:
    """Raise JobError if a process has failed."""
    for name, popen, _ in processes:
        status = popen.poll()
        if status:
            how = f'ended with status {status}'
            if status < 0:
                names = {number.value: number.name for number in signal.Signals}
                how = f'was killed by {names.get(-status, f"signal {-status}")}'
            raise JobError(f'{name} {how}; the others were stopped')


def _stop(processes: list[_Process]) -> None:
    """End all processes and their children."""
    for number in signal.SIGTERM, signal.SIGKILL:
        for process in processes:
            with suppress(ProcessLookupError):  # all of its group have ended
                os.killpg(process.popen.pid, number)
        deadline = time.monotonic() + TERM_TO_KILL_SECONDS
        while _any_alive(processes) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
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
        With a sentence: status 2 for invalid arguments, 1 for a job that failed.
    """
    parser = argparse.ArgumentParser(
        prog='python -m centerloss_mx.launch',
        description='Run a distributed job on this machine: scheduler, servers and workers.',
        epilog='example: python -m centerloss_mx.launch -n 2 -s 2 -- '
        'python examples/train_mnist.py --kv-store dist_sync',
    )
    parser.add_argument('-n', '--num-workers', type=int, required=True, metavar='N', help='number of workers')
    parser.add_argument(
        '-s', '--num-servers', type=int, metavar='N', help='number of servers (default: N of workers)'
    )
    parser.add_argument('--port', type=int, help="the scheduler's port (default: a free one)")
    parser.add_argument(
        '--timeout', type=float, default=30, help='seconds in which the servers must start (default: 30)'
    )
    parser.add_argument('command', nargs='+', help="the workers' program and its arguments, behind --")
    args = parser.parse_args(arguments)
    try:
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as it is under nohup, or behind a shell's &
                signal.signal(number, signal.default_int_handler if number == signal.SIGINT else _exit)
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


def _exit(number: int, _: object) -> None:
    """End with the status that a shell gives to a process which this signal has ended."""
    sys.exit(128 + number)


if __name__ == '__main__':
    main()

"""What MXNet 1.9.1 needs on newer NumPy and Python; the package imports this module before anything else.

MXNet uses ``np.bool``, which NumPy 1.24 removed (the only removed alias it needs), and ``distutils``, which
Python 3.12 removed. Importing this module sets ``np.bool = bool`` where it is missing and finds ``distutils``
in setuptools. Where MXNet cannot run, it raises ImportError with one sentence that says what to install.

It is also a script, for any Python from 3.6 on, that prints this sentence and exits 1, or exits 0:

    python3 centerloss_mx/_compat.py            can this Python run MXNet, in a virtual environment?
    python3 centerloss_mx/_compat.py packages   are the packages here, and does MXNet load?

MXNet is not imported here (but by the second command): parameter servers never return from ``import mxnet``.
"""

import os
import sys

if __name__ == '__main__':
    # A script's directory comes first on the path, and our operator.py and io.py would hide Python's own.
    sys.path[:] = [path for path in sys.path if path != os.path.dirname(os.path.abspath(__file__))]

import importlib.util
import platform
import re
from typing import List, Optional, Tuple

__all__ = [
    'MXNET',
    'NUMPY',
    'PYTHON',
    'VERSION',
    'check_mxnet',
    'check_numpy',
    'check_platform',
    'check_python',
]

# The version and the bounds of the whole project: setup.py reads them here.
VERSION = '0.1.0'
PYTHON = '>=3.8,<3.13'
NUMPY = '>=1.17.5,<2'
MXNET = '>=1.9.1,<2'

# Where there is a wheel of MXNet 1.9.1; the ones for Linux need glibc.
_WHEELS = [('Linux', 'x86_64'), ('Linux', 'aarch64'), ('Darwin', 'x86_64')]


def _release(version: str) -> Tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r'\d+', re.split(r'[^\d.]', version)[0]))


def _within(version: str, bounds: str) -> bool:
    lower, upper = (_release(bound.lstrip('<>=')) for bound in bounds.split(','))
    return lower <= _release(version) < upper


def check_python(version: str = platform.python_version()) -> None:
    """Refuse a Python that MXNet 1.9.1 does not run on.

    Parameters
    ----------
    version : str
        Such as ``'3.11.7'``; by default the running one.

    Raises
    ------
    ImportError
        If the version is outside `PYTHON`.
    """
    if not _within(version, PYTHON):
        raise ImportError(
            f'MXNet 1.9.1 needs Python {PYTHON}, but this is Python {version}: '
            'use another one, for example `make test PYTHON=python3.11` or `python3.11 -m venv .venv`'
        )


def check_platform(
    system: str = platform.system(), machine: str = platform.machine(), libc: Optional[str] = None
) -> None:
    """Refuse a platform without a wheel of MXNet 1.9.1.

    Parameters
    ----------
    system, machine : str
        As `platform.system` and `platform.machine` tell them, which are the defaults.
    libc : str, optional
        The first of `platform.libc_ver`, which is the default: ``'glibc'``, or ``''`` for another C library.

    Raises
    ------
    ImportError
        If there is no such wheel.
    """
    if libc is None:
        libc = platform.libc_ver()[0]
    musl = system == 'Linux' and libc != 'glibc'
    if (system, machine) not in _WHEELS or musl:
        here = f'{system} on {machine}' + (' without glibc' if musl else '')
        raise ImportError(
            f'MXNet 1.9.1 has no wheel for {here}: '
            'use Linux with glibc on x86_64 or aarch64 (in Docker or WSL 2, for example), or macOS on x86_64'
        )


def check_numpy(version: str) -> None:
    """Refuse a NumPy that MXNet 1.9.1 does not run on.

    Parameters
    ----------
    version : str
        Such as ``'1.26.4'``.

    Raises
    ------
    ImportError
        If the version is outside `NUMPY`.
    """
    if not _within(version, NUMPY):
        raise ImportError(
            f"MXNet 1.9.1 needs NumPy {NUMPY}, but this is NumPy {version}: pip install 'numpy{NUMPY}'"
        )


def check_mxnet(version: Optional[str]) -> None:
    """Refuse another MXNet than 1.9.1, or none.

    Parameters
    ----------
    version : str or None
        Such as ``'1.9.1'``; None where MXNet is not installed.

    Raises
    ------
    ImportError
        If the version is outside `MXNET`; where there is none and no wheel either, the sentence says that.
    """
    if version is None:
        check_platform()
        raise ImportError(f"MXNet is not installed: pip install 'mxnet{MXNET}'")
    if not _within(version, MXNET):
        raise ImportError(
            f"centerloss_mx needs MXNet {MXNET}, but this is MXNet {version}: pip install 'mxnet{MXNET}'"
        )


def _mxnet_version() -> Optional[str]:
    # From its source: on a server MXNet is half imported, and GPU wheels are called mxnet-cu112 and the like.
    spec = importlib.util.find_spec('mxnet')
    if spec is None or not spec.origin:
        return None
    with open(os.path.join(os.path.dirname(spec.origin), 'libinfo.py'), encoding='utf-8') as source:
        found = re.search(r'^__version__ = [\'"](.+)[\'"]', source.read(), re.MULTILINE)
    return found.group(1) if found else None


def _check_distutils() -> None:
    if sys.version_info >= (3, 12) and importlib.util.find_spec('distutils') is None:
        try:
            import setuptools  # noqa: F401  (importing it makes its own distutils importable)
        except ImportError:
            raise ImportError(
                f'MXNet 1.9.1 needs distutils, which Python {platform.python_version()} lacks: '
                'pip install setuptools'
            ) from None


def _prepare() -> None:
    check_python()
    check_mxnet(_mxnet_version())
    _check_distutils()
    try:
        import numpy as np
    except ImportError as error:
        raise ImportError(f"NumPy does not import ({error}): pip install 'numpy{NUMPY}'") from error
    check_numpy(np.__version__)
    if 'bool' not in vars(np):  # hasattr(np, 'bool') would warn
        np.bool = bool  # type: ignore[attr-defined]


def _main(arguments: List[str]) -> Optional[str]:
    """Return what is wrong, in one sentence, or None."""
    try:
        if arguments == ['packages']:
            _prepare()
            import mxnet  # noqa: F401  (does it load?)
        else:
            check_python()
            check_platform()
            if not (importlib.util.find_spec('venv') and importlib.util.find_spec('ensurepip')):
                return (
                    f'{sys.executable} cannot make virtual environments: install its venv package, '
                    f'for example `apt install python{sys.version_info[0]}.{sys.version_info[1]}-venv`'
                )
    except ImportError as error:
        return str(error)
    except OSError as error:  # the shared library's own dependencies, which its wheel does not carry
        return (
            f'MXNet does not load ({error}): install the library, as in `apt install libquadmath0 libgomp1`'
        )
    return None


if __name__ == '__main__':
    problem = _main(sys.argv[1:])
    if problem:
        print(problem)
        sys.exit(1)
elif __package__:  # imported; setup.py only reads the bounds
    _prepare()

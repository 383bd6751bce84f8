"""What MXNet 1.9.1 needs on newer NumPy and Python; the package imports this module before anything else.

MXNet uses ``np.bool``, which NumPy 1.24 removed (the only removed alias it needs), and ``distutils``, which
Python 3.12 removed. Importing this module sets ``np.bool = bool`` where it is missing and finds ``distutils``
in setuptools. Where MXNet cannot run, the import raises ImportError with one sentence that says what to do.

It is also a script, for any Python from 3.6 on. It prints this sentence and exits 1, or prints nothing and
exits 0:

    python3 centerloss_mx/_compat.py            can this Python run MXNet, in a virtual environment?
    python3 centerloss_mx/_compat.py packages   are the packages installed, and does MXNet load?

Only the second command imports MXNet: in a parameter server ``import mxnet`` never returns.
"""

import os
import sys

if __name__ == '__main__':
    # Python puts a script's directory first on the path, where our operator and io would hide its own.
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

# The platforms that MXNet 1.9.1 has a wheel for; on Linux it needs glibc.
_WHEELS = [('Linux', 'x86_64'), ('Linux', 'aarch64'), ('Darwin', 'x86_64')]


def check_python(version: str = platform.python_version()) -> None:
    """Raise ImportError for a version of Python that MXNet 1.9.1 does not run on."""
    advice = 'use another one, for example `make test PYTHON=python3.11` or `python3.11 -m venv .venv`'
    _check_version('MXNet 1.9.1', 'Python', version, PYTHON, advice)


def check_platform(
    system: str = platform.system(), machine: str = platform.machine(), libc: Optional[str] = None
) -> None:
    """Raise ImportError for a platform that MXNet 1.9.1 has no wheel for.

    `libc` is the first entry of `platform.libc_ver`: ``'glibc'``, or ``''`` for another C library.
    """
    if libc is None:
        libc = platform.libc_ver()[0]
    without_glibc = system == 'Linux' and libc != 'glibc'
    if (system, machine) not in _WHEELS or without_glibc:
        here = f'{system} on {machine}' + (' without glibc' if without_glibc else '')
        raise ImportError(
            f'MXNet 1.9.1 has no wheel for {here}: '
            'use Linux with glibc on x86_64 or aarch64 (in Docker or WSL 2, for example), or macOS on x86_64'
        )


def check_numpy(version: str) -> None:
    """Raise ImportError for a version of NumPy that MXNet 1.9.1 does not run on."""
    _check_version('MXNet 1.9.1', 'NumPy', version, NUMPY, f"pip install 'numpy{NUMPY}'")


def check_mxnet(version: Optional[str]) -> None:
    """Raise ImportError for another MXNet than 1.9.1, and for None: MXNet is not installed."""
    if version is None:
        check_platform()  # without a wheel, pip could not install it
        raise ImportError(f"MXNet is not installed: pip install 'mxnet{MXNET}'")
    _check_version('centerloss_mx', 'MXNet', version, MXNET, f"pip install 'mxnet{MXNET}'")


def _check_version(who: str, what: str, version: str, bounds: str, advice: str) -> None:
    lower, upper = (_release(bound.lstrip('<>=')) for bound in bounds.split(','))
    if not lower <= _release(version) < upper:
        raise ImportError(f'{who} needs {what} {bounds}, but this is {what} {version}: {advice}')


def _release(version: str) -> Tuple[int, ...]:
    """The numbers of a version, without 'rc1' and the like."""
    return tuple(int(number) for number in re.findall(r'\d+', re.split(r'[^\d.]', version)[0]))


def _mxnet_version() -> Optional[str]:
    # Read from its source: in a server MXNet is partly imported, and a wheel may be called mxnet-cu112.
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
    """Return one sentence that says why MXNet cannot run, or None."""
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
    except OSError as error:  # a library that MXNet's own needs and its wheel lacks
        return (
            f'MXNet does not load ({error}): install the library, as in `apt install libquadmath0 libgomp1`'
        )
    return None


if __name__ == '__main__':
    problem = _main(sys.argv[1:])
    if problem:
        print(problem)
        sys.exit(1)
elif __package__:  # imported as a module; setup.py runs this file for the bounds only
    _prepare()

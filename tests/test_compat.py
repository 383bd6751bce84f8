"""`centerloss_mx._compat`: `import centerloss_mx` works where MXNet can, and says why where it cannot."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

from centerloss_mx import _compat

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
SCRIPT = REPOSITORY / 'centerloss_mx' / '_compat.py'


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        text=True,
        capture_output=True,
        timeout=120,
    )


def sentence(check, *arguments) -> str:
    with pytest.raises(ImportError) as caught:
        check(*arguments)
    text = str(caught.value)
    assert '\n' not in text
    return text


def fake_packages(folder: Path, **versions: str) -> str:
    """Write packages that only have a version; return the folder, for PYTHONPATH."""
    for name, version in versions.items():
        (folder / name).mkdir()
        (folder / name / '__init__.py').write_text(f'__version__ = {version!r}\n')
        (folder / name / 'libinfo.py').write_text(f'__version__ = {version!r}\n')
    return str(folder)


@pytest.mark.parametrize('version', ['3.8.0', '3.8.18', '3.11.7', '3.12.1', '3.12.0rc1'])
def test_supported_pythons_pass(version):
    _compat.check_python(version)


@pytest.mark.parametrize('version', ['2.7.18', '3.6.15', '3.7.16', '3.13.0', '3.13.0rc2', '3.20.1', '4.0.0'])
def test_other_pythons_are_refused_and_told_what_to_use(version):
    text = sentence(_compat.check_python, version)
    assert f'this is Python {version}' in text
    assert 'make test PYTHON=python3.11' in text


@pytest.mark.parametrize('version', ['1.17.5', '1.23.5', '1.24.0', '1.26.4', '1.27.0.dev0'])
def test_supported_numpys_pass(version):
    _compat.check_numpy(version)


@pytest.mark.parametrize('version', ['1.16.6', '1.17.4', '2.0.0', '2.0.0rc1', '2.1.3', '2.0'])
def test_other_numpys_are_refused_and_told_what_to_install(version):
    text = sentence(_compat.check_numpy, version)
    assert f'this is NumPy {version}' in text
    assert f"pip install 'numpy{_compat.NUMPY}'" in text


@pytest.mark.parametrize('version', ['1.6.0', '1.9.0', '2.0.0b1'])
def test_other_mxnets_are_refused_and_told_what_to_install(version):
    assert f"this is MXNet {version}: pip install 'mxnet{_compat.MXNET}'" in sentence(
        _compat.check_mxnet, version
    )


def test_a_missing_mxnet_is_to_be_installed_where_there_is_a_wheel(monkeypatch):
    monkeypatch.setattr(_compat, 'check_platform', lambda: None)
    assert (
        sentence(_compat.check_mxnet, None) == f"MXNet is not installed: pip install 'mxnet{_compat.MXNET}'"
    )


@pytest.mark.parametrize(
    'here', [('Linux', 'x86_64', 'glibc'), ('Linux', 'aarch64', 'glibc'), ('Darwin', 'x86_64', '')]
)
def test_platforms_with_a_wheel_pass(here):
    _compat.check_platform(*here)


@pytest.mark.parametrize(
    ('here', 'named'),
    [
        (('Windows', 'AMD64', ''), 'Windows on AMD64'),
        (('Darwin', 'arm64', ''), 'Darwin on arm64'),
        (('Linux', 'riscv64', 'glibc'), 'Linux on riscv64'),
        (('Linux', 'x86_64', ''), 'Linux on x86_64 without glibc'),
    ],
)
def test_platforms_without_a_wheel_are_refused_by_name(here, named):
    text = sentence(_compat.check_platform, *here)
    assert f'no wheel for {named}: use ' in text


def test_the_script_finds_nothing_wrong_here_and_says_nothing():
    pytest.importorskip('ensurepip')
    for arguments in [(SCRIPT,), (SCRIPT, 'packages')]:
        done = run(*arguments)
        assert (done.returncode, done.stdout) == (0, ''), done.stderr


def test_the_script_needs_no_package_and_imports_none():
    done = run('-S', '-X', 'importtime', SCRIPT)
    assert done.returncode == 0, done.stdout
    imported = {line.rpartition('|')[2].strip() for line in done.stderr.splitlines()}
    assert 'platform' in imported
    assert not imported & {'centerloss_mx', 'mxnet', 'numpy'}


def test_the_script_prints_one_sentence_and_no_traceback_where_mxnet_cannot_run(tmp_path):
    (tmp_path / 'sitecustomize.py').write_text(
        "import platform; platform.python_version = lambda: '3.13.0'\n"
    )
    done = run(SCRIPT, PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert done.stdout.count('\n') == 1
    assert done.stdout.startswith('MXNet 1.9.1 needs Python')
    assert 'Traceback' not in done.stderr


@pytest.mark.parametrize(
    ('packages', 'said'),
    [({'numpy': '2.1.0'}, 'this is NumPy 2.1.0'), ({'mxnet': '1.6.0'}, 'this is MXNet 1.6.0')],
)
def test_an_unsupported_package_makes_the_import_fail_with_the_same_sentence(tmp_path, packages, said):
    path = fake_packages(tmp_path, **packages)
    imported = run('-c', 'import centerloss_mx', PYTHONPATH=f'{path}{os.pathsep}{REPOSITORY}')
    last = imported.stderr.strip().splitlines()[-1]
    assert last.startswith('ImportError: ')
    assert said in last
    script = run(SCRIPT, 'packages', PYTHONPATH=path)
    assert (script.returncode, script.stdout.strip()) == (1, last[len('ImportError: ') :])


def test_a_library_that_mxnet_does_not_find_is_named(tmp_path):
    path = fake_packages(tmp_path, mxnet='1.9.1')
    (tmp_path / 'mxnet' / '__init__.py').write_text("raise OSError('libquadmath.so.0: cannot open')\n")
    done = run(SCRIPT, 'packages', PYTHONPATH=path)
    assert done.returncode == 1
    assert done.stdout.startswith('MXNet does not load (libquadmath.so.0: cannot open): install ')


def test_the_import_works_where_numpy_has_no_bool():
    done = run(
        '-c',
        "import numpy as np; vars(np).pop('bool', None)\n"
        'import centerloss_mx._compat\n'
        "assert vars(np)['bool'] is bool\n"
        'import mxnet\n'
        'assert mxnet.np.ones(2, dtype=bool).dtype == bool\n',
    )
    assert done.returncode == 0, done.stderr


def test_the_import_changes_only_np_bool_and_raises_no_warning():
    # As a module of its own: the package would go on to import MXNet, which does warn.
    done = run(
        '-W',
        'error',
        '-c',
        'import importlib.util, sys, warnings\n'
        'import numpy as np\n'
        'before, filters = dict(vars(np)), list(warnings.filters)\n'
        f"spec = importlib.util.spec_from_file_location('centerloss_mx._compat', {str(SCRIPT)!r})\n"
        'spec.loader.exec_module(importlib.util.module_from_spec(spec))\n'
        "assert set(vars(np)) - set(before) <= {'bool'}\n"
        'assert all(vars(np)[name] is value for name, value in before.items())\n'
        'assert warnings.filters == filters\n'
        "assert 'mxnet' not in sys.modules\n",
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(sys.version_info < (3, 12), reason='Python has its own distutils before 3.12')
def test_a_missing_setuptools_is_named_where_distutils_is_needed():
    hidden = "sys.meta_path.insert(0, type('Hide', (), {'find_spec': staticmethod(hide)}))"
    done = run(
        '-c',
        'import sys\n'
        'def hide(name, path=None, target=None):\n'
        "    if name.split('.')[0] in ('distutils', 'setuptools'):\n"
        '        raise ImportError(name)\n'
        'import importlib.util; find = importlib.util.find_spec\n'
        "importlib.util.find_spec = lambda name: None if name == 'distutils' else find(name)\n"
        f'{hidden}\n'
        'import centerloss_mx\n',
    )
    assert done.stderr.strip().splitlines()[-1].endswith(': pip install setuptools')


def test_a_half_imported_mxnet_does_no_harm():
    # As in a parameter server, which imports the optimizer while `import mxnet` has not returned.
    done = run(
        '-c',
        'import sys, types, importlib.util\n'
        "mxnet = importlib.util.module_from_spec(importlib.util.find_spec('mxnet'))\n"
        "sys.modules['mxnet'] = mxnet  # nothing in it yet, not even __version__\n"
        "package = types.ModuleType('centerloss_mx')\n"
        "package.__path__ = ['centerloss_mx']\n"
        "sys.modules['centerloss_mx'] = package\n"
        'from centerloss_mx import _compat\n'
        "assert not hasattr(mxnet, '__version__')\n",
    )
    assert done.returncode == 0, done.stderr


def test_setup_and_the_check_state_the_same_bounds():
    pytest.importorskip('setuptools')
    done = run(
        '-c',
        'import json, runpy, setuptools\n'
        'setuptools.setup = lambda **given: print(json.dumps(given))\n'
        "runpy.run_path('setup.py')\n",
    )
    given = json.loads(done.stdout)
    assert given['python_requires'] == _compat.PYTHON
    assert f'numpy{_compat.NUMPY}' in given['install_requires']
    assert f'mxnet{_compat.MXNET}' in given['install_requires']


def test_this_environment_is_within_the_bounds():
    import mxnet as mx

    _compat.check_python(platform.python_version())
    _compat.check_numpy(np.__version__)
    _compat.check_mxnet(mx.__version__)

"""`centerloss_mx._compat`: `import centerloss_mx` works where MXNet can, and says why where it cannot."""

from __future__ import annotations

import importlib.util
import platform
import runpy
import subprocess
import sys
from pathlib import Path

from centerloss_mx import _compat

import numpy as np
import pytest

SCRIPT = Path(_compat.__file__)
OPTIONAL = 'matplotlib', 'onnx', 'onnxruntime', 'PIL', 'sklearn', 'tqdm'


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        text=True,
        capture_output=True,
        timeout=120,
    )


@pytest.fixture
def printed_by_script(monkeypatch, capsys):
    """What the script prints where it finds something wrong, run in this process: starting one takes time."""

    def printed(*arguments):
        monkeypatch.setattr(sys, 'argv', [str(SCRIPT), *arguments])
        monkeypatch.setattr(sys, 'path', list(sys.path))  # it takes its own folder out
        with pytest.raises(SystemExit) as stopped:
            runpy.run_path(str(SCRIPT), run_name='__main__')
        assert stopped.value.code == 1
        text, newline, rest = capsys.readouterr().out.partition('\n')
        assert (newline, rest) == ('\n', '')
        return text

    return printed


@pytest.fixture
def fake_mxnet(monkeypatch, tmp_path):
    """Let an MXNet of some version, and of some contents, be the one that is installed."""

    def fake(version, contents=''):
        (tmp_path / 'mxnet').mkdir()
        (tmp_path / 'mxnet' / '__init__.py').write_text(contents)
        (tmp_path / 'mxnet' / 'libinfo.py').write_text(f'__version__ = {version!r}\n')
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, 'mxnet')

    return fake


def sentence(check, *arguments) -> str:
    with pytest.raises(ImportError) as caught:
        check(*arguments)
    text = str(caught.value)
    assert '\n' not in text
    return text


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


def test_the_script_finds_nothing_wrong_here_and_needs_no_package():
    pytest.importorskip('ensurepip')
    done = run('-S', '-X', 'importtime', SCRIPT)
    assert (done.returncode, done.stdout) == (0, ''), done.stderr
    imported = {line.rpartition('|')[2].strip() for line in done.stderr.splitlines()}
    assert 'platform' in imported
    assert not imported & {'centerloss_mx', 'mxnet', 'numpy'}


def test_the_script_prints_one_sentence_where_mxnet_cannot_run(monkeypatch, printed_by_script):
    monkeypatch.setattr(platform, 'python_version', lambda: '3.13.0')
    assert printed_by_script().startswith('MXNet 1.9.1 needs Python')


@pytest.mark.parametrize('package, version', [('NumPy', '2.1.0'), ('MXNet', '1.6.0')])
def test_an_unsupported_package_makes_the_import_fail_with_the_scripts_sentence(
    monkeypatch, printed_by_script, fake_mxnet, package, version
):
    if package == 'MXNet':
        fake_mxnet(version)
    else:
        monkeypatch.setattr(np, '__version__', version)
    spec = importlib.util.spec_from_file_location('centerloss_mx._compat', SCRIPT)
    with pytest.raises(ImportError, match=f'this is {package} {version}') as caught:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    assert printed_by_script('packages') == str(caught.value)


def test_a_library_that_mxnet_does_not_find_is_named(printed_by_script, fake_mxnet):
    fake_mxnet('1.9.1', "raise OSError('libquadmath.so.0: cannot open')")
    printed = printed_by_script('packages')
    assert printed.startswith('MXNet does not load (libquadmath.so.0: cannot open): install ')


def test_the_script_finds_no_fault_with_the_packages_here(monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', [str(SCRIPT), 'packages'])
    monkeypatch.setattr(sys, 'path', list(sys.path))
    runpy.run_path(str(SCRIPT), run_name='__main__')
    assert capsys.readouterr().out == ''


def test_the_import_works_where_numpy_has_no_bool_and_no_optional_package_is_there():
    done = run(
        '-c',
        'import sys\n'
        'import numpy as np\n'
        f'for name in {OPTIONAL}: sys.modules[name] = None  # importing it fails\n'
        "vars(np).pop('bool', None)\n"
        'import centerloss_mx\n'
        "assert vars(np)['bool'] is bool\n"
        'import mxnet\n'
        'assert mxnet.np.ones(2, dtype=bool).dtype == bool\n',
    )
    assert done.returncode == 0, done.stderr


def test_the_import_changes_only_np_bool_raises_no_warning_and_leaves_mxnet_alone():
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
        "assert 'mxnet' not in sys.modules\n"
        # As in a parameter server, which imports the optimizer while `import mxnet` has not returned:
        "mxnet = importlib.util.module_from_spec(importlib.util.find_spec('mxnet'))\n"
        "sys.modules['mxnet'] = mxnet  # nothing in it yet, not even __version__\n"
        'spec.loader.exec_module(importlib.util.module_from_spec(spec))\n'
        "assert not hasattr(mxnet, '__version__')\n",
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


def test_this_environment_is_within_the_bounds():
    import mxnet as mx

    _compat.check_python(platform.python_version())
    _compat.check_numpy(np.__version__)
    _compat.check_mxnet(mx.__version__)

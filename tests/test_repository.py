"""What holds across files: one home for each number, imports that point down, files that are short."""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from pathlib import Path
from typing import Iterator

from centerloss_mx import _compat

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / 'centerloss_mx'
FILES = sorted(PACKAGE.rglob('*.py'))
EXAMPLES = sorted((REPOSITORY / 'examples').glob('*.py'))

# From bottom to top. A module imports what is below it, and nothing of its own level.
LEVELS = [
    {'_compat', '_program'},
    {'_checks', '_choices', '_files', '_optional', '_source_options'},
    {'_class_balanced', '_mxnet'},
    {'operator'},
    {'symbol', 'gluon', 'evaluation'},
    {'optimizer', 'metric', 'io', 'row_table'},
    {'dataset', 'callback', '_register'},
    {'model'},
    {'module', 'model_zoo'},
    {'training', 'visualization'},
    {'cli', 'launch'},
    {'__init__', '__main__'},
]
LEVEL = {module: level for level, modules in enumerate(LEVELS) for module in modules}
OPTIONAL = {'matplotlib', 'PIL', 'sklearn', 'tqdm', 'onnx', 'onnxruntime'}
MOST_LINES = 400

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def read(path: Path) -> str:
    return path.read_text(encoding='utf-8')


@lru_cache(maxsize=None)
def parse(path: Path) -> ast.Module:
    return ast.parse(read(path), filename=str(path))


def top_module(path: Path) -> str:
    """The package or module of centerloss_mx that a file belongs to: 'symbol' for symbol/joint.py."""
    return path.relative_to(PACKAGE).with_suffix('').parts[0]


def imports(path: Path, nodes: Iterator[ast.AST]) -> set[str]:
    """Every imported name in full, `centerloss_mx.io.idx.read_idx` for `from .idx import read_idx` in io."""
    here = path.relative_to(REPOSITORY).with_suffix('').parts
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = [*here[: -node.level]] * bool(node.level) + [node.module] * bool(node.module)
            names.update('.'.join([*parts, alias.name]) for alias in node.names)
    return names


def imports_of_ours(path: Path) -> set[str]:
    """The packages and modules of centerloss_mx that a file imports, also inside its functions."""
    ours = [name.split('.') for name in imports(path, ast.walk(parse(path)))]
    return {
        parts[1] if len(parts) > 1 and parts[1] in LEVEL else '__init__'
        for parts in ours
        if parts[0] == 'centerloss_mx'
    }


def siblings(path: Path) -> set[Path]:
    """The files beside a file that it imports."""
    names = imports(path, ast.walk(parse(path)))
    files = {REPOSITORY.joinpath(*name.split('.')[:-1]).with_suffix('.py') for name in names}
    return {file for file in files if file.parent == path.parent and file.is_file()}


def run_on_import(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that importing a module runs: not what is in functions or under `if TYPE_CHECKING`."""
    for child in ast.iter_child_nodes(node):
        typing_only = isinstance(child, ast.If) and getattr(child.test, 'id', '') == 'TYPE_CHECKING'
        if not typing_only and not isinstance(child, (*FUNCTIONS, ast.Lambda)):
            yield child
            yield from run_on_import(child)


def shown_commands(text: str) -> Iterator[str]:
    """The code in Markdown: fenced, indented, or between backticks."""
    prose = re.sub(r'^```.*?\n(.*?)^```', '', text, flags=re.MULTILINE | re.DOTALL)
    yield from re.findall(r'^```.*?\n(.*?)^```', text, flags=re.MULTILINE | re.DOTALL)
    yield from re.findall(r'^    (.*)$', prose, flags=re.MULTILINE)
    yield from re.findall(r'`([^`\n]+)`', prose)


IDS = {'ids': lambda path: str(path.relative_to(REPOSITORY))}


def test_version_and_bounds_are_stated_once():
    files = [*FILES, *(REPOSITORY / name for name in ('setup.py', 'pyproject.toml', 'CITATION.cff'))]
    for value in f"'{_compat.VERSION}'", _compat.PYTHON, _compat.NUMPY, _compat.MXNET:
        assert [path.name for path in files if value in read(path)] == ['_compat.py']


def test_every_module_has_a_level():
    assert {top_module(path) for path in FILES} == set(LEVEL) | {'reference'}


@pytest.mark.parametrize('path', FILES, **IDS)
def test_imports_point_down(path):
    own = top_module(path)
    below = {module for module in LEVEL if LEVEL[module] < LEVEL.get(own, 0)}
    assert imports_of_ours(path) - {own} <= below


def test_the_files_of_a_package_import_in_no_circle():
    remaining = {path: siblings(path) for path in FILES if path.name != '__init__.py'}
    while True:
        free = {path for path, imported in remaining.items() if not imported & set(remaining)}
        if not free:
            break
        remaining = {path: imported for path, imported in remaining.items() if path not in free}
    assert not remaining


@pytest.mark.parametrize('path', FILES, **IDS)
def test_no_file_imports_a_private_name_of_another(path):
    for name in imports(path, ast.walk(parse(path))):
        module, _, last = name.rpartition('.')
        private_module = module == 'centerloss_mx' and last in LEVEL
        assert private_module or not (module.startswith('centerloss_mx') and last.startswith('_')), name


@pytest.mark.parametrize('path', FILES, **IDS)
def test_a_file_is_short(path):
    assert len(read(path).splitlines()) <= MOST_LINES


def test_the_package_imports_compat_before_what_needs_more_than_python():
    path = PACKAGE / '__init__.py'
    first, second = [node for node in parse(path).body if isinstance(node, (ast.Import, ast.ImportFrom))][:2]
    assert imports(path, iter([first])) == {'centerloss_mx._program'}
    assert imports(path, iter([second])) == {'centerloss_mx._compat'}
    program = PACKAGE / '_program.py'
    assert imports(program, ast.walk(parse(program))) == {
        'contextlib.suppress',
        'os',
        'signal',
        'sys',
        'typing.Optional',
    }


@pytest.mark.parametrize('path', [path for path in FILES if top_module(path) != 'visualization'], **IDS)
def test_optional_packages_are_imported_only_when_asked_for(path):
    names = imports(path, run_on_import(parse(path)))
    assert not {name.split('.')[0] for name in names} & OPTIONAL
    assert not any(name.startswith('centerloss_mx.visualization') for name in names)


@pytest.mark.parametrize('path', EXAMPLES, **IDS)
def test_examples_leave_the_reference_to_the_tests(path):
    assert not any(
        name.startswith('centerloss_mx.reference') for name in imports(path, ast.walk(parse(path)))
    )


def test_the_package_and_its_examples_leave_pytorch_to_the_benchmarks():
    names = {
        name.split('.')[0] for path in (*FILES, *EXAMPLES) for name in imports(path, ast.walk(parse(path)))
    }
    assert 'numpy' in names and 'torch' not in names


def test_the_shown_make_targets_exist():
    targets = set(re.findall(r'^([a-z-]+):', read(REPOSITORY / 'Makefile'), flags=re.MULTILINE))
    for name in ('README.md', 'CONTRIBUTING.md'):
        for code in shown_commands(read(REPOSITORY / name)):
            assert set(re.findall(r'^(?:\$ )?make ([a-z-]+)', code, flags=re.MULTILINE)) <= targets


def test_the_makefile_runs_scripts_that_exist():
    makefile = read(REPOSITORY / 'Makefile')
    modules = [
        f'{name.replace(".", "/")}.py' for name in re.findall(r'-m ((?:examples|benchmarks)\.\w+)', makefile)
    ]
    scripts = re.findall(r'(?:^|\s)((?:examples|centerloss_mx)/\S+\.py|\.ci/\S+)', makefile)
    assert modules and scripts
    for path in modules + scripts:
        assert (REPOSITORY / path).is_file(), path

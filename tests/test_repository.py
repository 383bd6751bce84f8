"""What holds across files: one home for each number, imports that point down, docstrings that tell all."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Iterator

from centerloss_mx import _compat

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / 'centerloss_mx'
MODULES = sorted(PACKAGE.glob('*.py'))
EXAMPLES = sorted((REPOSITORY / 'examples').glob('*.py'))

LEVELS = [
    {'rows'},
    {'operator', 'optimizer', 'metric'},
    {'model', 'io', 'dataset', 'model_zoo', 'module', 'gluon', 'symbol'},
    {'callback', 'visualization', 'evaluation', 'training'},
    {'__init__', '__main__', 'cli', 'launch'},
]
LEVEL = {module: level for level, modules in enumerate(LEVELS) for module in modules}
ASIDE = {'_compat', 'reference'}  # one serves every level, the other none
OPTIONAL = {'matplotlib', 'PIL', 'sklearn', 'tqdm'}
WITH_REFERENCES = {'operator', 'symbol', 'rows', 'evaluation', 'metric'}

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def read(path: Path) -> str:
    return path.read_text(encoding='utf-8')


def parse(path: Path) -> ast.Module:
    return ast.parse(read(path), filename=str(path))


def imports(nodes: Iterator[ast.AST]) -> set[str]:
    """Every imported name in full, `centerloss_mx.rows.check_labels` for `from .rows import check_labels`."""
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = ['centerloss_mx'] * bool(node.level) + [node.module] * bool(node.module)
            names.update('.'.join([*parts, alias.name]) for alias in node.names)
    return names


def imports_of_ours(path: Path) -> set[str]:
    """The modules of the package that a file imports, also inside its functions."""
    ours = [
        name.split('.') for name in imports(ast.walk(parse(path))) if name.split('.')[0] == 'centerloss_mx'
    ]
    modules = {module.stem for module in MODULES}
    return {parts[1] if len(parts) > 1 and parts[1] in modules else '__init__' for parts in ours}


def run_on_import(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that importing a module runs: not what is in functions or under `if TYPE_CHECKING`."""
    for child in ast.iter_child_nodes(node):
        typing_only = isinstance(child, ast.If) and getattr(child.test, 'id', '') == 'TYPE_CHECKING'
        if not typing_only and not isinstance(child, (*FUNCTIONS, ast.Lambda)):
            yield child
            yield from run_on_import(child)


def public_definitions() -> Iterator[tuple[str, ast.AST]]:
    for path in MODULES:
        tree = parse(path)
        public = None
        for node in tree.body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], 'id', '') == '__all__':
                public = ast.literal_eval(node.value)
        for node in tree.body:
            if isinstance(node, (*FUNCTIONS, ast.ClassDef)) and (
                node.name in public if public is not None else not node.name.startswith('_')
            ):
                yield path.stem, node


def methods(definition: ast.AST) -> list[ast.FunctionDef]:
    return [node for node in getattr(definition, 'body', []) if isinstance(node, FUNCTIONS)]


def parameters(definition: ast.AST) -> list[str]:
    """The names to be described; what *args and **kwargs stand for has names of its own."""
    if isinstance(definition, ast.ClassDef):
        fields = [node.target.id for node in definition.body if isinstance(node, ast.AnnAssign)]
        if any(getattr(base, 'id', '') == 'NamedTuple' for base in definition.bases):
            return fields
        inits = [method for method in methods(definition) if method.name == '__init__']
        return parameters(inits[0]) if inits else []
    arguments = definition.args
    names = [argument.arg for argument in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]]
    return [name for name in names if name not in ('self', 'cls')]


def returns_something(definition: ast.AST) -> bool:
    if isinstance(definition, ast.ClassDef) or definition.returns is None:
        return False
    return not (isinstance(definition.returns, ast.Constant) and definition.returns.value is None)


def may_raise(definition: ast.AST) -> bool:
    """Whether its own source raises, or calls something named check_… or parse_…."""
    for node in ast.walk(definition):
        if isinstance(node, ast.Raise):
            raised = getattr(node.exc, 'func', node.exc)
            if getattr(raised, 'id', '') != 'StopIteration':
                return True
        if isinstance(node, ast.Call):
            name = getattr(node.func, 'attr', getattr(node.func, 'id', '')).lstrip('_')
            # check_call is MXNet's, around its C functions
            if name.startswith(('check_', 'parse_')) and name != 'check_call':
                return True
    return False


def sections(docstring: str) -> dict[str, str]:
    """A numpydoc docstring by its headings; the summary and what follows it are under ''."""
    parts = re.split(r'^(\w[\w ]*)\n-{3,}\n', inspect.cleandoc(docstring) + '\n', flags=re.MULTILINE)
    return {'': parts[0], **dict(zip(parts[1::2], parts[2::2]))}


def described(section: str) -> set[str]:
    """The names at the section's margin, each before ` : type`; several may share a line."""
    heads = re.findall(r'^(\S[^:\n]*?)(?: :.*)?$', section, flags=re.MULTILINE)
    return {name.strip().lstrip('*`').rstrip('`') for head in heads for name in head.split(',')}


def shown_commands(text: str) -> Iterator[str]:
    """The code in Markdown: fenced, indented, or between backticks."""
    prose = re.sub(r'^```.*?\n(.*?)^```', '', text, flags=re.MULTILINE | re.DOTALL)
    yield from re.findall(r'^```.*?\n(.*?)^```', text, flags=re.MULTILINE | re.DOTALL)
    yield from re.findall(r'^    (.*)$', prose, flags=re.MULTILINE)
    yield from re.findall(r'`([^`\n]+)`', prose)


PUBLIC = [
    pytest.param(module, definition, id=f'{module}.{definition.name}')
    for module, definition in public_definitions()
]
PACKAGE_MODULES = [pytest.param(path, id=path.stem) for path in MODULES]


def test_version_and_bounds_are_stated_once():
    files = [*MODULES, *(REPOSITORY / name for name in ('setup.py', 'pyproject.toml', 'CITATION.cff'))]
    for value, home in [
        (f"'{_compat.VERSION}'", '_compat.py'),
        (_compat.PYTHON, '_compat.py'),
        (_compat.NUMPY, '_compat.py'),
        (_compat.MXNET, '_compat.py'),
    ]:
        assert [path.name for path in files if value in read(path)] == [home]


def test_the_package_has_a_level_for_each_of_its_modules():
    assert {path.stem for path in MODULES} <= set(LEVEL) | ASIDE


@pytest.mark.parametrize('path', PACKAGE_MODULES)
def test_imports_point_down(path):
    if path.stem in ASIDE:
        assert not imports_of_ours(path)
        return
    for imported in imports_of_ours(path) - {'_compat'}:
        assert imported != 'reference', 'reference stays independent of what it is to test'
        assert LEVEL[imported] <= LEVEL[path.stem], f'{path.stem} imports {imported}, which is above it'


def test_imports_run_in_no_circle():
    remaining = {path.stem: imports_of_ours(path) - {path.stem} for path in MODULES}
    while True:
        free = {module for module, imported in remaining.items() if not imported & set(remaining)}
        if not free:
            break
        remaining = {module: imported for module, imported in remaining.items() if module not in free}
    assert not remaining


def test_the_package_imports_compat_first():
    first = next(node for node in parse(PACKAGE / '__init__.py').body if not isinstance(node, ast.Expr))
    assert imports(iter([first])) == {'centerloss_mx._compat'}


@pytest.mark.parametrize(
    'path', [path for path in MODULES if path.stem != 'visualization'], ids=lambda path: path.stem
)
def test_optional_packages_are_imported_only_when_asked_for(path):
    names = imports(run_on_import(parse(path)))
    assert not {name.split('.')[0] for name in names} & OPTIONAL
    assert not any(name.startswith('centerloss_mx.visualization') for name in names)


def test_importing_the_package_loads_no_optional_package_that_mxnet_did_not():
    program = (
        'import numpy, sys; numpy.bool = bool; import mxnet; before = set(sys.modules)\n'
        'import centerloss_mx; print(*(set(sys.modules) - before))'
    )
    done = subprocess.run(
        [sys.executable, '-c', program], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True
    )
    loaded = {name.split('.')[0] for name in done.stdout.split()}
    assert 'centerloss_mx' in loaded
    assert not loaded & OPTIONAL


@pytest.mark.parametrize('path', EXAMPLES, ids=lambda path: path.stem)
def test_examples_leave_the_reference_to_the_tests(path):
    assert 'reference' not in imports_of_ours(path)


@pytest.mark.parametrize(('module', 'definition'), PUBLIC)
def test_public_docstrings_tell_all(module, definition):
    docstring = ast.get_docstring(definition)
    assert docstring, 'has no docstring'
    found = sections(docstring)

    summary, *more = found[''].splitlines()
    assert summary.rstrip().endswith(('.', '?')), f'first line is no sentence: {summary!r}'
    assert not more or not more[0].strip(), 'the summary is longer than one line'

    if module == 'reference':
        return  # its formulas are its documentation
    told = described(found.get('Parameters', '')) | described(found.get('Attributes', ''))
    assert set(parameters(definition)) - told == set(), 'parameters without a description'
    if returns_something(definition):
        assert {'Returns', 'Yields'} & set(found), 'returns something, but has no section Returns'
    if may_raise(definition):
        docstrings = [ast.get_docstring(method) or '' for method in methods(definition)]
        assert any('Raises' in sections(text) for text in [docstring, *docstrings]), (
            'raises, but has no section Raises'
        )
    if module in WITH_REFERENCES:
        assert 'References' in found, 'has no section References: which paper, which equation?'


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


def test_a_build_contains_the_data_and_the_type_marker(tmp_path):
    pytest.importorskip('setuptools')
    subprocess.run(
        [
            sys.executable,
            'setup.py',
            '--quiet',
            'build',
            '--build-base',
            tmp_path,
            '--build-lib',
            tmp_path / 'lib',
        ],
        cwd=REPOSITORY,
        check=True,
    )
    built = {path.relative_to(tmp_path / 'lib') for path in (tmp_path / 'lib').rglob('*') if path.is_file()}
    expected = [*MODULES, PACKAGE / 'py.typed', *(path for path in (PACKAGE / 'data').iterdir())]
    assert built == {path.relative_to(REPOSITORY) for path in expected}

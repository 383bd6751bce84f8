"""What README and the documentation show runs, and prints what they say; their links lead somewhere."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import centerloss_mx  # noqa: F401  before mxnet

import mxnet as mx
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
README = REPOSITORY / 'README.md'
PAGES = [README, *sorted((REPOSITORY / 'docs').rglob('*.md'))]
DISTRIBUTED = REPOSITORY / 'docs' / 'distributed.md'
FENCE = re.compile(r'^```(\S*)\n(.*?)^```$', flags=re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r'\d+\.\d+')
SECONDS = re.compile(r'\d+\.\d+ s$', flags=re.MULTILINE)  # they differ between machines
COMMAND = re.compile(r'^\$ centerloss-mx (.*)\n((?:[^$].*\n)*)', flags=re.MULTILINE)


def read(page):
    return page.read_text(encoding='utf-8')


def blocks(page):
    """(code, expected output or None) of each Python block, in order."""
    found = FENCE.findall(read(page))
    for (kind, text), (next_kind, next_text) in zip(found, [*found[1:], ('', '')]):
        if kind == 'python':
            yield text, next_text if next_kind == 'text' else None


def commands(page):
    """(arguments, expected output) of each `centerloss-mx` in console blocks, in order."""
    return [
        found
        for kind, text in FENCE.findall(read(page))
        if kind == 'console'
        for found in COMMAND.findall(text)
    ]


def some(pages):
    return [pytest.param(page, id=str(page.relative_to(REPOSITORY))) for page in pages]


def run(program, *arguments, cwd, timeout=300):
    done = subprocess.run(
        [sys.executable, *program, *arguments], cwd=cwd, capture_output=True, text=True, timeout=timeout
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.filterwarnings('ignore:Parameters already initialized')  # `fit` after `start_centers`
@pytest.mark.parametrize('page', some(page for page in PAGES if list(blocks(page))))
def test_every_block_runs_and_prints_what_the_page_says(page, tmp_path, monkeypatch, capsys):
    """One after the other, in a namespace of their own. Decimals may differ a little between machines."""
    monkeypatch.chdir(tmp_path)
    namespace = {'__name__': '__main__'}
    with mx.name.NameManager():  # MXNet numbers the layers without a name
        for code, shown in blocks(page):
            exec(compile(code, page.name, 'exec'), namespace)
            printed = capsys.readouterr().out
            if shown is not None:
                assert NUMBER.sub('#', printed) == NUMBER.sub('#', shown)
                assert decimals(printed) == pytest.approx(decimals(shown), rel=0.05)


def decimals(text):
    return [float(number) for number in NUMBER.findall(SECONDS.sub('', text))]


def test_there_are_blocks_to_run():
    pages = [page for page in PAGES if list(blocks(page))]
    assert README in pages
    assert len(pages) >= 8


@pytest.mark.slow
@pytest.mark.parametrize('page', some(page for page in PAGES if commands(page)))
def test_the_commands_run_and_print_what_the_page_says(page, tmp_path):
    """All lines but for their numbers; those of tables within what another machine may change."""
    for command, shown in commands(page):
        printed = run(['-m', 'centerloss_mx'], *shlex.split(command), cwd=tmp_path)
        assert ' '.join(NUMBER.sub('#', printed).split()) == ' '.join(NUMBER.sub('#', shown).split())
        tables = [
            [
                float(number)
                for line in text.splitlines()
                if line[:1] == ' '
                for number in NUMBER.findall(line)
            ]
            for text in (printed, shown)
        ]
        assert tables[0] == pytest.approx(tables[1], rel=0.2)


def test_the_page_of_the_command_line_shows_the_path_from_digits_to_onnx():
    shown = [command.split()[0] for command, _ in commands(REPOSITORY / 'docs' / 'command-line.md')]
    assert shown == ['train', 'embed', 'embed', 'evaluate', 'evaluate', 'plot', 'export']


@pytest.mark.slow
def test_the_block_for_many_devices_runs_on_several_workers(tmp_path):
    code, shown = next((code, shown) for code, shown in blocks(DISTRIBUTED) if 'mx.kv.create' in code)
    script = tmp_path / 'train.py'
    script.write_text(code.replace("mx.kv.create('device')", "mx.kv.create('dist_sync')"), encoding='utf-8')
    launch = ['-m', 'centerloss_mx.launch', '-n', '2', '--', sys.executable, str(script)]
    printed = run(launch, cwd=tmp_path, timeout=120)
    assert sorted(printed.splitlines()) == [f'worker {rank} | {shown.strip()}' for rank in (0, 1)]


def anchors(page):
    headings = re.findall(r'^#+ (.+)$', FENCE.sub('', read(page)), flags=re.MULTILINE)
    return {re.sub(r'[^\w -]', '', heading).lower().replace(' ', '-') for heading in headings}


@pytest.mark.parametrize(
    'page', some(PAGES + [REPOSITORY / f'{name}/README.md' for name in ('examples', 'benchmarks')])
)
def test_the_pictures_pages_and_headings_it_links_to_are_there(page):
    for link in re.findall(r'\]\((?!http)([^)]+)\)', FENCE.sub('', read(page))):
        path, _, anchor = link.partition('#')
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_the_readme_fits_on_a_page():
    assert len(README.read_bytes()) <= 8192


def test_every_page_is_reached_from_a_table_of_contents():
    listed = {
        (page.parent / name).with_suffix('.md').resolve()
        for page in PAGES[1:]
        for kind, text in FENCE.findall(read(page))
        if kind == '{toctree}'
        for name in text.split()
    }
    assert {page.resolve() for page in PAGES[1:]} - listed == {REPOSITORY / 'docs' / 'index.md'}


def test_the_reference_has_a_page_for_each_public_module():
    package = REPOSITORY / 'centerloss_mx'
    modules = {
        path.stem for path in package.iterdir() if path.name[0] != '_' and path.name not in ('cli', 'data')
    }
    modules -= {'reference', 'py'}
    pages = {path.stem for path in (REPOSITORY / 'docs' / 'reference').glob('*.md')} - {'index'}
    assert pages == modules


def test_the_page_of_faults_has_each_module_of_faults():
    modules = {path.stem for path in (REPOSITORY / 'centerloss_mx' / '_mxnet').glob('[a-z]*.py')}
    shown = re.findall(
        r'automodule:: centerloss_mx\._mxnet\.(\w+)', read(REPOSITORY / 'docs' / 'mxnet-faults.md')
    )
    assert set(shown) == modules

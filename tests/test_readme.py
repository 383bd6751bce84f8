"""What the README shows runs, and prints what it says."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[1] / 'README.md'
NUMBER = re.compile(r'\d+\.\d+')


def blocks():
    """(code, expected output or None) of each Python block, in order."""
    found = re.findall(r'```(python|text)\n(.*?)```', README.read_text(encoding='utf-8'), flags=re.DOTALL)
    for i, (kind, text) in enumerate(found):
        if kind == 'python':
            after = found[i + 1] if i + 1 < len(found) else ('', '')
            yield text, after[1] if after[0] == 'text' else None


def test_every_block_runs_and_prints_what_the_readme_says(tmp_path):
    """In one process, one after the other. Printed decimals may differ a little between machines."""
    marker = '--- next block ---'
    program = f'\nprint({marker!r})\n'.join(code for code, _ in blocks())
    done = subprocess.run(
        [sys.executable, '-c', program], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    printed = done.stdout.split(f'{marker}\n')
    expected = [output for _, output in blocks()]
    assert len(printed) == len(expected) >= 4
    for actual, shown in zip(printed, expected):
        if shown is not None:
            assert NUMBER.sub('#', actual) == NUMBER.sub('#', shown)
            close = pytest.approx([float(number) for number in NUMBER.findall(shown)], rel=0.05)
            assert [float(number) for number in NUMBER.findall(actual)] == close


@pytest.mark.slow
def test_the_whole_path_on_the_command_line_runs_and_prints_what_the_readme_says(tmp_path):
    """All lines but for their numbers; those of tables within what another machine may change."""
    block = re.search(r'```console\n(.*?)```', README.read_text(encoding='utf-8'), flags=re.DOTALL).group(1)
    commands = re.findall(r'^\$ centerloss-mx (.*)\n((?:[^$].*\n)*)', block, flags=re.MULTILINE)
    assert [command.split()[0] for command, _ in commands] == [
        'train', 'embed', 'embed', 'evaluate', 'evaluate', 'plot', 'export'
    ]  # fmt: skip
    for command, shown in commands:
        done = subprocess.run(
            [sys.executable, '-m', 'centerloss_mx', *shlex.split(command)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert ' '.join(NUMBER.sub('#', done.stdout).split()) == ' '.join(NUMBER.sub('#', shown).split())
        tables = [
            [
                float(number)
                for line in text.splitlines()
                if line[:1] == ' '
                for number in NUMBER.findall(line)
            ]
            for text in (done.stdout, shown)
        ]
        assert tables[0] == pytest.approx(tables[1], rel=0.2)


@pytest.mark.slow
def test_the_block_for_many_devices_runs_on_several_workers(tmp_path):
    code, shown = next((code, shown) for code, shown in blocks() if 'mx.kv.create' in code)
    script = tmp_path / 'train.py'
    script.write_text(code.replace("mx.kv.create('device')", "mx.kv.create('dist_sync')"))
    launch = [sys.executable, '-m', 'centerloss_mx.launch', '-n', '2', '--', sys.executable, str(script)]
    done = subprocess.run(launch, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(done.stdout.splitlines()) == [f'worker {rank} | {shown.strip()}' for rank in (0, 1)]


def test_the_pictures_files_and_headings_it_names_are_there():
    text = README.read_text(encoding='utf-8')
    headings = re.findall(r'^#+ (.+)$', text, flags=re.MULTILINE)
    anchors = {'#' + re.sub(r'[^\w -]', '', heading).lower().replace(' ', '-') for heading in headings}
    links = re.findall(r'\]\((?!http)([^)]+)\)', text)
    assert links
    for link in links:
        assert link in anchors if link.startswith('#') else (README.parent / link).exists(), link

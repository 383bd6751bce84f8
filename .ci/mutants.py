"""Mutation testing: break the code on purpose, in one place at a time, and see whether a test notices.

    make mutants ARGS="--number 50 --seed 2 --parts metric.py evaluation"

Cosmic Ray makes the mutants: another operator, comparison, number or condition. Each mutant of a random
sample is tested with the fast tests of its part, in a copy of the repository in a temporary folder. Mutants
that no test notices are printed as diffs, and at the end the share that the tests have killed. Some mutants
compute the same as the code: the share counts them as survivors.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from cosmic_ray.commands.init import init
from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.testing import run_tests
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec, TestOutcome

PARTS = {  # a part of the package, and its own tests; those of all defaults are added
    '_class_balanced.py': 'tests/io/test_class_balanced_iter.py',
    'operator': 'tests/operator',
    'symbol': 'tests/symbol',
    'optimizer.py': 'tests/test_optimizer.py',
    'metric.py': 'tests/test_metric.py',
    'evaluation': 'tests/evaluation',
    'module': 'tests/module',
    'row_table': 'tests/row_table',
    'model': 'tests/model',
    'training': 'tests/training',
}
COPIED = ['centerloss_mx', 'tests', 'examples', 'pyproject.toml']
ANNOTATION = (
    'ReplaceBinaryOperator_BitOr_'  # `int | None`: nearly all are in annotations, which nothing evaluates
)


def tests(part: str) -> str:
    """The command that tests a part."""
    options = '-x -q -m "not slow" -p no:cacheprovider'
    return f'{sys.executable} -m pytest {options} {PARTS[part]} tests/test_defaults.py'


def mutants(part: str) -> list[tuple[str, MutationSpec]]:
    """All mutants of a part."""
    path = Path('centerloss_mx') / part
    with use_db(':memory:', WorkDB.Mode.create) as database:
        init([path] if path.is_file() else sorted(path.glob('*.py')), database, {})
        found = [mutation for item in database.work_items for mutation in item.mutations]
    return [(part, mutant) for mutant in found if ANNOTATION not in mutant.operator_name]


def enter_copy(folder: str) -> None:
    """Work in a copy of one's own: the files that git knows, and the compiled kernel."""
    copy = Path(tempfile.mkdtemp(dir=folder))
    listed = subprocess.run(['git', 'ls-files', '-z', *COPIED], stdout=subprocess.PIPE, check=True).stdout
    names = [os.fsdecode(name) for name in listed.split(b'\0') if name]
    for name in [*names, *map(str, Path('centerloss_mx').rglob('*.so'))]:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(name, copy / name)
    os.chdir(copy)
    os.environ.update(PYTHONPATH=str(copy), OMP_NUM_THREADS='1')


def seconds(part: str) -> float:
    """How long the tests of a part take without a mutant; they have to pass."""
    begin = time.monotonic()
    outcome, output = run_tests(tests(part), timeout=None)
    if outcome != TestOutcome.SURVIVED:
        raise RuntimeError(f'{PARTS[part]} fails without any mutant:\n{output}')
    return time.monotonic() - begin


def is_killed(part: str, mutant: MutationSpec, timeout: float) -> tuple[str, bool, str]:
    """Test a mutant: its part, whether a test fails or does not end, and the mutant as a diff."""
    result = mutate_and_test([mutant], tests(part), timeout)
    if result.test_outcome not in (TestOutcome.KILLED, TestOutcome.SURVIVED):
        raise RuntimeError(f'{mutant} could not be tested:\n{result.output}')
    return part, result.test_outcome == TestOutcome.KILLED, result.diff


def main() -> None:
    """Test a sample, and print the share killed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--number', type=int, default=250, help='mutants to test (default: 250)')
    parser.add_argument('--seed', type=int, default=1, help='of the sample (default: 1)')
    parser.add_argument('--parts', nargs='+', choices=PARTS, default=list(PARTS), metavar='PART')
    parser.add_argument(
        '--jobs', type=int, default=os.cpu_count(), help='processes (default: all processors)'
    )
    args = parser.parse_args()
    os.chdir(Path(__file__).parent.parent)
    every = [mutant for part in args.parts for mutant in mutants(part)]
    sample = random.Random(args.seed).sample(every, min(args.number, len(every)))
    print(f'{len(sample)} of {len(every)} mutants of {", ".join(args.parts)}, seed {args.seed}', flush=True)
    number, killed = Counter(part for part, _ in sample), Counter()
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(
        args.jobs, initializer=enter_copy, initargs=[folder]
    ) as pool:
        limits = {part: 60 + 5 * taken for part, taken in zip(number, pool.map(seconds, number))}
        running = [pool.submit(is_killed, part, mutant, limits[part]) for part, mutant in sample]
        for part, dead, diff in (each.result() for each in running):
            killed[part] += dead
            print('.' if dead else f'\n{diff}', end='' if dead else '\n', flush=True)
    print(f'\n\n{"part":12} mutants killed share')
    number['all'], killed['all'] = sum(number.values()), sum(killed.values())
    for part in number:
        print(f'{part:12} {number[part]:7} {killed[part]:6} {killed[part] / number[part]:6.1%}')


if __name__ == '__main__':
    main()

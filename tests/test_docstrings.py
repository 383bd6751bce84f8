"""The examples in the docstrings run, and give what they show."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import centerloss_mx

import mxnet as mx
import numpy as np
import pytest

PACKAGE = Path(centerloss_mx.__file__).parent
MODULES = sorted(
    '.'.join(path.relative_to(PACKAGE).with_suffix('').parts)
    for path in PACKAGE.rglob('*.py')
    if path.name[0] != '_'
)


@pytest.mark.parametrize('name', MODULES)
def test_the_examples_of_the_docstrings_are_true(name):
    module = importlib.import_module(f'centerloss_mx.{name}')
    public = vars(importlib.import_module(f'centerloss_mx.{name.partition(".")[0]}'))
    failed, _ = doctest.testmod(module, extraglobs={**public, **vars(module), 'mx': mx, 'np': np})
    assert failed == 0


def test_there_are_examples_to_run():
    finder = doctest.DocTestFinder()
    modules = [importlib.import_module(f'centerloss_mx.{name}') for name in MODULES]
    run = [
        example
        for module in modules
        for test in finder.find(module)
        for example in test.examples
        if not example.options.get(doctest.SKIP)
    ]
    assert len(run) > 15

"""The recipes: the example in Python and the command on their page are the same training."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

from centerloss_mx.cli import main
from centerloss_mx.training import read_history

import numpy as np
import pytest
from makers import patterned_pictures

REPOSITORY = Path(__file__).resolve().parents[2]
EPOCHS = 10
# What depends on the number of epochs, which is smaller here, and on the pictures, which are arrays here.
OTHER = {
    'reid': ['--num-epochs', str(EPOCHS), '--lr-steps', '5,7', '--lr-warmup', '1'],
    'face': ['--num-epochs', str(EPOCHS)],
}


@pytest.fixture(scope='module')
def people(tmp_path_factory):
    """Sixteen people, four pictures each, under much noise."""
    path = tmp_path_factory.mktemp('people') / 'people.npz'
    images, labels = patterned_pictures(16, 4, size=16, seed=0)
    noise = np.random.RandomState(0).randint(0, 256, images.shape)  # that neither training is perfect
    np.savez(path, images=(0.2 * images + 0.8 * noise).astype(np.uint8), labels=labels)
    return path


def command(number):
    """The arguments of the page's command for a recipe, but for the source and the size of pictures."""
    page = (REPOSITORY / 'docs' / 'recipes.md').read_text(encoding='utf-8')
    trainings = re.findall(r'^centerloss-mx (train (?:.*\\\n)*.*)$', page, flags=re.MULTILINE)
    train, _, *options = shlex.split(trainings[number].replace('\\\n', ' '))
    size = options.index('--image-size')
    return [train, *options[:size], *options[size + 2 :]]


@pytest.mark.slow
@pytest.mark.parametrize('number, name', [*enumerate(OTHER)])
def test_the_example_and_the_command_are_one_training(number, name, people, tmp_path):
    script = str(REPOSITORY / 'examples' / f'{name}_recipe.py')
    options = [str(people), '--num-splits', '1', '--num-epochs', str(EPOCHS)]
    done = subprocess.run([sys.executable, script, *options], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    title, softmax, recipe = done.stdout.splitlines()[-3:]
    assert title.split() == ['%', 'of', 'unseen', 'classes', 'precision@1', 'MAP@R', 'TAR@FAR=0.001']
    numbers = [re.findall(r'([\d.]+|nan) ±', line) for line in (softmax, recipe)]
    assert numbers[0] != numbers[1], 'two trainings are one and the same'

    train, *options = command(number)
    prefix = str(tmp_path / 'net')
    main([train, str(people), *options, *OTHER[name], '--seed', '0', '-o', prefix])
    last = read_history(f'{prefix}-history.csv')[-1]
    assert numbers[1][0] == f'{100 * last["test_precision_at_1"]:.1f}'

"""The example that trains on some people and verifies others."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path

from centerloss_mx.dataset import Arrays

import numpy as np
import pytest
from makers import patterned_pictures
from PIL import Image

SCRIPT = Path(__file__).resolve().parents[2] / 'examples' / 'faces.py'
SHORT = ['--num-splits', '2', '--num-epochs', '2', '--num-folds', '2', '--embedding-dim', '8']
PEOPLE, EACH = 10, 6
SOURCES = (
    'does not exist; expected a folder of class folders, a .rec, .npz, .csv or idx file, '
    'or one of digits, lfw, olivetti'
)


@pytest.fixture(scope='module')
def pictures():
    """Ten people, six pictures each: a pattern of their own under noise."""
    return patterned_pictures(PEOPLE, EACH, size=32, seed=0)


def run(*arguments):
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)], capture_output=True, text=True, timeout=300
    )


@pytest.fixture(scope='module')
def done(pictures, tmp_path_factory):
    folder = tmp_path_factory.mktemp('faces')
    np.savez(folder / 'faces.npz', images=pictures[0], labels=pictures[1])
    return run(folder / 'faces.npz', *SHORT, '--output', folder / 'output'), folder / 'output'


@pytest.mark.slow
def test_it_prints_a_table_and_draws_pictures(done):
    job, output = done
    assert job.returncode == 0, job.stderr
    lines = job.stdout.splitlines()
    assert lines[0] == '60 pictures of 10 people; 5 to train on, the others to verify, 2 splits'
    # folds of 2 and 3 people with 30 and 45 genuine pairs, 36 and 108 impostor pairs
    assert '75 genuine and 75 impostor pairs a split' in lines
    table = {line[:14].strip(): line[14:].split() for line in lines if line.startswith(('softmax', 'center'))}
    results = json.loads((output / 'results.json').read_text())['splits']
    for title, loss in {'softmax only': 'softmax', 'center loss': 'center_loss'}.items():
        accuracies = 100 * np.array([split['accuracy'] for split in results[loss]])
        assert table[title][:3] == [f'{accuracies.mean():.1f}', '±', f'{accuracies.std(ddof=1):.1f}']
    for name in 'roc.png', 'pairs.png':
        with Image.open(output / name) as picture:
            assert min(picture.size) > 400


@pytest.mark.slow
def test_nobody_is_trained_on_and_verified(pictures, monkeypatch):
    example = runpy.run_path(str(SCRIPT))
    seen = {}

    def train(loss, samples, split, args):
        seen['trained'] = {int(i) for i in samples.images[:, 0, 0, 0]}
        assert sorted(set(samples.labels)) == list(range(4))
        assert [samples.class_names[j] for j in samples.labels] == names(samples)

    def evaluate(extractor, samples, split, args):
        seen['verified'] = {int(i) for i in samples.images[:, 0, 0, 0]}
        assert [samples.class_names[j] for j in samples.labels] == names(samples)

    def names(samples):
        return [f'person {i:.0f}' for i in samples.images[:, 0, 0, 0]]

    run_split = example['run_split']
    monkeypatch.setitem(run_split.__globals__, 'train', train)
    monkeypatch.setitem(run_split.__globals__, 'evaluate', evaluate)
    labels = pictures[1]
    images = np.zeros((len(labels), 1, 2, 2)) + labels[:, np.newaxis, np.newaxis, np.newaxis]
    faces = Arrays(images, labels, [f'person {i}' for i in range(PEOPLE)])
    splits = []
    for split in 1, 2:
        run_split(faces, split, 4, None)
        assert len(seen['trained']) == 4 and seen['trained'] | seen['verified'] == set(range(PEOPLE))
        splits.append(seen['trained'])
    assert splits[0] != splits[1]


@pytest.mark.slow
def test_folders_and_arrays_are_the_same_faces(pictures, tmp_path):
    example = runpy.run_path(str(SCRIPT))
    for i, (picture, label) in enumerate(zip(*pictures)):
        (tmp_path / 'all' / f'{label:02}').mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(tmp_path / 'all' / f'{label:02}' / f'{i:03}.png')
    np.savez(tmp_path / 'all.npz', images=pictures[0], labels=pictures[1])
    of_folder = example['load_faces'](str(tmp_path / 'all'), 32)
    of_arrays = example['load_faces'](str(tmp_path / 'all.npz'), 32)
    np.testing.assert_array_equal(of_folder.labels, of_arrays.labels)
    assert of_folder.images.shape == (60, 3, 32, 32) and of_arrays.images.shape == (60, 1, 32, 32)
    restored = of_folder.images[:, 0] * 58.395 + 123.68
    np.testing.assert_allclose(restored, 255 * of_arrays.images[:, 0], atol=1e-3)


@pytest.mark.parametrize('options, message', [
    (['none.npz'], f'faces.py: none.npz {SOURCES}'),
    (['none'], f'faces.py: none {SOURCES}'),
    (['none', '--num-epochs', '0'], 'argument --num-epochs: 0: expected 1 or more'),
])  # fmt: skip
def test_bad_options_end_in_one_sentence(refused_by, options, message):
    assert message in refused_by(SCRIPT, *options)

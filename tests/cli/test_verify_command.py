"""`evaluate verify --pairs`, as a user of published pairs runs it."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

from centerloss_mx import evaluation
from centerloss_mx.dataset import load_pairs
from centerloss_mx.model import Features, feature_extractor, load_features, save_features

import numpy as np
import pytest
from cli_data import CLASSES, EACH, TRAIN
from insightface_program import insightface_program
from PIL import Image


@pytest.fixture
def pairs_of_pictures(data):
    """Files of 60 pairs, two files each, every second one genuine."""
    files, rng = sorted((data / 'all').glob('*/*.png')), np.random.RandomState(20161008)
    found = []
    for number in range(60):
        one, other = rng.permutation(CLASSES)[:2] * EACH
        i, j = rng.permutation(EACH)[:2]
        found.append((files[one + i], files[(other if number % 2 else one) + j]))
    return found


@pytest.mark.slow  # it trains
def test_a_bin_file_gives_the_figures_of_insightface(data, pairs_of_pictures, call, refused):
    same = np.arange(60) % 2 == 0
    contents = [np.frombuffer(file.read_bytes(), np.uint8) for pair in pairs_of_pictures for file in pair]
    Path('lfw.bin').write_bytes(pickle.dumps((contents, same.tolist())))
    call('train', data / 'all', '-o', 'net', '--image-size', 32, *TRAIN)
    printed = call('embed', 'net', 'lfw.bin', '-o', 'lfw.npz', '--flip', 'sum')
    assert printed.startswith('lfw.npz: 120 features of 3 dimensions, 0 classes')
    printed = call('evaluate', 'verify', 'lfw.npz', '--pairs', 'lfw.bin')
    results = json.loads(Path('lfw-verify.json').read_text())['results']

    pixels = np.stack(
        [np.array(Image.open(file).convert('RGB')) for pair in pairs_of_pictures for file in pair]
    )
    mean, std = np.array([123.68, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
    images = ((pixels - mean) / std).transpose(0, 3, 1, 2).astype(np.float32)
    extractor = feature_extractor('net')
    embeddings = extractor.predict(images) + extractor.predict(images[..., ::-1].copy())
    names = ['accuracy', 'accuracy_std', 'tar_at_far_0.001', 'tar_at_far_0.001_std', 'far']
    found = [results[f'insightface_{name}'] for name in names]
    np.testing.assert_allclose(found, insightface_program(embeddings, same), rtol=0, atol=1e-6)
    features = load_features('lfw.npz')
    expected = evaluation.verify(features.features, load_pairs('lfw.bin'))
    assert (results['accuracy'], results['num_genuine']) == (expected.accuracy, 30)
    assert results['seen_in_training'] is None
    assert f'{"insightface accuracy":28} {found[0]:>13.4f}' in printed
    status, line = refused('evaluate', 'verify', 'lfw.npz', '-o', 'x.json')
    assert status == 1 and 'lfw.npz: ' in line and 'label' in line  # pairs cannot be drawn


@pytest.fixture
def random_features(pairs_of_pictures, tmp_path):
    """Features of all pictures of the pairs, with their files as names, and the pairs in three columns."""
    names = sorted({str(file) for pair in pairs_of_pictures for file in pair})
    labels = np.array([int(Path(name).parent.name[1:]) for name in names])
    rng = np.random.RandomState(1)
    values = rng.randn(CLASSES, 4)[labels] + rng.randn(len(names), 4)
    classes = [f'c{number}' for number in range(CLASSES)]
    save_features(tmp_path / 'features.npz', Features(values, labels, classes, names, trained_on=['q']))
    lines = [
        f'{one.relative_to(one.parents[1])}\t{other.relative_to(one.parents[1])}\t{1 - number % 2}\n'
        for number, (one, other) in enumerate(pairs_of_pictures)
    ]
    (tmp_path / 'pairs.tsv').write_text(''.join(lines))
    return values, names


def test_pairs_in_columns_are_verified_in_their_folds(call, random_features, pairs_of_pictures):
    values, names = random_features
    call('evaluate', 'verify', 'features.npz', '--pairs', 'pairs.tsv', '--num-components', 2)
    content = json.loads(Path('features-verify.json').read_text())
    rows = [[names.index(str(file)) for file in pair] for pair in pairs_of_pictures]
    first, second = np.transpose(rows)
    pairs = evaluation.Pairs(first, second, np.arange(60) % 2 == 0, np.repeat(np.arange(10), 6))
    expected = evaluation.verify(values, pairs, num_components=2)
    assert content['results']['accuracy'] == expected.accuracy
    assert content['results']['seen_in_training'] is False
    assert content['options']['pairs'] == 'pairs.tsv' and content['options']['seed'] is None
    call('evaluate', 'verify', 'features.npz', '--num-folds', 2, '--force')
    content = json.loads(Path('features-verify.json').read_text())
    assert [content['options'][name] for name in ('num_folds', 'num_pairs', 'seed')] == [2, 300, 0]
    assert not any(name.startswith('insightface') for name in content['results'])


@pytest.mark.parametrize('options, message', [
    (['--pairs', 'pairs.tsv', '--num-folds', 10], '--num-folds: the pairs and folds are those of --pairs'),
    (['--pairs', 'pairs.tsv', '--num-pairs', 10], '--num-pairs: the pairs and folds are those of --pairs'),
    (['--pairs', 'pairs.tsv', '--seed', 0], '--seed: the pairs and folds are those of --pairs pairs.tsv;'),
    (['--pairs', 'none.tsv'], 'none.tsv does not exist; expected a file of pairs'),
    (['--pairs', 'short.tsv'], 'short.tsv, line 3: x.png is none of the '),
])  # fmt: skip
def test_pairs_that_cannot_be_verified_are_refused(options, message, refused, random_features, tmp_path):
    lines = (tmp_path / 'pairs.tsv').read_text().splitlines()
    lines[2] = 'x.png\tx.png\t1'
    (tmp_path / 'short.tsv').write_text('\n'.join(lines))
    status, line = refused('evaluate', 'verify', 'features.npz', *options)
    assert status == 1 and message in line and not Path('features-verify.json').exists()

"""AT&T's faces through a folder of .pgm files, records of InsightFace's kind, and an .npz file."""

from __future__ import annotations

import json
from pathlib import Path

from centerloss_mx.model import load_features

import numpy as np
import pytest
from makers import png, write_insightface
from PIL import Image

FACES = Path(__file__).parents[3] / 'shared' / 'data' / 'orl' / 'orl_faces.npz'
PEOPLE = 8


@pytest.fixture
def faces():
    """Ten pictures of each person, uint8 (N, 112, 92), and the person of each."""
    if not FACES.is_file():
        pytest.skip(f'{FACES} does not exist')
    with np.load(FACES) as arrays:
        images, labels = arrays['images'].reshape(-1, 112, 92), arrays['labels']
    some = np.isin(labels, np.unique(labels)[:PEOPLE])
    return images[some], np.unique(labels[some], return_inverse=True)[1]


@pytest.mark.slow
def test_the_same_faces_have_the_same_features_and_pairs_from_each_source(faces, call):
    images, people = faces
    for row, (pixels, person) in enumerate(zip(images, people)):
        path = Path('pgm') / str(person) / f'{row:03}.pgm'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    color = images[..., np.newaxis].repeat(3, axis=3)
    write_insightface(Path('faces.rec'), people.tolist(), [png(pixels) for pixels in color])
    np.savez('faces.npz', images=color, labels=people)
    options = ['--image-size', '112,92', '--mean', 0, '--std', 255, '--network', 'lenet', '--num-epochs', 2]
    call(
        'train',
        'pgm',
        '-o',
        'net',
        *options,
        '--embedding-dim',
        16,
        '--split',
        'classes',
        '--test-share',
        0.5,
    )
    found, tables = [], []
    for source in 'pgm', 'faces.rec', 'faces.npz':
        call('embed', 'net', source, '-o', 'x.npz', '--force')
        found.append(load_features('x.npz'))
        call('evaluate', 'verify', 'x.npz', '--num-folds', 4, '--num-pairs', 40, '--allow-trained', '--force')
        tables.append(json.loads(Path('x-verify.json').read_text())['results'])
    for features in found[1:]:
        np.testing.assert_allclose(features.features, found[0].features, rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(features.classes, found[0].classes)
    assert len(found[0].features) == 10 * PEOPLE and found[0].features.std() > 0.01
    assert tables[1] == pytest.approx(tables[0]) and tables[2] == pytest.approx(tables[0])
    assert 0.5 < tables[0]['accuracy'] <= 1

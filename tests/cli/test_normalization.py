"""Files, records and arrays of the same pixels give one network the same features, or are refused."""

from __future__ import annotations

import json

from centerloss_mx.model import load_features

import numpy as np
import pytest
from cli_data import TRAIN
from makers import random_pictures, write_folder, write_records

LABELS = [0, 0, 0, 1, 1, 1, 2, 2, 2, 2]
NET = ['--network', 'lenet', '--test-share', 0, *TRAIN]
PLAIN = ['--mean', 0, '--std', 255]


@pytest.fixture
def sources(tmp_path):
    """The same pixels as a folder of .png files, a .rec file and an .npz file."""
    pixels = random_pictures(len(LABELS), 24, 20)
    write_folder(tmp_path / 'folder', LABELS, pixels)
    write_records(tmp_path / 'all.rec', LABELS, pixels)
    np.savez(tmp_path / 'all.npz', images=pixels, labels=LABELS)
    return ['folder', 'all.rec', 'all.npz']


def features(call, net, source, *options):
    call('embed', net, source, '-o', 'x.npz', '--force', *options)
    return load_features('x.npz').features


@pytest.mark.parametrize('trained_on', ['folder', 'all.rec', 'all.npz'])
def test_the_same_pixels_give_the_same_features(sources, call, trained_on):
    options = [] if trained_on == 'all.npz' else [*PLAIN, '--image-size', '24,20']
    call('train', trained_on, '-o', 'net', *NET, *options)
    found = []
    for source in sources:
        size = [] if source == 'all.npz' else [*PLAIN, '--image-size', '24,20']
        found.append(features(call, 'net', source, *size))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_another_normalization_than_that_of_the_training_is_refused(sources, call, refused):
    call('train', 'folder', '-o', 'net', *NET, '--image-size', '24,20', '--no-normalize')
    expected = features(call, 'net', 'folder')
    np.testing.assert_array_equal(features(call, 'net', 'folder', '--no-normalize'), expected)
    np.testing.assert_array_equal(features(call, 'net', 'all.rec', '--std', 1), expected)
    line = refused('embed', 'net', 'folder', '-o', 'y.npz', '--std', 255)[1]
    assert 'std=(255.0, 255.0, 255.0): the network was trained with std=(1.0, 1.0, 1.0)' in line
    line = refused('embed', 'net', 'all.npz', '-o', 'y.npz')[1]
    assert 'these are arrays, which are not, but net was trained on pictures in files' in line
    call('train', 'all.npz', '-o', 'other', *NET)
    line = refused('embed', 'other', 'folder', '-o', 'y.npz', '--image-size', '24,20')[1]
    assert line.rstrip().endswith('Arrays of uint8 become what pictures with --mean 0 --std 255 do')


def test_augmentations_are_trained_with_and_saved(sources, call, refused):
    options = [
        '--rand-crop',
        '--brightness',
        0.4,
        '--contrast',
        0.3,
        '--saturation',
        1,
        '--rand-erasing',
        0.5,
    ]
    call('train', 'folder', '-o', 'net', *NET, '--image-size', '24,20', *options)
    call('train', 'folder', '-o', 'plain', *NET, '--image-size', '24,20')
    assert (features(call, 'net', 'folder') != features(call, 'plain', 'folder')).any()
    with open('net-options.json') as file:
        saved = json.load(file)
    assert (saved['rand_crop'], saved['brightness'], saved['rand_erasing']) == (True, 0.4, 0.5)
    line = refused('train', 'all.npz', '-o', 'x', *NET, '--rand-erasing', 1)[1]
    assert '--rand-erasing: all.npz holds arrays; only pictures in files can be changed at random' in line
    assert 'expected 0 or more, and 1 or less' in refused('train', 'folder', '-o', 'x', '--contrast', 2)[1]

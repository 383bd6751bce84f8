"""Trainings with pictures: how they became arrays is recorded, and a resumed training repeats all draws."""

from __future__ import annotations

import re

import centerloss_mx.io as cio
from centerloss_mx.dataset import load_samples
from centerloss_mx.model import FeatureExtractor, feature_extractor, load_checkpoint, save_checkpoint
from centerloss_mx.model_zoo import get_model
from centerloss_mx.symbol import supervised
from centerloss_mx.training import Training

import numpy as np
import pytest
from makers import random_pictures, write_folder

SIZE = (24, 20)


@pytest.fixture
def folder(tmp_path):
    return write_folder(tmp_path / 'pictures', 'aabbbccc', random_pictures(8))


def training(samples, test=None, num_epoch=1, **options):
    net = supervised(get_model('lenet', 3, (3, *SIZE)), 3, 'center_loss', 3, scale=0.1, batchsize=4)
    return Training(net, samples, test, batch_size=4, num_epoch=num_epoch, **options)


def test_a_network_gets_the_height_and_width_of_its_training(folder, tmp_path):
    images = load_samples(folder)
    module = training(images, images, image_size=SIZE).fit(tmp_path / 'net')
    extractor = feature_extractor(tmp_path / 'net')
    assert extractor.data_shape == (3, *SIZE)
    data = cio.image_iter(images, 8, SIZE).next().data[0]
    expected = FeatureExtractor(module.symbol, *module.get_params()).predict(data)
    np.testing.assert_array_equal(extractor.predict(folder), expected)


def test_fit_mean_and_std_are_those_of_the_training(folder, tmp_path):
    given = {'fit': 'stretch', 'mean': (10, 20, 30), 'std': (40.5, 50, 60)}
    images = load_samples(folder, image_size=SIZE, **given)
    trained = training(images, load_samples(folder))
    trained.fit(tmp_path / 'net')
    extractor = feature_extractor(tmp_path / 'net')
    assert extractor.preprocessing == cio.Preprocessing(None, **given)
    features = extractor.predict(folder)
    data = cio.image_iter(images, 8).next().data[0]
    np.testing.assert_array_equal(features, extractor.predict(data))
    np.testing.assert_array_equal(features, trained.test_features)  # without values of their own
    np.testing.assert_array_equal(features, extractor.predict(load_samples(folder, mean=(10, 20, 30))))
    assert (features != extractor.predict(load_samples(folder, fit='pad'))).any()
    message = (
        'std=(1.0, 1.0, 1.0): the network was trained with std=(40.5, 50.0, 60.0); the features would mean'
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        extractor.predict(load_samples(folder, std=(1, 1, 1)))


def test_networks_without_the_note_had_imagenet_s_normalization(folder, tmp_path):
    module = training(load_samples(folder), image_size=SIZE).fit()
    for pictures, expected in (True, 123.68), (False, None), (None, None):
        save_checkpoint(module, tmp_path / 'net', 1, {'pictures': pictures})
        mean = feature_extractor(tmp_path / 'net').preprocessing.mean
        assert mean == (None if expected is None else (expected, 116.28, 103.53))
        assert len(feature_extractor(tmp_path / 'net').predict(folder)) == 8
    with pytest.raises(
        ValueError, match=re.escape('mean=(0.0, 0.0, 0.0): the network was trained with mean=')
    ):
        save_checkpoint(module, tmp_path / 'net', 1, {'pictures': True})
        feature_extractor(tmp_path / 'net').predict(load_samples(folder, mean=(0, 0, 0)))


@pytest.mark.parametrize(
    'note', [{'fit': 'squeeze'}, {'mean': [1, 2]}, {'std': 3}, {'colour': 1}, {'mean': 'a'}]
)
def test_a_damaged_note_is_refused(folder, tmp_path, note):
    module = training(load_samples(folder), image_size=SIZE).fit()
    save_checkpoint(module, tmp_path / 'net', 1, {'preprocessing': note})
    with pytest.raises(
        ValueError, match='the symbol file is damaged: attribute __preprocessing__ of data is'
    ):
        FeatureExtractor(*load_checkpoint(tmp_path / 'net'))


def test_the_network_of_another_training_is_trained_on_with_another_normalization(folder, tmp_path):
    images = load_samples(folder, image_size=SIZE)
    training(images).fit(tmp_path / 'net')
    symbol = load_checkpoint(tmp_path / 'net')[0]
    other = load_samples(folder, image_size=SIZE, mean=(0, 0, 0), std=(255, 255, 255))
    Training(symbol, other, other, batch_size=4).fit(tmp_path / 'other')
    assert feature_extractor(tmp_path / 'other').preprocessing.std == (255, 255, 255)


@pytest.mark.parametrize('options', [
    {'augmentation': cio.Augmentation(True, True, 0.4, 0.4, 0.4, 0.5)},
    {'augmentation': cio.Augmentation(contrast=0.4)},
    {'rand_mirror': True},
], ids=['all', 'contrast', 'mirror'])  # fmt: skip
def test_a_resumed_training_draws_what_an_uninterrupted_one_does(folder, tmp_path, options):
    images = load_samples(folder, image_size=SIZE)
    whole = training(images, images, 4, **options)
    whole.fit(tmp_path / 'whole')
    training(images, images, 2, **options).fit(tmp_path / 'net')
    resumed = training(images, images, 4, **options)
    resumed.fit(tmp_path / 'net', begin_epoch=2)
    np.testing.assert_array_equal(resumed.test_features, whole.test_features)
    plain = training(images, images, 4)
    plain.fit()
    assert (plain.test_features != whole.test_features).any()


def test_the_mirror_is_the_same_in_both_spellings(folder):
    images, found = load_samples(folder, image_size=SIZE), []
    for options in {'rand_mirror': True}, {'augmentation': cio.Augmentation(rand_mirror=True)}:
        trained = training(images, images, 2, **options)
        trained.fit()
        found.append(trained.test_features)
    np.testing.assert_array_equal(*found)

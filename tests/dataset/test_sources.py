"""Samples in any kind of file: the same samples and classes are loaded, or an error says why not."""

from __future__ import annotations

import argparse

from centerloss_mx.dataset import has_parts, load_samples, samples_iter
from centerloss_mx.io import Images, load_mnist

import numpy as np
import pytest
from makers import SEED, write_folder, write_idx, write_records


@pytest.mark.parametrize('name', ['all.npz', 'some-images-idx3-ubyte.gz'])
def test_every_source_of_arrays_gives_the_same_samples(pictures, sources, name):
    images, labels = pictures
    found = load_samples(sources / name)
    assert found.images.dtype == np.float32 and found.labels.dtype == np.int64
    np.testing.assert_array_equal(found.images[:, 0], images.astype('float32') / np.float32(255))
    assert found.class_names == ['3', '5', '8']
    assert [int(found.class_names[j]) for j in found.labels] == labels.tolist()


def test_a_folder_of_idx_files_and_the_digits_have_parts(pictures, sources):
    images, labels = pictures
    parts = sources / 'parts'
    assert has_parts(parts) and has_parts('digits') and not has_parts(sources) and not has_parts('nowhere')
    for part, rows in (None, slice(0, 8)), ('train', slice(0, 8)), ('test', slice(8, 12)):
        found = load_samples(parts, part, ['3', '5', '8'])
        np.testing.assert_array_equal(found.images[:, 0] * 255, images[rows])
        assert [int(found.class_names[j]) for j in found.labels] == labels[rows].tolist()
    for part, arrays in ('train', load_mnist()[:2]), ('test', load_mnist()[2:]):
        found = load_samples('digits', part)
        np.testing.assert_array_equal(found.labels, arrays[1])
        np.testing.assert_allclose(found.images[:, 0] * 255, arrays[0], rtol=1e-6)


def test_a_test_set_counts_in_the_classes_of_its_training_set(sources):
    found = load_samples(sources / 'all.npz', class_names=['8', 'x', '5', '3'])
    assert found.class_names == ['8', 'x', '5', '3'] and found.labels[:3].tolist() == [2, 3, 0]
    with pytest.raises(ValueError, match=r'all.npz: class 8 is not one of the 2: 5, 3'):
        load_samples(sources / 'all.npz', class_names=['5', '3'])


def test_folders_and_rec_files_are_listed(pictures, tmp_path):
    images, labels = pictures
    write_folder(tmp_path / 'all', [f'c{label}' for label in labels], images)
    write_records(tmp_path / 'all.rec', [(3, 5, 8).index(label) for label in labels], images)
    of_folder, of_records = load_samples(tmp_path / 'all'), load_samples(tmp_path / 'all.rec')
    assert isinstance(of_folder, Images) and isinstance(of_records, Images)
    assert of_folder.class_names == ['c3', 'c5', 'c8'] and of_records.class_names == ['0', '1', '2']
    rows = [7, 0, 3]
    some = of_records.take(rows)
    assert some.labels.tolist() == of_records.labels[rows].tolist()
    assert some.names == [f'{tmp_path / "all.rec"}: record {i}' for i in rows]
    assert some.take([2]).names == [f'{tmp_path / "all.rec"}: record 3']
    files = of_folder.take(rows)
    assert files.names == [of_folder.files[i] for i in rows] == [of_folder.names[i] for i in rows]
    served = next(samples_iter(some, 3, 8)).data[0].asnumpy()
    every = next(samples_iter(of_records, 12, 8)).data[0].asnumpy()
    np.testing.assert_array_equal(served, every[rows])
    with pytest.raises(ValueError, match='image_size=None: expected height and width for pictures in files'):
        samples_iter(some, 3)


def test_faces_come_by_way_of_scikit_learn(monkeypatch):
    images = np.random.RandomState(SEED).rand(4, 6, 5)

    def people(**options):
        assert options['min_faces_per_person'] == 5
        return argparse.Namespace(
            images=images, target=np.array([1, 0, 1, 0]), target_names=np.array(['Ann', 'Bob'])
        )

    def olivetti():
        return argparse.Namespace(images=images, target=np.array([1, 0, 1, 0]))

    monkeypatch.setattr('sklearn.datasets.fetch_lfw_people', people)
    monkeypatch.setattr('sklearn.datasets.fetch_olivetti_faces', olivetti)
    for name, classes in ('lfw', ['Ann', 'Bob']), ('olivetti', ['0', '1']):
        found = load_samples(name)
        assert found.class_names == classes and found.labels.tolist() == [1, 0, 1, 0]
        np.testing.assert_array_equal(found.images[:, 0], images.astype('float32'))


@pytest.mark.parametrize('source, kind, message', [
    ('nowhere', FileNotFoundError, 'expected a folder of class folders, a .rec, .npz, .csv or idx file, '),
    ('nowhere.npz', FileNotFoundError, 'expected a folder of class folders, a .rec, .npz, .csv or idx file'),
    ('nowhere.rec', FileNotFoundError, 'expected a folder of class folders, a .rec, .npz, .csv or idx file'),
    ('readme.txt', ValueError, 'expected a folder, an .npz or .rec file, or the idx file'),
    ('train-images-idx3-ubyte', ValueError, 'magic'),
])  # fmt: skip
def test_what_is_no_source_is_named(tmp_path, source, kind, message):
    (tmp_path / 'readme.txt').write_text('nothing')
    (tmp_path / 'train-images-idx3-ubyte').write_text('nothing at all')
    with pytest.raises(kind, match=message) as refused:
        load_samples(tmp_path / source)
    assert source in str(refused.value)


def test_parts_and_classes_that_are_missing_are_named(tmp_path, sources, pictures):
    with pytest.raises(
        ValueError, match=r"part='test': .*all.npz is not divided into a training and a test part"
    ):
        load_samples(sources / 'all.npz', 'test')
    with pytest.raises(ValueError, match="part='valid' is not one of train, test"):
        load_samples('digits', 'valid')
    with pytest.raises(ValueError, match=r'all.npz: 3 classes; expected at least 4'):
        load_samples(sources / 'all.npz', min_classes=4)
    write_idx(tmp_path / 'train-images-idx3-ubyte', pictures[0])
    with pytest.raises(FileNotFoundError, match='train-labels-idx1-ubyte'):
        load_samples(tmp_path)
    with pytest.raises(
        FileNotFoundError, match='expected t10k-images-idx3-ubyte beside train-images-idx3-ubyte'
    ):
        load_samples(tmp_path, 'test')
    write_idx(tmp_path / 'train-labels-idx1-ubyte', pictures[1][:-1].astype('uint8'))
    with pytest.raises(ValueError, match=r'labels of shape \(11,\); expected \(12,\)'):
        load_samples(tmp_path)
    write_idx(tmp_path / 'train-images-idx3-ubyte', pictures[0].reshape(12, -1))
    with pytest.raises(ValueError, match=r'uint8 \(12, 30\); expected images'):
        load_samples(tmp_path)

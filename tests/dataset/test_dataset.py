"""Samples in whatever they are in: the same samples and classes come out, or an error that says why not."""

from __future__ import annotations

import argparse
import gzip
import pickle
import zipfile

from centerloss_mx import dataset
from centerloss_mx.dataset import (
    Arrays,
    as_arrays,
    has_parts,
    hold_out,
    load_arrays,
    load_samples,
    numbered,
    read_npz,
    samples_iter,
)
from centerloss_mx.io import Images, load_mnist

import numpy as np
import pytest
from mxnet import recordio
from PIL import Image

SEED = 20161008


@pytest.fixture(scope='module')
def pictures():
    """12 grey pictures of classes 3, 5 and 8, all classes among the first and among the last of them."""
    rng = np.random.RandomState(SEED)
    return rng.randint(0, 256, (12, 6, 5)).astype('uint8'), np.tile([5, 3, 8], 4)


def write_idx(path, array, compress=False):
    content = bytes([0, 0, 8, array.ndim]) + b''.join(size.to_bytes(4, 'big') for size in array.shape)
    content += array.astype('uint8').tobytes()
    path.write_bytes(gzip.compress(content) if compress else content)


@pytest.fixture(scope='module')
def sources(pictures, tmp_path_factory):
    """The same pictures in an .npz file, in idx files, and in a folder of idx files with two parts."""
    folder = tmp_path_factory.mktemp('sources')
    images, labels = pictures
    np.savez(folder / 'all.npz', images=images, labels=labels)
    write_idx(folder / 'some-images-idx3-ubyte.gz', images, compress=True)
    write_idx(folder / 'some-labels-idx1-ubyte', labels)
    (folder / 'parts').mkdir()
    for part, rows in ('train', slice(0, 8)), ('t10k', slice(8, 12)):
        write_idx(folder / 'parts' / f'{part}-images-idx3-ubyte', images[rows])
        write_idx(folder / 'parts' / f'{part}-labels-idx1-ubyte.gz', labels[rows], compress=True)
    return folder


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


def test_colours_and_floats_stay_as_they_are(tmp_path):
    images = np.random.RandomState(SEED).randn(4, 6, 5, 3)
    np.savez(tmp_path / 'all.npz', images=images, labels=['dog', 'cat', 'dog', 'cat'])
    found = load_arrays(tmp_path / 'all.npz')
    np.testing.assert_array_equal(found.images, images.transpose(0, 3, 1, 2).astype('float32'))
    assert found.class_names == ['cat', 'dog'] and found.labels.tolist() == [1, 0, 1, 0]


def test_a_test_set_counts_in_the_classes_of_its_training_set(sources):
    found = load_samples(sources / 'all.npz', class_names=['8', 'x', '5', '3'])
    assert found.class_names == ['8', 'x', '5', '3'] and found.labels[:3].tolist() == [2, 3, 0]
    with pytest.raises(ValueError, match=r'all.npz: class 8 is not one of the 2: 5, 3'):
        load_samples(sources / 'all.npz', class_names=['5', '3'])


def test_folders_and_rec_files_are_listed(pictures, tmp_path):
    record = recordio.MXIndexedRecordIO(str(tmp_path / 'all.idx'), str(tmp_path / 'all.rec'), 'w')
    for i, (picture, label) in enumerate(zip(*pictures)):
        file = tmp_path / 'all' / f'c{label}' / f'{i:02}.png'
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(file)
        record.write_idx(
            i, recordio.pack(recordio.IRHeader(0, (3, 5, 8).index(label), i, 0), file.read_bytes())
        )
    record.close()
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
    with pytest.raises(ValueError, match='image_size=None: expected the height and width'):
        samples_iter(some, 3)


def test_arrays_are_served_with_both_labels_and_padding_is_marked(sources):
    samples = load_samples(sources / 'all.npz')
    batches = list(samples_iter(samples, 8, ignore_label=-1))
    served = np.concatenate([batch.data[0].asnumpy() for batch in batches])
    np.testing.assert_array_equal(served, np.concatenate([samples.images, samples.images[:4]]))
    center_label = np.concatenate([batch.label[1].asnumpy() for batch in batches])
    np.testing.assert_array_equal(center_label, [*samples.labels, -1, -1, -1, -1])
    with pytest.raises(ValueError, match='rand_mirror=True: only pictures in files can be mirrored'):
        samples_iter(samples, 8, rand_mirror=True)


def test_a_share_of_every_class_is_held_out(sources):
    samples = load_samples(sources / 'all.npz')
    kept, held_out = hold_out(samples, 0.25, seed=3)
    assert np.bincount(held_out.labels).tolist() == [1, 1, 1]
    both = np.concatenate([kept.images, held_out.images])
    order = [np.flatnonzero((samples.images == image).all(axis=(1, 2, 3)))[0] for image in both]
    assert sorted(order) == list(range(12))
    np.testing.assert_array_equal(samples.labels[order], [*kept.labels, *held_out.labels])
    again, other = hold_out(samples, 0.25, seed=3)[1], hold_out(samples, 0.25, seed=4)[1]
    assert (again.images == held_out.images).all() and not (other.images == held_out.images).all()
    with pytest.raises(ValueError, match='class 8 has one sample; expected two at least'):
        hold_out(samples.take([0, 1, 2, 3, 4]), 0.5)


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


@pytest.mark.parametrize('labels', [
    np.array([7, 3, 7]), np.array([7.0, 3.0, 7.0]), np.array(['7', '3', '7']), np.array([b'7', b'3', b'7']),
    np.array([7, 3, 7], 'uint8'), [7, 3, 7],
])  # fmt: skip
def test_a_class_has_one_name_whatever_its_labels_are(labels):
    names, numbers = numbered(labels)
    assert names == ['3', '7'] and numbers.tolist() == [1, 0, 1] and numbers.dtype == np.int64


def test_labels_that_are_no_classes_are_named():
    assert numbered(np.array([0.5, 2.0]))[0] == ['0.5', '2.0']
    with pytest.raises(ValueError, match='label nan at row 1 is no class'):
        numbered(np.array([1, np.nan]))


def test_members_that_are_no_arrays_are_named(tmp_path):
    for content in b'no array', b'\x93NUMPY\x01\x00v\x00{"descr', b'':
        with zipfile.ZipFile(tmp_path / 'x.npz', 'w') as archive:
            archive.writestr('images.npy', content)
            archive.writestr('labels.npy', content)
        with pytest.raises(ValueError, match=r'x.npz: expected the arrays images and labels: '):
            load_arrays(tmp_path / 'x.npz')
    with zipfile.ZipFile(tmp_path / 'x.npz', 'w') as archive:
        archive.writestr('images', 'text')
        archive.writestr('labels', 'text')
    with pytest.raises(ValueError, match='images is no array'):
        load_arrays(tmp_path / 'x.npz')


class Payload:
    """Something that runs code when it is unpickled."""

    ran = False

    def __reduce__(self):
        return (exec, ('from test_dataset import Payload; Payload.ran = True',))


@pytest.mark.parametrize('content, message', [
    ({'images': np.zeros((4, 8, 8))}, 'expected the arrays images and labels: labels is not among images'),
    ({'images': np.zeros((4, 8)), 'labels': np.zeros(4)}, r'images of shape (4, 8) and labels of shape (4,)'),
    ({'images': np.zeros((4, 8, 8)), 'labels': np.zeros(3)}, 'labels of shape (3,)'),
    ({'images': np.zeros((0, 8, 8)), 'labels': np.zeros(0)}, 'N > 0'),
    ({'images': np.zeros((2, 0, 8)), 'labels': np.zeros(2)}, 'have no pixels'),
    ({'images': np.zeros((2, 8, 8)), 'labels': np.array([0, np.inf])}, 'label inf at row 1 is no class'),
    ({'images': np.full((2, 8, 8), 1e300), 'labels': np.zeros(2)}, 'images at row 0 are not finite'),
    ({'images': np.zeros((4, 8, 8), int), 'labels': np.zeros(4)}, 'images are int64; expected uint8'),
    ({'images': np.zeros((4, 8, 8)), 'labels': np.array([Payload()] * 4)}, 'Object arrays cannot be loaded'),
    ({'images': np.diag([1, 1, np.inf, 1])[..., np.newaxis], 'labels': np.zeros(4)},
     'images at row 2 are not finite'),
])  # fmt: skip
def test_files_that_hold_no_samples_are_named(tmp_path, content, message):
    np.savez(tmp_path / 'faces.npz', **content)
    with pytest.raises(ValueError) as refused:
        load_arrays(tmp_path / 'faces.npz')
    assert str(refused.value).startswith(f'{tmp_path / "faces.npz"}: ') and message in str(refused.value)
    assert not Payload.ran


def damaged(path, how):
    np.savez_compressed(path, images=np.random.RandomState(0).rand(9, 8, 8), labels=np.arange(9))
    content = path.read_bytes()
    if how == 'truncated':
        path.write_bytes(content[: len(content) // 2])
    elif how == 'flipped':
        middle = content.find(b'images.npy') + 200
        path.write_bytes(
            content[:middle] + bytes(255 - byte for byte in content[middle:][:50]) + content[middle + 50 :]
        )
    elif how == 'text':
        path.write_text('no arrays')
    elif how == 'pickled':
        path.write_bytes(pickle.dumps(Payload()))
    elif how == 'empty':
        path.write_bytes(b'')
    else:
        np.save(path.with_suffix('.npy'), np.zeros(3))
        path.with_suffix('.npy').rename(path)


@pytest.mark.parametrize('how', ['truncated', 'flipped', 'text', 'pickled', 'empty', 'npy'])
def test_damaged_files_are_named_and_nothing_is_unpickled(tmp_path, how):
    path = tmp_path / 'faces.npz'
    damaged(path, how)
    with pytest.raises(ValueError) as refused:
        read_npz(path, ['images', 'labels'])
    assert str(refused.value).startswith(f'{path}: expected the arrays images and labels')
    assert not Payload.ran


@pytest.mark.parametrize('source, kind, message', [
    ('nowhere', FileNotFoundError, 'expected a folder of class folders, a .rec, .npz or idx file, or one of'),
    ('nowhere.npz', FileNotFoundError, 'expected a folder of class folders, a .rec, .npz or idx file'),
    ('nowhere.rec', FileNotFoundError, 'expected a folder of class folders, a .rec, .npz or idx file'),
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
    with pytest.raises(ValueError, match=r'all.npz has no parts'):
        load_samples(sources / 'all.npz', 'test')
    with pytest.raises(ValueError, match="part='valid' is not one of train, test"):
        load_samples('digits', 'valid')
    with pytest.raises(ValueError, match='3 classes; expected 4 at least'):
        load_samples(sources / 'all.npz', min_classes=4)
    write_idx(tmp_path / 'train-images-idx3-ubyte', pictures[0])
    with pytest.raises(FileNotFoundError, match='train-labels-idx1-ubyte'):
        load_samples(tmp_path)
    with pytest.raises(
        FileNotFoundError, match='expected t10k-images-idx3-ubyte beside train-images-idx3-ubyte'
    ):
        load_samples(tmp_path, 'test')
    write_idx(tmp_path / 'train-labels-idx1-ubyte', pictures[1][:-1])
    with pytest.raises(ValueError, match=r'labels of shape \(11,\); expected \(12,\)'):
        load_samples(tmp_path)
    write_idx(tmp_path / 'train-images-idx3-ubyte', pictures[0].reshape(12, -1))
    with pytest.raises(ValueError, match=r'uint8 \(12, 30\); expected images'):
        load_samples(tmp_path)


def test_where_scikit_learn_is_missing_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(dataset.__builtins__, '__import__', no_sklearn(dataset.__builtins__['__import__']))
    for call in (
        lambda: load_samples('olivetti'),
        lambda: hold_out(as_arrays(np.zeros((4, 2, 2)), [0, 0, 1, 1]), 0.5),
    ):
        with pytest.raises(ImportError, match=r"pip install 'centerloss_mx\[examples\]'"):
            call()


def no_sklearn(real):
    def imported(name, *args, **kwargs):
        if name.startswith('sklearn'):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    return imported


def test_arrays_are_taken_by_rows():
    samples = Arrays(np.arange(8.0).reshape(4, 1, 2, 1), np.array([0, 1, 1, 0]), ['a', 'b'])
    some = samples.take(np.array([3, 1]))
    assert some.images[:, 0, 0, 0].tolist() == [6, 2] and some.labels.tolist() == [0, 1]

"""MNIST: its four files, the digits in the package, and batches of them."""

import hashlib
import re
import zipfile
from pathlib import Path

import centerloss_mx.io as cio

import numpy as np
import pytest
from makers import write_idx

SEED = 20160911
DATA = Path(cio.__file__).parents[1] / 'data'
FULL = Path(__file__).resolve().parents[3] / 'shared' / 'data' / 'mnist'
needs_full = pytest.mark.skipif(not FULL.is_dir(), reason=f'the complete MNIST is not at {FULL}')

STEMS = [
    'train-images-idx3-ubyte',
    'train-labels-idx1-ubyte',
    't10k-images-idx3-ubyte',
    't10k-labels-idx1-ubyte',
]


def small_mnist(train=20, test=10, size=28):
    rng = np.random.RandomState(SEED)
    images = [rng.randint(0, 256, (n, size, size)).astype(np.uint8) for n in (train, test)]
    labels = [rng.randint(0, 10, n).astype(np.uint8) for n in (train, test)]
    return [images[0], labels[0], images[1], labels[1]]


def write_mnist(directory, arrays, name=lambda stem: stem):
    for stem, array in zip(STEMS, arrays):
        write_idx(directory / name(stem), array)


@pytest.mark.parametrize(
    'name',
    [
        lambda stem: stem,
        lambda stem: stem + '.gz',
        lambda stem: stem.replace('-idx', '.idx'),
        lambda stem: stem.replace('-idx', '.idx') + '.gz',
        lambda stem: stem + ('.gz' if 'images' in stem else ''),
    ],
    ids=['plain', 'gzipped', 'dotted', 'dotted-gzipped', 'mixed'],
)
def test_mnist_is_read_from_its_four_files(tmp_path, name):
    arrays = small_mnist()
    write_mnist(tmp_path, arrays, name)
    loaded = cio.load_mnist(str(tmp_path))
    assert len(loaded) == 4
    for ours, written in zip(loaded, arrays):
        assert ours.dtype == np.uint8
        np.testing.assert_array_equal(ours, written)


def test_all_missing_mnist_files_are_named_in_one_error(tmp_path):
    write_mnist(tmp_path, small_mnist())
    (tmp_path / STEMS[0]).unlink()
    (tmp_path / STEMS[3]).unlink()
    with pytest.raises(FileNotFoundError) as error:
        cio.load_mnist(tmp_path)
    message = str(error.value)
    assert str(tmp_path) in message
    for stem, present in zip(STEMS, (False, True, True, False)):
        for spelling in (
            stem,
            stem + '.gz',
            stem.replace('-idx', '.idx'),
            stem.replace('-idx', '.idx') + '.gz',
        ):
            assert (spelling in message) is not present


def test_a_missing_mnist_directory_is_told_as_such(tmp_path):
    with pytest.raises(
        FileNotFoundError,
        match=r'nowhere does not exist; expected a folder with files of MNIST: train-images-idx3-ubyte',
    ):
        cio.load_mnist(tmp_path / 'nowhere')


def test_a_directory_of_the_files_name_is_not_the_file(tmp_path):
    arrays = small_mnist()
    write_mnist(tmp_path, arrays, lambda stem: stem + '.gz')
    (tmp_path / STEMS[0]).mkdir()
    np.testing.assert_array_equal(cio.load_mnist(tmp_path)[0], arrays[0])


@pytest.mark.parametrize(
    'broken, match',
    [
        (
            lambda a: [a[1], a[1], a[2], a[3]],
            r'train-images-idx3-ubyte: magic 2049 .*labels; expected 2051.*images',
        ),
        (
            lambda a: [a[0], a[1], a[2], a[2]],
            r't10k-labels-idx1-ubyte: magic 2051 .*images; expected 2049.*labels',
        ),
        (
            lambda a: [a[0].astype('i4'), *a[1:]],
            r'train-images-idx3-ubyte: magic 3075 \(0x00000c03\), .*neither',
        ),
        (lambda a: [a[0], a[1][:-1], a[2], a[3]], r'ubyte has 20 images, but .*train-labels.* has 19 labels'),
        (lambda a: [a[0], a[1], a[2][:3], a[3]], r'ubyte has 3 images, but .*t10k-labels.* has 10 labels'),
        (lambda a: [a[0][:, :, :20], *a[1:]], r'train-images-idx3-ubyte: images are 28x20, expected 28x28'),
    ],
    ids=['labels-as-images', 'images-as-labels', 'int32', 'fewer-labels', 'fewer-images', 'narrow'],
)
def test_mnist_files_that_do_not_fit_are_refused(tmp_path, broken, match):
    write_mnist(tmp_path, broken(small_mnist()))
    with pytest.raises(ValueError, match=match):
        cio.load_mnist(tmp_path)


def test_a_label_beyond_nine_is_refused_with_its_row(tmp_path):
    arrays = small_mnist()
    arrays[1][3] = 10
    write_mnist(tmp_path, arrays)
    with pytest.raises(ValueError, match=f'{STEMS[1]}: label 10 at row 3 is outside 0..9'):
        cio.load_mnist(tmp_path)


# The digits in the package


def test_the_class_shares_in_the_readme_are_those_of_the_file():
    rows = re.findall(
        r'^\| (training|test) \| (.*) \|$', (DATA / 'README.md').read_text(encoding='utf-8'), re.M
    )
    told = {split: [int(share) for share in row.split(' | ')] for split, row in rows}
    _, train_labels, _, test_labels = cio.load_mnist()
    assert told == {'training': np.bincount(train_labels).tolist(), 'test': np.bincount(test_labels).tolist()}


def test_the_embedded_digits_are_these_pixels():
    digest = hashlib.sha256(b''.join(array.tobytes() for array in cio.load_mnist())).hexdigest()
    assert digest == 'b47427a5454c65356091e7540e1632d71a23ede559f80100b1c919e7c6551c5b'


def test_the_embedded_file_is_small_plain_and_undated():
    assert (DATA / 'mnist.npz').stat().st_size < 2 * 10**6
    with zipfile.ZipFile(str(DATA / 'mnist.npz')) as archive:
        entries = archive.infolist()
        assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
        assert {entry.compress_type for entry in entries} == {zipfile.ZIP_DEFLATED}
        assert [entry.filename for entry in entries] == [
            'train_images.npy',
            'train_labels.npy',
            'test_images.npy',
            'test_labels.npy',
        ]


def test_a_package_without_its_digits_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr('centerloss_mx.io.mnist.__file__', str(tmp_path / 'io' / 'mnist.py'))
    with pytest.raises(
        FileNotFoundError, match=r'mnist\.npz: missing; reinstall the package, or pass data_dir'
    ):
        cio.load_mnist()


@needs_full
def test_the_whole_of_mnist_is_read():
    train_images, train_labels, test_images, test_labels = cio.load_mnist(FULL)
    assert (train_images.shape, test_images.shape) == ((60000, 28, 28), (10000, 28, 28))
    assert train_labels[:8].tolist() == [5, 0, 4, 1, 9, 2, 1, 3]
    assert test_labels[:8].tolist() == [7, 2, 1, 0, 4, 1, 4, 9]


@needs_full
def test_the_embedded_digits_are_the_first_of_each_class_in_file_order():
    full, embedded = cio.load_mnist(FULL), cio.load_mnist()
    for images, labels, total, our_images, our_labels in [
        (*full[:2], 10000, *embedded[:2]),
        (*full[2:], 2000, *embedded[2:]),
    ]:
        left = shares(labels, total)
        rows = []
        for row, label in enumerate(labels):
            if left[label]:
                left[label] -= 1
                rows.append(row)
        np.testing.assert_array_equal(our_labels, labels[rows])
        np.testing.assert_array_equal(our_images, images[rows])


def shares(labels, total):
    """Largest remainders in integers: `total` of the samples, by class; ties go to the smaller class."""
    counts = [int((labels == digit).sum()) for digit in range(10)]
    floors = [count * total // len(labels) for count in counts]
    remainders = [count * total % len(labels) for count in counts]
    by_remainder = sorted(range(10), key=lambda digit: (-remainders[digit], digit))
    for digit in by_remainder[: total - sum(floors)]:
        floors[digit] += 1
    return floors


@pytest.mark.slow
@needs_full
def test_the_recipe_in_the_readme_writes_the_embedded_digits(tmp_path, monkeypatch):
    (recipe,) = re.findall(r'```python\n(.*?)```', (DATA / 'README.md').read_text(encoding='utf-8'), re.S)
    (tmp_path / 'mnist').symlink_to(FULL, target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    exec(compile(recipe, 'README.md', 'exec'), {})
    with np.load('mnist.npz', allow_pickle=False) as written:
        for ours, name in zip(
            cio.load_mnist(), ('train_images', 'train_labels', 'test_images', 'test_labels')
        ):
            np.testing.assert_array_equal(ours, written[name])


# mnist_iter


def test_mnist_is_served_as_floats_in_0_to_1_with_two_labels():
    images, labels, _, _ = small_mnist(train=10)
    served = cio.mnist_iter(images, labels, batch_size=4, ignore_label=-1)
    assert [tuple(desc) for desc in served.provide_data] == [('data', (4, 1, 28, 28))]
    assert [desc.name for desc in served.provide_label] == ['softmax_label', 'center_label']
    assert {np.dtype(desc.dtype) for desc in served.provide_data + served.provide_label} == {
        np.dtype('float32')
    }
    batches = list(served)
    data = np.concatenate([batch.data[0].asnumpy() for batch in batches])[:10]
    np.testing.assert_array_equal(data[:, 0], images / np.float32(255))
    assert data.max() == 1.0
    assert batches[-1].label[0].asnumpy().tolist() == labels[[8, 9, 0, 1]].tolist()
    assert batches[-1].label[1].asnumpy().tolist() == [*labels[[8, 9]].tolist(), -1, -1]


def test_mnist_can_be_shuffled():
    images, labels, _, _ = cio.load_mnist()
    np.random.seed(SEED)
    served = cio.mnist_iter(images[:50], labels[:50], batch_size=50, shuffle=True)
    batch = served.next()
    data, label = batch.data[0].asnumpy()[:, 0], batch.label[1].asnumpy()
    assert label.tolist() != labels[:50].tolist()
    assert sorted(label) == sorted(labels[:50])
    # Every image still goes with its own label.
    pairs = {image.tobytes(): klass for image, klass in zip(images[:50] / np.float32(255), labels[:50])}
    assert [pairs[image.tobytes()] for image in data] == label.tolist()


@pytest.mark.parametrize('images', [np.zeros((4, 28, 28), 'float32'), np.zeros((4, 784), 'uint8')])
def test_images_that_are_not_uint8_pictures_are_refused(images):
    with pytest.raises(
        ValueError, match=re.escape(f'images are {images.dtype} {images.shape}, expected uint8')
    ):
        cio.mnist_iter(images, np.zeros(4), batch_size=2)


@pytest.mark.parametrize('labels', [np.zeros(3), np.zeros((4, 10))])
def test_labels_that_are_not_one_an_image_are_refused(labels):
    with pytest.raises(ValueError, match=re.escape(f'labels have shape {labels.shape}, expected (4,)')):
        cio.mnist_iter(np.zeros((4, 28, 28), 'uint8'), labels, batch_size=2)

"""`list_images`: the pictures in folders and .rec files, and their classes."""

import re

import centerloss_mx.io as cio

import numpy as np
import pytest
from makers import random_pictures, write_folder, write_records


def write_pictures(folder, classes):
    """A picture for each letter: 'ab' is two classes of one picture."""
    return write_folder(folder, classes, random_pictures(len(classes)))


def write_labels(path, labels):
    """A picture for each label."""
    return write_records(path, labels, random_pictures(len(labels)))


def test_a_folder_lists_its_classes_in_the_order_of_their_names(tmp_path):
    folder = write_pictures(tmp_path, 'cabac')
    images = cio.list_images(str(folder))
    assert images.class_names == ['a', 'b', 'c'] and images.path_imgrec is None
    assert images.labels.tolist() == [0, 0, 1, 2, 2] and images.labels.dtype == np.int64
    names = ['a/01.png', 'a/03.png', 'b/02.png', 'c/00.png', 'c/04.png']
    assert images.files == [str(folder / name) for name in names]


def test_hidden_and_other_files_are_passed_over(tmp_path):
    folder = write_pictures(tmp_path, 'ab')
    before = cio.list_images(folder)
    for name in 'notes.txt', 'a/notes.txt', 'a/._0.png', '.cache/0.png', 'b/more/0.png':
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b'no picture')
    after = cio.list_images(folder)
    assert (after.files, after.class_names) == (before.files, before.class_names)
    (folder / 'b' / 'BIG.JPEG').write_bytes(b'')
    assert cio.list_images(folder).files[-1].endswith('BIG.JPEG')


def test_a_test_set_takes_its_classes_from_the_training_set(tmp_path):
    folder = write_pictures(tmp_path / 'test', 'ca')
    images = cio.list_images(folder, ['a', 'b', 'c'])
    assert images.labels.tolist() == [0, 2] and images.class_names == ['a', 'b', 'c']
    records = write_labels(tmp_path / 'test.rec', [2, 0])
    images = cio.list_images(records, ['a', 'b', 'c'])
    assert images.labels.tolist() == [2, 0] and images.class_names == ['a', 'b', 'c']


def test_the_classes_of_a_rec_file_are_its_labels(tmp_path):
    path = write_labels(tmp_path / 'train.rec', [1, 0, 2, 0])
    images = cio.list_images(path)
    assert images.labels.tolist() == [1, 0, 2, 0] and images.labels.dtype == np.int64
    assert images.class_names == ['0', '1', '2']
    assert images.files is None and images.path_imgrec == str(path)


@pytest.mark.parametrize('classes, more, message', [
    ('aa', None, '1 class; expected at least 2, each a folder of its pictures'),
    ('', None, '0 classes; expected at least 2, each a folder of its pictures'),
    ('ab', 'empty', 'empty: no picture in this class folder; expected .bmp, .dib, .jpe, .jpeg, .jpg, .png, '),
])  # fmt: skip
def test_a_folder_without_enough_pictures_is_refused(tmp_path, classes, more, message):
    folder = write_pictures(tmp_path, classes)
    if more:
        (folder / more).mkdir()
    with pytest.raises(ValueError, match=re.escape(message)):
        cio.list_images(folder)


def test_an_unknown_class_of_a_test_set_is_refused(tmp_path):
    folder = write_pictures(tmp_path, 'ab')
    with pytest.raises(ValueError, match=re.escape(f'{folder}: class b is not one of the 12: a, c0, c1, ')):
        cio.list_images(folder, ['a', *(f'c{i}' for i in range(11))])


@pytest.mark.parametrize('labels, message', [
    ([], '0 classes; expected at least 2'),
    ([0, 0], '1 class; expected at least 2'),
    ([0, 1.5, 1], 'label 1.5 at row 1'),
    ([0, -1, 1], 'label -1 at row 1'),
    ([0, float('nan'), 1], 'label nan at row 1'),
    ([0, 1, 1e9], 'label 1000000000 at row 2'),
    ([0, [1, 7]], 'record 1 has 2 labels, expected one number; label_column=0 would take the first'),
])  # fmt: skip
def test_labels_of_a_rec_file_that_are_not_classes_are_refused(tmp_path, labels, message):
    path = write_labels(tmp_path / 'train.rec', labels)
    with pytest.raises(ValueError, match=re.escape(f'{path}: {message}')):
        cio.list_images(path)


def test_labels_of_a_test_rec_file_beyond_the_classes_are_refused(tmp_path):
    path = write_labels(tmp_path / 'test.rec', [0, 2])
    with pytest.raises(ValueError, match=re.escape(f'{path}: label 2 at row 1 is outside 0..1')):
        cio.list_images(path, ['a', 'b'])


@pytest.mark.parametrize('spoil, message', [
    (lambda rec, idx: rec.write_bytes(rec.read_bytes()[:-500]), 'cannot be read after 2 records'),
    (lambda rec, idx: rec.write_bytes(bytes(2000)), 'cannot be read from the first record on'),
    (lambda rec, idx: idx.write_text('0\t4\n'), 'cannot be read from the first record on'),
    (lambda rec, idx: idx.write_text('0\t99999999\n'), 'cannot be read from the first record on'),
    (lambda rec, idx: idx.write_text('no index\n'), 'cannot be read from the first record on'),
])  # fmt: skip
def test_a_rec_file_that_cannot_be_read_is_named(tmp_path, spoil, message):
    path = write_labels(tmp_path / 'train.rec', [0, 1, 0])
    spoil(path, path.with_suffix('.idx'))
    with pytest.raises(
        ValueError,
        match=re.escape(f'{path}: {message}; the file is truncated, or train.idx is not its index'),
    ):
        cio.list_images(path)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='none does not exist; expected a folder of class folders'):
        cio.list_images(tmp_path / 'none')
    (tmp_path / 'birds.txt').write_text('a list')
    with pytest.raises(FileNotFoundError, match=r'birds\.txt is another file; expected a folder of class fo'):
        cio.list_images(tmp_path / 'birds.txt')
    path = write_labels(tmp_path / 'train.rec', [0, 1])
    path.with_suffix('.idx').unlink()
    with pytest.raises(
        FileNotFoundError, match=r'train\.idx does not exist; expected the index of train\.rec'
    ):
        cio.list_images(path)

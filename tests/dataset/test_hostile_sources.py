"""Sources and splits that would be read wrongly without a word."""

from __future__ import annotations

import re

from centerloss_mx.dataset import as_arrays, load_marks, load_samples, pack, split_by_rows

import numpy as np
import pytest
from makers import random_pictures, write_folder


@pytest.fixture
def table(tmp_path):
    def table(text):
        path = tmp_path / 'words.csv'
        path.write_text(text)
        return path

    return table


def test_a_label_is_no_number_of_a_vector_where_labels_are_not_read(table):
    path = table('x,label,topic,y\n1,0,8,2\n3,1,9,4\n')
    np.testing.assert_array_equal(load_samples(path, labelled=False).images, [[1, 8, 2], [3, 9, 4]])
    of_topic = load_samples(path, labelled=False, label_column='topic')
    np.testing.assert_array_equal(of_topic.images, [[1, 0, 2], [3, 1, 4]])
    assert of_topic.class_names == [] and (of_topic.labels == -1).all()
    with pytest.raises(ValueError, match="there is no column 'subject' among x, label, topic, y"):
        load_samples(path, labelled=False, label_column='subject')


@pytest.mark.parametrize('empty', ['', ' '])
def test_a_label_that_is_missing_is_no_class(table, empty):
    path = table(f'x,label\n1,a\n\n2,{empty}\n3,b\n')
    with pytest.raises(ValueError, match=re.escape(f'{path}, line 4, column label: no label')):
        load_samples(path)


@pytest.mark.parametrize('count', [3, 7])
def test_marks_of_other_samples_divide_nothing(count):
    samples = as_arrays(np.zeros((6, 2)), np.arange(6) % 2)
    message = f'is_test of shape ({count},); expected (6,), a mark of each sample'
    with pytest.raises(ValueError, match=re.escape(message)):
        split_by_rows(samples, np.arange(count) == 0)


def test_one_mark_for_a_file_is_named(tmp_path):
    np.savez(tmp_path / 'all.npz', is_test=np.array(1))
    with pytest.raises(ValueError, match=re.escape('is_test of shape (); expected (N,)')):
        load_marks(tmp_path / 'all.npz', 'is_test')


def test_options_that_need_labels_are_not_ignored_without_them(tmp_path):
    folder = write_folder(tmp_path / 'all', [0, 1], random_pictures(2))
    picture = next(folder.rglob('*.png'))
    for source in [picture], picture, picture.parent:
        with pytest.raises(ValueError, match=r'min_images=2: .* holds samples without labels'):
            load_samples(source, labelled=None, min_images=2)
    with pytest.raises(ValueError, match="test_column='part': a list holds pictures"):
        load_samples([picture], labelled=None, test_column='part')


def test_pictures_without_labels_are_not_packed(tmp_path):
    folder = write_folder(tmp_path / 'all', [0, 1], random_pictures(2))
    images = load_samples(next(folder.rglob('*.png')).parent, labelled=None)
    with pytest.raises(ValueError, match='pictures without labels'):
        pack(images, tmp_path / 'all')
    assert not [*tmp_path.glob('all.*')]

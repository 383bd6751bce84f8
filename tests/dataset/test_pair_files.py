"""Published pairs: LFW's pairs.txt, three columns, and InsightFace's .bin."""

from __future__ import annotations

import pickle

from centerloss_mx.dataset import load_pairs

import numpy as np
import pytest
from makers import png, random_pictures
from sklearn.model_selection import KFold

PEOPLE = [f'Person_{letter}' for letter in 'ABCDEF']
NAMES = [f'lfw-aligned/{name}/{name}_{number:04}.png' for name in PEOPLE for number in range(1, 5)]


def row(name, number):
    return PEOPLE.index(name) * 4 + number - 1


def lfw(num_folds, each, seed=0):
    """Lines as in LFW's pairs.txt, and what they mean: rows, same and fold."""
    rng = np.random.RandomState(seed)
    lines, meaning = [], []
    for fold in range(num_folds):
        for same in [True] * each + [False] * each:
            one, other = rng.permutation(PEOPLE)[:2]
            first, second = rng.permutation(4)[:2] + 1
            lines.append(f'{one}\t{first}\t{second}' if same else f'{one}\t{first}\t{other}\t{second}')
            meaning.append((row(one, first), row(one if same else other, second), same, fold))
    return lines, np.array(meaning)


def written(path, lines):
    path.write_text('\n'.join(lines) + '\n')
    return path


def test_pairs_of_lfw_keep_their_ten_folds(tmp_path):
    lines, meaning = lfw(10, 3)
    pairs = load_pairs(written(tmp_path / 'pairs.txt', ['10\t3', *lines]), NAMES)
    np.testing.assert_array_equal(np.transpose(pairs), meaning)


def test_a_set_of_lfw_without_folds_is_divided_into_ten(tmp_path):
    lines, meaning = lfw(1, 13)
    pairs = load_pairs(written(tmp_path / 'pairsDevTest.txt', ['13', *lines]), NAMES)
    np.testing.assert_array_equal(np.transpose(pairs)[:, :3], meaning[:, :3])
    for same in True, False:
        assert np.bincount(pairs.fold[pairs.same == same]).tolist() == [2, 2, 2, 1, 1, 1, 1, 1, 1, 1]
        assert (np.diff(pairs.fold[pairs.same == same]) >= 0).all()


@pytest.mark.parametrize('mark', ['\t', ',', ' ', ', '])
@pytest.mark.parametrize('header', [[], ['first{0}second{0}same']])
def test_columns_without_a_fold_have_those_of_kfold(mark, header, tmp_path):
    rng = np.random.RandomState(1)
    meaning = [(*rng.permutation(24)[:2], number % 2) for number in range(43)]
    lines = [mark.join([NAMES[i], NAMES[j], str(same)]) for i, j, same in meaning]
    pairs = load_pairs(written(tmp_path / 'a.csv', [line.format(mark) for line in header] + lines), NAMES)
    np.testing.assert_array_equal(np.transpose(pairs[:3]), meaning)
    for fold, (_, test) in enumerate(KFold(10, shuffle=False).split(meaning)):
        assert np.flatnonzero(pairs.fold == fold).tolist() == test.tolist()


def test_a_fourth_column_is_the_fold(tmp_path):
    lines = [f'a 1.png,b.png,{same},{fold}' for fold in (7, 3, 5) for same in (0, 1)]
    pairs = load_pairs(written(tmp_path / 'a.csv', ['', *lines]), ['x/b.png', 'x/a 1.png'])
    assert pairs.fold.tolist() == [2, 2, 0, 0, 1, 1] and set(pairs.first) == {1} and set(pairs.second) == {0}


@pytest.mark.parametrize('names, file, found', [
    (['/data/a/1.jpg', '/data/b/1.jpg'], 'b/1.jpg', 1),
    (['/data/a/1.jpg', '/data/b/1.jpg'], './b/1.jpg', 1),
    (['a/1.jpg', 'b/1.jpg'], '/data/b/1.jpg', 1),
    (['../a/1.jpg', 'x/../b/1.jpg'], '../../b/1.jpg', 1),
    (['1.jpg', 'b/1.jpg'], '/data/b/1.jpg', 1),  # the longer one
    (['x/b/1.jpg', 'b/1.jpg'], 'b/1.jpg', 1),  # the same one
    (['a/1.jpg', 'b/1.jpg'], '1.jpg', '1.jpg may be row 0 or 1 of the samples; expected one'),
    (['x/b/1.jpg', 'y/b/1.jpg'], 'b/1.jpg', 'b/1.jpg may be row 0 or 1 of the samples'),
    (['a/1.jpg', 'b/1.jpg'], 'c/1.jpg', 'c/1.jpg is none of the 2 samples'),
    (['a/1.jpg', 'b/1.jpg'], 'b/1.png', 'b/1.png is none of the 2 samples'),
    (['a/11.jpg', 'bb/1.jpg'], 'b/1.jpg', 'b/1.jpg is none of the 2 samples'),
])  # fmt: skip
def test_a_picture_is_found_by_the_end_of_its_path(names, file, found, tmp_path):
    lines = [f'{file}\tother.jpg\t{same}\t{fold}' for fold in (0, 1) for same in (0, 1)]
    path = written(tmp_path / 'pairs.tsv', lines)
    if isinstance(found, int):
        assert set(load_pairs(path, [*names, 'other.jpg']).first) == {found}
    else:
        with pytest.raises(ValueError) as error:
            load_pairs(path, [*names, 'other.jpg'])
        assert str(error.value).startswith(f'{path}, line 1: {found.replace("2 samples", "3 samples")}')


def columns(*lines):
    return [*lines, *['a b 0', 'a b 1'] * 10]


@pytest.mark.parametrize('lines, message', [
    (['10\t2', *lfw(9, 2)[0]], r': 36 pairs; expected 40, as the first line says \(10 2\)'),
    (['1\t1', 'Person_A\t1\t2', 'Person_A\t1\t2'], ', line 3: Person_A 1 2; expected name n name n'),
    (['1\t1', 'Person_A\t1\tx', 'Person_A\t1\tPerson_B\t2'], ', line 2: Person_A 1 x; expected name n n'),
    (['2 1', *lfw(2, 1)[0][:3], 'Person_A\t1\tPerson_Z\t2'],
     ', line 5: Person_Z/Person_Z_0002 is none of the 24 samples'),
    (['3', *lfw(1, 3)[0]], ': 3 pairs; expected at least 10, one a fold'),
    (columns('a b 2'), ', line 1: a b 2; expected two files, 0 or 1, and, in all lines or in none, a fold'),
    ([*columns('a b 1')[::-1], 'a b 1 3'], ', line 22: a b 1 3; expected two files'),
    (['a b 1 x'], ', line 1: fold x is not a whole number >= 0'),
    (['a b 1'] * 9, ': 9 pairs; expected at least 10'),
    ([], ': no lines; expected pairs'),
    (['a b same'], ': no pairs below the first line'),
])  # fmt: skip
def test_a_line_that_is_no_pair_is_refused(lines, message, tmp_path):
    path = written(tmp_path / 'pairs.txt', lines)
    with pytest.raises(ValueError, match=rf'pairs\.txt{message}'):
        load_pairs(path, NAMES)


def test_files_that_cannot_be_verified_are_refused(tmp_path):
    path = written(tmp_path / 'pairs.txt', ['a b 1'] * 10 + ['a b 0'] * 10)
    with pytest.raises(ValueError, match=r'pairs\.txt: fold 0 has no impostor pair; expected both kinds'):
        load_pairs(path, ['a', 'b'])
    with pytest.raises(ValueError, match=r'pairs\.txt names pictures, but the samples have no names'):
        load_pairs(path)
    path.write_bytes(b'\xff\xfe\0')
    with pytest.raises(ValueError, match=r'pairs\.txt is not a text file in UTF-8'):
        load_pairs(path, NAMES)
    with pytest.raises(FileNotFoundError, match=r'none\.txt does not exist; expected a file of pairs'):
        load_pairs(tmp_path / 'none.txt', NAMES)


def test_pairs_of_a_bin_file_are_its_rows(tmp_path):
    path, other = tmp_path / 'lfw.bin', tmp_path / 'agedb_30.bin'
    same = [number % 2 == 0 for number in range(23)]
    path.write_bytes(pickle.dumps(([png(random_pictures(1, 4, 4)[0])] * 46, same)))
    pairs = load_pairs(path)
    assert pairs.first.tolist() == [*range(0, 46, 2)] and pairs.second.tolist() == [*range(1, 46, 2)]
    assert pairs.same.tolist() == same and np.bincount(pairs.fold).tolist() == [3] * 3 + [2] * 7
    names = [f'/elsewhere/lfw.bin: picture {number}' for number in range(46)]
    assert all(map(np.array_equal, load_pairs(path, names), pairs))
    with pytest.raises(ValueError, match='46 pictures, but 45 samples; expected the features of all'):
        load_pairs(path, names[1:])
    other.write_bytes(path.read_bytes())
    with pytest.raises(
        ValueError, match=r'agedb_30\.bin: the samples are the pictures of /elsewhere/lfw\.bin'
    ):
        load_pairs(other, names)

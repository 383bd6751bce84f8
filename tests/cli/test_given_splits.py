"""Splits that users bring, and classes that are held out: what is trained on, measured and embedded again."""

from __future__ import annotations

from pathlib import Path

from centerloss_mx.model import load_features
from centerloss_mx.training import read_history

import numpy as np
import pytest
from makers import SEED

TRAIN = ['--embedding-dim', 3, '--batch-size', 6, '--num-epochs', 2]
ROWS, CLASSES = 40, 5


@pytest.fixture
def table():
    """A .csv file of vectors, whose first column is the number of the row."""
    rng = np.random.RandomState(SEED)
    classes = np.arange(ROWS) % CLASSES
    lines = ['row,x,topic,y,part']
    for row in range(ROWS):
        x, y = rng.randn(2) + 3 * classes[row]
        lines.append(f'{row},{x},t{classes[row]},{y},{"test" if row % 3 == 0 else "train"}')
    Path('words.csv').write_text('\n'.join(lines))
    return np.array([f't{number}' for number in classes])


def rows_of(features, every):
    """The rows that features are of: those of the whole table tell them."""
    distances = np.abs(features.features[:, None] - every.features[None]).max(axis=2)
    assert (distances.min(axis=1) < 1e-5).all()
    return distances.argmin(axis=1)


@pytest.fixture
def parts(call):
    """Embed all, and both parts; the rows of each part."""

    def parts(data, *reading):
        call('embed', 'net', data, '-o', 'all.npz', '--force', *reading)
        every = load_features('all.npz')
        found = {}
        for part in 'train', 'test':
            call('embed', 'net', data, '-o', 'part.npz', '--force', '--part', part)
            features = load_features('part.npz')
            found[part] = rows_of(features, every)
            np.testing.assert_array_equal(features.classes, every.classes[found[part]])
        return found

    return parts


def test_a_column_says_what_to_test_with(call, parts, refused, request):
    table = request.getfixturevalue('table')
    arguments = [
        'train',
        'words.csv',
        '-o',
        'net',
        '--label-column',
        'topic',
        '--test-column',
        'part',
        *TRAIN,
    ]
    call(*arguments)
    found = parts('words.csv', '--label-column', 'topic', '--test-column', 'part')
    assert sorted(found['test']) == [*range(0, ROWS, 3)]
    assert sorted([*found['train'], *found['test']]) == [*range(ROWS)]
    assert {*read_history('net-history.csv')[0]} >= {'test_accuracy', 'ratio'}
    assert set(load_features('all.npz').classes) == {*table}
    call(*arguments, '--resume', '--num-epochs', 2)
    for more, message in [
        (['--test', 'words.csv'], '--test and --test-column: each says what to test with'),
        (['--split', 'classes'], '--test-column and --split: each says what to test with'),
        (['--min-images', 2], '--min-images 2: the rows of --test-column would be others'),
    ]:
        assert message in refused(*arguments, '--force', *more)[1]
    expected = "there is no column 'label' among row, x, topic, y, part"
    assert expected in refused('train', 'words.csv', '-o', 'x')[1]


def test_a_resumed_training_of_vectors_is_as_if_it_had_not_stopped(call, request):
    request.getfixturevalue('table')
    arguments = ['train', 'words.csv', '--label-column', 'topic', '--test-column', 'part', *TRAIN]
    arguments += ['--lr-schedule', 'constant']
    call(*arguments, '-o', 'net', '--num-epochs', 4)
    call(*arguments, '-o', 'other', '--num-epochs', 2)
    options = Path('other-options.json')
    options.write_text(options.read_text().replace('"num_epochs": 2', '"num_epochs": 4'))
    call(*arguments, '-o', 'other', '--num-epochs', 4, '--resume')
    assert Path('other-0004.params').read_bytes() == Path('net-0004.params').read_bytes()


def test_classes_that_are_held_out_are_never_trained_on(data, call, parts):
    call('train', data / 'all', '-o', 'net', '--split', 'classes', '--test-share', 0.4, '--image-size', 16,
         '--network', 'lenet', '--min-images', 2, *TRAIN)  # fmt: skip
    found = parts(data / 'all')
    every = load_features('all.npz')
    trained, tested = ({*every.classes[found[part]]} for part in ('train', 'test'))
    assert not trained & tested and trained | tested == {*every.class_names} and len(tested) >= 2
    assert {*every.trained_on} == trained
    row = read_history('net-history.csv')[-1]
    assert 'test_accuracy' not in row and 0 <= row['test_precision_at_1'] <= 1 and row['ratio'] > 0


def test_a_list_of_names_says_what_to_test_with(data, call, parts, refused):
    names = sorted(path.relative_to(data / 'all').as_posix() for path in (data / 'all').rglob('*.png'))[::4]
    Path('test.txt').write_text('\n'.join(['', *names, '']))
    arguments = ['train', data / 'all', '-o', 'net', '--test', 'test.txt', *TRAIN]
    arguments += ['--image-size', 16, '--network', 'lenet']
    call(*arguments)
    found = parts(data / 'all')
    every = load_features('all.npz')
    tested = [Path(every.names[row]).relative_to(data / 'all').as_posix() for row in found['test']]
    assert sorted(tested) == names
    Path('test.txt').write_text('none/1.png')
    assert 'none/1.png: no sample has this name' in refused(*arguments, '--force')[1]

"""Splits that users bring, and classes that are held out: what is trained on, measured and embedded again."""

from __future__ import annotations

from pathlib import Path

from centerloss_mx.dataset import load_samples
from centerloss_mx.model import load_features
from centerloss_mx.training import read_history

import numpy as np
import pytest
from makers import SEED, random_pictures, write_folder

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


def test_a_split_by_classes_whose_record_is_lost_is_drawn_by_classes(data, call):
    call('train', data / 'all', '-o', 'net', '--split', 'classes', '--test-share', 0.4, '--image-size', 16,
         '--network', 'lenet', *TRAIN)  # fmt: skip
    call('embed', 'net', data / 'all', '-o', 'recorded.npz', '--part', 'test')
    Path('net-samples.npz').unlink()
    call('embed', 'net', data / 'all', '-o', 'drawn.npz', '--part', 'test')
    assert load_features('drawn.npz').names == load_features('recorded.npz').names


@pytest.mark.parametrize('part', ['train', 'test'])
def test_a_given_split_whose_record_is_lost_is_not_drawn(call, refused, request, part):
    request.getfixturevalue('table')
    call('train', 'words.csv', '-o', 'net', '--label-column', 'topic', '--test-column', 'part', *TRAIN)
    Path('net-samples.npz').unlink()
    line = refused('embed', 'net', 'words.csv', '-o', 'x.npz', '--part', part)[1]
    assert f'--part {part}: net-samples.npz does not exist; it records what --test-column held out' in line
    assert not Path('x.npz').exists()


def test_a_list_of_names_whose_record_is_lost_is_not_drawn(data, call, refused):
    names = sorted(path.relative_to(data / 'all').as_posix() for path in (data / 'all').rglob('*.png'))[::4]
    Path('test.txt').write_text('\n'.join(names))
    call('train', data / 'all', '-o', 'net', '--test', 'test.txt', '--image-size', 16,
         '--network', 'lenet', *TRAIN)  # fmt: skip
    Path('net-samples.npz').unlink()
    line = refused('embed', 'net', data / 'all', '-o', 'x.npz', '--part', 'test')[1]
    assert 'net-samples.npz does not exist; it records what --test held out' in line


def test_a_split_that_holds_out_nothing_is_refused(data, refused):
    line = refused('train', data / 'all', '-o', 'net', '--split', 'classes', '--test-share', 0, *TRAIN)[1]
    assert '--test-share 0: --split classes would hold out nothing' in line


def test_classes_that_bad_pictures_make_small_are_left_out(call, parts):
    write_folder(Path('all'), 'aaaaabbbbbccc', [*random_pictures(11), b'bad', b'bad'])
    arguments = ['--image-size', 16, '--network', 'lenet', '--test-share', 0.2]
    call('train', 'all', '-o', 'net', '--min-images', 2, '--skip-bad', *arguments, *TRAIN)
    found = parts('all', '--min-images', 2, '--skip-bad')
    every = load_features('all.npz')
    assert every.class_names == ['a', 'b'] == every.trained_on
    assert sorted([*found['train'], *found['test']]) == [*range(10)]
    call('pack', 'all', '-o', 'packed', '--min-images', 2, '--skip-bad')
    assert {*load_samples('packed.rec').class_names} == {'0', '1'}

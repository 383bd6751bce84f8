"""The data of a training have changed since: `--resume` and `embed --part` say what differs."""

from __future__ import annotations

import shutil
from pathlib import Path

from centerloss_mx.cli import embed_samples, main, samples
from centerloss_mx.dataset import Arrays, hold_out, load_arrays
from centerloss_mx.model import load_features, save_features

import numpy as np
import pytest
from cli_data import TRAIN

PICTURES = ['--network', 'lenet', '--image-size', 24, *TRAIN]


def files():
    return {path: path.read_bytes() for path in Path().glob('net-*')}


def train_two_epochs_of_three(call, source, *options):
    """Train two epochs of three, as one that was interrupted; return the arguments that resume it."""
    arguments = ['train', source, '-o', 'net', *PICTURES, *options]
    call(*arguments)
    saved = Path('net-options.json')
    saved.write_text(saved.read_text().replace('"num_epochs": 2', '"num_epochs": 3'))
    return [*arguments, '--num-epochs', 3, '--resume']


@pytest.mark.parametrize('change, what', [
    (lambda folder: shutil.copy(folder / 'c0' / '04.png', folder / 'c0' / '00a.png'),
     '1 of 46 samples is new or has changed (the first is {}/c0/00a.png)'),
    (lambda folder: [(folder / 'c3' / f'{i}.png').unlink() for i in (27, 30)],
     '2 of the 45 before are missing or have changed'),
    (lambda folder: (folder / 'c1' / '12.png').rename(folder / 'c2' / '12.png'),
     '1 of 45 samples is new or has changed (the first is {}/c2/12.png), 1 of the 45 before is missing or'),
])  # fmt: skip
def test_pictures_that_came_went_or_moved_are_said(data, call, refused, change, what):
    shutil.copytree(data / 'all', 'here')
    resume = train_two_epochs_of_three(call, 'here')
    change(Path('here'))
    before = files()
    status, line = refused(*resume)
    assert status == 1 and f'net was trained with other samples: {what.format("here")}' in line
    for part in 'train', 'test':
        status, line = refused('embed', 'net', 'here', '-o', 'x.npz', '--part', part)
        expected = f'--part {part}: here is not what net was trained on: {what.format("here")}'
        assert status == 1 and expected in line
    assert files() == before and not Path('x.npz').exists()
    call('embed', 'net', 'here', '-o', 'x.npz')  # any samples have features


def test_arrays_with_another_number_are_other_samples(data, call, refused):
    with np.load(data / 'all.npz') as arrays:
        images, labels = arrays['images'], arrays['labels']
    np.savez('here.npz', images=images, labels=labels)
    call('train', 'here.npz', '-o', 'net', *TRAIN)
    images[31, 2, 3] += 1
    np.savez('here.npz', images=images, labels=labels)
    line = refused('train', 'here.npz', '-o', 'net', '--resume', *TRAIN)[1]
    assert (
        'net was trained with other samples: 1 of 45 samples is new or has changed (the first is row ' in line
    )
    line = refused('embed', 'net', 'here.npz', '-o', 'x.npz', '--part', 'test')[1]
    assert (
        '1 of 45 samples is new or has changed (the first is row 31), 1 of the 45 before is missing' in line
    )


def test_moved_or_reordered_data_are_the_same_data(data, call):
    """The samples decide, not the path: the parts are those that were recorded."""
    call('train', data / 'all.npz', '-o', 'net', '--test-share', 0.3, *TRAIN)
    call('embed', 'net', data / 'all.npz', '-o', 'before.npz', '--part', 'test')
    with np.load(data / 'all.npz') as arrays:
        np.savez('there.npz', images=arrays['images'][::-1], labels=arrays['labels'][::-1])
    call('embed', 'net', 'there.npz', '-o', 'after.npz', '--part', 'test')
    before, after = load_features('before.npz'), load_features('after.npz')
    np.testing.assert_array_equal(after.features, before.features)
    assert after.classes.tolist() == before.classes.tolist()
    shutil.copytree(data / 'all', 'here')
    call('train', 'here', '-o', 'pictures', *PICTURES)
    call('embed', 'pictures', 'here', '-o', 'here.npz', '--part', 'train')
    shutil.move('here', 'there')
    call('embed', 'pictures', 'there', '-o', 'there.npz', '--part', 'train', '--force')
    names = [name.replace('there/', 'here/') for name in load_features('there.npz').names]
    assert names == load_features('here.npz').names and len(names) == 36


def other_split(samples, share, seed=0, by='samples'):
    """As a version of scikit-learn may draw it that shuffles otherwise."""
    return hold_out(samples, share, seed + 1, by)


def test_a_split_that_is_drawn_otherwise_changes_no_part(data, call, refused, monkeypatch):
    arguments = ['train', data / 'all.npz', '-o', 'net', *TRAIN]
    call(*arguments)
    for module in embed_samples, samples:
        monkeypatch.setattr(module, 'hold_out', other_split)
    call('embed', 'net', data / 'all.npz', '-o', 'test.npz', '--part', 'test')
    call('embed', 'net', data / 'all.npz', '-o', 'all.npz')
    every, test = load_features('all.npz'), load_features('test.npz')
    held_out = hold_out(load_arrays(data / 'all.npz'), 0.2, 1)[1]
    assert test.classes.tolist() == [held_out.class_names[label] for label in held_out.labels]
    rows = hold_out(Arrays(np.arange(45), every.labels, every.class_names), 0.2, 1)[1].images
    np.testing.assert_allclose(test.features, every.features[rows], rtol=1e-4, atol=1e-5)
    assert (
        'divided otherwise into those to train and those to test with' in refused(*arguments, '--resume')[1]
    )


def test_a_repaired_picture_is_new_where_bad_ones_were_left_out(data, call, refused):
    shutil.copytree(data / 'all', 'here')
    bad = Path('here/c2/20.png')
    whole = bad.read_bytes()
    bad.write_bytes(whole[:30])
    resume = train_two_epochs_of_three(call, 'here', '--skip-bad')
    printed = call('embed', 'net', 'here', '-o', 'test.npz', '--part', 'test')
    assert 'left out 1 picture that cannot be decoded' in printed and 'test.npz: 9 features' in printed
    bad.write_bytes(whole)
    for line in refused(*resume)[1], refused('embed', 'net', 'here', '-o', 'x.npz', '--part', 'test')[1]:
        assert '1 of 45 samples is new or has changed (the first is here/c2/20.png)' in line


def test_records_of_a_rec_file_that_was_made_anew_are_said(data, call, refused, tmp_path):
    for name in 'all.rec', 'all.idx':
        shutil.copy(data / name, name)
    call('train', 'all.rec', '-o', 'net', *PICTURES)
    call('embed', 'net', 'all.rec', '-o', 'test.npz', '--part', 'test')
    lines = Path('all.idx').read_text().splitlines(True)
    Path('all.idx').write_text(''.join(lines[:7] + lines[8:]))
    line = refused('embed', 'net', 'all.rec', '-o', 'x.npz', '--part', 'test')[1]
    assert 'all.rec: record 6), 2 of the 45 before are missing or have changed' in line


def test_a_checkpoint_without_a_record_is_used_as_before(data, call, refused, capsys):
    call('train', data / 'all.npz', '-o', 'net', *TRAIN)
    call('embed', 'net', data / 'all.npz', '-o', 'recorded.npz', '--part', 'test')
    Path('net-samples.npz').unlink()
    main(['embed', 'net', str(data / 'all.npz'), '-o', 'drawn.npz', '--part', 'test'])
    told = [line for line in capsys.readouterr().err.splitlines() if 'net-samples.npz' in line]
    assert told == [
        f'net-samples.npz does not exist: if {data / "all.npz"} has changed, --part test is not that of train'
    ]
    recorded, drawn = load_features('recorded.npz'), load_features('drawn.npz')
    np.testing.assert_array_equal(drawn.features, recorded.features)
    shutil.copy(data / 'all.npz', 'there.npz')
    line = refused('embed', 'net', 'there.npz', '-o', 'x.npz', '--part', 'test')[1]
    assert '--part test: according to net-options.json, no part of there.npz was held out' in line
    call('train', data / 'all.npz', '-o', 'net', '--resume', *TRAIN)


def test_features_of_two_networks_are_not_compared(data, trained, call, refused):
    """They may have the same number of dimensions, and the same classes."""
    for part in 'train', 'test':
        call('embed', trained, data / 'all.npz', '-o', f'{part}.npz', '--part', part)
        call('embed', trained, data / 'all.npz', '-o', f'{part}-flip.npz', '--part', part, '--flip')
    call('train', data / 'all.npz', '-o', 'other', '--seed', 2, *TRAIN)
    call('embed', 'other', data / 'all.npz', '-o', 'other.npz', '--part', 'test')
    call('embed', 'other', data / 'all.npz', '-o', 'half.npz', '--part', 'test', '--layer', 'fc1_output')
    for known, unknown in ('train', 'other'), ('other', 'half'), ('train', 'test-flip'):
        status, line = refused('evaluate', 'knn', f'{known}.npz', f'{unknown}.npz')
        assert status == 1 and (
            f'{unknown}.npz and {known}.npz are features of different networks, layers or --flip' in line
        )
    call('evaluate', 'knn', 'train.npz', 'test.npz')
    call('evaluate', 'knn', 'train-flip.npz', 'test-flip.npz')
    without = load_features('other.npz')._replace(network=None)
    save_features('unknown.npz', without)
    call('evaluate', 'knn', 'train.npz', 'unknown.npz')  # as files of before, and of other programs


def test_no_sample_is_its_own_neighbor_whatever_the_file(data, call, refused):
    shutil.copytree(data / 'all', 'here')
    call('train', 'here', '-o', 'net', *PICTURES)
    call('embed', 'net', 'here', '-o', 'all.npz')
    call('embed', 'net', 'here', '-o', 'test.npz', '--part', 'test', '--batch-size', 4)
    shutil.copy('all.npz', 'copy.npz')
    assert 'TRAIN and FEATURES are one file' in refused('evaluate', 'knn', 'copy.npz', 'all.npz')[1]
    line = refused('evaluate', 'knn', 'all.npz', 'test.npz')[1]
    assert f'test.npz: {load_features("test.npz").names[0]} is in all.npz, too; it would find itself' in line
    every = load_features('all.npz')
    moved = every._replace(features=np.roll(every.features, 9, axis=0), labels=np.roll(every.labels, 9))
    save_features('other-folder.npz', moved)  # the same names, relative to another folder
    call('evaluate', 'knn', 'all.npz', 'other-folder.npz')
    fewer = every._replace(features=every.features[:, :2], centers=None, network=None)
    save_features('fewer.npz', fewer)
    assert 'it would find itself' not in refused('evaluate', 'knn', 'all.npz', 'fewer.npz')[1]


def test_no_file_of_the_name_of_a_record_is_replaced_unasked(data, call, refused):
    Path('net-samples.npz').write_text('mine')
    status, line = refused('train', data / 'all.npz', '-o', 'net', *TRAIN)
    assert status == 1 and 'net-samples.npz already exists; --resume goes on, --force replaces it' in line
    assert Path('net-samples.npz').read_text() == 'mine'
    call('train', data / 'all.npz', '-o', 'net', '--force', *TRAIN)
    call('embed', 'net', data / 'all.npz', '-o', 'test.npz', '--part', 'test')


@pytest.mark.parametrize('options', [['--test-share', 0], ['--test', 'other.npz']])
def test_where_nothing_was_held_out_there_is_no_part(data, call, refused, options):
    shutil.copy(data / 'all.npz', 'other.npz')
    call('train', data / 'all.npz', '-o', 'net', *options, *TRAIN)
    line = refused('embed', 'net', data / 'all.npz', '-o', 'x.npz', '--part', 'train')[1]
    assert f'according to net-options.json, no part of {data / "all.npz"} was held out' in line

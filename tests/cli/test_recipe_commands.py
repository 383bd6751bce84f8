"""Recipes from the command line: trained, resumed past their end, stopped early; the best checkpoint."""

from __future__ import annotations

from centerloss_mx.model import best_checkpoint, latest_checkpoint, load_checkpoint, load_features
from centerloss_mx.training import read_history

import numpy as np
import pytest
from mxnet import nd

SMALL = ['--embedding-dim', 4, '--batch-size', 8]
REID = [
    *SMALL, '--samples-per-class', 4, '--triplet', '--label-smoothing', '0.1', '--neck', 'bn',
    '--neck-feature', 'after', '--lr-schedule', 'step', '--lr-steps', '2,3', '--lr-warmup', 1, '--lr', '0.01',
]  # fmt: skip
FACES = [
    *SMALL, '--classifier', 'margin', '--logit-scale', 16, '--margins', '1,0.3,0', '--normalize-features',
    '--scale-warmup', 1, '--start-centers',
]  # fmt: skip
# The two classes of a batch, and two of the other three.
TABLES = [
    *SMALL, '--loss', 'sync_center_loss', '--centers', 'table', '--sample-rate', '0.7', '--optimizer', 'adam',
    '--samples-per-class', 4,
]  # fmt: skip


def params(prefix, epoch=None):
    _, arg_params, aux_params = load_checkpoint(prefix, epoch)
    found = {**arg_params, **aux_params}
    return {name: nd.array(value).asnumpy() for name, value in found.items()}  # row tables are memmaps


def assert_same(first, second):
    assert set(first) == set(second)
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name], err_msg=name)


def rows(prefix):
    history = read_history(f'{prefix}-history.csv')
    return [{name: value for name, value in row.items() if name != 'seconds'} for row in history]


@pytest.mark.parametrize('recipe', [REID, FACES, TABLES], ids=['reid', 'faces', 'tables'])
def test_a_recipe_trains_on_some_classes_and_tells_others_apart(data, call, recipe):
    printed = call(
        'train', data / 'all.npz', '-o', 'net', *recipe, '--num-epochs', 3, '--split', 'classes',
        '--test-share', '0.4',
    )  # fmt: skip
    assert 'test precision at 1' in printed
    assert rows('net')[-1]['test_precision_at_1'] > 0.8


def test_the_neck_feature_of_the_training_is_what_embed_writes(data, call):
    call('train', data / 'all.npz', '-o', 'net', *REID, '--num-epochs', 1, '--loss', 'softmax')
    call('embed', 'net', data / 'all.npz', '-o', 'default.npz')
    call('embed', 'net', data / 'all.npz', '-o', 'after.npz', '--layer', 'neck_output')
    call('embed', 'net', data / 'all.npz', '-o', 'before.npz', '--layer', 'embedding_output')
    after, before = (load_features(f'{name}.npz') for name in ('after', 'before'))
    np.testing.assert_array_equal(load_features('default.npz').features, after.features)
    values = params('net')
    expected = (before.features - values['neck_moving_mean']) / np.sqrt(values['neck_moving_var'] + 1e-5)
    np.testing.assert_allclose(after.features, expected * values['neck_gamma'], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('recipe', [
    REID, [*FACES, '--lr-schedule', 'constant'], [*TABLES, '--lr-schedule', 'constant'],
], ids=['step', 'constant', 'tables'])  # fmt: skip
def test_a_schedule_without_an_end_goes_on_past_the_first_number_of_epochs(data, call, recipe):
    call('train', data / 'all.npz', '-o', 'whole', *recipe, '--num-epochs', 4)
    call('train', data / 'all.npz', '-o', 'parts', *recipe, '--num-epochs', 2)
    call('train', data / 'all.npz', '-o', 'parts', *recipe, '--num-epochs', 4, '--resume')
    assert_same(params('whole'), params('parts'))
    assert str(rows('whole')) == str(rows('parts'))  # an accuracy may be NaN


def test_a_schedule_that_ends_does_not_go_on(data, call, refused):
    call('train', data / 'all.npz', '-o', 'net', *SMALL, '--num-epochs', 1)
    status, line = refused('train', data / 'all.npz', '-o', 'net', *SMALL, '--num-epochs', 2, '--resume')
    assert status == 1 and '--num-epochs is 2, but' in line and 'was begun with 1' in line


def test_the_best_checkpoint_of_unseen_classes_stays_and_can_be_embedded(data, call):
    images, labels = (np.load(data / 'all.npz')[name] for name in ('images', 'labels'))
    unseen = np.isin(labels, ['c3', 'c4'])
    np.savez('seen.npz', images=images[~unseen], labels=labels[~unseen])
    np.savez('unseen.npz', images=images[unseen], labels=labels[unseen])
    column = 'validation_map_at_r'
    printed = call(
        'train', 'seen.npz', '-o', 'net', *SMALL, '--num-epochs', 8, '--validate', 'unseen.npz', '--select',
        column, '--patience', 2, '--lr', '0.2', '--lr-schedule', 'constant',
    )  # fmt: skip
    values = [row[column] for row in rows('net')]
    best = int(np.argmax(values)) + 1
    assert best_checkpoint('net') == best and len(values) == min(8, best + 2) == latest_checkpoint('net')
    assert f'net-{best:04d}.params: the best epoch, {column} {values[best - 1]:.4f}' in printed
    call('embed', 'net', 'unseen.npz', '-o', 'best.npz', '--epoch', 'best')
    call('embed', 'net', 'unseen.npz', '-o', 'same.npz', '--epoch', best)
    found, same = load_features('best.npz'), load_features('same.npz')
    np.testing.assert_array_equal(found.features, same.features)
    assert found.checkpoint['epoch'] == best


@pytest.mark.parametrize('normalize', [[], ['--normalize-features']], ids=['plain', 'normalized'])
def test_centers_start_from_a_file_of_features(data, call, features, normalize):
    call('train', data / 'all.npz', '-o', 'net', '--embedding-dim', 3, '--batch-size', 8, '--num-epochs', 1,
         '--alpha', 0, '--start-centers-from', features, *normalize)  # fmt: skip
    known = load_features(features)
    labels = [known.class_names.index(name) for name in known.classes]
    lengths = np.linalg.norm(known.features, axis=1, keepdims=True) if normalize else 1
    read = known.features / lengths
    means = [read[np.array(labels) == j].mean(axis=0) for j in range(len(known.class_names))]
    np.testing.assert_allclose(params('net')['center_loss__center_bias'], means, rtol=1e-5, atol=1e-6)


def test_a_batch_is_of_whole_classes_on_each_device(data, refused):
    status, line = refused(
        'train', data / 'all.npz', '-o', 'net', '--batch-size', 12, '--samples-per-class', 4, '--ctx',
        'cpu:0,cpu:1',
    )  # fmt: skip
    assert status == 1
    assert '--batch-size 12: expected a multiple of 8, --samples-per-class for each of 2 devices' in line


def test_validation_samples_need_no_column_that_marks_what_to_test_with(data, call):
    images, labels = (np.load(data / 'all.npz')[name] for name in ('images', 'labels'))
    unseen = np.isin(labels, ['c3', 'c4'])
    marks = np.arange(len(labels)) % 4 == 0
    np.savez('seen.npz', images=images[~unseen], labels=labels[~unseen], held_out=marks[~unseen])
    np.savez('unseen.npz', images=images[unseen], labels=labels[unseen])
    call(
        'train', 'seen.npz', '-o', 'net', *SMALL, '--num-epochs', 1, '--test-column', 'held_out',
        '--validate', 'unseen.npz',
    )  # fmt: skip
    assert 'validation_map_at_r' in rows('net')[0]

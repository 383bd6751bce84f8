"""`embed`, as a user runs it: the features of samples, and what cannot be embedded."""

from __future__ import annotations

import csv
from pathlib import Path

from centerloss_mx.cli.main import parser
from centerloss_mx.dataset import load_arrays
from centerloss_mx.model import FeatureExtractor, load_checkpoint, load_features
from centerloss_mx.symbol import island_loss, learned_center_loss
from centerloss_mx.training import Training

import mxnet as mx
import numpy as np
import pytest
from cli_data import CLASSES, TRAIN
from mxnet import recordio


def test_features_are_those_of_the_network(data, trained, features, pictures):
    found = load_features(features)
    samples = load_arrays(data / 'all.npz')
    expected = FeatureExtractor(*load_checkpoint(trained)).predict(samples.images, 128)
    np.testing.assert_array_equal(found.features, expected)
    assert found.classes.tolist() == [f'c{label}' for label in pictures[1]]
    assert found.trained_on == [f'c{label}' for label in range(CLASSES)]
    centers = load_checkpoint(trained)[2]['center_loss__center_bias'].asnumpy()
    np.testing.assert_array_equal(found.centers, centers)


def test_flip_appends_the_mirrored_and_other_layers_have_no_centers(data, trained, features, call, pictures):
    call('embed', trained, data / 'all.npz', '-o', 'flip.npz', '--flip', '--batch-size', 7)
    np.savez('mirrored.npz', images=pictures[0][..., ::-1], labels=pictures[1])
    call('embed', trained, 'mirrored.npz', '-o', 'mirrored-features.npz')
    flipped, mirrored = load_features('flip.npz'), load_features('mirrored-features.npz')
    expected = np.hstack([load_features(features).features, mirrored.features])
    np.testing.assert_allclose(flipped.features, expected, rtol=1e-4, atol=1e-5)
    call('embed', trained, data / 'all.npz', '-o', 'fc1.npz', '--layer', 'fc1_output', '--epoch', 2)
    assert flipped.centers is None and load_features('fc1.npz').centers is None
    call('train', data / 'all.npz', '-o', 'wide', '--num-epochs', 1, '--embedding-dim', CLASSES)
    printed = call('embed', 'wide', data / 'all.npz', '-o', 'scores.npz', '--layer', 'fc2_output')
    assert load_features('scores.npz').centers is None and 'without the centers' in printed


def test_labels_of_a_rec_file_may_count_in_the_classes_of_the_training(data, call, pictures):
    call('train', data / 'all.rec', '-o', 'net', '--network', 'lenet', '--image-size', 24, *TRAIN)
    records = recordio.MXIndexedRecordIO('some.idx', 'some.rec', 'w')
    files = sorted((data / 'all').glob('*/*.png'))
    for i, label in (0, 0), (44, 4):
        records.write_idx(i, recordio.pack(recordio.IRHeader(0, label, i, 0), files[i].read_bytes()))
    records.close()
    call('embed', 'net', 'some.rec', '-o', 'some.npz', '--trained-classes')
    assert load_features('some.npz').classes.tolist() == ['0', '4']


def test_what_was_held_out_can_be_embedded_alone(data, call):
    """The class layer's accuracy on it is that which train has printed."""
    call('train', data / 'all.npz', '-o', 'net', '--test-share', 0.4, *TRAIN)
    rows = []
    for part in 'train', 'test':
        call('embed', 'net-0002.params', data / 'all.npz', '-o', f'{part}.npz', '--part', part)
        rows += load_features(f'{part}.npz').features.tolist()
    call('embed', 'net', data / 'all.npz', '-o', 'all.npz')
    np.testing.assert_allclose(sorted(rows), sorted(load_features('all.npz').features.tolist()), rtol=1e-5)
    call('embed', 'net', data / 'all.npz', '-o', 'scores.npz', '--part', 'test', '--layer', 'fc2_output')
    scores = load_features('scores.npz')
    assert len(scores.labels) == 18
    with open('net-history.csv', newline='') as file:
        accuracy = float(list(csv.DictReader(file))[-1]['test_accuracy'])
    assert (scores.features.argmax(axis=1) == scores.labels).mean() == accuracy
    Path('net-options.json').unlink()
    with pytest.raises(
        SystemExit, match=r'--part test: net-options.json does not record what train has held out'
    ):
        call('embed', 'net', data / 'all.npz', '-o', 'x.npz', '--part', 'test')


def test_bad_pictures_are_named_counted_and_left_out(data, call, refused, trained, tmp_path):
    (tmp_path / 'all' / 'one').mkdir(parents=True)
    (tmp_path / 'all' / 'two').mkdir()
    for i in range(9):
        for name, one in ('one', 'c0'), ('two', 'c1'):
            picture = sorted((data / 'all' / one).iterdir())[i].read_bytes()
            cut = 20 if (name, i) == ('two', 4) else None
            (tmp_path / 'all' / name / f'{i}.png').write_bytes(picture[:cut])
    options = ['-o', 'net', '--network', 'lenet', '--image-size', 24, *TRAIN]
    status, line = refused('train', 'all', *options)
    assert status == 1 and 'all/two/4.png: not a picture that MXNet can decode' in line
    printed = call('train', 'all', '--skip-bad', *options)
    assert printed.startswith('left out 1 picture that cannot be decoded: all/two/4.png\n')
    printed = call('embed', 'net', 'all', '-o', 'all.npz', '--skip-bad')
    assert 'all/two/4.png' in printed and 'all.npz: 17 features' in printed
    assert refused('embed', 'net', 'all', '-o', 'bad.npz')[0] == 1


@pytest.mark.parametrize('arguments, message', [
    (['none', 'DATA', '-o', 'x.npz'], 'no checkpoint none-NNNN.params (NNNN: the epoch)'),
    (['NET', 'DATA', '-o', 'x.npz', '--epoch', 7], 'net-0007.params does not exist; the last'),
    (['NET', 'DATA', '-o', 'x.npz', '--layer', 'x'], "the network has no output 'x'; it has conv1_output, "),
    (['NET', 'DATA', '-o', 'x.csv'], 'x.csv: expected a file that ends in .npz'),
    (['NET', 'DATA', '-o', '.'], '. is a folder; expected a file'),
    (['NET', 'DATA', '-o', '/dev/null', '--force'], '/dev/null is a device or pipe; expected a file'),
    (['NET', 'DATA', '-o', 'x.npz', '--layer', 'conv1_output'], 'has shape (45, 20, 12, 12)'),
    (['NET', 'DATA', '-o', 'none/x.npz'], 'none is not a folder'),
    (['NET', 'large.npz', '-o', 'x.npz', '--part', 'test'], 'was trained on: 3 of 3 samples are new or'),
    (['other', 'DATA', '-o', 'x.npz', '--part', 'test'], 'no checkpoint other-NNNN.params'),
    (['NET', 'FOLDER', '-o', 'x.npz'], 'these are pictures in files, which are normalized, but'),
    (['NET', 'large.npz', '-o', 'x.npz'], 'does not take samples of shape (1, 20, 20), but of (1, 16, 16)'),
    (['NET', 'nan.npz', '-o', 'x.npz'], 'nan.npz: images at row 1 are not finite'),
    (['NET', 'pickled.npz', '-o', 'x.npz'], 'Object arrays cannot be loaded'),
])  # fmt: skip
def test_samples_that_cannot_be_embedded_are_refused(refused, data, trained, tmp_path, arguments, message):
    np.savez('large.npz', images=np.zeros((3, 20, 20)), labels=np.arange(3))
    images = np.zeros((3, 16, 16))
    images[1] = np.nan
    np.savez('nan.npz', images=images, labels=np.arange(3))
    np.savez('pickled.npz', images=images, labels=np.array([{}] * 3))
    places = {'NET': trained, 'DATA': data / 'all.npz', 'FOLDER': data / 'all'}
    before = sorted(tmp_path.iterdir())
    status, line = refused('embed', *[places.get(argument, argument) for argument in arguments])
    assert status == 1 and message in line
    assert sorted(tmp_path.iterdir()) == before


def test_damaged_checkpoints_are_named(call, refused, data, tmp_path):
    call('train', data / 'all.npz', '-o', 'net', *TRAIN)
    params = Path('net-0002.params')
    params.write_bytes(params.read_bytes()[:1000])
    status, line = refused('embed', 'net', data / 'all.npz', '-o', 'x.npz')
    assert status == 1 and 'net-0002.params: not an MXNet parameter file, or it is truncated' in line
    Path('net-symbol.json').write_text('{"nodes": [')
    assert (
        'net-symbol.json: not an MXNet symbol file'
        in refused('embed', 'net', data / 'all.npz', '-o', 'x.npz')[1]
    )
    assert not Path('x.npz').exists()


def test_centers_of_several_losses_are_left_out_and_it_says_so(call, data, tmp_path):
    labels = mx.sym.Variable('center_label')
    embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=3, name='embedding')
    net = mx.sym.Group([
        mx.sym.SoftmaxOutput(mx.sym.FullyConnected(embedding, num_hidden=5), name='softmax'),
        learned_center_loss(embedding, labels, 5, 3, name='a'),
        island_loss(embedding, labels, 5, 3, name='b'),
    ])  # fmt: skip
    samples = load_arrays(data / 'all.npz')
    training = Training(net, samples, batch_size=10)
    training.fit(tmp_path / 'both')
    assert training.centers.shape == (5, 3)
    printed = call('embed', tmp_path / 'both', data / 'all.npz', '-o', 'both.npz')
    assert 'without the centers, because 2 losses read this layer' in printed
    assert load_features('both.npz').centers is None


@pytest.mark.parametrize('options, form', [
    (['--flip'], 'concat'), (['--flip', 'concat'], 'concat'), (['--flip=concat'], 'concat'),
    (['--flip', 'sum'], 'sum'), ([], None),
])  # fmt: skip
def test_flip_may_stand_alone_before_the_prefix(options, form):
    arguments = ['embed', *options, 'net', 'all.npz', '-o', 'x.npz']
    assert [parser().parse_args(arguments).flip, parser().parse_args(arguments).prefix] == [form, 'net']

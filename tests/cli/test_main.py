"""The command line, as a user runs it: from samples to checkpoint, features, numbers, pictures and ONNX."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

from centerloss_mx import evaluation
from centerloss_mx.cli import main
from centerloss_mx.cli.main import parser
from centerloss_mx.cli.train import _samples
from centerloss_mx.dataset import load_arrays
from centerloss_mx.model import FeatureExtractor, Features, load_checkpoint, load_features, save_features
from centerloss_mx.model_zoo import lenet
from centerloss_mx.symbol import LOSSES

import mxnet as mx
import numpy as np
import pytest
from mxnet import recordio
from PIL import Image
from sklearn.neighbors import KNeighborsClassifier

CLASSES, EACH = 5, 9
COMMANDS = ['train', 'embed', 'evaluate', 'evaluate knn', 'evaluate retrieve', 'evaluate cluster',
            'evaluate verify', 'plot', 'export', 'info']  # fmt: skip
TRAIN = ['--num-epochs', 2, '--embedding-dim', 3, '--batch-size', 8]


@pytest.fixture(scope='module')
def pictures():
    """Grey pictures 16 x 16, each a pattern of its class under noise."""
    rng = np.random.RandomState(20161008)
    labels = np.repeat(np.arange(CLASSES), EACH)
    patterns = rng.randint(0, 200, (CLASSES, 4, 4)).repeat(4, axis=1).repeat(4, axis=2)
    return (patterns[labels] + rng.randint(0, 50, (len(labels), 16, 16))).astype('uint8'), labels


@pytest.fixture(scope='module')
def data(pictures, tmp_path_factory):
    """The same pictures as all.npz, as a folder of class folders, and as a .rec file."""
    folder = tmp_path_factory.mktemp('data')
    np.savez(folder / 'all.npz', images=pictures[0], labels=[f'c{label}' for label in pictures[1]])
    records = recordio.MXIndexedRecordIO(str(folder / 'all.idx'), str(folder / 'all.rec'), 'w')
    for i, (picture, label) in enumerate(zip(*pictures)):
        path = folder / 'all' / f'c{label}' / f'{i:02}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture.repeat(2, axis=0).repeat(2, axis=1)).save(path)
        records.write_idx(i, recordio.pack(recordio.IRHeader(0, label, i, 0), path.read_bytes()))
    records.close()
    return folder


@pytest.fixture
def call(capsys, monkeypatch, tmp_path):
    """Run a command in an empty folder; what it prints."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        main([str(argument) for argument in arguments])
        return capsys.readouterr().out

    return call


@pytest.fixture
def refused(call, capsys):
    """The status and the one line that a command ends with."""

    def refused(*arguments):
        with pytest.raises(SystemExit) as stopped:
            call(*arguments)
        line = capsys.readouterr().err if stopped.value.code == 2 else f'{stopped.value.code}\n'
        assert line.count('\n') == 1 and line.startswith('centerloss-mx')
        return (2 if stopped.value.code == 2 else 1), line

    return refused


@pytest.fixture(scope='module')
def trained(data, tmp_path_factory):
    """A checkpoint of softmax and center loss on all.npz."""
    prefix = tmp_path_factory.mktemp('trained') / 'net'
    main(['train', str(data / 'all.npz'), '-o', str(prefix), *map(str, TRAIN)])
    return prefix


@pytest.fixture(scope='module')
def features(data, trained):
    path = trained.with_name('all.npz')
    main(['embed', str(trained), str(data / 'all.npz'), '-o', str(path)])
    return path


# train


def test_training_leaves_checkpoint_history_and_options(data, call):
    printed = call('train', data / 'all.npz', '-o', 'runs/net', *TRAIN)
    assert sorted(path.name for path in Path('runs').iterdir()) == [
        'net-0002.params', 'net-0002.states', 'net-history.csv', 'net-options.json', 'net-symbol.json'
    ]  # fmt: skip
    with open('runs/net-history.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert [row['epoch'] for row in rows] == ['1', '2']
    assert f'{"test accuracy":28} {float(rows[1]["test_accuracy"]):>13.4f}' in printed
    options = json.loads(Path('runs/net-options.json').read_text())
    assert options['embedding_dim'] == 3 and options['lr'] == 0.05 and options['ctx'] == ['cpu(0)']
    _, arg_params, aux_params = load_checkpoint('runs/net')
    assert arg_params['embedding_weight'].shape == (3, 500)
    assert aux_params['center_loss__center_bias'].shape == (CLASSES, 3)
    assert aux_params['center_loss__center_bias'].asnumpy().any()


@pytest.mark.parametrize('loss', LOSSES)
def test_every_loss_can_be_trained_by_its_name(data, call, loss):
    call('train', data / 'all.npz', '-o', 'net', '--loss', loss, '--lr', 0.005, *TRAIN)
    call('embed', 'net', data / 'all.npz', '-o', 'all.npz')
    centers = load_features('all.npz').centers
    assert (centers is None) == (loss == 'softmax')
    assert centers is None or (centers.shape == (CLASSES, 3) and centers.any())


def test_the_options_of_a_loss_reach_it(data, call):
    given = {
        'center_loss': ['--scale', 0.3, '--alpha', 0.2, '--update', 'moving_average'],
        'island_loss': ['--scale', 0.3, '--inter-scale', 2, '--lr-mult', 7],
    }
    for loss, options in given.items():
        call('train', data / 'all.npz', '-o', loss, '--loss', loss, '--lr', 1e-5, *options, *TRAIN)
    nodes = json.loads(Path('center_loss-symbol.json').read_text())['nodes']
    attributes = next(node['attrs'] for node in nodes if node['op'] == 'Custom')
    assert (attributes['scale'], attributes['alpha'], attributes['update']) == (
        '0.3',
        '0.2',
        'moving_average',
    )
    assert attributes['use_ignore'] == 'True' and attributes['batchsize'] == '8'
    nodes = json.loads(Path('island_loss-symbol.json').read_text())['nodes']
    weight = next(node['attrs'] for node in nodes if node['name'] == 'island_loss_center_weight')
    assert weight['__lr_mult__'] == '7.0'


def test_centers_on_the_kvstore_get_alpha_and_update(data, call):
    moved = []
    for alpha in 0, 1:
        options = [
            '--loss',
            'sync_center_loss',
            '--alpha',
            alpha,
            '--kv-store',
            'device',
            '--ctx',
            'cpu:0,cpu:1',
        ]
        call('train', data / 'all.npz', '-o', f'net{alpha}', *options, *TRAIN)
        moved.append(
            abs(load_checkpoint(f'net{alpha}')[1]['center_loss_center_weight'].asnumpy()[:, :-1]).max()
        )
    assert moved[0] == 0 and moved[1] > 0


def test_resumed_it_ends_where_an_uninterrupted_one_does(data, call, refused, monkeypatch):
    whole = [data / 'all.npz', '--num-epochs', 3, '--embedding-dim', 3, '--batch-size', 8]
    call('train', *whole, '-o', 'whole')
    from centerloss_mx import training

    tell = training.Training._tell

    def interrupt(self, row):
        tell(self, row)
        if row['epoch'] == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(training.Training, '_tell', interrupt)
        with pytest.raises(SystemExit) as stopped:
            call('train', *whole, '-o', 'net')
        assert stopped.value.code == 130
    status, line = refused('train', *whole, '-o', 'net')
    assert status == 1 and 'net-0002.params is there already; --resume goes on, --force' in line
    status, line = refused('train', *whole, '-o', 'net', '--resume', '--lr', 0.1)
    assert (
        status == 1 and '--resume: --lr is 0.1, but net-options.json says that it was begun with 0.05' in line
    )
    assert 'net-0003' not in ' '.join(path.name for path in Path().iterdir())
    call('train', *whole, '-o', 'net', '--resume')
    for expected, found in zip(load_checkpoint('whole')[1:], load_checkpoint('net')[1:]):
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name].asnumpy(), value.asnumpy(), err_msg=name)
    call('train', *whole, '-o', 'net', '--resume')  # nothing is left to do
    before = Path('net-0003.params').read_bytes()
    assert '--rand-mirror: ' in refused('train', *whole, '-o', 'net', '--force', '--rand-mirror')[1]
    assert refused('train', *whole, '-o', 'net', '--force', '--loss', 'softmax', '--lr', '1e38')[0] == 1
    assert not list(Path().glob('net-*.params'))  # --resume would go on with another training
    Path('net-0003.params').write_bytes(before)
    Path('net-options.json').unlink()
    line = refused('train', *whole, '-o', 'net', '--resume', '--loss', 'softmax')[1]
    assert '--resume: net-options.json is not there' in line


@pytest.mark.parametrize('source', ['all', 'all.rec'])
def test_pictures_in_folders_and_rec_files(data, call, source):
    options = ['--network', 'lenet', '--image-size', 24, '--rand-mirror']
    call('train', data / source, '-o', 'net', *options, *TRAIN)
    printed = call('embed', 'net', data / source, '-o', 'all.npz')
    assert printed == f'all.npz: {CLASSES * EACH} features of 3 dimensions, {CLASSES} classes\n'
    found = load_features('all.npz')
    extractor = FeatureExtractor(*load_checkpoint('net'))
    np.testing.assert_array_equal(found.features, extractor.predict(data / source, image_size=24))
    assert (
        found.names[3] == str(data / source / 'c0' / '03.png')
        or found.names[3] == f'{data / source}: record 3'
    )
    assert [name.lstrip('c') for name in found.classes] == [str(i // EACH) for i in range(CLASSES * EACH)]


def test_networks_of_the_model_zoo_of_ones_own_and_parameters_to_start_from(data, call, trained):
    common = ['--num-epochs', 1, '--batch-size', 8, '--test-share', 0, '--optimizer', 'adam']
    call('train', data / 'all', '-o', 'zoo', '--network', 'squeezenet1.1', '--image-size', 36, *common)
    assert load_checkpoint('zoo')[1]['embedding_weight'].shape[0] == 128
    lenet(4).save('own.json')
    frozen = ['--network', 'own.json', '--params', f'{trained}-0002.params', '--lr', 1e-9]
    printed = call('train', data / 'all.npz', '-o', 'own', *frozen, *common)
    left_out = 'embedding_weight, embedding_bias, fc2_weight, center_loss__center_bias, center_loss__sum_bias'
    assert printed.startswith(f'{trained}-0002.params: left out, as the network has them in another shape: ')
    told = printed.splitlines()[0].partition('shape: ')[2].split(', ')
    assert set(left_out.split(', ')) <= set(told) and 'conv1_weight' not in told
    mx.nd.save('other.params', {'arg:other': mx.nd.ones(3)})
    with pytest.raises(SystemExit, match=r'other.params: the network has none of its parameters'):
        call('train', data / 'all.npz', '-o', 'x', '--params', 'other.params', '--network', 'own.json')
    started, before = load_checkpoint('own')[1], load_checkpoint(trained)[1]
    assert started['embedding_weight'].shape == (4, 500)
    np.testing.assert_allclose(started['conv1_weight'].asnumpy(), before['conv1_weight'].asnumpy(), atol=1e-6)
    call('train', data / 'all.npz', '-o', 'layer', '--network', 'own.json', '--layer', 'fc1_output', *common)
    call('embed', 'layer', data / 'all.npz', '-o', 'layer.npz')
    assert load_features('layer.npz').features.shape == (CLASSES * EACH, 500)


def test_nothing_is_replaced_unasked(data, refused):
    for name in 'net-symbol.json', 'net-history.csv', 'net-options.json', 'net-0007.params':
        Path(name).write_text('mine')
        status, line = refused('train', data / 'all.npz', '-o', 'net', *TRAIN)
        assert status == 1 and f'{name} is there already; --resume goes on, --force replaces it' in line
        assert Path(name).read_text() == 'mine'
        Path(name).unlink()
    for prefix in '.', '..', './':
        assert (
            'expected the beginning of the names'
            in refused('train', data / 'all.npz', '-o', prefix, *TRAIN)[1]
        )


def test_a_source_with_parts_is_tested_with_its_test_part(data, call, pictures):
    for part, rows in ('train', slice(None)), ('t10k', slice(20)):
        for kind, array in ('images-idx3', pictures[0][rows]), ('labels-idx1', pictures[1][rows]):
            sizes = b''.join(size.to_bytes(4, 'big') for size in array.shape)
            content = bytes([0, 0, 8, array.ndim]) + sizes + array.astype('uint8').tobytes()
            Path('parts').mkdir(exist_ok=True)
            Path(f'parts/{part}-{kind}-ubyte').write_bytes(content)
    parts = parser().parse_args(['train', 'parts', '-o', 'x'])
    given = parser().parse_args(['train', 'parts', '-o', 'x', '--test', 'parts'])
    for args in parts, given:
        train, test = _samples(args)
        assert (len(train.labels), len(test.labels)) == (45, 20)


def test_a_test_set_is_that_given(data, call, pictures):
    np.savez('test.npz', images=pictures[0][:20], labels=[f'c{label}' for label in pictures[1][:20]])
    call('train', data / 'all.npz', '-o', 'net', '--test', 'test.npz', *TRAIN)
    with open('net-history.csv', newline='') as file:
        accuracy = float(list(csv.DictReader(file))[-1]['test_accuracy'])
    call('embed', 'net', 'test.npz', '-o', 'scores.npz', '--layer', 'fc2_output')
    scores = load_features('scores.npz')
    predicted = np.array(scores.trained_on)[scores.features.argmax(axis=1)]
    assert accuracy == (predicted == scores.classes).mean()


def test_the_same_seed_holds_out_the_same_and_gives_the_same_numbers(data, call):
    for name in 'a', 'b':
        call('train', data / 'all.npz', '-o', name, *TRAIN)
    assert Path('a-0002.params').read_bytes() == Path('b-0002.params').read_bytes()


@pytest.mark.slow
def test_two_workers_train_and_one_writes(data, tmp_path):
    launch = [
        sys.executable,
        '-m',
        'centerloss_mx.launch',
        '-n',
        '2',
        '--',
        sys.executable,
        '-m',
        'centerloss_mx',
    ]
    options = ['--loss', 'sync_center_loss', '--kv-store', 'dist_sync', *map(str, TRAIN)]
    job = [*launch, 'train', str(data / 'all.npz'), '-o', 'net', *options]
    done = subprocess.run(job, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    _, arg_params, _ = load_checkpoint(tmp_path / 'net')
    counted = arg_params['center_loss_center_weight'].asnumpy()[:, -1].sum()
    assert counted == 2 * 36  # epochs, and samples without the fifth that is held out
    assert {line.split(' | ')[0] for line in done.stdout.splitlines()} == {'worker 0'}


def test_workers_that_see_no_checkpoint_do_not_resume(data, refused, monkeypatch):
    """They would begin anew, beside those that go on."""
    monkeypatch.setenv('DMLC_ROLE', 'worker')
    monkeypatch.setenv('DMLC_NUM_WORKER', '2')
    options = ['--loss', 'sync_center_loss', '--kv-store', 'dist_sync', '--resume', *TRAIN]
    line = refused('train', data / 'all.npz', '-o', 'net', *options)[1]
    assert '--resume: there is no checkpoint of net; every worker has to see the same --output' in line


# embed


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
        SystemExit, match=r'--part test: net-options.json does not tell what train has held out'
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
    assert printed.startswith('1 pictures left out, as they cannot be decoded: all/two/4.png\n')
    printed = call('embed', 'net', 'all', '-o', 'all.npz', '--skip-bad')
    assert 'all/two/4.png' in printed and 'all.npz: 17 features' in printed
    assert refused('embed', 'net', 'all', '-o', 'bad.npz')[0] == 1


# evaluate


def results(protocol, path='features'):
    return json.loads(Path(f'{path}-{protocol}.json').read_text())['results']


@pytest.fixture
def random_features(tmp_path):
    """Features with ties, of people who were not trained on; classes 'p0' to 'p7', six of each."""
    rng = np.random.RandomState(20161008)
    labels = np.tile(np.arange(8), 6)
    values = np.round(rng.randn(8, 4)[labels] + 0.7 * rng.randn(48, 4), 1) + 3.0
    found = Features(values, labels, [f'p{j}' for j in range(8)], trained_on=['q1', 'q2'])
    save_features(tmp_path / 'features.npz', found)
    return found


def test_knn_and_centers_classify_by_names(call, random_features, tmp_path):
    """The known features number their classes otherwise, and one class is unknown."""
    train = random_features._replace(
        labels=(random_features.labels + 1) % 8, class_names=['p7', *(f'p{j}' for j in range(7))]
    )
    rows = train.classes != 'p3'
    train = train._replace(
        features=train.features[rows],
        labels=train.labels[rows],
        centers=np.eye(4)[:2],
        trained_on=['p0', 'p5'],
    )
    save_features(tmp_path / 'train.npz', train)
    save_features(tmp_path / 'features.npz', train._replace(features=random_features.features,
        labels=random_features.labels, class_names=random_features.class_names))  # fmt: skip
    printed = call(
        'evaluate', 'knn', 'train.npz', 'features.npz', '--metric', 'euclidean', '--num-neighbors', 3
    )
    model = KNeighborsClassifier(3, algorithm='brute').fit(train.features, train.classes)
    found = results('knn')
    assert (
        found['knn_accuracy'] == (model.predict(random_features.features) == random_features.classes).mean()
    )
    classes, means = evaluation.class_means(train.features, train.classes)
    distances = np.linalg.norm(random_features.features[:, np.newaxis] - means, axis=2)
    nearest = classes[distances.argmin(axis=1)]
    assert found['nearest_mean_accuracy'] == (nearest == random_features.classes).mean()
    distances = np.linalg.norm(random_features.features[:, np.newaxis] - np.eye(4)[:2], axis=2)
    nearest = np.array(['p0', 'p5'])[distances.argmin(axis=1)]
    assert found['nearest_center_accuracy'] == (nearest == random_features.classes).mean()
    assert found['num_samples'] == 48 and found['num_samples_of_other_classes'] == 6
    assert f'{"knn accuracy":28} {found["knn_accuracy"]:>13.4f}' in printed


def test_retrieval_and_clusters_are_those_of_evaluation(call, random_features):
    call('evaluate', 'retrieve', 'features.npz')
    expected = evaluation.retrieval(random_features.features, random_features.labels)
    assert results('retrieve') == expected._asdict()
    call('evaluate', 'cluster', 'features.npz', '--seed', 3)
    found = results('cluster')
    nmi = evaluation.clustering_nmi(random_features.features, random_features.labels, 3)
    ratio = evaluation.cluster_ratio(random_features.features, random_features.labels)
    assert found == {'nmi': nmi, **ratio._asdict()}


def test_verification_is_that_of_evaluation_and_draws_its_curve(call, random_features):
    options = [
        '--num-folds',
        4,
        '--num-pairs',
        20,
        '--seed',
        2,
        '--num-components',
        2,
        '--metric',
        'euclidean',
    ]
    printed = call('evaluate', 'verify', 'features.npz', *options, '--roc', 'roc.svg', '-o', 'out.json')
    pairs = evaluation.verification_pairs(random_features.labels, 4, 20, 2)
    expected = evaluation.verify(random_features.features, pairs, 'euclidean', 2)
    content = json.loads(Path('out.json').read_text())
    found = content['results']
    for name in 'accuracy', 'standard_error', 'auc', 'eer', 'num_genuine', 'num_impostor':
        assert found[name] == getattr(expected, name)
    for one in expected.tar_at_far:
        value = found[f'tar_at_far_{one.far:g}']
        assert value is None if np.isnan(one.tar) else value == one.tar
    assert found['tar_at_far_0.0001'] is None and 'too few pairs' in printed
    assert content['options']['num_folds'] == 4 and content['options']['features'] == 'features.npz'
    text = Path('roc.svg').read_text()
    assert text.startswith('<?xml') and 'Verification of classes that were not trained on' in text


def test_who_was_trained_on_is_not_verified_unless_told_so(call, refused, random_features, tmp_path, capsys):
    trained_on = ['p5', 'x', 'p1']
    save_features(tmp_path / 'features.npz', random_features._replace(trained_on=trained_on))
    options = ['evaluate', 'verify', 'features.npz', '--num-folds', 2]
    status, line = refused(*options)
    assert (
        status == 1 and '2 of those to verify were trained on: p1, p5' in line and '--allow-trained' in line
    )
    assert not Path('features-verify.json').exists()
    call(*options, '--allow-trained')
    assert results('verify')['seen_in_training'] is True
    save_features(tmp_path / 'features.npz', random_features)
    call(*options, '--allow-trained', '--force')
    assert results('verify')['seen_in_training'] is False
    save_features(tmp_path / 'features.npz', random_features._replace(trained_on=None))
    main([*map(str, options), '--force'])
    assert 'features.npz does not tell what its network was trained on' in capsys.readouterr().err
    assert results('verify')['seen_in_training'] is None


@pytest.mark.parametrize('protocol, message', [
    (['knn', 'other.npz', 'features.npz'], 'features of shape (48, 4); expected (N, 3)'),
    (['knn', 'none.npz', 'features.npz'], 'none.npz: not there'),
    (['knn', 'copy.npz', 'features.npz', '--num-neighbors', 49], 'num_neighbors=49 is outside 1..48'),
    (['knn', './features.npz', 'features.npz'], 'features.npz: TRAIN and FEATURES are one file'),
    (['knn', 'alone.npz', 'features.npz'], 'features.npz: no sample is of a class in alone.npz'),
    (['retrieve', 'features.npz', '-o', 'x.csv'], 'x.csv: expected a file that ends in .json'),
    (['retrieve', '.'], '.: a folder; expected the arrays features and labels in an .npz file'),
    (['retrieve', 'alone.npz'], 'each of the 3 samples is alone in its class'),
    (['retrieve', 'nan.npz'], 'nan.npz: features at row 1 are not finite'),
    (['retrieve', 'text.npz'], 'text.npz: expected the arrays features and labels'),
    (['cluster', 'one.npz'], 'labels hold one class'),
    (['verify', 'features.npz', '--num-folds', 8], 'has no impostor pair; expected fewer folds'),
    (['verify', 'alone.npz', '--num-folds', 2], 'has no genuine pair'),
    (['verify', 'features.npz', '--num-folds', 2, '--num-components', 9], 'num_components=9 is outside'),
    (['verify', 'features.npz', '--num-folds', 2, '--roc', 'roc.pdf'], 'roc.pdf: expected a file that ends'),
    (['verify', 'features.npz', '--num-folds', 2, '-o', 'none/out.json'], 'none is not a folder'),
])  # fmt: skip
def test_what_cannot_be_evaluated_is_refused_and_nothing_is_written(
    refused, random_features, tmp_path, protocol, message
):
    np.savez(tmp_path / 'other.npz', features=np.eye(3), labels=['p0', 'p1', 'p1'])
    save_features(tmp_path / 'copy.npz', random_features)
    np.savez(tmp_path / 'alone.npz', features=np.eye(3), labels=[0, 1, 2])
    np.savez(tmp_path / 'nan.npz', features=np.diag([1, np.nan, 1]), labels=[0, 1, 2])
    np.savez(tmp_path / 'one.npz', features=np.eye(3), labels=[1, 1, 1])
    (tmp_path / 'text.npz').write_text('nothing')
    before = sorted(tmp_path.iterdir())
    status, line = refused('evaluate', *protocol)
    assert status == 1 and message in line
    assert sorted(tmp_path.iterdir()) == before


# plot


def test_pictures_are_drawn_side_by_side(call, features, data):
    printed = call(
        'plot', features, features, '-o', 'both.png', '-o', 'both.svg', '--titles', 'left', 'right'
    )
    assert printed == 'Look at both.png and both.svg\n'
    with Image.open('both.png') as picture:
        assert picture.size[0] > 1000
    text = Path('both.svg').read_text()
    for told in 'left', 'right', 'c0', 'c4', 'center', 'principal component 1':
        assert f'<!-- {told}' in text, told
    call('plot', features, '-o', 'tsne.svg', '--projection', 'tsne', '--no-centers', '--num-samples', 30)
    call('plot', features, features.parent / '.' / 'all.npz', '-o', 'same.svg')
    assert f'<!-- {features} -->' in Path('same.svg').read_text()  # two files of one name
    text = Path('tsne.svg').read_text()
    assert '<!-- t-SNE 1' in text and '<!-- center' not in text and f'<!-- {features.stem}' in text


@pytest.mark.parametrize('arguments, message', [
    (['-o', 'x.pdf'], 'x.pdf: expected a file that ends in .png or .svg'),
    (['-o', 'none/x.png'], 'none is not a folder'),
    (['-o', 'there.png'], 'there.png is there already; --force replaces it'),
    (['-o', 'x.png', '--titles', 'a', 'b'], '--titles: 2 of them, for 1 files of features'),
])  # fmt: skip
def test_what_cannot_be_drawn_is_refused(refused, features, arguments, message, tmp_path):
    (tmp_path / 'there.png').write_text('mine')
    status, line = refused('plot', features, *arguments)
    assert status == 1 and message in line
    assert [path.name for path in tmp_path.iterdir()] == ['there.png']
    assert (tmp_path / 'there.png').read_text() == 'mine'


# export


def test_the_exported_network_computes_the_features(call, refused, data, trained, features):
    onnxruntime = pytest.importorskip('onnxruntime')
    call('export', trained, '-o', 'net.onnx')
    session = onnxruntime.InferenceSession('net.onnx', providers=['CPUExecutionProvider'])
    images = load_arrays(data / 'all.npz').images
    for size in 1, 17:
        found = session.run(None, {'data': images[:size]})[0]
        np.testing.assert_allclose(found, load_features(features).features[:size], atol=1e-5)
    assert 'net.onnx is there already' in refused('export', trained, '-o', 'net.onnx')[1]
    call('export', trained, '-o', 'net.onnx', '--force', '--layer', 'fc1_output', '--data-shape', '1,16,16')
    session = onnxruntime.InferenceSession('net.onnx', providers=['CPUExecutionProvider'])
    assert session.run(None, {'data': images[:2]})[0].shape == (2, 500)


# all of them


def test_info_tells_what_is_there_and_what_is_missing(call, monkeypatch):
    from importlib import metadata

    real = metadata.version

    def version(package):
        if package == 'onnxruntime':
            raise metadata.PackageNotFoundError
        return real(package)

    monkeypatch.setattr(metadata, 'version', version)
    told = dict(re.split(r'  +', line, maxsplit=1) for line in call('info').splitlines())
    assert told['MXNet'] == mx.__version__ and told['NumPy'] == np.__version__
    assert told['scikit-learn'] == real('scikit-learn')
    assert told['onnxruntime'] == "missing: pip install 'centerloss_mx[onnx]'"
    assert told['several machines'] == 'available' and told['GPUs'].startswith('0')


@pytest.mark.parametrize('command', COMMANDS)
def test_every_command_has_help_with_an_example_that_can_be_parsed(command, capsys, monkeypatch):
    monkeypatch.setenv('COLUMNS', '200')  # no example is broken in the middle of a word
    with pytest.raises(SystemExit) as stopped:
        main([*command.split(), '--help'])
    assert stopped.value.code == 0
    text = ' '.join(capsys.readouterr().out.split())
    example = text.rpartition('example: centerloss-mx ')[2]
    assert example.startswith(command)
    parser().parse_args(example.split())


@pytest.mark.parametrize('arguments, message', [
    ([], 'the following arguments are required: COMMAND'),
    (['embbed'], "invalid choice: 'embbed'"),
    (['train', 'digits'], 'the following arguments are required: -o/--output'),
    (['train', 'digits', '-o', 'x', '--lr', '0'], '--lr: 0: expected more than 0'),
    (['train', 'digits', '-o', 'x', '--lr', 'nan'], '--lr: nan: expected more than 0'),
    (['train', 'digits', '-o', 'x', '--momentum', '1'], 'expected 0 or more, and less than'),
    (['train', 'digits', '-o', 'x', '--batch-size', '0'], '--batch-size: 0: expected 1 or more'),
    (['train', 'digits', '-o', 'x', '--num-epochs', 'ten'], "--num-epochs: invalid whole number value"),
    (['train', 'digits', '-o', 'x', '--num-epochs', '10000'], '--num-epochs: 10000: expected 9999 or less'),
    (['train', 'digits', '-o', 'x', '--seed', '4294967296'], 'expected 4294967295 or less'),
    (['train', 'digits', '-o', 'x', '--ctx', 'tpu'], "--ctx: 'tpu' is not a device"),
    (['train', 'digits', '-o', 'x', '--loss', 'triplet'], "--loss: invalid choice: 'triplet'"),
    (['train', 'digits', '-o', 'x', '--optimizer', 'lion'], "--optimizer: invalid choice: 'lion'"),
    (['export', 'x', '-o', 'x.onnx', '--data-shape', '1,0'], '--data-shape: 1,0: expected numbers > 0'),
    (['evaluate', 'verify', 'x.npz', '--num-folds', '1'], '--num-folds: 1: expected 2 or more'),
])  # fmt: skip
def test_arguments_that_cannot_be_used_end_with_status_2(refused, arguments, message):
    status, line = refused(*arguments)
    assert status == 2 and message in line and '--help)' in line


@pytest.mark.parametrize('arguments, message', [
    (['nowhere'], 'nowhere: not there; expected a folder of class folders, a .rec, .npz or idx file, or one'),
    (['nowhere.npz'], 'nowhere.npz: not there'),
    (['DATA', '--scale', 1, '--loss', 'softmax'], '--scale: not for softmax, which takes none of these'),
    (['DATA', '--margin', 1], '--margin: not for center_loss, which takes scale, alpha, update'),
    (['DATA', '--alpha', 2], 'alpha=2.0 is not a number in [0, 1]'),
    (['DATA', '--momentum', 0.5, '--optimizer', 'adam'], '--momentum: not for adam, but for sgd and nag'),
    (['DATA', '--network', 'resnet19'], 'Model resnet19 is not supported'),
    (['DATA', '--network', 'densenet121'], 'does not take samples of 1 x 16 x 16; it takes 224 x 224'),
    (['DATA', '--network', 'none.json'], 'none.json is not there'),
    (['DATA', '--params', 'none.params'], 'none.params: not there'),
    (['DATA', '--batch-size', 40], '--batch-size 40: expected 36 or less, the samples'),
    (['DATA', '--batch-size', 1, '--ctx', 'cpu:0,cpu:1'], 'one sample or more for each device'),
    (['DATA', '--test-share', 0.01], 'cannot hold out --test-share 0.01'),
    (['DATA', '--test', 'nowhere'], 'nowhere: not there'),
    (['DATA', '--image-size', 24], '--image-size 24: '),
    (['DATA', '--rand-mirror'], 'only pictures in files can be mirrored'),
    (['DATA', '--kv-store', 'dist_sync'], 'this process is no worker (DMLC_ROLE is not set)'),
    (['DATA', '--lr', '1e30'], 'expected finite features'),
    (['DATA', '--loss', 'softmax', '--lr', '1e30'], 'softmax, epoch 1: training diverged'),
    (['DATA', '-o', 'file/net'], 'file'),
])  # fmt: skip
def test_training_that_cannot_be_done_ends_with_status_1(refused, data, tmp_path, arguments, message):
    (tmp_path / 'file').write_text('')
    arguments = [data / 'all.npz' if argument == 'DATA' else argument for argument in arguments]
    status, line = refused('train', '-o', 'net', *arguments)
    assert status == 1 and message in line
    assert not list(tmp_path.glob('*.params'))


@pytest.mark.parametrize('arguments, message', [
    (['none', 'DATA', '-o', 'x.npz'], 'none-NNNN.params: there is no checkpoint of this prefix'),
    (['NET', 'DATA', '-o', 'x.npz', '--epoch', 7], 'net-0007.params is not there; the last'),
    (['NET', 'DATA', '-o', 'x.npz', '--layer', 'x'], "the network has no output 'x'; it has conv1_output, "),
    (['NET', 'DATA', '-o', 'x.csv'], 'x.csv: expected a file that ends in .npz'),
    (['NET', 'DATA', '-o', '.'], '. is no file, but a folder'),
    (['NET', 'DATA', '-o', '/dev/null', '--force'], '/dev/null is no file, but a device or pipe'),
    (['NET', 'DATA', '-o', 'x.npz', '--layer', 'conv1_output'], 'has shape (45, 20, 12, 12)'),
    (['NET', 'DATA', '-o', 'none/x.npz'], 'none is not a folder'),
    (['NET', 'nan.npz', '-o', 'x.npz', '--part', 'test'], 'does not tell that a part of nan.npz was'),
    (['other', 'DATA', '-o', 'x.npz', '--part', 'test'], 'there is no checkpoint of this prefix'),
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
    assert status == 1 and 'net-0002.params: no parameters of MXNet; is the file whole?' in line
    Path('net-symbol.json').write_text('{"nodes": [')
    assert (
        'net-symbol.json: no network of MXNet' in refused('embed', 'net', data / 'all.npz', '-o', 'x.npz')[1]
    )
    assert not Path('x.npz').exists()


def test_debug_shows_where_an_error_comes_from(call, data):
    with pytest.raises(FileNotFoundError, match='there is no checkpoint'):
        call('embed', 'none', data / 'all.npz', '-o', 'x.npz', '--debug')


def test_it_runs_as_a_module_and_says_its_version():
    for command in (
        ['-m', 'centerloss_mx', '--version'],
        ['-m', 'centerloss_mx', 'evaluate', 'retrieve', 'none.npz'],
    ):
        done = subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=60)
        if '--version' in command:
            assert done.returncode == 0 and re.fullmatch(r'centerloss-mx \d+\.\d+\.\d+\n', done.stdout)
        else:
            assert done.returncode == 1 and done.stderr.startswith('centerloss-mx: none.npz: not there')

"""The example for one's own pictures, run as a user runs it: digits and faces in folders and .rec files."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

from centerloss_mx.io import load_mnist
from centerloss_mx.model import FeatureExtractor

import mxnet as mx
import numpy as np
import pytest
from mxnet import recordio
from mxnet.gluon.model_zoo import vision
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / 'examples' / 'fine_grained.py'
FACES = ROOT.parent / 'shared' / 'data' / 'orl' / 'orl_faces.npz'
NETWORK, SIZE = 'squeezenet1.1', 36  # the fastest
FIXED = ['--network', NETWORK, '--image-size', SIZE, '--batch-size', 8, '--num-epochs', 1]
LEARNS = ['--network', 'resnet18_v2', '--num-epochs', 2]  # most digits, in these two epochs


def write_folder(folder, images, labels, names=str):
    for i, (image, label) in enumerate(zip(images, labels)):
        path = folder / names(label) / f'{i:04}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)


def write_records(path, files, labels):
    """As im2rec.py does, which needs OpenCV for Python."""
    records = recordio.MXIndexedRecordIO(str(path.with_suffix('.idx')), str(path), 'w')
    for i, (file, label) in enumerate(zip(files, labels)):
        records.write_idx(i, recordio.pack(recordio.IRHeader(0, label, i, 0), file.read_bytes()))
    records.close()


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """Digits 0 to 3 in folders, 36 x 36: 75 or so for training, 37 or so for testing."""
    folder = tmp_path_factory.mktemp('digits')
    train_images, train_labels, test_images, test_labels = load_mnist()
    for name, images, labels, count in (
        ('train', train_images, train_labels, 190),
        ('test', test_images, test_labels, 90),
    ):
        few = np.flatnonzero(labels[:count] < 4)
        write_folder(folder / name, np.pad(images[few], ((0, 0), (4, 4), (4, 4))), labels[few])
    return folder


def command(*options):
    return [sys.executable, str(SCRIPT), *map(str, [*options[:1], *FIXED, *options[1:]])]


def run(*options):
    done = subprocess.run(command(*options), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def history(folder):
    with open(folder / 'history.csv', newline='') as file:
        return [
            {name: value for name, value in row.items() if name != 'seconds'} for row in csv.DictReader(file)
        ]


def results(output):
    """The results of each run, but for times and titles."""
    runs = json.loads((output / 'results.json').read_text())['runs']
    ours = ('seconds', 'title', 'scale')
    return {name: {key: x for key, x in run.items() if key not in ours} for name, run in runs.items()}


@pytest.fixture(scope='module')
def trained(data, tmp_path_factory):
    output = tmp_path_factory.mktemp('trained')
    return output, run(data / 'train', '--test', data / 'test', *LEARNS, '--output', output)


@pytest.mark.slow
def test_it_leaves_results_histories_checkpoints_and_a_picture_and_prints_the_table(trained):
    output, printed = trained
    assert {path.name for path in output.iterdir()} == {
        'softmax', 'center_loss', 'results.json', 'confusion.png'
    }  # fmt: skip
    for name in 'softmax', 'center_loss':
        assert {path.name for path in (output / name).iterdir()} == {
            'history.csv', 'resnet18_v2-symbol.json', 'resnet18_v2-0002.params', 'resnet18_v2-0002.states',
            'resnet18_v2-samples.npz',
        }  # fmt: skip
        assert [row['epoch'] for row in history(output / name)] == ['1', '2']
    with Image.open(output / 'confusion.png') as picture:
        assert picture.size[0] > 800
    heading, softmax, center_loss = printed.splitlines()[-4:-1]
    assert heading.split() == ['test', 'accuracy', 'own', 'between', 'ratio', 's/epoch']
    assert softmax.startswith('softmax only') and center_loss.startswith('center loss, λ = 0.001')


@pytest.mark.slow
@pytest.mark.parametrize('name', ['softmax', 'center_loss'])
def test_the_confusion_is_that_of_the_checkpoint_on_the_test_pictures(data, trained, name):
    output, _ = trained
    files = sorted((data / 'test').glob('*/*.png'))
    labels = np.array([int(file.parent.name) for file in files])
    pixels = np.stack([np.stack([np.asarray(Image.open(file), np.float64)] * 3) for file in files])
    mean, std = np.array([[123.68, 116.28, 103.53], [58.395, 57.12, 57.375]])[:, :, np.newaxis, np.newaxis]
    checkpoint = mx.model.load_checkpoint(str(output / name / 'resnet18_v2'), 2)
    predicted = FeatureExtractor(*checkpoint, layer='fc2_output').predict((pixels - mean) / std).argmax(1)
    confusion = np.zeros((4, 4), int)
    for j, k in zip(labels, predicted):
        confusion[j, k] += 1

    found = results(output)[name]
    assert found['confusion'] == confusion.tolist()
    assert found['test_accuracy'] == (labels == predicted).mean()
    for j in range(4):
        assert found['class_accuracies'][str(j)] == (predicted[labels == j] == j).mean()
    wrong = {(str(j), str(k)): n for (j, k), n in np.ndenumerate(confusion) if j != k and n}
    assert {(j, k): n for j, k, n in found['confused_pairs']} == wrong
    assert [n for _, _, n in found['confused_pairs']] == sorted(wrong.values(), reverse=True)
    assert confusion.trace() > 0.5 * len(files), 'it has learned nothing: the test proves little'


@pytest.mark.slow
def test_both_runs_start_from_the_same_weights_and_see_the_same_samples(data, tmp_path):
    run(data / 'train', '--scale', 1e-30, '--rand-mirror', '--num-epochs', 2, '--output', tmp_path)
    assert history(tmp_path / 'softmax') == history(tmp_path / 'center_loss')


@pytest.mark.slow
def test_a_share_of_every_class_is_held_out(data, tmp_path):
    run(data / 'train', '--scale', 0, '--test-share', 0.25, '--output', tmp_path)
    content = json.loads((tmp_path / 'results.json').read_text())
    files = [str(file) for file in sorted((data / 'train').glob('*/*.png'))]
    of_class, held_out = (
        np.bincount([int(Path(file).parent.name) for file in names])
        for names in (files, content['test_files'])
    )
    assert list(content['runs']) == ['softmax']
    assert set(content['test_files']) < set(files)
    assert content['train_pictures'] + len(content['test_files']) == len(files)
    assert np.abs(held_out - 0.25 * of_class).max() < 1
    assert np.sum(content['runs']['softmax']['confusion'], axis=1).tolist() == held_out.tolist()


@pytest.mark.slow
def test_rec_files_of_the_same_pictures_give_the_same_numbers(data, trained, tmp_path):
    for name in 'train', 'test':
        files = sorted((data / name).glob('*/*.png'))
        write_records(tmp_path / f'{name}.rec', files, [int(file.parent.name) for file in files])
    for train, test in (
        (tmp_path / 'train.rec', tmp_path / 'test.rec'),
        (data / 'train', tmp_path / 'test.rec'),
    ):
        run(train, '--test', test, '--scale', 0, *LEARNS, '--output', tmp_path / 'output')
        assert results(tmp_path / 'output')['softmax'] == results(trained[0])['softmax']


@pytest.mark.slow
def test_a_share_of_a_rec_file_is_held_out(data, tmp_path):
    files = sorted((data / 'train').glob('*/*.png'))
    write_records(tmp_path / 'train.rec', files, [int(file.parent.name) for file in files])
    held_out = []
    for source in tmp_path / 'train.rec', data / 'train':
        run(source, '--scale', 0, '--output', tmp_path / 'output')
        content = json.loads((tmp_path / 'output' / 'results.json').read_text())
        held_out.append(content['test_files'])
        assert content['train_pictures'] + len(content['test_files']) == len(files)
    records = [f'{tmp_path / "train.rec"}: record {files.index(Path(name))}' for name in held_out[1]]
    assert held_out[0] == records


@pytest.mark.slow
@pytest.mark.skipif(not FACES.is_file(), reason=f'the faces are not at {FACES}')
def test_faces_of_forty_people_on_two_devices(tmp_path):
    with np.load(str(FACES), allow_pickle=False) as faces:
        write_folder(tmp_path / 'faces', faces['images'], faces['labels'], 'person {:02}'.format)
    run(tmp_path / 'faces', '--ctx', 'cpu:0,cpu:1', '--output', tmp_path / 'output')
    content = json.loads((tmp_path / 'output' / 'results.json').read_text())
    assert content['class_names'] == [f'person {j:02}' for j in range(40)]
    assert (content['train_pictures'], content['test_pictures']) == (320, 80)
    assert np.sum(content['runs']['center_loss']['confusion'], axis=1).tolist() == [2] * 40


@pytest.mark.slow
def test_it_starts_from_the_parameters_of_a_network_of_the_model_zoo(data, tmp_path):
    network = vision.get_model(NETWORK)
    network.initialize(mx.init.Xavier())
    network(mx.nd.zeros((1, 3, 224, 224)))
    network.save_parameters(str(tmp_path / 'zoo.params'))
    options = ['--scale', 0, '--lr', 1e-12, '--output', tmp_path]
    run(data / 'train', '--params', tmp_path / 'zoo.params', *options)
    saved = mx.nd.load(str(tmp_path / 'softmax' / f'{NETWORK}-0001.params'))
    for name, weight in network.features.collect_params('.*weight').items():
        after = saved[name.replace(network.prefix, 'arg:backbone_', 1)]
        np.testing.assert_allclose(after.asnumpy(), weight.data().asnumpy(), rtol=0, atol=1e-10)


@pytest.mark.slow
def test_divergence_ends_in_one_sentence_that_says_what_to_lower(data, tmp_path):
    options = ['--lr', '1e30', '--output', tmp_path]
    done = subprocess.run(command(data / 'train', *options), capture_output=True, text=True, timeout=300)
    assert done.returncode == 1 and 'Traceback' not in done.stderr
    assert 'softmax only, epoch 1: training diverged' in done.stderr
    assert 'lower learning_rate (1e+30) or scale' in done.stderr


@pytest.fixture
def refused(refused_by, tmp_path):
    return lambda *options: refused_by(*command(*options, '--output', tmp_path / 'output')[1:])


def test_an_error_ends_in_one_sentence(refused, tmp_path):
    expected = 'does not exist; expected a folder of class folders, or a .rec file'
    assert refused(tmp_path / 'none') == f'fine_grained.py: {tmp_path / "none"} {expected}'


@pytest.mark.parametrize('options, message', [
    (['--network', 'resnet19'], 'Model resnet19 is not supported. Available options are alexnet densenet121'),
    (['--network', 'densenet121'], 'does not take samples of 3 x 36 x 36; it takes 224 x 224'),
    (['--image-size', '0'], 'argument --image-size: 0: expected 1 or more'),
    (['--batch-size', '1', '--ctx', 'cpu:0,cpu:1'], '--batch-size 1: expected 2 or more'),
    (['--batch-size', '1000'], '--batch-size 1000: more than the'),
    (['--ctx', 'tpu'], "'tpu' is not a device"),
    (['--lr', 'inf'], 'argument --lr: inf: expected more than 0'),
    (['--seed', '-1'], 'argument --seed: -1: expected 0 or more'),
    (['--test-share', '1'], 'argument --test-share: 1: expected more than 0, and less than 1'),
    (['--test-share', '0.001'], 'cannot hold out --test-share 0.001: The test_size = 1 should be greater'),
    (['--scale', '-1'], 'scale=-1.0 is not a finite number >= 0'),
    (['--alpha', '2'], 'alpha=2.0 is not a number in [0, 1]'),
    (['--params', __file__], f'{__file__}: not an MXNet parameter file, or it is truncated'),
])  # fmt: skip
def test_bad_options_end_in_one_sentence(data, refused, options, message):
    assert message in refused(data / 'train', *options)


def test_bad_data_end_in_one_sentence(data, refused, tmp_path):
    one = tmp_path / 'one'
    shutil.copytree(str(data / 'test' / '1'), str(one / '1'))
    assert f'{one}: 1 class; expected at least 2' in refused(one)

    (one / '2').mkdir()
    assert f'{one / "2"}: no picture in this class folder' in refused(one)

    shutil.copy(str(next((data / 'test' / '2').iterdir())), str(one / '2'))
    assert (
        f'{one}: cannot hold out --test-share 0.2: class 2 has one sample; expected at least two'
        in refused(one)
    )

    broken = one / '2' / 'broken.png'
    broken.write_bytes(b'not a picture')
    assert f'{broken}: not a picture that MXNet can decode' in refused(one, '--test', one, '--batch-size', 4)

    (one / '2').rename(one / 'two')
    assert f'{one}: class two is not one of the 4: 0, 1, 2, 3' in refused(data / 'train', '--test', one)


def test_the_labels_of_a_rec_file_to_test_with_are_classes_of_the_training(data, refused, tmp_path):
    files = sorted((data / 'test').glob('*/*.png'))
    test = tmp_path / 'test.rec'
    write_records(test, files[-2:], [3, 4])
    assert f'{test}: label 4 at row 1 is outside 0..3' in refused(data / 'train', '--test', test)


@pytest.mark.parametrize('where', ['.', '..', 'results'])
def test_results_are_not_written_among_the_pictures(data, refused_by, where):
    folder = data / 'train'
    before = sorted(folder.rglob('*'))
    assert 'expected a folder of its own' in refused_by(*command(folder, '--output', folder / where)[1:])
    assert sorted(folder.rglob('*')) == before

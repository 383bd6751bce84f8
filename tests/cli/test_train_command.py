"""`train`, as a user runs it: checkpoint, history and options."""

from __future__ import annotations

import csv
import json
import logging
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from centerloss_mx.cli.arguments import read_options
from centerloss_mx.cli.main import parser
from centerloss_mx.cli.samples import train_and_test_samples
from centerloss_mx.cli.train_options import TrainOptions
from centerloss_mx.model import FeatureExtractor, load_checkpoint, load_features
from centerloss_mx.model_zoo import lenet
from centerloss_mx.symbol import LOSSES

import mxnet as mx
import numpy as np
import pytest
from cli_data import CLASSES, EACH, TRAIN
from makers import write_idx


def test_training_leaves_checkpoint_history_and_options(data, call):
    printed = call('train', data / 'all.npz', '-o', 'runs/net', *TRAIN)
    assert sorted(path.name for path in Path('runs').iterdir()) == [
        'net-0002.params', 'net-0002.states', 'net-history.csv', 'net-options.json', 'net-samples.npz',
        'net-symbol.json'
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


@contextmanager
def interrupted_when_logged(beginning):
    """Interrupt a training when it logs a line, which it does after the checkpoint has been saved."""

    class Interrupt(logging.Handler):
        def emit(self, record):
            if record.getMessage().startswith(beginning):
                raise KeyboardInterrupt

    logger, handler = logging.getLogger('centerloss_mx.training'), Interrupt()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def test_resumed_it_ends_where_an_uninterrupted_one_does(data, call, refused):
    whole = [data / 'all.npz', '--num-epochs', 3, '--embedding-dim', 3, '--batch-size', 8]
    call('train', *whole, '-o', 'whole')
    with interrupted_when_logged('Epoch[1] test accuracy'), pytest.raises(SystemExit) as stopped:
        call('train', *whole, '-o', 'net')
    assert stopped.value.code == 130
    status, line = refused('train', *whole, '-o', 'net')
    assert status == 1 and 'net-0002.params already exists; --resume goes on, --force' in line
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
    assert '--resume: net-options.json does not exist' in line


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
    assert printed.startswith(
        f'{trained}-0002.params: left out 6 parameters of another shape than in the network: '
    )
    told = printed.splitlines()[0].partition('network: ')[2].split(', ')
    assert set(left_out.split(', ')) <= set(told) and len(told) == 6 and 'conv1_weight' not in told
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
        assert status == 1 and f'{name} already exists; --resume goes on, --force replaces it' in line
        assert Path(name).read_text() == 'mine'
        Path(name).unlink()
    for prefix in '.', '..', './':
        line = refused('train', data / 'all.npz', '-o', prefix, *TRAIN)[1]
        assert f'--output {Path(prefix)} is a folder; expected a file prefix such as runs/net' in line


def test_a_source_with_parts_is_tested_with_its_test_part(data, call, pictures):
    for part, rows in ('train', slice(None)), ('t10k', slice(20)):
        for kind, array in ('images-idx3', pictures[0][rows]), ('labels-idx1', pictures[1][rows]):
            Path('parts').mkdir(exist_ok=True)
            write_idx(Path(f'parts/{part}-{kind}-ubyte'), array.astype('uint8'))
    for given in [], ['--test', 'parts']:
        args = parser().parse_args(['train', 'parts', '-o', 'x', *given])
        train, test = train_and_test_samples(read_options(TrainOptions, args))
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


@pytest.mark.parametrize('arguments, message', [
    (['nowhere'], 'nowhere does not exist; expected a folder of class folders, a .rec, .npz, .csv or idx'),
    (['nowhere.npz'], 'nowhere.npz does not exist'),
    (['DATA', '--scale', 1, '--loss', 'softmax'],
     '--scale has no effect with --loss softmax, which has no options of a center loss'),
    (['DATA', '--margin', 1],
     '--margin has no effect with --loss center_loss, which has --scale, --alpha, --update'),
    (['DATA', '--momentum', 0.5, '--optimizer', 'adam'],
     '--momentum has no effect with --optimizer adam; only sgd and nag have one'),
    (['DATA', '--network', 'resnet19'], 'Model resnet19 is not supported'),
    (['DATA', '--network', 'densenet121'], 'does not take samples of 1 x 16 x 16; it takes 224 x 224'),
    (['DATA', '--network', 'none.json'], 'none.json does not exist'),
    (['DATA', '--params', 'none.params'], 'none.params does not exist'),
    (['DATA', '--batch-size', 40], '--batch-size 40: expected 36 or less, the samples'),
    (['DATA', '--batch-size', 1, '--ctx', 'cpu:0,cpu:1'], 'one sample or more for each device'),
    (['DATA', '--test-share', 0.01], 'cannot hold out --test-share 0.01'),
    (['DATA', '--test', 'nowhere'], 'nowhere does not exist'),
    (['DATA', '--image-size', 24], 'image_size=24: '),
    (['DATA', '--rand-mirror'], 'only pictures in files can be mirrored'),
    (['DATA', '--kv-store', 'dist_sync'], 'this process is not a worker (DMLC_ROLE is not set)'),
    (['DATA', '--lr', '1e30'], 'is not finite in float32'),
    (['DATA', '--loss', 'softmax', '--lr', '1e30'], 'softmax, epoch 1: training diverged'),
    (['DATA', '-o', 'file/net'], 'centerloss-mx: --output file/net: file is not a folder'),
])  # fmt: skip
def test_training_that_cannot_be_done_ends_with_status_1(refused, data, tmp_path, arguments, message):
    (tmp_path / 'file').write_text('')
    arguments = [data / 'all.npz' if argument == 'DATA' else argument for argument in arguments]
    status, line = refused('train', '-o', 'net', *arguments)
    assert status == 1 and message in line
    assert not list(tmp_path.glob('*.params'))


def test_a_parameter_may_have_a_name_that_ends_like_a_labels(data, call):
    pixels = mx.sym.Flatten(mx.sym.Variable('data'))
    weight = mx.sym.Variable('face_label')
    mx.sym.FullyConnected(pixels, weight, num_hidden=4, no_bias=True, name='embedding').save('own.json')
    start = mx.nd.random.uniform(shape=(4, np.load(data / 'all.npz')['images'][0].size))
    mx.nd.save('start.params', {'arg:face_label': start})
    options = ['--lr', 1e-9, '--num-epochs', 1, '--batch-size', 8, '--test-share', 0]
    call(
        'train', data / 'all.npz', '-o', 'own', '--network', 'own.json', '--params', 'start.params', *options
    )
    np.testing.assert_allclose(load_checkpoint('own')[1]['face_label'].asnumpy(), start.asnumpy(), atol=1e-6)

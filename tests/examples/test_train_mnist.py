"""The main job, run as a user runs it: in processes, on digits in files, killed and resumed."""

from __future__ import annotations

import argparse
import csv
import json
import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import centerloss_mx  # noqa: F401  mxnet alone would not import with newer NumPys

import mxnet as mx
import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = [sys.executable, str(ROOT / 'examples' / 'train_mnist.py')]
EPOCHS = [f'epoch-{epoch:03}{end}' for epoch in (1, 2, 3) for end in ('.png', '-train.npz', '-test.npz')]


def command(data_dir, output, *options):
    fixed = ['--data-dir', data_dir, '--output', output, '--batch-size', 32, '--num-epochs', 3]
    return SCRIPT + [str(option) for option in (*fixed, *options)]


def run(data_dir, output, *options):
    done = subprocess.run(command(data_dir, output, *options), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'ubgraph' not in done.stdout + done.stderr, 'MXNet prints a line for each network that it binds'
    return done.stdout


def numbers(output):
    """All that a run leaves, but for times: the history and every parameter, as text and bytes."""
    histories, parameters = {}, {}
    for name in 'softmax', 'center_loss':
        with open(output / name / 'history.csv', newline='') as file:
            rows = list(csv.DictReader(file))
        histories[name] = [{k: v for k, v in row.items() if k != 'seconds'} for row in rows]
        for key, value in mx.nd.load(str(output / name / 'lenet-0003.params')).items():
            parameters[name, key] = value.asnumpy().tobytes()
    return histories, parameters


@pytest.fixture(scope='module')
def uninterrupted(data_dir, tmp_path_factory):
    output = tmp_path_factory.mktemp('uninterrupted')
    return output, run(data_dir, output)


@pytest.mark.slow
def test_it_leaves_pictures_history_log_and_checkpoint_and_prints_the_table(uninterrupted):
    output, printed = uninterrupted
    with Image.open(output / 'comparison.png') as picture:
        assert picture.size[0] > 1000
    for name in 'softmax', 'center_loss':
        folder = output / name
        names = {path.name for path in folder.iterdir()}
        assert names == {
            *EPOCHS, 'epochs.gif', 'history.csv', 'train.log',
            'lenet-symbol.json', 'lenet-0003.params', 'lenet-0003.states', 'lenet-samples.npz',
        }  # fmt: skip
        with Image.open(folder / 'epochs.gif') as animation:
            assert animation.n_frames == 3
        log = (folder / 'train.log').read_text()
        assert 'Epoch[2] Train-accuracy=' in log and 'Epoch[2] test accuracy ' in log
    heading, softmax, center_loss = printed.splitlines()[-4:-1]
    assert heading.split() == ['test', 'accuracy', 'own', 'between', 'ratio', 's/epoch']
    assert softmax.startswith('softmax only') and center_loss.startswith('center loss, λ = 0.1')


@pytest.mark.slow
def test_the_same_seed_gives_the_same_numbers_bit_for_bit(data_dir, uninterrupted, tmp_path):
    run(data_dir, tmp_path)
    assert numbers(tmp_path) == numbers(uninterrupted[0])


@pytest.mark.slow
@pytest.mark.parametrize('during', ['softmax', 'center_loss'])
def test_killed_and_resumed_it_ends_with_the_numbers_of_an_uninterrupted_run(
    data_dir, uninterrupted, tmp_path, during
):
    process = subprocess.Popen(
        command(data_dir, tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    first = tmp_path / during / 'lenet-0001.params'
    last = tmp_path / during / 'lenet-0003.params'
    while process.poll() is None and not (first.exists() or last.exists()):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, 'it ended before it could be killed'
    assert not last.exists()
    run(data_dir, tmp_path, '--resume')
    assert numbers(tmp_path) == numbers(uninterrupted[0])
    assert len(list((tmp_path / during).glob('epoch-*.png'))) == 3


@pytest.mark.slow
def test_it_refuses_to_resume_with_other_options(data_dir, uninterrupted):
    done = subprocess.run(
        command(data_dir, uninterrupted[0], '--resume', '--lr', 0.01), capture_output=True, text=True
    )
    assert done.returncode == 1 and '--lr is 0.01' in done.stderr and 'it was begun with 0.03' in done.stderr


@pytest.mark.slow
def test_divergence_ends_in_one_sentence_that_says_what_to_lower(data_dir, tmp_path):
    done = subprocess.run(
        command(data_dir, tmp_path, '--lr', 1000), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 1 and 'Traceback' not in done.stderr
    assert (
        'softmax only, epoch 1: training diverged' in done.stderr
        and 'lower learning_rate (1000)' in done.stderr
    )


@pytest.mark.slow
def test_several_devices_more_dimensions_and_another_network_run(data_dir, tmp_path):
    devices = ['--ctx', 'cpu:0,cpu:1', '--kv-store', 'device']
    run(data_dir, tmp_path, *devices, '--embedding-dim', 3, '--num-epochs', 1)
    assert json.loads((tmp_path / 'options.json').read_text())['ctx'] == 'cpu:0,cpu:1'
    parameters = mx.nd.load(str(tmp_path / 'center_loss' / 'lenet-0001.params'))
    assert parameters['aux:center_loss__center_bias'].shape == (10, 3)
    run(data_dir, tmp_path, '--network', 'lenet++', '--num-epochs', 1, '--lr', 0.01)
    assert (tmp_path / 'center_loss' / 'lenet++-0001.params').exists()


LAUNCH = [sys.executable, '-m', 'centerloss_mx.launch', '-n', '2', '--']
# Without momentum: MXNet cannot fetch it from its servers.
DISTRIBUTED = ['--momentum', 0, '--lr', 0.1, '--only', 'center_loss']


def launched(data_dir, output, *options):
    options = (*DISTRIBUTED, '--kv-store', 'dist_sync', *options)
    return subprocess.Popen(
        LAUNCH + command(data_dir, output, *options),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def trained(output):
    return {name: value.asnumpy() for name, value in mx.nd.load(str(output / 'lenet-0003.params')).items()}


def assert_close(actual, expected, within):
    assert set(actual) == set(expected)
    for name, value in expected.items():
        assert abs(actual[name] - value).max() <= within * abs(value).max(), name


@pytest.fixture(scope='module')
def two_workers(data_dir, tmp_path_factory):
    output = tmp_path_factory.mktemp('two_workers')
    job = launched(data_dir, output)
    printed, errors = job.communicate(timeout=300)
    assert job.returncode == 0, printed + errors
    return output / 'center_loss', printed


@pytest.mark.slow
def test_two_workers_train_what_one_process_does(data_dir, two_workers, tmp_path):
    """But for the order of sums: which of two equal pixels is the maximum may depend on it."""
    run(data_dir, tmp_path, *DISTRIBUTED, '--centers', 'kvstore')
    folder, printed = two_workers
    assert_close(trained(folder), trained(tmp_path / 'center_loss'), within=0.02)
    assert trained(folder)['arg:center_loss_center_weight'][:, -1].sum() == 3 * 600
    names = {path.name for path in folder.iterdir()}
    assert names == {
        *EPOCHS, 'epochs.gif', 'history.csv', 'train.log',
        'lenet-symbol.json', 'lenet-0003.params', 'lenet-samples.npz',
    }  # fmt: skip
    assert all(line.startswith('worker 0 | ') for line in printed.splitlines())


@pytest.mark.slow
def test_a_killed_worker_ends_the_job_and_resumed_it_ends_where_an_uninterrupted_one_does(
    data_dir, two_workers, tmp_path
):
    folder = tmp_path / 'center_loss'
    job = launched(data_dir, tmp_path)
    while job.poll() is None and not (folder / 'lenet-0001.params').exists():
        time.sleep(0.01)
    time.sleep(0.2)  # in the middle of an epoch
    workers = [
        int(number) for number in filter(str.isdigit, os.listdir('/proc')) if parent(number) == str(job.pid)
        and b'DMLC_ROLE=worker' in Path(f'/proc/{number}/environ').read_bytes().split(b'\0')
    ]  # fmt: skip
    os.kill(max(workers), signal.SIGKILL)
    _, errors = job.communicate(timeout=10)
    assert job.returncode == 1
    assert errors.splitlines()[-1] == 'launch: worker 1 was killed by SIGKILL; the others were stopped'
    assert not (folder / 'lenet-0003.params').exists()

    job = launched(data_dir, tmp_path, '--resume')
    printed, errors = job.communicate(timeout=300)
    assert job.returncode == 0, printed + errors
    assert 'going on after epoch 0' not in printed and 'UserWarning' not in errors
    assert_close(trained(folder), trained(two_workers[0]), within=1e-5)


def parent(number):
    """The number of a process's parent."""
    try:
        return Path(f'/proc/{number}/stat').read_text().rpartition(')')[2].split()[1]
    except OSError:  # it has ended since
        return None


@pytest.mark.parametrize('options, message', [
    (['--seed', '-1'], 'argument --seed: -1: expected 0 or more'),
    (['--batch-size', '1', '--ctx', 'cpu:0,cpu:1'], '--batch-size 1: expected one sample or more for each'),
    (['--output', __file__], f"[Errno 17] File exists: '{__file__}'"),
    (['--kv-store', 'dist_sync'], 'this process is not a worker (DMLC_ROLE is not set); start it'),
    (['--kv-store', 'dist_sync', '--centers', 'aux'], '--centers aux: each process has its own, and'),
    (['--kv-store', 'nccl'], "invalid choice: 'nccl'"),
    (['--momentum', '1'], 'argument --momentum: 1: expected 0 or more, and less than 1'),
    (['--ctx', 'tpu:0'], "'tpu:0' is not a device; expected cpu, cpu:0, gpu:0"),
    (['--ctx', 'cpu:0,gpu:9'], "there is no 'gpu:9'; MXNet sees"),
    (['--embedding-dim', '1'], 'argument --embedding-dim: 1: expected 2 or more'),
    (['--data-dir', '/nowhere'], 'train-images-idx3-ubyte'),
    (['--full', '--data-dir', 'mnist'], '--full: the digits are in --data-dir mnist already'),
    (['--alpha', '2'], "alpha=2.0 is not a number in [0, 1]"),
])  # fmt: skip
def test_bad_options_end_in_one_sentence(refused_by, tmp_path, options, message):
    assert message in refused_by(SCRIPT[-1], '--output', tmp_path, *options)


def test_all_of_mnist_comes_by_way_of_scikit_learn(monkeypatch):
    images = np.resize(np.arange(251, dtype='uint8'), (70000, 784))
    labels, names = np.arange(70000) % 10, []

    def fetch(name, **options):
        names.append(name)
        return argparse.Namespace(data=images, target=labels.astype(str))

    full_mnist = runpy.run_path(SCRIPT[-1])['full_mnist']
    monkeypatch.setitem(full_mnist.__globals__, 'fetch_openml', fetch)
    digits = full_mnist()
    assert names == ['mnist_784']
    assert digits.train_images.shape == (60000, 28, 28) and digits.test_images.shape == (10000, 28, 28)
    assert (
        digits.train_images.dtype == np.uint8
        and (digits.test_images[0] == images[60000].reshape(28, 28)).all()
    )
    assert (digits.test_labels == labels[60000:]).all()


def test_a_worker_that_would_train_alone_says_so(refused_by, monkeypatch, tmp_path):
    """All workers would write the same files."""
    monkeypatch.setenv('DMLC_ROLE', 'worker')
    sentence = refused_by(SCRIPT[-1], '--output', tmp_path)
    assert "kvstore 'local': this process is one of several workers; expected 'dist_sync'" in sentence

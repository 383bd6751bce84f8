"""The command line: its help, its version, its errors, and `info`."""

from __future__ import annotations

import re
import subprocess
import sys

from centerloss_mx.cli import main
from centerloss_mx.cli.main import parser

import mxnet as mx
import numpy as np
import pytest

COMMANDS = ['train', 'embed', 'evaluate', 'evaluate knn', 'evaluate retrieve', 'evaluate cluster',
            'evaluate verify', 'plot', 'export', 'info']  # fmt: skip


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
    (['train', 'digits', '-o', 'x', '--optimizer', 'centers'],
     '--optimizer: centers is not for training: it comes with --loss sync_center_loss'),
    (['train', 'digits', '-o', 'x', '--optimizer', 'nadam'], 'so a resumed training would differ'),
    (['train', 'digits', '-o', 'x', '--alpha', '2'], '--alpha: 2: expected 0 or more, and 1 or less'),
    (['train', 'digits', '-o', 'x', '--delta', '0'], '--delta: 0: expected more than 0'),
    (['train', 'digits', '-o', 'x', '--lossy'],
     'centerloss-mx train: unrecognized arguments: --lossy (see centerloss-mx train --help)'),
    (['train', 'digits', '-o', 'x', 'a\nb'], 'unrecognized arguments: a b (see'),
    (['evaluate', 'suspects', 'x.npz', 'y.npz'],
     'centerloss-mx evaluate suspects: unrecognized arguments: y.npz (see centerloss-mx evaluate suspects'),
    (['export', 'x', '-o', 'x.onnx', '--data-shape', '1,0'], '1,0: expected numbers > 0, separated'),
    (['evaluate', 'verify', 'x.npz', '--num-folds', '1'], '--num-folds: 1: expected 2 or more'),
])  # fmt: skip
def test_arguments_that_cannot_be_used_end_with_status_2(refused, arguments, message):
    status, line = refused(*arguments)
    assert status == 2 and message in line and '--help)' in line


def test_debug_shows_where_an_error_comes_from(call, data):
    with pytest.raises(FileNotFoundError, match='no checkpoint none-NNNN'):
        call('embed', 'none', data / 'all.npz', '-o', 'x.npz', '--debug')


def test_it_runs_as_a_module():
    command = [sys.executable, '-m', 'centerloss_mx', 'evaluate', 'retrieve', 'none.npz']
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and done.stderr.startswith('centerloss-mx: none.npz does not exist')


def test_it_says_its_version(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(['--version'])
    assert stopped.value.code == 0
    assert re.fullmatch(r'centerloss-mx \d+\.\d+\.\d+\n', capsys.readouterr().out)

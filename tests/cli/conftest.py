"""What the tests of the commands share: pictures in three forms, a trained network and its features."""

from __future__ import annotations

from centerloss_mx.cli import main

import numpy as np
import pytest
from cli_data import CLASSES, EACH, TRAIN
from makers import patterned_pictures
from mxnet import recordio
from PIL import Image


@pytest.fixture(scope='session')
def pictures():
    """Grey pictures 16 x 16, each a pattern of its class under noise."""
    return patterned_pictures(CLASSES, EACH, seed=20161008)


@pytest.fixture(scope='session')
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


@pytest.fixture(scope='session')
def trained(data, tmp_path_factory):
    """A checkpoint of softmax and center loss on all.npz."""
    prefix = tmp_path_factory.mktemp('trained') / 'net'
    main(['train', str(data / 'all.npz'), '-o', str(prefix), *map(str, TRAIN)])
    return prefix


@pytest.fixture(scope='session')
def features(data, trained):
    path = trained.with_name('all.npz')
    main(['embed', str(trained), str(data / 'all.npz'), '-o', str(path)])
    return path

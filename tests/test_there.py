"""`check_file`: why a file cannot be read, in the readers of every format."""

from __future__ import annotations

import os

from centerloss_mx import _files
from centerloss_mx.dataset import load_samples
from centerloss_mx.model import load_checkpoint, load_features
from centerloss_mx.model_zoo import load_params

import pytest


def check(path):
    _files.check_file(path, 'expected this')


READERS = {
    'any': check,
    'features': load_features,
    'parameters': lambda path: load_params('resnet18_v2', path),
    'checkpoint': lambda path: load_checkpoint(str(path)[: -len('-symbol.json')], 1),
}


@pytest.fixture(params=READERS)
def reader(request):
    return READERS[request.param]


@pytest.fixture
def path(tmp_path):
    return tmp_path / 'net-symbol.json'


def test_a_broken_link_is_there(reader, path):
    path.symlink_to('gone')
    with pytest.raises(FileNotFoundError, match=f'{path} is a link to a file that does not exist'):
        reader(path)


def test_a_link_to_itself_is_there(reader, path):
    path.symlink_to(path)
    with pytest.raises(OSError, match=rf'{path} cannot be read \(Too many levels of symbolic links\)'):
        reader(path)


def test_a_folder_is_there(reader, path):
    path.mkdir()
    with pytest.raises(FileNotFoundError, match=f'{path} is a folder'):
        reader(path)


def test_a_name_that_is_too_long_is_said(reader, tmp_path):
    path = tmp_path / ('x' * 300 + '-symbol.json')
    with pytest.raises(OSError, match=r'xx-symbol.json cannot be read \(File name too long\)'):
        reader(path)


def test_a_file_that_may_not_be_read_is_not_called_damaged(reader, path, monkeypatch):
    """The tests may run as root, who may read everything."""
    path.write_bytes(b'')
    monkeypatch.setattr(os, 'access', lambda *_: False)
    with pytest.raises(PermissionError, match=rf'{path} cannot be read \(Permission denied\)'):
        reader(path)


def test_a_file_in_a_file_does_not_exist(reader, path):
    path.write_bytes(b'')
    with pytest.raises(FileNotFoundError, match='does not exist'):
        reader(path / 'net-symbol.json')


def test_samples_behind_a_broken_link(path):
    path.symlink_to('gone')
    with pytest.raises(FileNotFoundError, match=f'{path} is a link to what does not exist; expected a fold'):
        load_samples(path)

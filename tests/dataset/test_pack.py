"""Pictures become .rec files that MXNet and this package read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from centerloss_mx.dataset import load_samples, pack
from centerloss_mx.io.images import picture_reader

import mxnet as mx
import numpy as np
import pytest
from makers import SEED, random_pictures, write_folder

MAGIC = (0xCED7230A).to_bytes(4, 'little')


@pytest.fixture
def images(tmp_path):
    rng = np.random.RandomState(SEED)
    # The magic number at each place of a record, which begins with 24 bytes; at its end, and alone.
    contents = [rng.bytes(8 + shift) + MAGIC + rng.bytes(shift) for shift in range(6)]
    contents += [MAGIC * 3, b'\0' + MAGIC * 2, rng.bytes(8) + MAGIC, b'x']
    return load_samples(write_folder(tmp_path / 'all', 'cabacbbaca', contents))


def test_a_packed_folder_is_read_as_it_was_by_mxnet_and_here(images, tmp_path):
    pack(images, tmp_path / 'all')
    records = mx.recordio.MXIndexedRecordIO(str(tmp_path / 'all.idx'), str(tmp_path / 'all.rec'), 'r')
    ours = load_samples(tmp_path / 'all.rec')
    assert ours.labels.tolist() == images.labels.tolist() and ours.class_names == ['0', '1', '2']
    read = picture_reader(ours)
    lines = (tmp_path / 'all.lst').read_text().splitlines()
    assert len(records.keys) == len(lines) == len(images.files) == 10
    for row, file in enumerate(images.files):
        header, content = mx.recordio.unpack(records.read_idx(row))
        assert content == read(row) == Path(file).read_bytes()
        assert header[:3] == (0, images.labels[row], row)
        assert (
            lines[row] == f'{row}\t{images.labels[row]}\t{images.class_names[images.labels[row]]}/{file[-6:]}'
        )


def test_a_packed_file_is_packed_again_and_over_itself(images, tmp_path):
    pack(images, tmp_path / 'all')
    content = (tmp_path / 'all.rec').read_bytes()
    for prefix in tmp_path / 'again', tmp_path / 'all':
        pack(load_samples(tmp_path / 'all.rec'), prefix)
        assert prefix.with_suffix('.rec').read_bytes() == content
        assert prefix.with_suffix('.lst').read_text().splitlines()[3].endswith('\tall.rec/3')


def test_mxnet_serves_the_pictures(tmp_path):
    images = load_samples(write_folder(tmp_path / 'all', 'bab', random_pictures(3, 8, 8)))
    pack(images, tmp_path / 'all')
    iterator = mx.io.ImageRecordIter(
        path_imgrec=str(tmp_path / 'all.rec'), data_shape=(3, 8, 8), batch_size=3, label_width=1
    )
    assert iterator.next().label[0].asnumpy().tolist() == images.labels.tolist()


def test_a_name_that_would_break_the_list_is_refused_and_nothing_is_written(tmp_path):
    images = load_samples(write_folder(tmp_path / 'all', ['a\tb', 'c'], random_pictures(2)))
    with pytest.raises(ValueError, match='a name in a list has no tab and no line break; rename the file'):
        pack(images, tmp_path / 'all')
    assert sorted(os.listdir(tmp_path)) == ['all']


def test_a_picture_that_is_gone_leaves_the_files_of_before(images, tmp_path):
    pack(images, tmp_path / 'all')
    before = {path.name: path.read_bytes() for path in tmp_path.glob('all.*')}
    Path(images.files[-1]).unlink()
    with pytest.raises(FileNotFoundError, match=images.files[-1]):
        pack(images, tmp_path / 'all')
    assert {path.name: path.read_bytes() for path in tmp_path.glob('all.*')} == before


def test_an_index_does_not_outlive_its_records(images, tmp_path, monkeypatch):
    pack(images, tmp_path / 'all')
    monkeypatch.setattr(
        sys.modules['centerloss_mx.dataset.pack'], 'write_bytes', lambda *_: sys.exit('killed')
    )
    with pytest.raises(SystemExit):
        pack(images.take([1, 0]), tmp_path / 'all')
    with pytest.raises(FileNotFoundError, match=r'all\.idx does not exist; expected the index of all\.rec'):
        load_samples(tmp_path / 'all.rec')


def test_the_command_leaves_out_what_cannot_be_decoded(tmp_path):
    write_folder(tmp_path / 'birds', 'abbc', [*random_pictures(3), b'no picture'])
    command = [sys.executable, '-m', 'centerloss_mx', 'pack', 'birds', '-o', 'packed', '--skip-bad']
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        'left out 1 picture that cannot be decoded: birds/c/03.png',
        'packed.rec: 3 pictures, 3 classes',
    ]
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert again.returncode == 1 and 'packed.rec already exists; --force replaces it' in again.stderr

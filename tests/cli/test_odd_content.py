"""What a file or an argument holds never ends in a traceback: it is a result, or one line that says why."""

from __future__ import annotations

import json
import shutil

from centerloss_mx.cli import main

import numpy as np
import pytest

WHERE = 'the symbol file is damaged: attribute __{}__ of data is '


@pytest.fixture
def with_note(trained, tmp_path):
    """A copy of the checkpoint in which a note has another value."""

    def with_note(name, value):
        for path in trained.parent.glob('net*'):
            shutil.copy(path, tmp_path)
        symbol = tmp_path / 'net-symbol.json'
        network = json.loads(symbol.read_text())
        data = next(node for node in network['nodes'] if node['name'] == 'data')
        data['attrs'][f'__{name}__'] = json.dumps(value)
        symbol.write_text(json.dumps(network))
        return tmp_path / 'net'

    return with_note


@pytest.mark.parametrize('name, value', [
    ('data_shape', ['a', 'b', 'c']), ('data_shape', [None]), ('data_shape', [[1, 16, 16]]),
    ('data_shape', [1, 16.0, 16]), ('data_shape', [1, True, 16]), ('data_shape', [1, 0, 16]),
    ('data_shape', [1, -16, 16]), ('data_shape', [2**31, 1, 1]), ('data_shape', {'a': 1}),
    ('class_names', [0, 1, 2, 3, 4]), ('class_names', [['c0'], ['c1']]), ('class_names', ['c0', None]),
    ('class_names', 'c0'), ('pictures', 'no'), ('pictures', 1), ('pictures', []),
])  # fmt: skip
@pytest.mark.parametrize('command', ['embed', 'export'])
def test_a_note_of_another_kind_is_a_damaged_file(with_note, data, refused, name, value, command):
    if command == 'export':
        pytest.importorskip('onnx', reason='the extra onnx is not installed')
        arguments = ['-o', 'x.onnx']
    else:
        arguments = [data / 'all.npz', '-o', 'x.npz', '--trained-classes']
    status, line = refused(command, with_note(name, value), *arguments)
    assert status == 1 and WHERE.format(name) in line


@pytest.mark.parametrize('name, value', [
    ('data', 3), ('data', None), ('data', ['all.npz']), ('test', 1), ('test_share', '0.2'),
    ('test_share', None), ('seed', 'x'), ('seed', 1.5), ('seed', [1]), ('skip_bad', 0), ('skip_bad', 'no'),
])  # fmt: skip
def test_options_of_another_kind_record_nothing(with_note, data, refused, name, value):
    prefix = with_note('other', None)
    path = prefix.with_name('net-options.json')
    path.write_text(json.dumps({**json.loads(path.read_text()), name: value}))
    status, line = refused('embed', prefix, data / 'all.npz', '-o', 'x.npz', '--part', 'test')
    assert status == 1 and f'{path} does not record what train has held out' in line


NAMES = ['a\nb', '-x', 'nan', '', '\ud800']


@pytest.mark.parametrize('field, value', [
    ('features', np.zeros((5, 2), complex)), ('features', np.zeros((5, 2), 'M8[s]')),
    ('features', np.zeros(5, [('a', float)])), ('features', np.float32(3)), ('features', np.zeros((5, 0))),
    ('features', np.zeros((0, 2))), ('features', np.full((5, 2), 1e300)), ('features', np.zeros((5, 2))),
    ('labels', np.array(NAMES)), ('labels', np.full(5, np.nan)), ('labels', np.full(5, 2**62)),
    ('labels', np.zeros(5, 'm8[s]')), ('labels', np.zeros(5, [('a', int)])), ('labels', np.array([True] * 5)),
    ('class_names', np.arange(5.0)), ('class_names', np.array(['a'] * 5)), ('class_names', np.array(NAMES)),
    ('class_names', np.zeros(5, 'M8[s]')), ('class_names', np.array([b'\xff'] * 5)),
    ('names', np.array(NAMES)), ('class_names', np.array('a')),
    ('centers', np.zeros((5, 2), complex)), ('trained_on', np.zeros((5, 5))),
    ('trained_on', np.array(NAMES)), ('class_names', np.array([])),
], ids=lambda value: value if isinstance(value, str) else f'{value.dtype}{value.shape}')  # fmt: skip
def test_features_of_any_content_are_a_result_or_one_line(field, value, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rng = np.random.RandomState(17)
    whole = {'features': rng.normal(size=(5, 2)), 'labels': np.arange(5) % 3, 'class_names': list('abcde')}
    np.savez('whole.npz', **whole)
    np.savez('odd.npz', **{**whole, 'centers': rng.normal(size=(5, 2)), 'trained_on': NAMES, field: value})
    for command in (
        'evaluate retrieve odd.npz',
        'evaluate retrieve odd.npz --metric euclidean -o e.json',
        'evaluate cluster odd.npz',
        'evaluate knn whole.npz odd.npz --num-neighbors 1',
        'evaluate knn odd.npz whole.npz --num-neighbors 1',
        'evaluate verify odd.npz --num-folds 2 --allow-trained',
    ):
        try:
            main(command.split())
        except SystemExit as stopped:
            assert str(stopped.code).startswith('centerloss-mx: ') and '\n' not in str(stopped.code)
        capsys.readouterr()


ODD = ['', '0', '-1', '1e400', 'nan', '9' * 30, '9' * 5000, '\u0967\u0968', '\xb2', 'x\ud800', 'a\nb', '0x10']


@pytest.mark.parametrize(
    'option', ['--seed', '--batch-size', '--image-size', '--ctx', '--lr', '--test-share']
)
@pytest.mark.parametrize('value', ODD)
def test_arguments_of_any_content_are_one_line(option, value, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        main(['train', 'none', '-o', 'net', option, value])
    line = capsys.readouterr().err if stopped.value.code == 2 else f'{stopped.value.code}\n'
    assert line.startswith('centerloss-mx') and line.count('\n') == 1

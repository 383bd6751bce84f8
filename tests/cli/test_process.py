"""How a program ends: one sentence, a status, and no traceback but where it is asked for."""

from __future__ import annotations

import os
import subprocess
import sys

from centerloss_mx.cli import Help, Parser, readable, run
from centerloss_mx.dataset import as_arrays
from centerloss_mx.io import list_images

import mxnet as mx
import numpy as np
import pytest
from PIL import Image


def failing(error):
    def main():
        print('begun')
        raise error

    return main


@pytest.mark.parametrize('error, sentence', [
    (ValueError('a\n  b'), 'prog: a b'),
    (FileNotFoundError(2, 'No such file', 'x'), "prog: [Errno 2] No such file: 'x'"),
    (ImportError('pip install it'), 'prog: pip install it'),
    (MemoryError(), 'prog: MemoryError'),
    (mx.MXNetError('Traceback (most recent call last):\n  File "x.cc"\nMXNetError: Check failed: y'),
     'prog: MXNetError: Check failed: y'),
])  # fmt: skip
def test_an_error_is_one_sentence_and_status_1(error, sentence, capsys):
    with pytest.raises(SystemExit) as stopped:
        run(failing(error), name='prog')
    assert stopped.value.code == sentence  # which Python prints, and ends with status 1
    assert capsys.readouterr().out == 'begun\n'
    with pytest.raises(type(error)):
        run(failing(error), name='prog', debug=True)


def test_only_a_program_silences_mxnet(monkeypatch, capsys):
    monkeypatch.delenv('MXNET_SUBGRAPH_VERBOSE', raising=False)
    run(lambda: print(os.environ['MXNET_SUBGRAPH_VERBOSE']), name='prog')
    assert capsys.readouterr().out == '0\n'
    monkeypatch.setenv('MXNET_SUBGRAPH_VERBOSE', '1')
    run(lambda: None, name='prog')
    assert os.environ['MXNET_SUBGRAPH_VERBOSE'] == '1'


def test_a_mistake_of_ours_is_not_hidden():
    with pytest.raises(KeyError):
        run(failing(KeyError('x')), name='prog')


def test_an_interruption_has_a_status_of_its_own(capsys):
    with pytest.raises(SystemExit) as stopped:
        run(failing(KeyboardInterrupt()), 'interrupted; go on with --resume', 'prog')
    assert stopped.value.code == 130
    assert capsys.readouterr().err == 'prog: interrupted; go on with --resume\n'


def diverging():
    executor = mx.sym.Custom(
        mx.sym.Variable('data'), mx.sym.Variable('label'), op_type='centerloss', num_class=3
    ).simple_bind(mx.cpu(), data=(2, 2), label=(2,))
    print('before')
    executor.arg_dict['data'][:] = np.nan
    executor.forward(is_train=True)[0].asnumpy()


def test_an_error_in_the_operator_is_told_by_its_own_sentence(capsys):
    with pytest.raises(SystemExit) as stopped:
        run(diverging, name='prog')
    assert stopped.value.code.startswith(
        'prog: centerloss: the loss of this batch, nan, is not finite in float32'
    )
    assert capsys.readouterr().out == 'before\n'
    with pytest.raises(mx.MXNetError):
        run(diverging, name='prog', debug=True)
    assert 'Error in CustomOp.forward: Traceback' in capsys.readouterr().out


def test_a_closed_standard_output_is_no_error(monkeypatch):
    monkeypatch.setattr(sys, 'stdout', None)  # as Python does in a process that was started with >&-
    called = []
    run(lambda: called.append(print('x')), name='prog')
    assert called


def test_who_reads_half_of_the_output_sees_no_traceback():
    program = "from centerloss_mx.cli import run; run(lambda: [print('x' * 1000) for _ in range(1000)])"
    process = subprocess.Popen(
        [sys.executable, '-c', program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    os.read(process.stdout.fileno(), 10)
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 1 and b'Traceback' not in errors


def test_a_name_that_standard_output_cannot_encode_is_escaped():
    program = "from centerloss_mx.cli import run; run(lambda: print('caf\\xe9', chr(0xdcff)))"
    environment = {**os.environ, 'PYTHONIOENCODING': 'ascii'}
    done = subprocess.run([sys.executable, '-c', program], env=environment, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, b'caf\\xe9 \\udcff\n', b'')


def test_wrong_arguments_are_one_line_and_status_2(capsys):
    parser = Parser(prog='prog', formatter_class=Help)
    parser.add_argument('--lr', type=float, default=0.1, help='rate')
    parser.add_argument('--force', action='store_true', help='replace')
    with pytest.raises(SystemExit) as stopped:
        parser.parse_args(['--lr', 'x'])
    assert stopped.value.code == 2
    assert capsys.readouterr().err == "prog: argument --lr: invalid float value: 'x' (see prog --help)\n"
    text = parser.format_help()
    assert 'rate (default: 0.1)' in text and 'default: False' not in text


def test_bad_pictures_are_named_and_left_out_where_asked_to(tmp_path, capsys):
    for name in 'a/0.png', 'a/1.png', 'b/0.png':
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.zeros((4, 4), 'uint8')).save(path)
    (tmp_path / 'a' / 'bad.png').write_bytes(b'no picture')
    images = list_images(tmp_path)
    assert readable(images, False) is images
    skipped = readable(images, True)
    assert set(images.files) - set(skipped.files) == {str(tmp_path / 'a' / 'bad.png')}
    expected = f'left out 1 picture that cannot be decoded: {tmp_path / "a" / "bad.png"}\n'
    assert capsys.readouterr().out == expected
    arrays = as_arrays(np.zeros((2, 4, 4)), np.array([0, 1]))
    assert readable(arrays, True) is arrays

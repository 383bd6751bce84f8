"""The options of a training in a file: a resumed one has the same."""

from __future__ import annotations

import json

from centerloss_mx.training import OtherOption, keep_options

import pytest


def test_nobody_resumes_with_other_options(tmp_path):
    path = tmp_path / 'options.json'
    with pytest.raises(
        FileNotFoundError, match=r'options.json does not exist; expected a folder that all workers share'
    ):
        keep_options(path, {'lr': 0.1}, resume=True, leads=False)
    keep_options(path, {'lr': 0.1, 'data': tmp_path, 'shape': (1, 2)})
    keep_options(path, {'lr': 0.1, 'data': tmp_path, 'shape': (1, 2)}, resume=True)
    keep_options(path, {'lr': 0.1, 'data': tmp_path, 'shape': (1, 2)}, resume=True, leads=False)
    sentence = r'lr is 0.2, but .*options.json says that the training was begun with 0.1'
    with pytest.raises(OtherOption, match=f'^{sentence}$') as other:
        keep_options(path, {'lr': 0.2, 'data': tmp_path, 'shape': (1, 2)}, resume=True)
    assert (other.value.name, other.value.value, other.value.before) == ('lr', 0.2, 0.1)
    assert json.loads(path.read_text())['lr'] == 0.1
    keep_options(path, {'lr': 0.2})
    assert json.loads(path.read_text()) == {'lr': 0.2}
    for damaged in '{', '[1, 2]', '3', '[["lr", 0.2]]', 'null', '[' * 100_000, '{"lr": 1' + '0' * 5000 + '}':
        path.write_text(damaged)
        with pytest.raises(ValueError, match=r'options.json: not the options of a training: '):
            keep_options(path, {'lr': 0.2}, resume=True)

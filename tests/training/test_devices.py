"""Devices by their names, and the KVStore that fits a process."""

from __future__ import annotations

from centerloss_mx.training import check_workers, contexts

import mxnet as mx
import pytest


@pytest.mark.parametrize('text, message', [
    ('tpu:0', "'tpu:0' is not a device"), ('cpu:x', "'cpu:x' is not a device"), ('', "'' is not a device"),
    ('cpu:0,gpu:99', "there is no 'gpu:99'; MXNet sees"), ('cpu:99999999999', 'expected a number below 1024'),
])  # fmt: skip
def test_what_is_no_device_is_named(text, message):
    with pytest.raises(ValueError, match=message):
        contexts(text)


def test_a_kvstore_is_for_workers_or_for_one_process(monkeypatch):
    monkeypatch.delenv('DMLC_ROLE', raising=False)
    with pytest.raises(
        ValueError, match=r"kvstore 'dist_sync': this process is not a worker \(DMLC_ROLE is not set\)"
    ):
        check_workers('dist_sync')
    monkeypatch.setenv('DMLC_ROLE', 'worker')
    monkeypatch.setenv('DMLC_NUM_WORKER', '3')
    assert check_workers('dist_sync') == 3
    with pytest.raises(
        ValueError, match="kvstore 'local': this process is one of several workers; expected 'dist_sync'"
    ):
        check_workers('local')


@pytest.mark.parametrize('count', [0, 1])
def test_a_gpu_is_there_if_its_number_is_below_their_count(monkeypatch, count):
    monkeypatch.setattr(mx.context, 'num_gpus', lambda: count)
    with pytest.raises(
        ValueError, match=f"there is no 'gpu:{count}'; MXNet sees {count} GPU{'s' * (count != 1)}$"
    ):
        contexts(f'gpu:{count}')
    if count:
        assert contexts('gpu') == contexts('gpu:0') == [mx.gpu(0)]

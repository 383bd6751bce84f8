"""The file of the compiled kernel: one that is there is used, so that no test is skipped in silence."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from centerloss_mx.operator import native

import pytest

PATH = Path(native.__file__).with_name('_kernel.so')

pytestmark = pytest.mark.skipif(
    not PATH.exists() or os.environ.get('CENTERLOSS_MX_KERNEL') == '0', reason='there is no kernel to load'
)


def test_a_kernel_that_was_compiled_is_used():
    assert native.library is not None, native.missing


@pytest.mark.parametrize('bytes_more', [-8, 8])
def test_a_kernel_with_a_state_of_another_size_is_not_used(monkeypatch, bytes_more):
    size = ctypes.sizeof(native.NativeState) + bytes_more
    monkeypatch.setattr(native, 'NativeState', ctypes.c_char * size)
    assert native.load(PATH) == (None, 'was compiled for another version: install centerloss_mx again')

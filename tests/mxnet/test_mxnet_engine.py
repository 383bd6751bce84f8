"""`_mxnet.engine`: each fault as plain MXNet has it, and what the package does about it."""

from __future__ import annotations

from centerloss_mx._mxnet.engine import finish, wait_for_centers, wait_for_readers

import mxnet as mx
import pytest


def test_mxnet_reads_a_state_that_backward_has_not_written_yet(closed_gate, step):
    state = mx.nd.zeros((1,))
    step(state)
    assert state.asscalar() == 0  # MXNet does not wait for backward, which waits for the gate
    closed_gate.opened.set()


@pytest.mark.parametrize('wait', [lambda _: wait_for_centers(), wait_for_readers])
def test_after_the_wait_the_state_is_written(closed_gate, step, wait):
    state = mx.nd.zeros((1,))
    step(state)
    assert closed_gate.entered.acquire(timeout=20)
    closed_gate.opened.set()
    wait(state)
    assert state.asscalar() == 1


def fail_twice():
    """Read the result of one of two operations that fail."""
    results = [mx.nd.linalg.potrf(-mx.nd.eye(2)) for _ in range(2)]
    with pytest.raises(mx.MXNetError, match='potrf failed'):
        results[0].wait_to_read()


def test_mxnet_raises_the_error_of_a_result_that_nobody_reads_at_the_next_wait():
    fail_twice()
    with pytest.raises(mx.MXNetError, match='potrf failed'):
        mx.nd.waitall()


def test_after_finish_no_error_is_left():
    fail_twice()
    finish()
    mx.nd.waitall()


def test_mxnet_runs_two_backward_passes_at_a_time_that_write_one_state(closed_gate, step):
    """Ours take a lock: test_gluon.py, test_moves_of_calls_that_share_their_centers_never_overlap."""
    step(mx.nd.zeros((1,)), calls=2)
    assert all(closed_gate.entered.acquire(timeout=20) for _ in range(2))  # both are inside

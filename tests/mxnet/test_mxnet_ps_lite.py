"""`_mxnet.ps_lite`: lines of a scheduler's log. That ports give ranks: test_launch.py.

There is no test that shows ranks without ports of one's own: ps-lite draws those at random.
"""

from __future__ import annotations

from centerloss_mx._mxnet.ps_lite import VERBOSE, has_registered_server, is_log, with_rank

import pytest

REGISTERED = (
    b'[13:42:35] ../3rdparty/ps-lite/src/van.cc:423: ? => 1. Meta: request=0, timestamp=0, control={ '
    b'cmd=ADD_NODE, node={ role=server, ip=127.0.0.1, port=52011, is_recovery=0 } }\n'
)


@pytest.mark.parametrize(
    ('line', 'log', 'server'),
    [
        (REGISTERED, True, True),
        (REGISTERED.replace(b'server', b'worker'), True, False),
        (b'Meta: request=1, timestamp=1\n', True, False),
        (b'[13:42:35] \n', True, False),
        (b'[13:42:35] ps-lite/src/van.cc:291: Check failed: (my_node_.port) != (-1)\n', False, False),
        (b'Traceback (most recent call last):\n', False, False),
    ],
)
def test_lines_of_the_scheduler_are_told_apart(line, log, server):
    assert (is_log(line), has_registered_server(line)) == (log, server)


def test_the_environment_is_of_texts():
    assert (with_rank(9091), VERBOSE) == ({'PORT': '9091'}, {'PS_VERBOSE': '2'})

"""`_mxnet.graphs`: numbers in a symbol file that MXNet trusts. Plain MXNet: test_mxnet_crashes.py."""

from __future__ import annotations

import json

from centerloss_mx._mxnet.files import read_symbol
from centerloss_mx._mxnet.graphs import check_graph, check_operators
from centerloss_mx.model_zoo import get_model
from centerloss_mx.symbol import LOSSES, supervised

import mxnet as mx
import pytest


@pytest.fixture
def graph():
    data = mx.sym.Variable('data')
    halves = mx.sym.split(mx.sym.FullyConnected(data, num_hidden=4, name='fc'), num_outputs=2, name='halves')
    return json.loads(mx.sym.concat(halves[1], halves[0], name='both').tojson())


def test_the_graph_of_this_test_is_right(graph, tmp_path):
    assert [node['name'] for node in graph['nodes']] == [
        'data',
        'fc_weight',
        'fc_bias',
        'fc',
        'halves',
        'both',
    ]
    (tmp_path / 'net.json').write_text(json.dumps(graph))
    assert read_symbol(tmp_path / 'net.json').list_outputs() == ['both_output']


@pytest.mark.parametrize('place, value, problem', [
    (('nodes', 3, 'inputs', 0, 0), 6, '[6, 0, 0], expected [node, output, version] with a node in 0..2'),
    (('nodes', 3, 'inputs', 0, 0), 3, '[3, 0, 0], expected [node, output, version] with a node in 0..2'),
    (('nodes', 4, 'inputs', 0, 0), -1, '[-1, 0, 0], expected [node, output, version] with a node in 0..3'),
    (('nodes', 4, 'inputs', 0), [3], '[3], expected [node, output, version] with a node in 0..3'),
    (('nodes', 4, 'inputs', 0, 1), 0.5, '[3, 0.5, 0], expected [node, output, version] with a node in 0..3'),
    (('heads', 0, 0), 6, '[6, 0, 0], expected [node, output, version] with a node in 0..5'),
    (('arg_nodes', 1), 7, '[7, 0], expected [node, output, version] with a node in 0..5'),
    (('nodes', 4, 'control_deps'), [9], '[9, 0], expected [node, output, version] with a node in 0..3'),
    (('nodes', 5, 'attrs', 'num_args'), '70000000', 'num_args=70000000, expected at most 65536'),
    (('nodes', 4, 'attrs', 'num_outputs'), '80000000', 'num_outputs=80000000, expected at most 65536'),
    (('nodes',), {}, 'no list of nodes'),
    (('nodes', 2), 3, 'no list of inputs'),
    (('heads',), None, 'no list of heads'),
    (('nodes', 3, 'attrs'), ['x'], "attributes ['x'], expected an object in JSON"),
    (('nodes', 3, 'attr'), None, 'attributes None, expected an object in JSON'),
    (('nodes', 4, 'control_deps'), 2, 'no list of control_deps'),
    (('nodes', 4, 'subgraphs'), 'x', 'no list of subgraphs'),
])  # fmt: skip
def test_numbers_that_mxnet_would_trust_are_refused(graph, place, value, problem, tmp_path):
    check_graph(graph)
    found = graph
    for step in place[:-1]:
        found = found[step]
    found[place[-1]] = value
    with pytest.raises(ValueError) as refused:
        check_graph(graph)
    assert str(refused.value) == problem
    (tmp_path / 'net.json').write_text(json.dumps(graph))
    with pytest.raises(ValueError, match=r'net\.json: not an MXNet symbol file, or it is truncated'):
        read_symbol(tmp_path / 'net.json')


@pytest.mark.parametrize('place, value, problem', [
    (('nodes', 5, 'inputs', 0, 1), 2, 'halves has no output 2'),
    (('nodes', 4, 'inputs', 0, 1), 1, 'fc has no output 1'),
    (('heads', 0, 1), 40, 'both has no output 40'),
    (('nodes', 3, 'inputs'), [[0, 0, 0], [1, 0, 0]], 'fc has 2 inputs, expected 3'),
    (('nodes', 4, 'inputs'), [[3, 0, 0], [3, 0, 0]], 'halves has 2 inputs, expected 1'),
    (('nodes', 5, 'attrs', 'num_args'), '3', 'both has 2 inputs, expected 3'),
])  # fmt: skip
def test_operators_without_their_inputs_or_outputs_are_refused(graph, place, value, problem):
    found = graph
    for step in place[:-1]:
        found = found[step]
    found[place[-1]] = value
    check_graph(graph)
    with pytest.raises(ValueError) as refused:
        check_operators(mx.sym.load_json(json.dumps(graph)))
    assert str(refused.value) == problem


@pytest.mark.parametrize('loss', LOSSES)
def test_networks_with_each_loss_are_right(loss, tmp_path):
    symbol = supervised(get_model('lenet', 2, (1, 28, 28)), 10, loss, 2)
    symbol.save(str(tmp_path / 'net.json'))
    assert read_symbol(tmp_path / 'net.json').tojson() == symbol.tojson()


def test_networks_with_loops_and_of_the_model_zoo_are_right(tmp_path):
    step = mx.sym.contrib.foreach(
        lambda x, state: (x + state, x), mx.sym.Variable('data'), mx.sym.Variable('s')
    )
    for symbol in mx.sym.Group([step[0], step[1]]), get_model('resnet18_v1', 8, (3, 32, 32)):
        symbol.save(str(tmp_path / 'net.json'))
        assert read_symbol(tmp_path / 'net.json').list_inputs() == symbol.list_inputs()

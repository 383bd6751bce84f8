"""The graph in a symbol file: MXNet trusts the numbers in it."""

from __future__ import annotations

import ctypes
import json
from typing import Any

from mxnet.base import _LIB, MXNetError, OpHandle, SymbolHandle, c_str, c_str_array, check_call
from mxnet.symbol import Symbol

__all__ = ['check_graph', 'check_operators']

_COUNTS = ('num_args', 'num_arrays', 'num_outputs', 'num_weights')  # of inputs and outputs
_MOST_INPUTS = 2**16


def check_graph(graph: Any) -> None:
    """Raise ValueError for a graph whose nodes do not fit each other.

    MXNet accepts a node that is its own input. It allocates as many inputs and outputs as an operator says.

    https://github.com/apache/incubator-tvm/blob/v0.6.0/nnvm/src/pass/saveload_json.cc

    Parameters
    ----------
    graph : object
        What Python reads from the JSON of a symbol file.
    """
    nodes = _list_in(graph, 'nodes')
    for number, node in enumerate(nodes):
        for entry in _list_in(node, 'inputs'):
            _check_entry(entry, number)
        for name in 'param', 'attr', 'attrs':
            _check_counts(node.get(name, {}))
        for other in _list_in({'control_deps': [], **node}, 'control_deps'):
            _check_entry([other, 0], number)
        for subgraph in _list_in({'subgraphs': [], **node}, 'subgraphs'):
            check_graph(subgraph)
    for number in _list_in(graph, 'arg_nodes'):
        _check_entry([number, 0], len(nodes))
    for entry in _list_in(graph, 'heads'):
        _check_entry(entry, len(nodes))


def _list_in(found: Any, name: str) -> list[Any]:
    if not isinstance(found, dict) or not isinstance(found.get(name), list):
        raise ValueError(f'no list of {name}')
    return found[name]


def _check_entry(entry: Any, num_nodes: int) -> None:
    """Raise ValueError for a [node, output, version] whose node is not before `num_nodes`."""
    whole = isinstance(entry, list) and 2 <= len(entry) <= 3 and all(type(part) is int for part in entry)
    if not whole or min(entry) < 0 or entry[0] >= num_nodes or max(entry) >= 2**31:
        raise ValueError(f'{entry}, expected [node, output, version] with a node in 0..{num_nodes - 1}')


def _check_counts(attributes: Any) -> None:
    """Raise ValueError for numbers of inputs or outputs for which MXNet would allocate gigabytes."""
    if not isinstance(attributes, dict):
        raise ValueError(f'attributes {attributes!r}, expected an object in JSON')
    for name in _COUNTS:
        value = str(attributes.get(name, ''))
        if value.isdigit() and int(value) > _MOST_INPUTS:
            raise ValueError(f'{name}={value}, expected at most {_MOST_INPUTS}')


def check_operators(symbol: Symbol) -> None:
    """Raise ValueError for a network whose operators lack inputs, or outputs that others use.

    MXNet reads behind the end of a list for those, when shapes are inferred.

    https://github.com/apache/mxnet/blob/1.9.1/src/executor/infer_graph_attr_pass.cc#L207
    """
    graph = json.loads(symbol.get_internals().tojson())
    there = {(node, output) for node, output, _ in graph['heads']}  # the outputs of all operators
    used = [entry for node in graph['nodes'] for entry in node['inputs']]
    for number, output, _ in used + json.loads(symbol.tojson())['heads']:
        if (number, output) not in there:
            raise ValueError(f'{graph["nodes"][number]["name"]} has no output {output}')
    for node in graph['nodes']:
        expected = _num_inputs(node)
        if expected not in (None, len(node['inputs'])):
            raise ValueError(f'{node["name"]} has {len(node["inputs"])} inputs, expected {expected}')


def _num_inputs(node: dict[str, Any]) -> int | None:
    """The number of inputs that an operator takes; None where MXNet cannot tell without them."""
    if node['op'] == 'null' or 'subgraphs' in node:
        return None
    attributes = node.get('attrs', {})
    operator, handle = OpHandle(), SymbolHandle()
    check_call(_LIB.NNGetOpHandle(c_str(node['op']), ctypes.byref(operator)))
    try:
        check_call(
            _LIB.MXSymbolCreateAtomicSymbol(
                operator,
                len(attributes),
                c_str_array(attributes.keys()),
                c_str_array(attributes.values()),
                ctypes.byref(handle),
            )
        )
        alone = Symbol(handle)
        alone._compose(name=node['name'])  # it makes a Variable of each input
    except MXNetError:  # the operator does not name its inputs, or has attributes of an older MXNet
        return None
    return len(alone.list_inputs())

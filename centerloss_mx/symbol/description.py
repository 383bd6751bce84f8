"""The center losses in a network: the only place that looks for them.

A factory of this package writes what it made into the attributes of its MakeLoss node, and `describe` reads
it. The operator `centerloss` needs no such attribute, because its own parameters hold the same facts:
`describe` also reads networks of classic scripts and exported Gluon blocks.
"""

from __future__ import annotations

import json
from itertools import islice
from typing import Any, Iterator, NamedTuple, Sequence

from mxnet.symbol import Symbol, load_json

from .._checks import check_choice, check_size
from ..operator import CenterLossParam
from .names import EMBEDDING_OUTPUT

__all__ = [
    'CenterLossInfo',
    'batchsizes',
    'center_loss_attribute',
    'centers_attribute',
    'describe',
    'find_center_loss',
    'ignored_attribute',
    'ignored_labels',
    'input_attribute',
    'kvstore_centers',
    'loss_named',
    'with_batchsize',
]

STORAGES = ('auxiliary state', 'kvstore', 'table', 'parameter')
_OPERATORS = ('centerloss', '_centerloss_per_sample')
_LOSS = '__center_loss__'  # of a MakeLoss node: its description
_IGNORED = '__ignored__'  # of the node that reads the labels of another loss: the label that it ignores
_CENTERS = '__centers__'  # of a Variable: it holds centers on the KVStore


class CenterLossInfo(NamedTuple):
    """One center loss in a network.

    Parameters
    ----------
    name : str
        Name of the loss, as given to its factory.
    storage : {'auxiliary state', 'kvstore', 'table', 'parameter'}
        Where the centers are stored and what moves them: the operator in its auxiliary state, the optimizer
        `centers` in a parameter on the KVStore or in a row table, which is on the KVStore only, or the base
        optimizer as any other parameter.
    centers : str
        Name of the auxiliary state, parameter or row table with the centers. On the KVStore and in a row
        table the last column counts samples.
    num_class : int
        Number of classes.
    ignored : float or None
        The label of samples that the loss ignores; None: it ignores no sample.
    normalization : {'null', 'batch', 'valid'} or None
        What the output, shape (1,), is divided by; None: the output has one number a sample.
    label : str
        Name of the Variable with the labels, or of the output that computes them.
    feature : str
        Name of the internal output, or of the Variable, with the features.
    output : str or None
        Name of the loss's output; None: the loss is not an output of the network.
    batch_states : tuple of str
        Names of the auxiliary states that hold values of the last batch only; the first is the buffer `diff`.
    scale : str or None
        Name of the Variable with the weight, or of the output that computes it; None: the weight is fixed.
    """

    name: str
    storage: str
    centers: str
    num_class: int
    ignored: float | None
    normalization: str | None
    label: str
    feature: str
    output: str | None = None
    batch_states: tuple[str, ...] = ()
    scale: str | None = None

    @property
    def columns(self) -> slice:
        """The columns of the stored array that are centers: of 'kvstore' and 'table' not the last one."""
        return slice(-1) if self.storage in ('kvstore', 'table') else slice(None)


def describe(symbol: Symbol) -> list[CenterLossInfo]:
    """Describe the center losses in a network, in the order of its graph.

    Parameters
    ----------
    symbol : Symbol
        Any network: made by the factories here, by a classic script, or loaded from a checkpoint.

    Returns
    -------
    list of CenterLossInfo
        Empty: the network has no center loss.

    Examples
    --------
    >>> net = joint_supervision(mx.sym.Variable('embedding'), num_class=10, scale=0.1, batchsize=128)
    >>> [(info.name, info.centers, info.output) for info in describe(net)]
    [('center_loss', 'center_loss__center_bias', 'center_loss_output')]
    """
    graph = json.loads(symbol.tojson())
    nodes = graph['nodes']
    outputs = dict(zip((head[0] for head in graph['heads']), symbol.list_outputs()))
    losses: list[CenterLossInfo] = []
    for number, node in enumerate(nodes):
        if _is_operator(node):
            losses.append(_of_operator(nodes, number, outputs))
        elif _LOSS in node.get('attrs', {}):
            losses.append(_of_factory(nodes, number, outputs))
        elif node['op'] == 'BlockGrad' and '__num_class__' in node.get('attrs', {}):
            losses += _without_description(nodes, number, outputs)
    return losses


def find_center_loss(symbol: Symbol, name: str | None = None) -> CenterLossInfo:
    """Find the center loss of a name, or the only one.

    Parameters
    ----------
    symbol : Symbol
        The network.
    name : str or None
        Name of the loss; None: the only one, or of several the one with the default name, `center_loss`.

    Returns
    -------
    CenterLossInfo

    Raises
    ------
    ValueError
        There is no such loss, or there are several and `name` is None; the message lists the losses of the
        network.
    """
    return loss_named(name, describe(symbol))


def loss_named(name: str | None, losses: Sequence[CenterLossInfo]) -> CenterLossInfo:
    """Return the loss of a name, as `find_center_loss` does, of the losses of a network."""
    wanted = 'center_loss' if name is None and len(losses) > 1 else name
    found = [info for info in losses if wanted in (None, info.name)]
    if len(found) != 1:
        names = ', '.join(info.name for info in losses) or 'none'
        raise ValueError(f'name={name!r}: expected the name of a center loss in the network; it has {names}')
    return found[0]


def ignored_labels(symbol: Symbol, label: str) -> set[float | None]:
    """Return the labels that the losses of this package on one label ignore.

    Parameters
    ----------
    symbol : Symbol
        The network.
    label : str
        Name of the Variable with the labels.

    Returns
    -------
    set of float or None
        None stands for a loss that ignores no label. Empty: no loss of this package reads these labels.
    """
    nodes = json.loads(symbol.tojson())['nodes']
    others = {
        json.loads(node['attrs'][_IGNORED])
        for node in nodes
        if _IGNORED in node.get('attrs', {}) and _output_name(nodes, node['inputs'][0]) == label
    }
    return others | {info.ignored for info in describe(symbol) if info.label == label}


def center_loss_attribute(**facts: Any) -> dict[str, str]:
    """Return the attribute of a MakeLoss node that describes its loss by fields of `CenterLossInfo`."""
    return {_LOSS: json.dumps(facts)}


def input_attribute(name: str, field: str) -> dict[str, str]:
    """Return the attribute of the node whose input is the 'label', the 'feature' or the 'scale' of a loss.

    The graph has the input's name. Another symbol may take its place when the loss is composed.
    """
    return {f'__center_loss_{field}__': name}


def ignored_attribute(ignored: float | None) -> dict[str, str]:
    """Return the attribute of the node that reads the labels of a loss that is not a center loss."""
    return {_IGNORED: json.dumps(ignored)}


def centers_attribute(name: str) -> dict[str, str]:
    """Return the attribute of a Variable that holds centers on the KVStore."""
    return {_CENTERS: name}


def kvstore_centers(symbol: Symbol) -> set[str]:
    """Return the names of the parameters that hold centers on the KVStore."""
    attributes = symbol.attr_dict()
    return {name for name in symbol.list_arguments() if _CENTERS in attributes.get(name, ())}


def batchsizes(symbol: Symbol) -> dict[str, int | None]:
    """Return the `batchsize` of each operator `centerloss`, None if it is not set, by its buffer `diff`."""
    nodes = json.loads(symbol.tojson())['nodes']
    return {
        nodes[node['inputs'][-3][0]]['name']: CenterLossParam.parse(
            **{name: value for name, value in node['attrs'].items() if name != 'op_type'}
        ).batchsize
        for node in nodes
        if _is_operator(node, 'centerloss')
    }


def with_batchsize(symbol: Symbol, batchsize: int) -> Symbol:
    """Return the same network, in which operators `centerloss` have another capacity.

    Raises
    ------
    ValueError
        A capacity that is not a whole number > 0.
    """
    check_size('', 'batchsize', batchsize)
    graph = json.loads(symbol.tojson(remove_amp_cast=False))
    for node in graph['nodes']:
        if _is_operator(node, 'centerloss'):
            node['attrs']['batchsize'] = str(batchsize)
    return load_json(json.dumps(graph))


def _is_operator(node: dict[str, Any], *names: str) -> bool:
    return node['op'] == 'Custom' and node['attrs'].get('op_type') in (names or _OPERATORS)


def _of_operator(nodes: list[dict[str, Any]], number: int, outputs: dict[int, str]) -> CenterLossInfo:
    """Describe the loss of an operator node. Its output may be that of the MakeLoss behind it."""
    attributes = dict(nodes[number]['attrs'])
    per_sample = attributes.pop('op_type') == '_centerloss_per_sample'
    parameters = CenterLossParam.parse(**attributes)
    data, label, *others = nodes[number]['inputs']
    *scale, diff, centers, total = ([], *others, []) if per_sample else others
    loss = next((i for i, node in enumerate(nodes) if _is_loss_of(node, number)), number)
    name = nodes[loss]['name']
    return CenterLossInfo(
        name=name[:-1] if loss == number and name.endswith('_') else name,
        storage='auxiliary state',
        centers=nodes[centers[0]]['name'],
        num_class=parameters.num_class,
        ignored=parameters.ignored,
        normalization=None if per_sample else parameters.normalization,
        label=_output_name(nodes, label),
        feature=_output_name(nodes, data),
        output=outputs.get(loss, outputs.get(number)),
        batch_states=tuple(nodes[state[0]]['name'] for state in (diff, total) if state),
        scale=next((_output_name(nodes, entry) for entry in scale), None),
    )


def _is_loss_of(node: dict[str, Any], number: int) -> bool:
    return node['op'] == 'MakeLoss' and node['inputs'][0][0] == number


def _output_name(nodes: list[dict[str, Any]], entry: list[int]) -> str:
    node, index = nodes[entry[0]], entry[1]
    if node['op'] == 'null':
        return node['name']
    return f'{node["name"]}_output{index or ""}'


def _of_factory(nodes: list[dict[str, Any]], number: int, outputs: dict[int, str]) -> CenterLossInfo:
    """Describe the loss of a MakeLoss node by its attribute, and its inputs by the nodes that are marked."""
    node = nodes[number]
    try:
        facts = dict(json.loads(node['attrs'][_LOSS]))
        for field in 'label', 'feature', 'scale':
            attribute = input_attribute(facts['name'], field)
            marked = [other for other in nodes if attribute.items() <= other.get('attrs', {}).items()]
            if marked or field != 'scale':  # a fixed weight is no input
                facts[field] = _output_name(nodes, marked[0]['inputs'][0])
        check_choice('', 'storage', facts['storage'], STORAGES)
        facts['output'] = outputs.get(number)
        # A later version may have written more facts.
        return CenterLossInfo(**{name: facts[name] for name in CenterLossInfo._fields if name in facts})
    except (IndexError, KeyError, TypeError, ValueError):
        raise ValueError(f'{node["name"]}: attribute {_LOSS} does not describe a center loss') from None


def _without_description(
    nodes: list[dict[str, Any]], number: int, outputs: dict[int, str]
) -> Iterator[CenterLossInfo]:
    """Describe a loss in a network saved before losses had descriptions: its label node has attributes."""
    attributes = nodes[number]['attrs']
    on_kvstore = _CENTERS in attributes
    for loss, name in islice(_losses_behind(nodes, number), 1):
        yield CenterLossInfo(
            name=name,
            storage='kvstore' if on_kvstore else 'parameter',
            centers=f'{name}_center_weight',
            num_class=int(attributes['__num_class__']),
            ignored=float(attributes['__ignore_label__']) if '__ignore_label__' in attributes else None,
            normalization='null' if on_kvstore else None,
            label=_output_name(nodes, nodes[number]['inputs'][0]),
            feature=EMBEDDING_OUTPUT,
            output=outputs.get(loss),
        )


def _losses_behind(nodes: list[dict[str, Any]], label: int) -> Iterator[tuple[int, str]]:
    """Yield the number of each MakeLoss node that reads a label, and the name that its centers begin with."""
    rows = f'({nodes[label]["attrs"]["__num_class__"]}, '
    for i, node in enumerate(nodes):
        ancestors = _ancestors(nodes, i) if node['op'] == 'MakeLoss' else ()
        for variable in (nodes[ancestor] for ancestor in sorted(ancestors) if label in ancestors):
            # The factories gave the Variable its shape and no weight decay; a layer's own weight has neither.
            attributes = variable.get('attrs', {})
            made = attributes.get('__wd_mult__') == '0' and attributes.get('__shape__', '').startswith(rows)
            name, found, end = variable['name'].rpartition('_center_weight')
            # A node's name may have the prefix of a name manager, a Variable's has none.
            if made and found and not end and node['attrs'].get('__loss_of__', node['name']).endswith(name):
                yield i, name


def _ancestors(nodes: list[dict[str, Any]], number: int) -> set[int]:
    found: set[int] = set()
    waiting = [number]
    while waiting:
        entries = {entry[0] for entry in nodes[waiting.pop()]['inputs']} - found
        found |= entries
        waiting += entries
    return found

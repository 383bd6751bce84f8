"""Row tables under a network: arrays of a row a class, of which a step reads the rows of its batch."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from mxnet import symbol as mxsym
from mxnet.initializer import Initializer
from mxnet.initializer import register as register_initializer
from mxnet.symbol import Symbol

__all__ = ['RowTableInfo', 'row_tables', 'sampled_outputs', 'table_inputs']

_TABLE = '__row_table__'  # of the Variable with the rows: the description of its table


class RowTableInfo(NamedTuple):
    """One row table under a network.

    The table itself is no parameter of the network. `module.Module` keeps it on the KVStore, and feeds two
    inputs in each step: `rows`, the rows that the batch needs, and `index`, where the row of each sample is
    among them.

    Parameters
    ----------
    name : str
        Name of the table, as of the parameter whose place it takes.
    kind : {'centers', 'classes'}
        What its rows are: centers, which the optimizer `centers` moves, or weights of the class layer, which
        the base optimizer moves.
    num_class, width : int
        Shape of the table.
    dtype : str
        Of the table and of the input `rows`.
    label : str
        Name of the Variable with the labels: the rows of the batch's classes are needed.
    ignored : float or None
        The label of samples that need no row; None: each sample needs one.
    num_sampled : int or None
        How many rows a step needs: those of the batch's classes and of classes drawn at random. None: those
        of the batch's classes alone.
    seed : int
        Seed of what is drawn: the classes, and the rows that a table of classes starts with.
    output : str or None
        Name of the output with the probabilities of the sampled classes; None: `num_sampled` is None.
    """

    name: str
    kind: str
    num_class: int
    width: int
    dtype: str
    label: str
    ignored: float | None
    num_sampled: int | None = None
    seed: int = 0
    output: str | None = None

    @property
    def rows(self) -> str:
        """Name of the input with the rows that the batch needs, shape (rows, width)."""
        return f'{self.name}_rows'

    @property
    def index(self) -> str:  # type: ignore[override]  # a tuple's own method of this name is not needed
        """Name of the input with the row of each sample in `rows`, shape (N,); -1: it has none."""
        return f'{self.name}_index'

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the table."""
        return self.num_class, self.width


def row_tables(symbol: Symbol) -> list[RowTableInfo]:
    """Describe the row tables under a network, in the order of its arguments.

    Parameters
    ----------
    symbol : Symbol
        Any network.

    Returns
    -------
    list of RowTableInfo
        Empty: all parameters are the network's own.

    Raises
    ------
    ValueError
        Two tables have the same name.

    Examples
    --------
    >>> row_tables(mx.sym.Variable('data'))
    []
    """
    attributes = symbol.attr_dict()
    found = (attributes.get(name, {}).get(_TABLE) for name in symbol.list_arguments())
    tables = [_described(facts) for facts in found if facts is not None]
    names = [table.name for table in tables]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f'{names.count(name)} row tables have the name {name}; expected different names')
    return tables


def _described(attribute: str) -> RowTableInfo:
    try:
        facts = dict(json.loads(attribute))
        return RowTableInfo(**{name: facts[name] for name in RowTableInfo._fields if name in facts})
    except (TypeError, ValueError):
        raise ValueError(f'attribute {_TABLE}={attribute} does not describe a row table') from None


def sampled_outputs(symbol: Symbol) -> list[str]:
    """Return the names of the outputs that have the probabilities of sampled classes."""
    return [table.output for table in row_tables(symbol) if table.output is not None]


def table_inputs(table: RowTableInfo) -> tuple[Symbol, Symbol]:
    """Return the Variables `rows` and `index` that a network reads in place of a parameter."""
    rows = mxsym.Variable(
        table.rows,
        shape=(table.num_sampled or 1, table.width),  # until it is bound to the rows of a batch
        dtype=table.dtype,
        init=RowTableInput(),
        attr={_TABLE: json.dumps(table._asdict(), default=int)},  # JSON knows no numbers of NumPy
    )
    return rows, mxsym.Variable(table.index, shape=(0,), dtype=table.dtype, init=RowTableInput())


@register_initializer
class RowTableInput(Initializer):
    """Refuses to initialize an input that is fed from a row table: `mx.mod.Module` takes it for a parameter.

    Raises
    ------
    ValueError
        Always.
    """

    def _init_weight(self, desc: Any, arr: Any) -> None:  # what MXNet calls for the initializer of a Variable
        raise ValueError(
            f'{desc} is no parameter: it is fed from a row table. Train and score this network with '
            'centerloss_mx.module.Module in place of mx.mod.Module'
        )

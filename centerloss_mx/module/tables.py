"""`TableModule`: a module whose row tables are on a KVStore."""

from __future__ import annotations

from typing import Any

import numpy as np
from mxnet import ndarray as nd
from mxnet.ndarray import NDArray
from mxnet.optimizer import Updater
from mxnet.symbol import Symbol

from .._mxnet.files import naming_states
from .._mxnet.kvstore import LocalStore
from ..row_table import RowTable, block_keys, check_lazy, normal_rows, zeros
from ..symbol.tables import RowTableInfo, row_tables
from .table_multipliers import give_multipliers
from .table_starts import Read, check_starts, reader
from .workers import WorkerModule

__all__ = ['TableModule']


class TableModule(WorkerModule):
    """`mx.mod.Module` that puts the row tables under its network on a KVStore.

    A row table is no parameter: `get_params` does not return it. It is on the servers of a distributed
    KVStore, and else in this process.

    Parameters
    ----------
    symbol, data_names, ...
        As for `mx.mod.Module`; `fixed_param_names` may name row tables.
    block_rows : int or None
        Rows of a key on the KVStore, > 0; None: see `row_table.RowTable`.
    """

    def __init__(
        self,
        symbol: Symbol,
        data_names: Any = ('data',),
        *args: Any,
        block_rows: int | None = None,
        **kwargs: Any,
    ) -> None:
        self._tables = row_tables(symbol)
        self._table_inputs = [name for table in self._tables for name in (table.rows, table.index)]
        names = [table.name for table in self._tables]
        fixed = kwargs.get('fixed_param_names') or ()
        self._fixed_tables = [name for name in fixed if name in names]
        if self._fixed_tables:
            kwargs['fixed_param_names'] = [name for name in fixed if name not in names]
        super().__init__(symbol, [*(data_names or ()), *self._table_inputs], *args, **kwargs)
        self._block_rows = block_rows
        self._starts: dict[str, Read] = {}  # the rows that tables start with, until they are placed
        self._row_tables: dict[str, RowTable] = {}

    @property
    def row_tables(self) -> dict[str, RowTable]:
        """The row tables by name. Before `init_optimizer` they are in this process."""
        if self._tables and not self._row_tables:
            self._place_tables()
        return self._row_tables

    def init_params(
        self,
        initializer: Any,
        arg_params: dict[str, Any] | None = None,
        aux_params: dict[str, NDArray] | None = None,
        allow_missing: bool = False,
        force_init: bool = False,
        allow_extra: bool = False,
    ) -> None:
        """Initialize parameters as `mx.mod.Module` does; `arg_params` may hold the rows of tables.

        Parameters
        ----------
        initializer, arg_params, ...
            As for `mx.mod.Module.init_params`. `initializer` is not for tables: without rows in `arg_params`,
            centers start at 0, and a class layer as `sampled_classifier` says.

        Raises
        ------
        ValueError
            A table of another shape, or one that is on servers already.
        """
        options = aux_params, allow_missing, force_init, allow_extra
        if self.params_initialized and not force_init:
            super().init_params(initializer, arg_params, *options)
            return
        rest, starts = self._without_tables(arg_params)
        if arg_params is not None and not allow_missing and not self.params_initialized:
            check_starts(self._tables, {**self._starts, **starts})
        super().init_params(initializer, rest, *options)
        if arg_params is None and not self._on_servers:
            self._starts, self._row_tables = {}, {}
        self._start_with(starts)

    def set_params(
        self,
        arg_params: dict[str, Any],
        aux_params: dict[str, NDArray],
        allow_missing: bool = False,
        force_init: bool = True,
        allow_extra: bool = False,
    ) -> None:
        """Assign parameters as `mx.mod.Module.set_params` does; `arg_params` may hold the rows of tables.

        Parameters
        ----------
        arg_params, aux_params, ...
            As for `mx.mod.Module.set_params`.
        """
        starts: dict[str, Read] = {}
        if allow_missing and (force_init or not self.params_initialized):  # else MXNet calls `init_params`
            arg_params, starts = self._without_tables(arg_params)
        super().set_params(arg_params, aux_params, allow_missing, force_init, allow_extra)
        self._start_with(starts)

    def init_optimizer(
        self,
        kvstore: Any = 'local',
        optimizer: Any = 'sgd',
        optimizer_params: Any = (('learning_rate', 0.01),),
        force_init: bool = False,
    ) -> None:
        """Set up the optimizer as `mx.mod.Module` does, and put the row tables on the KVStore.

        Parameters
        ----------
        kvstore, optimizer, optimizer_params, force_init
            As for `mx.mod.Module.init_optimizer`.

        Raises
        ------
        ValueError
            The optimizer would pass over all rows of a table, or the servers run none; or
            `compression_params`, or several devices without a KVStore, with a row table. After
            this error the module has no optimizer.
        """
        if not self._tables or (self.optimizer_initialized and not force_init):
            super().init_optimizer(kvstore, optimizer, optimizer_params, force_init)
            return
        keys = {
            table.name: block_keys(table.name, *table.shape, table.dtype, self._block_rows)
            for table in self._tables
        }
        table_keys = [key for those in keys.values() for key in those]
        if str(optimizer).lower() == 'centers':
            optimizer_params = {**dict(optimizer_params), 'table_keys': table_keys}
        elif not isinstance(optimizer, str):
            if hasattr(optimizer, 'table_keys'):
                optimizer.table_keys = table_keys
            distributed = 'dist' in getattr(kvstore, 'type', str(kvstore))
            give_multipliers(optimizer, keys, len(self._param_names) if distributed else None)
        super().init_optimizer(kvstore, optimizer, optimizer_params, force_init)
        self.optimizer_initialized: bool = False
        self._check_moves_rows()
        self.optimizer_initialized = True
        self._place_tables()

    def load_optimizer_states(self, fname: str) -> None:
        """Load optimizer states as `mx.mod.Module` does; errors name the file, and leave the states.

        Parameters
        ----------
        fname : str
            A file of `save_optimizer_states`. MXNet unpickles it: load files that you trust only.

        Raises
        ------
        ValueError
            The file holds no optimizer states, or those of a row table in other blocks.
        """
        updater = self._local_updater()
        before = dict(vars(updater)) if updater else {}
        with naming_states(fname if updater else None):
            super().load_optimizer_states(fname)
        assert updater is not None  # MXNet has said so
        for name, table in self._row_tables.items():
            rows, found = table.block_rows, _rows(updater.states.get(table.keys[0]))
            if found not in (rows, None):
                vars(updater).update(before)
                raise ValueError(
                    f'{fname}: the states of {name} are in blocks of {found} rows, and the module has blocks '
                    f'of {rows}; expected the block_rows of the training that saved them'
                )

    @property
    def _on_servers(self) -> bool:
        """Whether the tables are on servers, where nothing but a gradient changes them."""
        return self.optimizer_initialized and self._is_distributed

    def _without_tables(self, arg_params: Any) -> tuple[Any, dict[str, Read]]:
        """Return the parameters as NDArrays, and what reads the rows of the tables among them."""
        if arg_params is None:
            return None, {}
        starts = {}
        for table in self._tables:
            if table.name in arg_params:
                if self._on_servers:
                    message = f'{table.name} is on the servers: set its rows before init_optimizer'
                    raise self._failure(ValueError, message)
                starts[table.name] = reader(table, arg_params[table.name])
        rest = {
            name: nd.array(value, dtype=value.dtype) if isinstance(value, np.ndarray) else value
            for name, value in arg_params.items()
            if name not in starts
        }
        return rest, starts

    def _start_with(self, starts: dict[str, Read]) -> None:
        """Let tables start with other rows; the others keep theirs."""
        if starts:
            self._starts, self._row_tables = {**self._rows_to_place(), **starts}, {}

    def _rows_to_place(self) -> dict[str, Read]:
        """What reads the rows that tables have, or start with if that was given."""
        return {**{name: table.read for name, table in self._row_tables.items()}, **self._starts}

    def _place_tables(self) -> None:
        """Put the row tables on a KVStore, with the rows that they had or start with."""
        kvstore = self._kvstore if self._on_servers else LocalStore(self._local_updater())
        rows, placed = self._rows_to_place(), {}
        for table in self._tables:
            placed[table.name] = RowTable(kvstore, table.name, table.shape, table.dtype, self._block_rows)
            placed[table.name].init(rows.get(table.name) or _start(table))
        self._row_tables, self._starts = placed, {}

    def _local_updater(self) -> Updater | None:
        """What moves parameters and rows in this process; None: nothing does yet, or servers do."""
        return self._updater or getattr(self._kvstore, '_updater', None)

    def _check_moves_rows(self) -> None:
        check_lazy(self._optimizer)
        name = self._tables[0].name
        if len(self._context) > 1 and not self._kvstore:
            raise ValueError(
                f'without a KVStore each of {len(self._context)} devices trains parameters of its own, and '
                f"the row table {name} is moved for all of them. Use kvstore='device'"
            )
        if self._compression_params:
            raise ValueError(f'compression_params is not supported with the row table {name}')
        if self._is_distributed and not self._update_on_kvstore:
            raise ValueError(
                f'unset MXNET_UPDATE_ON_KVSTORE: the servers of KVStore {self._kvstore.type!r} would only '
                f'sum gradients, and the row table {name} is moved by servers'
            )


def _start(table: RowTableInfo) -> Read:
    """What a table starts with: centers at 0, and the class layer near 0."""
    if table.kind == 'centers':
        return zeros(table.shape, table.dtype)
    return normal_rows(table.shape, table.dtype, table.seed)


def _rows(state: Any) -> int | None:
    """How many rows an optimizer's state of a block has; None: there is no state."""
    first = state[0] if isinstance(state, tuple) else state
    return None if first is None else int(first.shape[0])

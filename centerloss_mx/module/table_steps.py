"""`StepModule`: a module that feeds its network from row tables, and has their rows moved."""

from __future__ import annotations

import copy
from inspect import signature
from typing import Any, Mapping

import numpy as np
from mxnet.io import DataBatch, DataDesc, DataIter
from mxnet.metric import EvalMetric
from mxnet.module import Module as MXModule
from mxnet.ndarray import NDArray
from mxnet.symbol import Symbol

from .._mxnet.arrays import from_host
from ..io.center_loss_iter import as_desc
from ..metric import for_network
from ..symbol.tables import RowTableInfo
from .needed_rows import NeededRows, needed_rows
from .sampled_metrics import check_metric
from .tables import TableModule

__all__ = ['StepModule']


class StepModule(TableModule):
    """`mx.mod.Module` that trains and scores networks with row tables.

    A step pulls the rows that its batch needs, and pushes their gradient, summed over the devices in their
    order.

    Parameters
    ----------
    symbol, ...
        As for `TableModule`.
    """

    def __init__(self, symbol: Symbol, *args: Any, **kwargs: Any) -> None:
        super().__init__(symbol, *args, **kwargs)
        self._needed: dict[str, NeededRows] = {}  # by the last training batch
        self._differentiated: dict[str, NeededRows] = {}  # by the last backward
        self._next_epoch = self._epoch = self._step = 0

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch that a sampled class layer draws the classes of: `fit` does so itself.

        The classes drawn in a step depend on the seed of the layer, the epoch and the number of the step in
        the epoch. A loop of one's own calls this before each epoch. A training that is resumed then draws
        what an uninterrupted one does.

        Parameters
        ----------
        epoch : int
            Number of the epoch, >= 0.

        Examples
        --------
        >>> module.set_epoch(3)  # doctest: +SKIP
        """
        self._epoch, self._step = epoch, 0

    def fit(self, train_data: DataIter, *args: Any, **kwargs: Any) -> None:
        """Train as `mx.mod.Module.fit` does, beginning with the classes drawn in `begin_epoch`.

        Parameters
        ----------
        train_data, *args, **kwargs
            As for `mx.mod.Module.fit`. For a sampled class layer, `eval_metric` is by default
            `metric.for_network`: without an accuracy.

        Raises
        ------
        ValueError
            With a row table: the callback `mx.callback.do_checkpoint`; or a metric of sampled classes.
        """
        given = signature(MXModule.fit).bind(self, train_data, *args, **kwargs).arguments
        self._check_callbacks(given.get('epoch_end_callback'))
        self._next_epoch = given.get('begin_epoch', 0)
        if any(table.num_sampled for table in self._tables) and 'eval_metric' not in given:
            kwargs['eval_metric'] = for_network(self._symbol)
        for name in 'eval_metric', 'validation_metric':
            check_metric(given.get(name), self._tables)
        super().fit(train_data, *args, **kwargs)

    def _begin_epoch(self) -> None:
        self.set_epoch(self._next_epoch)
        self._next_epoch += 1

    def bind(
        self,
        data_shapes: Any,
        label_shapes: Any = None,
        for_training: bool = True,
        inputs_need_grad: bool = False,
        force_rebind: bool = False,
        shared_module: MXModule | None = None,
        grad_req: Any = 'write',
    ) -> None:
        """Bind executors as `mx.mod.Module` does, with inputs for the rows of the tables.

        Parameters
        ----------
        data_shapes, label_shapes, ...
            As for `mx.mod.Module.bind`; the inputs of row tables need not be among the shapes.

        Raises
        ------
        ValueError
            With a row table: `grad_req='add'`, or a `shared_module`.
        """
        if self._tables:
            if shared_module is not None:
                raise ValueError(
                    f'shared_module is not supported with the row table {self._tables[0].name}: the other '
                    'module moves its own'
                )
            data_shapes = self._with_inputs(data_shapes)
            grad_req = self._with_requests_for_rows(grad_req) if for_training else grad_req
        super().bind(
            data_shapes, label_shapes, for_training, inputs_need_grad, force_rebind, shared_module, grad_req
        )

    @property
    def data_shapes(self) -> list[DataDesc]:
        """Shapes of the data that a batch serves: without the inputs that are fed from row tables."""
        return [desc for desc in super().data_shapes if desc.name not in self._table_inputs]

    def get_input_grads(self, merge_multi_context: bool = True) -> list:
        """Return the gradients of the data as `mx.mod.Module` does, without those of rows.

        Parameters
        ----------
        merge_multi_context : bool
            As for `mx.mod.Module.get_input_grads`.
        """
        gradients: list = super().get_input_grads(merge_multi_context)
        return gradients[: len(self.data_shapes)]  # the inputs that are fed from tables are the last

    def reshape(self, data_shapes: Any, label_shapes: Any = None) -> None:
        """Reshape as `mx.mod.Module.reshape` does.

        Parameters
        ----------
        data_shapes, label_shapes
            As for `mx.mod.Module.reshape`; the inputs of row tables need not be among the shapes.
        """
        super().reshape(self._with_inputs(data_shapes) if self._tables else data_shapes, label_shapes)

    def backward(self, out_grads: list[NDArray] | None = None) -> None:
        """Run backward as `mx.mod.Module` does.

        Parameters
        ----------
        out_grads : list of NDArray or None
            As for `mx.mod.Module.backward`.
        """
        super().backward(out_grads)
        self._differentiated = self._needed

    def update(self) -> None:
        """Update parameters as `mx.mod.Module` does, and the rows of the tables.

        Raises
        ------
        ValueError
            A gradient of rows is not finite, or there has been no `backward`; nothing has been updated.
        """
        if self._tables and not self._differentiated:
            raise ValueError('update: there is no gradient yet; expected forward and backward before')
        moved = [table for table in self._tables if self._exec_group.grad_req[table.rows] != 'null']
        gradients = [(table, self._gradient(table)) for table in moved]
        super().update()
        for table, gradient in gradients:
            self._row_tables[table.name].push(self._differentiated[table.name].classes, gradient)
        self._step += 1

    def update_metric(self, eval_metric: EvalMetric, labels: list, pre_sliced: bool = False) -> None:
        """Update a metric as `mx.mod.Module.update_metric` does.

        Parameters
        ----------
        eval_metric, labels, pre_sliced
            As for `mx.mod.Module.update_metric`.

        Raises
        ------
        ValueError
            The metric compares the probabilities of a sampled class layer with labels.
        """
        check_metric(eval_metric, self._tables)
        super().update_metric(eval_metric, labels, pre_sliced)

    def _check_callbacks(self, callbacks: Any) -> None:
        """Refuse a callback whose checkpoints would lack row tables."""
        for callback in callbacks if isinstance(callbacks, list) else [callbacks]:
            if self._tables and getattr(callback, '__qualname__', '').startswith('do_checkpoint.'):
                raise ValueError(
                    f'mx.callback.do_checkpoint does not save the row table {self._tables[0].name}; use '
                    'mx.callback.module_checkpoint(module, prefix)'
                )

    def _with_inputs(self, data_shapes: Any) -> list[DataDesc]:
        """Return the shapes with those of the inputs that are fed from tables."""
        descs = [as_desc(desc) for desc in data_shapes]
        size = descs[0].shape[DataDesc.get_batch_axis(descs[0].layout)]
        there = [desc.name for desc in descs]
        for table in self._tables:
            if table.rows not in there:
                shape = (self._capacity(table, size), table.width)
                descs.append(DataDesc(table.rows, shape, table.dtype, layout='HW'))  # whole on each device
                descs.append(DataDesc(table.index, (size,), table.dtype, layout='N'))
        return descs

    def _capacity(self, table: RowTableInfo, size: int) -> int:
        """How many rows the input of a table has: as many as a batch can need."""
        return table.num_sampled or min(size, table.num_class)

    def _with_requests_for_rows(self, grad_req: Any) -> dict[str, str]:
        """Return the requests for gradients, with those of the rows of tables."""
        request = grad_req if isinstance(grad_req, str) else 'write'
        if isinstance(grad_req, str):
            fixed = (*self._fixed_param_names, *self._data_names, *self._label_names)
            requests = {name: grad_req for name in self._param_names if name not in fixed}
        elif isinstance(grad_req, dict):
            requests = dict(grad_req)
        else:
            requests = dict(zip(self._symbol.list_arguments(), grad_req))
        if 'add' in (request, *requests.values()):
            raise ValueError(
                f"grad_req='add' is not supported with the row table {self._tables[0].name}: each batch "
                "has rows of its own. Use 'write'"
            )
        for table in self._tables:
            of_table = requests.pop(table.name, request)
            requests.setdefault(table.rows, 'null' if table.name in self._fixed_tables else of_table)
        return requests

    def _with_rows(self, data_batch: DataBatch, labels: Mapping[str, np.ndarray], trains: bool) -> DataBatch:
        """Return the batch with the rows that it needs, and where the row of each sample is among them."""
        if not self._tables:
            return data_batch
        if isinstance(data_batch, list):
            raise ValueError(f'the row table {self._tables[0].name} needs one batch, not a list of batches')
        size = data_batch.data[0].shape[DataDesc.get_batch_axis(self._data_shapes[0].layout)]
        draw = (self._epoch, self._step) if trains else ()
        try:
            needed = {
                table.name: needed_rows(table, labels.get(table.label), size, draw, trains)
                for table in self._tables
            }
        except ValueError as error:  # too many classes for a class layer
            raise self._failure(ValueError, str(error)) from None
        # All rows are asked for before the first are waited for.
        pulled = {name: self.row_tables[name].pull(rows.classes) for name, rows in needed.items()}
        fed = copy.copy(data_batch)
        fed.data, fed.provide_data = list(data_batch.data), None
        for table in self._tables:
            rows = np.zeros((self._capacity(table, size), table.width), table.dtype)
            rows[: len(needed[table.name].classes)] = pulled[table.name].asnumpy()
            fed.data += [from_host(array, table.dtype) for array in (rows, needed[table.name].positions)]
        if trains:
            self._needed = needed
        return fed

    def _gradient(self, table: RowTableInfo) -> np.ndarray:
        """Return the gradient of the rows of the last batch, summed over the devices in their order."""
        first, *others = (executor.grad_dict[table.rows] for executor in self._exec_group.execs)
        total: np.ndarray = first.asnumpy()
        for gradient in others:
            total += gradient.asnumpy()
        classes = self._differentiated[table.name].classes
        total = total[: len(classes)]
        finite = np.isfinite(total).all(axis=1)
        if not finite.all():
            raise self._failure(
                ValueError,
                f'the gradient of {table.name} is not finite at class {classes[finite.argmin()]}; nothing '
                'was pushed. If training diverges, lower the scale or the learning rate',
            )
        return total

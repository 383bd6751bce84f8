"""`Module`: `mx.mod.Module` that validates labels, optimizer and KVStore of networks with center loss."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from mxnet.initializer import Uniform
from mxnet.io import DataBatch, DataIter
from mxnet.ndarray import NDArray
from mxnet.symbol import Symbol

from .._mxnet.arrays import check_legacy_arrays, with_all_rows
from .._mxnet.engine import finish, wait_for_centers
from ..model import latest_checkpoint, load_checkpoint
from ..operator.labels import check_labels
from ..symbol import CenterLossInfo
from .checks import (
    check_batch_fits,
    check_batch_has_labels,
    check_centers_are_counted,
    check_gradients,
    check_labels_are_served,
    check_labels_of_rows,
    check_optimizer,
    check_outputs,
    check_servers_can_hold,
    check_workers_share_centers,
    counted_samples,
)
from .rows import LabelReader, batch_labels, row_ids
from .saving import SavingModule
from .scale import ScaleModule

__all__ = ['Module']

_INITIALIZER = Uniform(0.01)  # MXNet's own default


class Module(SavingModule, ScaleModule):
    """`mx.mod.Module` that validates what networks with center loss need; it trains to the same numbers.

    Module makes five promises beyond MXNet's:

    - Labels are validated on the host before the batch runs. An invalid label raises ValueError with its row,
      its value and the worker's rank, and leaves all devices and servers unchanged. The same holds for a
      `sync_center_loss` that is not finite. A label that another operator computes is not
      validated here: the operator `centerloss` raises an MXNetError for it, other losses become NaN.
    - `init_optimizer` refuses combinations of KVStore, devices and optimizer with which MXNet would compute
      wrong centers without an error.
    - Servers that do not run the optimizer `centers` are detected in the first step.
    - Parameters are read from the devices only after pending center updates, in `fit`, `get_params` and
      `save_checkpoint`.
    - `score`, `predict`, `iter_predict` and the metrics of `fit` take each sample once, without the rows that
      pad the last batch.

    `set_scale` changes the weight of a center loss between two steps.

    A Module is for one thread at a time, as `mx.mod.Module` is. Other threads take a `FeatureExtractor`.

    Centers on the KVStore (`sync_center_loss`) need no `sparse_row_id_fn`: each `forward` pulls the rows of
    its batch, in scoring too. After `init_optimizer`, `get_params` reads the centers from the KVStore.

    A network with row tables (`centers='table'`, `sampled_classifier`) needs this class. Its tables are no
    parameters: `row_tables` reads them, and checkpoints have them.

    Parameters
    ----------
    symbol, data_names, label_names, logger, context, ...
        As for `mx.mod.Module`; `fixed_param_names` may name row tables.
    block_rows : int or None
        The most rows of a block of a row table, > 0; None: see `row_table.RowTable`.

    Raises
    ------
    ValueError
        A `sync_center_loss` that is not an output of the network, or whose label is not in `label_names`;
        `mx.npx.set_np()` is on. In a training `forward`: an invalid label. In `backward`: a
        `sync_center_loss` that is not finite. In `init_optimizer`: centers on the KVStore with another
        optimizer than `centers`, with `grad_req='add'` or `compression_params`, or with a KVStore that does
        not update them or cannot hold them; on several workers, centers in auxiliary states.
    RuntimeError
        In the first `update`: servers without the optimizer `centers`, or with another version of it.

    References
    ----------
    The centers follow Eq. 4 of Wen et al. 2016; no update is lost.

    Examples
    --------
    >>> mod = Module(net, label_names=['softmax_label', 'center_label'])  # doctest: +SKIP
    >>> mod.fit(train, kvstore='dist_sync', optimizer='centers', num_epoch=10,  # doctest: +SKIP
    ...         optimizer_params={'base': 'sgd', 'alpha': 0.5, 'learning_rate': 0.1})
    """

    def __init__(self, symbol: Symbol, *args: Any, **kwargs: Any) -> None:
        super().__init__(symbol, *args, **kwargs)
        self._on_kvstore = [info for info in self._center_losses if info.storage == 'kvstore']
        self._label_readers: list[LabelReader] = [*self._center_losses, *self._tables]
        # The losses whose centers the optimizer moves, each with the argument that gets their gradient.
        rows = {table.name: table.rows for table in self._tables}
        losses = [info for info in self._center_losses if info.storage in ('kvstore', 'table')]
        self._sync_losses = {info: rows.get(info.centers, info.centers) for info in losses}
        check_outputs(self._sync_losses, self.output_names)
        labels = {loss.centers: loss.label for loss in self._sync_losses}
        labels.update({table.name: table.label for table in self._tables})
        check_labels_of_rows(labels, self._label_names)
        # The labels of the last training batch, by the name of their centers on the KVStore.
        self._batch_classes: dict[str, np.ndarray] = {}
        self._labels_fed: set[str] = set()  # those of the last batch that center losses read
        self._must_check_servers = False

    @staticmethod
    def load(
        prefix: str,
        epoch: int | None = None,
        load_optimizer_states: bool = False,
        batchsize: int | None = None,
        **kwargs: Any,
    ) -> Module:
        """Load a module of this class from a checkpoint, as `mx.mod.Module.load` does.

        Parameters
        ----------
        prefix : str
            As given to `model.save_checkpoint`.
        epoch : int or None
            The checkpoint's epoch; None: the last one.
        load_optimizer_states : bool
            Whether to load the optimizer's states, too. MXNet unpickles them: load files that you trust only.
        batchsize : int or None
            New capacity of the center losses, to train with other batch sizes; None: that of the checkpoint.
        **kwargs
            For the constructor.

        Returns
        -------
        Module
        """
        epoch = latest_checkpoint(prefix) if epoch is None else epoch
        symbol, arg_params, aux_params = load_checkpoint(prefix, epoch, batchsize)
        module = Module(symbol, **kwargs)
        module._arg_params, starts = module._without_tables(arg_params)
        module._start_with(starts)
        module._aux_params, module.params_initialized = aux_params, True
        if load_optimizer_states:
            module._preload_opt_states = f'{prefix}-{epoch:04d}.states'
        return module

    def bind(
        self, data_shapes: Any, label_shapes: Any = None, for_training: bool = True, *args: Any, **kwargs: Any
    ) -> None:
        """Bind executors as `mx.mod.Module` does; for training, every label of a center loss must be there.

        Parameters
        ----------
        data_shapes, label_shapes, for_training, *args, **kwargs
            As for `mx.mod.Module.bind`.

        Raises
        ------
        ValueError
            A label that a center loss reads is not in `label_names`, or the iterator does not serve it.
        """
        check_legacy_arrays('Module')
        if for_training:
            served = [desc[0] for desc in (*data_shapes, *(label_shapes or ()))]
            names = [n for n in (*self._data_names, *self._label_names) if n not in self._table_inputs]
            check_labels_are_served(self._label_readers, self._symbol.list_arguments(), names, served)
        check_batch_fits(self._center_losses, self._symbol, data_shapes, len(self._context))
        super().bind(data_shapes, label_shapes, for_training, *args, **kwargs)

    def fit(self, train_data: DataIter, *args: Any, **kwargs: Any) -> None:
        """Train as `mx.mod.Module.fit` does; metrics do not count the rows that pad the last batch.

        After an error this process does not wait for other workers. Without other workers it waits for the
        batches that have begun, so that their errors do not reach the next network.

        Parameters
        ----------
        train_data, *args, **kwargs
            As for `mx.mod.Module.fit`; no `sparse_row_id_fn` is needed.
        """
        try:
            super().fit(train_data, *args, **kwargs)
        except BaseException:
            self._wait_at_exit(False)
            if not self._is_distributed:  # a pull waits for other workers, which may have ended
                finish()
            raise

    def init_params(
        self,
        initializer: Any = _INITIALIZER,
        arg_params: dict[str, NDArray] | None = None,
        aux_params: dict[str, NDArray] | None = None,
        allow_missing: bool = False,
        force_init: bool = False,
        allow_extra: bool = False,
    ) -> None:
        """Initialize parameters as `mx.mod.Module` does; centers on the KVStore may be dense arrays.

        Parameters
        ----------
        initializer, arg_params, aux_params, allow_missing, force_init, allow_extra
            As for `mx.mod.Module.init_params`.
        """
        super().init_params(initializer, arg_params, aux_params, allow_missing, force_init, allow_extra)
        self._complete_rows()

    def set_params(
        self,
        arg_params: dict[str, NDArray],
        aux_params: dict[str, NDArray],
        allow_missing: bool = False,
        force_init: bool = True,
        allow_extra: bool = False,
    ) -> None:
        """Assign parameters as `mx.mod.Module` does.

        Parameters
        ----------
        arg_params, aux_params, allow_missing, force_init, allow_extra
            As for `mx.mod.Module.set_params`.
        """
        if self._kvstore_updates_centers and arg_params is self._arg_params:
            # `fit` sets the parameters that it has just read. Centers need no copy: forward pulls their rows.
            stored = [loss.centers for loss in self._on_kvstore]
            arg_params = {name: value for name, value in arg_params.items() if name not in stored}
            self._exec_group.set_params(arg_params, aux_params)
        else:
            super().set_params(arg_params, aux_params, allow_missing, force_init, allow_extra)

    def init_optimizer(
        self,
        kvstore: Any = 'local',
        optimizer: Any = 'sgd',
        optimizer_params: Any = (('learning_rate', 0.01),),
        force_init: bool = False,
    ) -> None:
        """Set up the optimizer as `mx.mod.Module` does, and check that it moves the centers as it must.

        Parameters
        ----------
        kvstore, optimizer, optimizer_params, force_init
            As for `mx.mod.Module.init_optimizer`.

        Raises
        ------
        ValueError
            See `Module`. After this error the module has no optimizer.
        """
        check_optimizer([*self._sync_losses], optimizer)
        if self.binded:
            check_gradients(self._on_kvstore, self._exec_group.grad_req, self._compression_params)
        self._complete_rows()
        if 'dist' in getattr(kvstore, 'type', str(kvstore)):
            num_workers = int(os.environ.get('DMLC_NUM_WORKER', 1))
            check_workers_share_centers(self._center_losses, getattr(kvstore, 'num_workers', num_workers))
            if self.params_initialized:
                check_servers_can_hold(self._on_kvstore, self._arg_params)
        states = self._preload_opt_states
        self._preload_opt_states: str | None = None
        super().init_optimizer(kvstore, optimizer, optimizer_params, force_init)
        if states is not None:
            self.load_optimizer_states(states)
        if self._on_kvstore and self._kvstore and not self._update_on_kvstore:
            self.optimizer_initialized = False
            raise ValueError(
                f'unset MXNET_UPDATE_ON_KVSTORE: KVStore {self._kvstore.type!r} would only sum gradients, '
                f'and MXNet drops the row_sparse gradient of {self._on_kvstore[0].centers}'
            )
        self._must_check_servers = self._kvstore_updates_centers or bool(self._sync_losses and self._tables)

    def forward(self, data_batch: DataBatch, is_train: bool | None = None) -> None:
        """Run forward as `mx.mod.Module` does; in training, the labels are validated first.

        Parameters
        ----------
        data_batch : mxnet.io.DataBatch
            Data and labels.
        is_train : bool or None
            None: the value of `for_training` in `bind`.

        Raises
        ------
        ValueError
            An invalid label: outside 0..num_class-1, and not the ignored one; or more classes than a sampled
            class layer has room for.
        """
        trains = self.for_training if is_train is None else is_train
        labels = batch_labels(self, data_batch, self._label_readers)
        self._labels_fed = set(labels)
        if trains:
            self._check_labels(labels)
        if self._kvstore_updates_centers:
            self.prepare(data_batch, lambda _: row_ids(labels, self._on_kvstore))
        super().forward(self._with_rows(data_batch, labels, trains), is_train)

    def backward(self, out_grads: list[NDArray] | None = None) -> None:
        """Run backward as `mx.mod.Module` does, and check losses with centers on the KVStore.

        Parameters
        ----------
        out_grads : list of NDArray or None
            As for `mx.mod.Module.backward`.

        Raises
        ------
        ValueError
            The batch had no label for a center loss; or a `sync_center_loss` that is not finite, and nothing
            has been pushed to the KVStore then.
        """
        check_batch_has_labels(self._label_readers, self.label_shapes, self._labels_fed)
        super().backward(out_grads)
        self._check_losses()

    def update(self) -> None:
        """Update parameters as `mx.mod.Module` does; the first update checks that servers move centers.

        Raises
        ------
        RuntimeError
            The KVStore does not move the centers.
        """
        before = self._counted_samples() if self._must_check_servers else {}
        super().update()
        if before:
            self._check_servers(before)
        self._go_on()

    @property
    def _kvstore_updates_centers(self) -> bool:
        return bool(self._on_kvstore and self.optimizer_initialized and self._update_on_kvstore)

    def _complete_rows(self) -> None:
        """Store every row of the centers, also rows of zeros: KVStore and optimizer need them all."""
        if not (self._on_kvstore and self.params_initialized):
            return
        if self._params_dirty:
            self._sync_params_from_devices()
        complete = {loss.centers: with_all_rows(self._arg_params[loss.centers]) for loss in self._on_kvstore}
        if any(complete[name] is not self._arg_params[name] for name in complete):
            self._arg_params.update(complete)
            self._exec_group.set_params(self._arg_params, self._aux_params)

    def _check_labels(self, labels: dict[str, np.ndarray]) -> None:
        for reader in self._label_readers:
            if reader.label not in labels:
                continue
            try:
                classes, kept = check_labels(labels[reader.label], reader.num_class, reader.ignored)
            except ValueError as error:
                raise self._failure(ValueError, f'{reader.label}: {error}') from None
            if isinstance(reader, CenterLossInfo) and self._is_moved(reader):
                self._batch_classes[reader.centers] = classes if kept is None else classes[kept]

    def _is_moved(self, loss: CenterLossInfo) -> bool:
        """Whether the optimizer moves the centers of a loss."""
        return loss in self._sync_losses and self._exec_group.grad_req[self._sync_losses[loss]] != 'null'

    def _check_losses(self) -> None:
        for loss in self._sync_losses:
            outputs = self.get_outputs(merge_multi_context=False)[self.output_names.index(loss.output)]
            values = [output.asscalar() for output in outputs]
            if not np.isfinite(values).all():
                raise self._failure(
                    ValueError,
                    f'{loss.output} is {sum(values)}, expected a finite loss; nothing was pushed. If '
                    'training diverges, lower the scale or the learning rate',
                )

    def _counted_samples(self) -> dict[str, np.ndarray]:
        """By the name of centers, how many samples of the batch's classes the optimizer has counted."""
        return {
            name: self._counts_of(name, np.unique(batch))
            for name, batch in self._batch_classes.items()
            if len(batch)
        }

    def _counts_of(self, name: str, classes: np.ndarray) -> np.ndarray:
        if name in self._row_tables:
            return self._row_tables[name].pull(classes).asnumpy()[:, -1]
        return counted_samples(self._kvstore, name, self._arg_params[name], classes)

    def _check_servers(self, before: dict[str, np.ndarray]) -> None:
        """Compare what the servers have counted with what they had and this worker's batch."""
        for name, counted in self._counted_samples().items():
            classes, own = np.unique(self._batch_classes[name], return_counts=True)
            try:
                # Other workers may have added samples of their own.
                check_centers_are_counted(name, classes, counted, before[name] + own.astype(counted.dtype))
            except RuntimeError as error:
                raise self._failure(RuntimeError, str(error)) from None
        self._must_check_servers = False

    def _sync_params_from_devices(self) -> None:
        wait_for_centers()
        super()._sync_params_from_devices()

"""`Module`: `mx.mod.Module` that validates labels, optimizer and KVStore of networks with center loss."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from mxnet import ndarray as nd
from mxnet.base import MXNetError
from mxnet.initializer import Uniform
from mxnet.io import DataBatch
from mxnet.module import Module as MXModule
from mxnet.ndarray import NDArray
from mxnet.symbol import Symbol

from .._compat import VERSION
from .._mxnet.arrays import with_all_rows
from .._mxnet.engine import wait_for_centers
from .._mxnet.kvstore import MOST_BYTES, wait_for_workers_at_exit
from ..model import latest_checkpoint, load_checkpoint
from ..operator.labels import check_labels
from ..optimizer import Centers
from ..symbol import describe
from .rows import batch_labels, row_ids

__all__ = ['Module']

_INITIALIZER = Uniform(0.01)  # MXNet's own default


class Module(MXModule):
    """`mx.mod.Module` for networks with center loss; trains the same numbers.

    Four promises beyond MXNet's:

    - The labels of a center loss are checked on the host before anything of a training batch is pushed, so
      that a bad one raises `ValueError` with its row and value, and the worker's rank, and changes nothing on
      any device or server, whichever of the losses in `symbol` reads it. For `sync_center_loss`, so is the
      loss: features that are not finite go no further. A label that passes through another operator on its
      way to a loss is not seen here: the operator `centerloss` itself refuses it, and the other losses become
      NaN.
    - Ways of updating centers that MXNet gets silently wrong are refused in `init_optimizer`.
    - Servers that do not move the centers are noticed in the first step.
    - Parameters are copied from the devices (`fit`, `get_params` after an update, `save_checkpoint`) only
      after pending center updates.

    Centers on a KVStore, those of `sync_center_loss`, need no `sparse_row_id_fn`: each `forward` pulls the
    rows of its batch, in scoring too. From `init_optimizer` on, the KVStore's centers are the only ones that
    count.

    Parameters
    ----------
    symbol, data_names, label_names, logger, context, ...
        As for `mx.mod.Module`.

    Raises
    ------
    ValueError
        A `sync_center_loss` whose label is none of `label_names`, or that is no output. In a training
        `forward`: a label outside 0..num_class-1 that is not the ignored one. In `backward`: a
        `sync_center_loss` that is not finite. In `init_optimizer`: centers on the KVStore with another
        optimizer than `centers`, with gradients that are added up or compressed, or that the KVStore would
        not update or hold; with several workers, centers that are auxiliary states.
    RuntimeError
        In the first `update`: servers without the optimizer `centers`, or with another version of it.

    References
    ----------
    Keeps every update of Wen et al. 2016, Eq. 4.

    Examples
    --------
    >>> mod = Module(net, label_names=['softmax_label', 'center_label'])  # doctest: +SKIP
    >>> mod.fit(train, kvstore='dist_sync', optimizer='centers', num_epoch=10,  # doctest: +SKIP
    ...         optimizer_params={'base': 'sgd', 'alpha': 0.5, 'learning_rate': 0.1})
    """

    def __init__(self, symbol: Symbol, *args: Any, **kwargs: Any) -> None:
        super().__init__(symbol, *args, **kwargs)
        self._center_losses = describe(symbol)
        self._on_kvstore = [info for info in self._center_losses if info.storage == 'kvstore']
        for info in self._on_kvstore:
            if info.output is None:
                raise ValueError(
                    f'sync_center_loss must be an output of the network: {info.name}_output is not in '
                    f'{self.output_names}. Put the loss itself into mx.sym.Group, without a factor or function'
                )
            if info.label not in self._label_names:
                raise ValueError(
                    f'label_names={self._label_names} lack {info.label!r}; Module needs this label to pull the '
                    f'rows of {info.centers} that a batch needs'
                )
        # For each centers on the KVStore, the classes of the last training batch.
        self._batch_classes: dict[str, np.ndarray] = {}
        self._kvstore_moves_centers = True  # or it is not known yet
        self._waits_at_exit = True

    @staticmethod
    def load(
        prefix: str,
        epoch: int | None,
        load_optimizer_states: bool = False,
        batchsize: int | None = None,
        **kwargs: Any,
    ) -> Module:
        """Make a module of a checkpoint, as `mx.mod.Module.load` does, but of this class.

        Parameters
        ----------
        prefix : str
            Beginning of the files' names.
        epoch : int or None
            The checkpoint's epoch; None: the last one.
        load_optimizer_states : bool
            Whether to load the optimizer's states, too: MXNet unpickles them, so the file has to be your own.
        batchsize : int or None
            The capacity of center losses, where training is to go on with larger batches; None: as it was.
        **kwargs
            For the constructor.

        Returns
        -------
        Module
        """
        epoch = latest_checkpoint(prefix) if epoch is None else epoch
        symbol, arg_params, aux_params = load_checkpoint(prefix, epoch, batchsize)
        module = Module(symbol, **kwargs)
        module._arg_params, module._aux_params, module.params_initialized = arg_params, aux_params, True
        if load_optimizer_states:
            module._preload_opt_states = f'{prefix}-{epoch:04d}.states'
        return module

    def fit(self, *args: Any, **kwargs: Any) -> None:
        """Train as `mx.mod.Module.fit` does; where it fails, the process can end without the other workers.

        Parameters
        ----------
        *args, **kwargs
            As for `mx.mod.Module.fit`; no `sparse_row_id_fn` is needed.
        """
        try:
            super().fit(*args, **kwargs)
        except BaseException:
            self._wait_at_exit(False)
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
        """Initialize parameters as `mx.mod.Module` does; centers for the KVStore may be given dense.

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
        if self._centers_on_kvstore and arg_params is self._arg_params:
            # `fit` gives back what it has just got; the devices pull the rows that they will need.
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
        """Set the optimizer up as `mx.mod.Module` does, after a look at what will move the centers.

        Parameters
        ----------
        kvstore, optimizer, optimizer_params, force_init
            As for `mx.mod.Module.init_optimizer`.

        Raises
        ------
        ValueError
            Centers on the KVStore with another optimizer than `centers`, with gradients that are added up
            or compressed, or that the KVStore would not update or hold; with several workers, centers that
            are auxiliary states.
        """
        moves_centers = isinstance(optimizer, Centers) or str(optimizer).lower() == 'centers'
        if self._on_kvstore and not moves_centers:
            raise ValueError(
                f'the optimizer {optimizer!r} would move {self._on_kvstore[0].centers} by its gradient; expected '
                f"optimizer='centers', with optimizer_params={{'base': 'sgd', ...}} for the other parameters"
            )
        self._check_gradients()
        self._complete_rows()
        if 'dist' in getattr(kvstore, 'type', str(kvstore)):
            self._check_distributed(
                getattr(kvstore, 'num_workers', int(os.environ.get('DMLC_NUM_WORKER', 1)))
            )
        states = self._preload_opt_states
        try:
            super().init_optimizer(kvstore, optimizer, optimizer_params, force_init)
        except Exception as error:  # of what is no pickle; they have no common base
            if states is None or isinstance(error, (OSError, ValueError, MXNetError)):
                raise
            raise ValueError(f'{states}: no states of the optimizer; is the file whole?') from error
        if self._on_kvstore and self._kvstore and not self._update_on_kvstore:
            self.optimizer_initialized = False
            raise ValueError(
                f'the KVStore {self._kvstore.type!r} would only sum gradients, and MXNet leaves out those of '
                f'{self._on_kvstore[0].centers}; expected one that updates: unset MXNET_UPDATE_ON_KVSTORE'
            )
        self._kvstore_moves_centers = not self._centers_on_kvstore

    def forward(self, data_batch: DataBatch, is_train: bool | None = None) -> None:
        """Run forward as `mx.mod.Module` does, after a look at the labels when training.

        Parameters
        ----------
        data_batch : mxnet.io.DataBatch
            Data and labels.
        is_train : bool or None
            None: as bound.

        Raises
        ------
        ValueError
            A label outside 0..num_class-1 that is not the ignored one.
        """
        labels = batch_labels(self, data_batch, self._center_losses)
        if self.for_training if is_train is None else is_train:
            self._check_labels(labels)
        if self._centers_on_kvstore:
            self.prepare(data_batch, lambda _: row_ids(labels, self._on_kvstore))
        super().forward(data_batch, is_train)

    def backward(self, out_grads: list[NDArray] | None = None) -> None:
        """Run backward as `mx.mod.Module` does, and look at the loss of centers on the KVStore.

        Parameters
        ----------
        out_grads : list of NDArray or None
            As for `mx.mod.Module.backward`.

        Raises
        ------
        ValueError
            A `sync_center_loss` that is not finite; nothing has been pushed then.
        """
        super().backward(out_grads)
        self._check_losses()

    def update(self) -> None:
        """Update parameters as `mx.mod.Module` does; in the first update, see that centers move.

        Raises
        ------
        RuntimeError
            The KVStore does not move the centers.
        """
        before = {} if self._kvstore_moves_centers else self._samples_seen()
        super().update()
        if before:
            self._prove(before)
        if not self._waits_at_exit:
            self._wait_at_exit(True)  # an error has been caught, and training goes on

    @property
    def _centers_on_kvstore(self) -> bool:
        return bool(self._on_kvstore and self.optimizer_initialized and self._update_on_kvstore)

    def _check_gradients(self) -> None:
        for loss in self._on_kvstore if self.binded else ():
            if self._exec_group.grad_req[loss.centers] == 'add':
                raise ValueError(f"grad_req of {loss.centers} is 'add'; MXNet cannot add up its gradients")
            if self._compression_params:
                raise ValueError(f'compression_params: MXNet cannot compress the gradients of {loss.centers}')

    def _complete_rows(self) -> None:
        """However the centers came here: KVStore and optimizer take every row to be there."""
        if not (self._on_kvstore and self.params_initialized):
            return
        if self._params_dirty:
            self._sync_params_from_devices()
        whole = {loss.centers: with_all_rows(self._arg_params[loss.centers]) for loss in self._on_kvstore}
        if any(whole[name] is not self._arg_params[name] for name in whole):
            self._arg_params.update(whole)
            self._exec_group.set_params(self._arg_params, self._aux_params)

    def _check_distributed(self, num_workers: int) -> None:
        """Refuse centers that workers would not share, or that servers could not hold."""
        for loss in self._center_losses:
            if loss.storage == 'auxiliary state' and num_workers > 1:
                raise ValueError(
                    f'{loss.centers}: each of {num_workers} workers would move centers of its own (auxiliary '
                    "states are never exchanged); expected sync_center_loss, or centers='kvstore'"
                )
        for loss in self._on_kvstore if self.params_initialized else ():
            centers = self._arg_params[loss.centers]
            row = centers.shape[1] * np.dtype(centers.dtype).itemsize
            if centers.shape[0] * row > MOST_BYTES:
                raise ValueError(
                    f'{loss.centers} has {centers.shape[0]} classes of {row} bytes each; expected at most '
                    f'{MOST_BYTES // row} classes with a dist KVStore, whose servers, however many, hold '
                    'arrays of less than 2^31 bytes'
                )

    def _check_labels(self, labels: dict[str, np.ndarray]) -> None:
        for loss in self._center_losses:
            if loss.label not in labels:
                continue
            try:
                classes, kept = check_labels(labels[loss.label], loss.num_class, loss.ignored)
            except ValueError as error:
                raise self._failure(ValueError, f'{loss.label}: {error}') from None
            if loss.storage == 'kvstore' and self._exec_group.grad_req[loss.centers] != 'null':
                self._batch_classes[loss.centers] = classes if kept is None else classes[kept]

    def _check_losses(self) -> None:
        for loss in self._on_kvstore:
            outputs = self.get_outputs(merge_multi_context=False)[self.output_names.index(loss.output)]
            values = [output.asscalar() for output in outputs]
            if not np.isfinite(values).all():
                raise self._failure(
                    ValueError,
                    f'{loss.output} is {sum(values)}; expected finite features (nothing was pushed). A lower '
                    'scale or learning rate keeps training from diverging',
                )

    def _samples_seen(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """For each centers, the classes of the last training batch and the count in their last column."""
        seen = {}
        for name, present in self._batch_classes.items():
            classes = np.unique(present)
            if len(classes):
                centers = self._arg_params[name]
                rows = nd.sparse.zeros('row_sparse', centers.shape, dtype=centers.dtype)
                self._kvstore.row_sparse_pull(name, out=rows, row_ids=nd.array(classes, dtype='int64'))
                seen[name] = classes, rows.data.asnumpy()[:, -1]
        return seen

    def _prove(self, before: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
        for name, (classes, seen) in self._samples_seen().items():
            own = np.unique(self._batch_classes[name], return_counts=True)[1].astype(seen.dtype)
            expected = before[name][1] + own  # or more, by other workers
            if not (seen >= expected).all():
                row = int((seen < expected).argmax())
                raise self._failure(
                    RuntimeError,
                    f'the KVStore does not move the centers: {name} has counted {seen[row]:g} samples of '
                    f'class {classes[row]} after a step, expected {expected[row]:g} or more. Its servers do '
                    f'not run the optimizer `centers` of centerloss_mx {VERSION} (their log says why: is the '
                    'package there, in this version?), or the KVStore has served another Module before',
                )
        self._kvstore_moves_centers = True

    def _failure(self, kind: type[Exception], message: str) -> Exception:
        """The error to raise, with the worker's rank if there are several."""
        self._wait_at_exit(False)
        if self._is_distributed:
            message = f'worker {self._kvstore.rank}: {message}'
        return kind(message)

    def _wait_at_exit(self, wait: bool) -> None:
        """Whether the process waits for other workers when it ends; after an error, they may wait for it."""
        if self._is_distributed:
            wait_for_workers_at_exit(self._kvstore, wait)
        self._waits_at_exit = wait

    @property
    def _is_distributed(self) -> bool:
        return bool(self._kvstore and 'dist' in self._kvstore.type)

    def _sync_params_from_devices(self) -> None:
        wait_for_centers()
        super()._sync_params_from_devices()

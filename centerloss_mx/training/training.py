"""The loop of a training: seeds, batches, `Module.fit`, and hooks that measure, save and report."""

from __future__ import annotations

import logging
import os
from contextlib import nullcontext
from typing import Any, Callable, Mapping, Sequence

import numpy as np
from mxnet import context as mxcontext
from mxnet.context import Context
from mxnet.initializer import Initializer, Xavier
from mxnet.io import DataIter
from mxnet.kvstore import KVStore
from mxnet.ndarray import NDArray
from mxnet.symbol import Symbol

from ..dataset import Samples
from ..io import Augmentation, Images
from ..metric import for_network
from ..model import Features, find_centers, internal_output
from ..module import Module
from ..symbol import describe
from ..symbol.names import EMBEDDING_OUTPUT, SOFTMAX_OUTPUT
from .batches import num_batches, repeat_shuffles, training_iter
from .hooks import Hook
from .lock import only_training
from .loop import fit_with_hooks
from .prediction import predict
from .seeds import seed_training
from .standard import standard_hooks
from .start import begin, resume


class Training:
    """The training of a network with softmax, alone or beside a center loss.

    `fit` seeds the global random generators, NumPy's, Python's and MXNet's. Then it runs `Module.fit` with
    hooks that measure, write the history, save the checkpoint, log, and show the progress. One thread of a
    process trains at a time, because the generators are those of all threads.

    Parameters
    ----------
    symbol : Symbol
        The network with its losses on `embedding_output`, as `symbol.supervised` makes it. Its labels are
        `softmax_label` and, where it has one, `center_label`. With `use_ignore`, padding moves no center.
    train : io.Images or dataset.Arrays
        The samples to train with.
    test : io.Images, dataset.Arrays or None
        The samples to measure with after each epoch, of at least two classes.
    title : str
        Name of this training in output and errors.
    batch_size : int
        Samples a batch, over all devices and workers.
    num_epoch : int
        Number of epochs, > 0.
    optimizer, optimizer_params : str, mapping
        As for `Module.fit`.
    seed : int
        Seed of weights and order, 0 to 2^32 - 1.
    context : sequence of mxnet.Context
        The devices.
    kvstore : str or KVStore
        As for `Module.fit`; create a distributed one first.
    image_size : int, (int, int) or None
        For pictures in files: height and width that they get; None: those of `train.preprocessing`.
    rand_mirror : bool
        For pictures in files: whether they are mirrored at random.
    initializer : mxnet.init.Initializer or None
        None: `Xavier()`.
    arg_params, aux_params : mapping or None
        Parameters to start from, by name; those that the network does not have are ignored.
    logger : logging.Logger or None
        Where `fit` logs; None: that of this module.
    hooks : sequence of Hook
        Called in this order, after the measurement and before history and checkpoint are written.
    augmentation : io.Augmentation or None
        For pictures in files: what else is changed at random in the pictures to train with.
    samples_per_class : int or None
        Consecutive samples of each class in a batch, see `io.ClassBalancedIter`; None: any order.
    layer : str
        Name of the internal output that is measured; checkpoints record it for `model.FeatureExtractor`.
    start_centers : bool, model.Features or None
        Where centers start. True: at the class means of the first batches, see `model.start_centers`.
        Features of the embedding, normalized if the center loss reads them so: at the means of those of the
        class of the same name, if any.
    select : str or None
        A column of the history: the checkpoint of its best epoch is kept beside the last one, see
        `model.best_checkpoint`. Higher is better, but for ``'own'`` and ``'ratio'``.

    Attributes
    ----------
    module : module.Module or None
        The network of the last `fit`; None before.
    history : list of dict
        A row for each epoch, by the names of the columns.
    test_features : numpy.ndarray
        Features of the test samples after the last epoch, (N, D); (0, 0) before and without test samples.
    stop : str or None
        Why a hook has ended the last `fit` before `num_epoch`; None: no hook has.
    leads : bool
        Whether this process prints and writes files: rank 0 in distributed training.

    Raises
    ------
    ValueError
        The network has no output `softmax_output`, or none of the name `layer`.

    Examples
    --------
    >>> from centerloss_mx import dataset, model_zoo, symbol
    >>> train, test = dataset.load_samples('digits', 'train'), dataset.load_samples('digits', 'test')
    >>> options = {'scale': 0.1, 'batchsize': 32, 'use_ignore': True, 'ignore_label': -1}
    >>> net = symbol.supervised(model_zoo.lenet(2), 10, 'center_loss', 2, **options)
    >>> training = Training(net, train, test, batch_size=32, num_epoch=3)
    >>> module = training.fit('digits', 'digits-history.csv')  # doctest: +SKIP
    """

    def __init__(
        self,
        symbol: Symbol,
        train: Samples,
        test: Samples | None = None,
        title: str = 'training',
        batch_size: int = 32,
        num_epoch: int = 1,
        optimizer: str = 'sgd',
        optimizer_params: Mapping[str, Any] = {'learning_rate': 0.01},
        seed: int = 0,
        context: Sequence[Context] = (mxcontext.cpu(),),
        kvstore: str | KVStore = 'local',
        image_size: int | tuple[int, int] | None = None,
        rand_mirror: bool = False,
        initializer: Initializer | None = None,
        arg_params: Mapping[str, NDArray] | None = None,
        aux_params: Mapping[str, NDArray] | None = None,
        logger: logging.Logger | None = None,
        hooks: Sequence[Hook] = (),
        augmentation: Augmentation | None = None,
        samples_per_class: int | None = None,
        layer: str = EMBEDDING_OUTPUT,
        start_centers: bool | Features | None = None,
        select: str | None = None,
    ) -> None:
        if SOFTMAX_OUTPUT not in symbol.list_outputs():
            outputs = ', '.join(symbol.list_outputs())
            raise ValueError(f'{title}: the network has the outputs {outputs}; expected {SOFTMAX_OUTPUT}')
        if layer != EMBEDDING_OUTPUT:
            internal_output(symbol, layer)
        self.symbol, self.train, self.test, self.title = symbol, train, test, title
        self.batch_size, self.num_epoch, self.seed = batch_size, num_epoch, seed
        self.num_batches = num_batches(train, batch_size)
        self.optimizer, self.optimizer_params = optimizer, dict(optimizer_params)
        self.context, self.kvstore = list(context), kvstore
        self.image_size, self.augmentation = image_size, augmentation
        self.rand_mirror = rand_mirror or (augmentation is not None and augmentation.rand_mirror)
        self.initializer = Xavier() if initializer is None else initializer
        self.arg_params, self.aux_params = arg_params or {}, aux_params or {}
        self.logger = logging.getLogger(__name__) if logger is None else logger
        self.hooks = list(hooks)
        self.samples_per_class, self.layer = samples_per_class, layer
        self.start_centers, self.select = start_centers, select
        self.num_workers: int = 1 if isinstance(kvstore, str) else kvstore.num_workers
        self.leads = isinstance(kvstore, str) or kvstore.rank == 0
        self.metric = for_network(symbol)
        self.module: Module | None = None
        self.stop: str | None = None
        self.history: list[dict[str, Any]] = []
        self.test_features = np.zeros((0, 0))

    def fit(
        self,
        prefix: str | os.PathLike | None = None,
        history: str | os.PathLike | None = None,
        begin_epoch: int = 0,
        on_epoch: Callable[[Training, np.ndarray], None] | None = None,
        on_begin: Callable[[], None] | None = None,
    ) -> Module:
        """Train from the beginning, or resume; the numbers are then those of an uninterrupted training.

        Parameters
        ----------
        prefix, history : path-like or None
            Prefix of the checkpoints, of which the last is kept, and the best one with `select`; and the .csv
            file of the history. None: nothing is written.
        begin_epoch : int
            Epoch of the checkpoint to go on from; 0: train from the beginning.
        on_epoch : callable or None
            Called after each epoch, behind the last of `hooks`, with this training and `test_features`.
        on_begin : callable or None
            Called once, after the first batch has been trained: every check has passed then.

        Returns
        -------
        module.Module

        Raises
        ------
        ValueError
            The training has diverged; `Module` raises it; or the checkpoint or the history belongs to another
            training, or to other samples.
        FileExistsError
            Another training with this prefix runs; the message names its process.
        """
        # The workers of a distributed training share a prefix, and one of them writes.
        alone = nullcontext() if prefix is None or not self.leads else only_training(prefix)
        with alone:
            seed_training(self.seed, self.rand_mirror)
            if begin_epoch:
                start = resume(self, prefix, history, begin_epoch)
            else:
                start = begin(self, lambda: self._batches('local'))
            self.module, self.symbol, self.history = start.module, start.module.symbol, start.history
            data_iter = self._batches(self.kvstore)
            repeat_shuffles(data_iter, begin_epoch, self.seed, self.rand_mirror)
            hooks = standard_hooks(self, self.hooks, prefix, history, on_epoch, on_begin)
            fit_with_hooks(self, hooks, data_iter, start, begin_epoch)
        return start.module

    def _batches(self, kvstore: str | KVStore) -> DataIter:
        return training_iter(
            self.symbol,
            self.train,
            self.batch_size,
            self.image_size,
            self.rand_mirror,
            self.augmentation,
            kvstore,
            self.samples_per_class,
        )

    def predict(self, samples: Samples) -> tuple[np.ndarray, np.ndarray]:
        """Compute the features of `layer`, and the classes that the network itself predicts.

        Parameters
        ----------
        samples : io.Images or dataset.Arrays
            Any samples.

        Returns
        -------
        features, predicted : numpy.ndarray
            (N, D), and int (N,); -1 under a sampled class layer, which scores a sample of the classes only.

        Raises
        ------
        ValueError
            `fit` has not been called.
        """
        if isinstance(samples, Images) and isinstance(self.train, Images):
            used = samples.preprocessing.over(self.train.preprocessing)
            samples = samples._replace(preprocessing=used)
        size, context = self.image_size, self.context[0]
        return predict(self.symbol, *self.parameters(), samples, self.batch_size, size, context, self.layer)

    def parameters(self) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
        """Return the network's parameters and auxiliary states; ValueError: `fit` has not been called."""
        if self.module is None:
            raise ValueError(f'{self.title}: the network has no parameters yet; call fit first')
        return self.module.get_params()

    @property
    def centers(self) -> np.ndarray | None:
        """The centers of the first center loss, (num_class, D); None: the network has none."""
        losses = describe(self.symbol)
        if not losses:
            return None
        info, (arg_params, aux_params) = losses[0], self.parameters()
        tables = self.module.row_tables if self.module else {}
        if info.centers in tables:
            arg_params = {**arg_params, info.centers: tables[info.centers].read(0, info.num_class)}
        return find_centers(self.symbol, arg_params, aux_params, info.name)

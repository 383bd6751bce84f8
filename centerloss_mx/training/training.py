"""One training, from samples to checkpoints."""

from __future__ import annotations

import csv
import logging
import os
import random
import time
from typing import Any, Callable, Mapping, Sequence

import numpy as np
from mxnet import context as mxcontext
from mxnet import metric as mxmetric
from mxnet import random as mxrandom
from mxnet.context import Context
from mxnet.initializer import Initializer, Xavier
from mxnet.io import DataIter
from mxnet.kvstore import KVStore
from mxnet.ndarray import NDArray
from mxnet.symbol import Symbol

from .._checks import first_names
from .._files import write_whole
from ..callback import ProgressBar
from ..dataset import Arrays, Samples, samples_iter
from ..evaluation import cluster_ratio
from ..io import Images, PartIter
from ..metric import Accuracy, CenterLossMetric
from ..model import FeatureExtractor, find_centers, noted, save_checkpoint
from ..module import Module
from ..symbol import describe
from .checkpoints import remove_checkpoints
from .history import read_history


class Training:
    """One training of a network: seeds, iterators, metrics and progress, and a measurement after each epoch.

    Parameters
    ----------
    symbol : Symbol
        The network with its losses on `embedding_output`, as `symbol.supervised` makes it. Its labels are
        `softmax_label`, and where it has it `center_label`. With `use_ignore` the rows that only pad a batch
        move no center.
    train : io.Images or dataset.Arrays
        The samples to train with.
    test : io.Images, dataset.Arrays or None
        Those to measure with after each epoch, of two classes at least; None: nothing is measured.
    title : str
        What this training is called where it tells of itself.
    batch_size : int
        Samples a batch, over all devices and workers.
    num_epoch : int
        Epochs, > 0.
    optimizer : str
        As for `Module.fit`.
    optimizer_params : mapping
        The same.
    seed : int
        Of weights and order, 0 to 2^32 - 1.
    context : sequence of mxnet.Context
        The devices.
    kvstore : str or KVStore
        As for `Module.fit`; a distributed one has to be made.
    image_size : int or None
        Height and width that pictures in files are brought to; arrays are served as they are.
    rand_mirror : bool
        Whether to mirror pictures in files at random.
    initializer : mxnet.init.Initializer or None
        None: `Xavier()`.
    arg_params, aux_params : mapping or None
        Parameters to start from, by name; what the network does not have is left out, and what is missing is
        initialized.
    logger : logging.Logger or None
        Where `fit` logs; None: MXNet's own.

    Attributes
    ----------
    module : module.Module
        The network being trained.
    history : list of dict
        A row for each epoch, by the names of the columns.
    leads : bool
        Whether this process tells and writes: in distributed training, the worker of rank 0.

    Examples
    --------
    >>> from centerloss_mx import dataset, model_zoo, symbol
    >>> train, test = dataset.load_samples('digits', 'train'), dataset.load_samples('digits', 'test')
    >>> embedding = model_zoo.lenet(2)
    >>> net = symbol.supervised(
    ...     embedding, 10, 'center_loss', 2, scale=0.1, batchsize=32, use_ignore=True, ignore_label=-1
    ... )
    >>> training = Training(net, train, test, batch_size=32, num_epoch=3)
    >>> module = training.fit('digits', 'digits-history.csv')  # doctest: +SKIP
    >>> training.history[-1]['test_accuracy']  # doctest: +SKIP
    0.94
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
        image_size: int | None = None,
        rand_mirror: bool = False,
        initializer: Initializer | None = None,
        arg_params: Mapping[str, NDArray] | None = None,
        aux_params: Mapping[str, NDArray] | None = None,
        logger: logging.Logger | None = None,
    ) -> None:
        self.symbol, self.train, self.test, self.title = symbol, train, test, title
        self.batch_size, self.num_epoch, self.seed = batch_size, num_epoch, seed
        self.optimizer, self.optimizer_params = optimizer, dict(optimizer_params)
        self.context, self.kvstore = list(context), kvstore
        self.image_size, self.rand_mirror = image_size, rand_mirror
        self.initializer = Xavier() if initializer is None else initializer
        self.arg_params, self.aux_params = arg_params or {}, aux_params or {}
        self.logger = logging.getLogger(__name__) if logger is None else logger
        self.leads = isinstance(kvstore, str) or kvstore.rank == 0
        self.history: list[dict[str, Any]] = []

    def fit(
        self,
        prefix: str | os.PathLike | None = None,
        history: str | os.PathLike | None = None,
        begin_epoch: int = 0,
        on_epoch: Callable[[Training, np.ndarray], None] | None = None,
        on_begin: Callable[[], None] | None = None,
    ) -> Module:
        """Train from the beginning, or from a checkpoint; after each epoch measure, and leave both behind.

        Parameters
        ----------
        prefix : path-like or None
            Of the checkpoint, of which the last is kept; None: there is none.
        history : path-like or None
            The .csv file of the history; None: there is none.
        begin_epoch : int
            The epochs that the checkpoint has been trained for; 0: from the beginning. The shuffled order
            goes on where it was.
        on_epoch : callable or None
            Called after each epoch, before the checkpoint is written, with this training and the features of
            the test samples (without test samples: of shape (0, 0)).
        on_begin : callable or None
            Called once, after the first batch: what could have refused this training has not.

        Returns
        -------
        module.Module
            `module`, trained.

        Raises
        ------
        ValueError
            Training has diverged, what `Module` refuses, or a checkpoint or history of another training.
        """
        np.random.seed(self.seed)  # NDArrayIter shuffles with it
        random.seed(self.seed)  # ImageIter does
        self._seed(0)
        self._prefix, self._history, self._on_epoch = prefix, history, on_epoch
        if begin_epoch and history is not None:
            self.history = read_history(history)[:begin_epoch]
            if len(self.history) != begin_epoch:
                count = len(self.history)
                raise ValueError(
                    f'{history}: tells of {count} epochs, and {prefix} is of epoch {begin_epoch}'
                )
        options: dict[str, Any] = {
            'label_names': self._label_names,
            'context': self.context,
            'logger': self.logger,
        }
        if begin_epoch:
            states = isinstance(self.kvstore, str)  # servers keep theirs
            self.module = Module.load(str(prefix), begin_epoch, load_optimizer_states=states, **options)
            before = noted(self.module.symbol, 'class_names', list)
            if before not in (None, self.train.class_names):
                raise ValueError(
                    f'{prefix}: trained on {len(before)} classes, {first_names(before, 5)}, and these samples are of '
                    f'{len(self.train.class_names)}, {first_names(self.train.class_names, 5)}; expected the same'
                )
            arg_params, aux_params = self.module.get_params()
        else:
            self.module = Module(self.symbol, **options)
            arg_params = _of(self.arg_params, self.symbol.list_arguments())
            aux_params = _of(self.aux_params, self.symbol.list_auxiliary_states())
        ignored = {info.ignored for info in describe(self.symbol) if info.label == 'center_label'}
        ignore_label = ignored.pop() if len(ignored) == 1 else None
        data_iter = self._iterator(begin_epoch, ignore_label)
        self._metric = _metric(self.symbol, self._label_names[-1], ignore_label)
        batches = num_batches(self.train, self.batch_size)
        self.bar = None
        if self.leads:
            self.bar = ProgressBar(batches * self.num_epoch, self.title, initial=batches * begin_epoch)
        self._start = time.perf_counter()
        self.module.fit(
            data_iter,
            eval_metric=self._metric,
            batch_end_callback=[self.bar, _Once(on_begin)] if self.leads else None,
            epoch_end_callback=self._epoch_end,
            kvstore=self.kvstore,
            optimizer=self.optimizer,
            optimizer_params={'begin_num_update': batches * begin_epoch, **self.optimizer_params},
            initializer=self.initializer,
            arg_params=arg_params,
            aux_params=aux_params,
            allow_missing=True,
            force_init=True,
            begin_epoch=begin_epoch,
            num_epoch=self.num_epoch,
        )
        if self.bar is not None:
            self.bar.close()
        return self.module

    def predict(self, samples: Samples) -> tuple[np.ndarray, np.ndarray]:
        """Features, and the classes that the network itself predicts.

        Parameters
        ----------
        samples : io.Images or dataset.Arrays
            Any samples.

        Returns
        -------
        features : numpy.ndarray
            (N, D).
        predicted : numpy.ndarray
            int (N,).
        """
        arg_params, aux_params = self.module.get_params()

        def output(layer: str) -> np.ndarray:
            extractor = FeatureExtractor(self.symbol, arg_params, aux_params, layer, self.context[0])
            data = samples.images if isinstance(samples, Arrays) else samples
            return extractor.predict(data, self.batch_size, self.image_size)

        features = output('embedding_output')
        if 'fc2_weight' not in arg_params:  # the loss is the classifier
            return features, output('softmax_output').argmax(axis=1)
        weight, bias = (arg_params[f'fc2_{name}'].asnumpy() for name in ('weight', 'bias'))
        return features, (features @ weight.T + bias).argmax(axis=1)

    @property
    def centers(self) -> np.ndarray | None:
        """The centers, (num_class, D); None: the network has none."""
        return find_centers(self.symbol, *self.module.get_params())

    @property
    def _label_names(self) -> list[str]:
        arguments = self.symbol.list_arguments()
        return [name for name in ('softmax_label', 'center_label') if name in arguments]

    def _iterator(self, begin_epoch: int, ignore_label: float | None) -> DataIter:
        data_iter: DataIter = samples_iter(
            self.train, self.batch_size, self.image_size, True, self.rand_mirror, ignore_label
        )
        if len(self._label_names) == 1:
            data_iter = data_iter.data_iter  # with the one label that softmax needs
        if not isinstance(self.kvstore, str):
            data_iter = PartIter(data_iter, self.kvstore.rank, self.kvstore.num_workers)
        for epoch in range(begin_epoch):
            self._seed(epoch + 1)
            data_iter.reset()  # each epoch shuffles the order of the one before
        return data_iter

    def _seed(self, epoch: int) -> None:
        """Seed what else draws in an epoch, dropout and mirroring: a resumed training draws the same."""
        mxrandom.seed(self.seed + epoch)
        if self.rand_mirror:
            random.seed(f'{self.seed}, {epoch}')

    def _epoch_end(self, epoch: int, *_: Any) -> None:
        self._seed(epoch + 1)  # before the iterator shuffles
        if not self.leads:
            return
        seconds = time.perf_counter() - self._start
        features = np.zeros((0, 0))
        row = {'epoch': epoch + 1, 'train_accuracy': dict(self._metric.get_global_name_value())['accuracy']}
        if self.test is not None:
            features, predicted = self.predict(self.test)
            row['test_accuracy'] = float((predicted == self.test.labels).mean())
            try:
                row.update(cluster_ratio(features, self.test.labels)._asdict())
            except ValueError as error:
                raise self._diverged(epoch, error) from None
        else:
            self._check_parameters(epoch)
        row['seconds'] = seconds
        self.history.append(row)
        if self._history is not None:
            write_whole(self._history, self._write_history)
        if self._on_epoch is not None:
            self._on_epoch(self, features)
        if self._prefix is not None:
            notes = {'class_names': self.train.class_names, 'pictures': isinstance(self.train, Images)}
            save_checkpoint(self.module, self._prefix, epoch + 1, notes)
            remove_checkpoints(self._prefix, keep=epoch + 1)
        if self.test is not None or self._prefix is not None:
            self._tell(row)
        self._start = time.perf_counter()

    def _check_parameters(self, epoch: int) -> None:
        for params in self.module.get_params():
            for name, value in params.items():
                if not np.isfinite(value.asnumpy()).all():
                    raise self._diverged(epoch, f'{name} is not finite')

    def _diverged(self, epoch: int, reason: object) -> ValueError:
        learning_rate = self.optimizer_params.get('learning_rate', 0.01)
        return ValueError(
            f'{self.title}, epoch {epoch + 1}: training diverged ({reason}); '
            f'lower --lr ({learning_rate:g}) or --scale'
        )

    def _tell(self, row: Mapping[str, Any]) -> None:
        line = f'training accuracy {row["train_accuracy"]:.2%}, {row["seconds"]:.1f} s'
        if 'test_accuracy' in row:
            line = (
                f'test accuracy {row["test_accuracy"]:.2%}, ratio {row["ratio"]:.3f}, {row["seconds"]:.1f} s'
            )
        self.logger.info('Epoch[%d] %s', row['epoch'] - 1, line)
        assert self.bar is not None  # only who leads tells
        self.bar.write(f'{self.title}, epoch {row["epoch"]}: {line}')

    def _write_history(self, name: str) -> None:
        with open(name, 'w', newline='') as file:
            writer = csv.DictWriter(file, list(self.history[-1]))
            writer.writeheader()
            writer.writerows(self.history)


IGNORE_LABEL = -1  # the center label of the rows that pad an epoch's last batch


def num_batches(samples: Samples, batch_size: int) -> int:
    """The batches of an epoch, of which the last may be padded.

    Parameters
    ----------
    samples : io.Images or dataset.Arrays
        The samples.
    batch_size : int
        Samples a batch, > 0.

    Returns
    -------
    int

    Examples
    --------
    >>> num_batches(Arrays(np.zeros((7, 1, 2, 2)), np.zeros(7), ['a']), 3)
    3
    """
    return -(-len(samples.labels) // batch_size)


def _metric(symbol: Symbol, center_label: str, ignore_label: float | None) -> mxmetric.EvalMetric:
    """Accuracy, and of each loss the mean of its output."""
    metrics = [Accuracy()]
    for output in symbol.list_outputs():
        if output == 'center_loss_output':
            metrics.append(CenterLossMetric('null', label_names=[center_label], ignore_label=ignore_label))
        elif output != 'softmax_output':
            name = output[: -len('_output')]
            metrics.append(mxmetric.Loss(name, output_names=[output], label_names=[]))
    return mxmetric.CompositeEvalMetric(metrics)


class _Once:
    """A batch end callback that calls a function after the first batch."""

    def __init__(self, function: Callable[[], None] | None) -> None:
        self.function = function

    def __call__(self, param: Any) -> None:
        if self.function is not None:
            self.function()
        self.function = None


def _of(params: Mapping[str, NDArray], names: Sequence[str]) -> dict[str, NDArray]:
    return {name: params[name] for name in names if name in params}

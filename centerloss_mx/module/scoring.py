"""`ScoringModule`: what is scored, predicted and counted in training are samples, not padding."""

from __future__ import annotations

from typing import Any, Iterator

import numpy as np
from mxnet.base import MXNetError
from mxnet.io import DataBatch, DataDesc, DataIter
from mxnet.metric import EvalMetric
from mxnet.module import Module as MXModule
from mxnet.ndarray import NDArray
from mxnet.symbol import Symbol

from .._mxnet.arrays import check_legacy_arrays
from ..symbol import describe
from ..symbol.description import batchsizes
from .checks import check_batch_fits
from .padding import MarkedIter, SampleIter, for_metrics, without_padding

__all__ = ['ScoringModule']


class ScoringModule(MXModule):
    """`mx.mod.Module` that leaves the rows out that pad the last batch.

    Scoring and prediction run the samples of a padded batch alone, if the network takes a batch of that size.
    If not, as in training, the whole batch runs, and metrics and predictions get the rows of its samples. A
    loss of shape (1,) is then counted by the share of the samples.

    A loop of one's own that calls `forward` and `update_metric` counts all rows, as MXNet does.

    Parameters
    ----------
    symbol, ...
        As for `mx.mod.Module`.
    """

    def __init__(self, symbol: Symbol, *args: Any, **kwargs: Any) -> None:
        check_legacy_arrays('Module')
        super().__init__(symbol, *args, **kwargs)
        self._center_losses = describe(symbol)
        self._padding = 0  # rows of the last batch
        self._trains = False

    def forward(self, data_batch: DataBatch, is_train: bool | None = None) -> None:
        """Run forward as `mx.mod.Module` does."""
        self._padding = getattr(data_batch, 'padding', 0)
        super().forward(data_batch, is_train)
        self._trains = self.for_training if is_train is None else is_train

    def reshape(self, data_shapes: Any, label_shapes: Any = None) -> None:
        """Reshape as `mx.mod.Module.reshape` does, for batches that fit into the center losses.

        Parameters
        ----------
        data_shapes, label_shapes
            As for `mx.mod.Module.reshape`.

        Raises
        ------
        ValueError
            The batch is larger than the `batchsize` of a center loss.
        """
        check_batch_fits(
            self._center_losses, self._symbol, data_shapes, len(self._context), self._data_shapes or ()
        )
        super().reshape(data_shapes, label_shapes)

    def fit(self, train_data: DataIter, *args: Any, **kwargs: Any) -> None:
        """Train as `mx.mod.Module.fit` does; metrics do not count padding."""
        super().fit(MarkedIter(train_data, self._begin_epoch), *args, **kwargs)

    def _begin_epoch(self) -> None:
        """What a subclass does before the first batch of each epoch."""

    def score(self, eval_data: DataIter, *args: Any, **kwargs: Any) -> list[tuple[str, float]]:
        """Score as `mx.mod.Module.score` does, each sample once: rows of padding are not counted.

        Parameters
        ----------
        eval_data, *args, **kwargs
            As for `mx.mod.Module.score`.

        Returns
        -------
        list of (str, float)
            Names and values of the metrics.
        """
        return super().score(SampleIter(eval_data, self._takes), *args, **kwargs)

    def iter_predict(self, eval_data: DataIter, *args: Any, **kwargs: Any) -> Iterator[tuple]:
        """Predict batch by batch as `mx.mod.Module.iter_predict` does, each sample once.

        Parameters
        ----------
        eval_data, *args, **kwargs
            As for `mx.mod.Module.iter_predict`.

        Returns
        -------
        iterator of (list of NDArray, int, DataBatch)
            Outputs, number and batch. A loss of shape (1,) stays whole.
        """
        return super().iter_predict(SampleIter(eval_data, self._takes), *args, **kwargs)

    def predict(self, eval_data: DataIter | NDArray | np.ndarray, *args: Any, **kwargs: Any) -> Any:
        """Predict as `mx.mod.Module.predict` does, each sample once.

        Parameters
        ----------
        eval_data, *args, **kwargs
            As for `mx.mod.Module.predict`.

        Returns
        -------
        NDArray or list
            The outputs. A loss of shape (1,) has one number a batch, or a batch and device.
        """
        if isinstance(eval_data, DataIter):
            eval_data = SampleIter(eval_data, self._takes)
        return super().predict(eval_data, *args, **kwargs)

    def get_outputs(self, merge_multi_context: bool = True) -> list:
        """Return the outputs as `mx.mod.Module.get_outputs` does, while predicting without padding.

        Parameters
        ----------
        merge_multi_context : bool
            As for `mx.mod.Module.get_outputs`.
        """
        outputs = super().get_outputs(merge_multi_context)
        if self._padding and not self._trains and merge_multi_context:
            outputs = without_padding(outputs, self.data_shapes[0].shape[0], self._padding)
        return outputs

    def update_metric(self, eval_metric: EvalMetric, labels: list, pre_sliced: bool = False) -> None:
        """Update a metric as `mx.mod.Module.update_metric` does, in `fit` and `score` without padding.

        Parameters
        ----------
        eval_metric, labels, pre_sliced
            As for `mx.mod.Module.update_metric`.
        """
        group, size = self._exec_group, self.data_shapes[0].shape[0]
        if not self._padding or not self._has_a_row_for_each_sample():
            super().update_metric(eval_metric, labels, pre_sliced)
            return
        for executor, part in zip(group.execs, group.slices):
            rows, count = part.stop - part.start, min(part.stop, size - self._padding) - part.start
            if count > 0:
                own = dict(zip(group.label_names, (label[part] for label in labels)))
                outputs = dict(zip(self.output_names, executor.outputs))
                eval_metric.update_dict(*for_metrics(self._center_losses, own, outputs, rows, count))

    def _takes(self, size: int) -> bool:
        """Whether the network runs a batch of so many rows."""
        descs = [*self.data_shapes, *(self.label_shapes or ())]
        pinned = None in batchsizes(self._symbol).values()
        unlabeled = self._label_names and not self.label_shapes  # MXNet cannot reshape such a network
        if (
            unlabeled
            or pinned
            or size < len(self._context)
            or any(DataDesc.get_batch_axis(d.layout) for d in descs)
        ):
            return False
        rows = -(-size // len(self._context))
        shapes = {name: (rows, *shape[1:]) for name, shape, *_ in descs if name in self._symbol.list_inputs()}
        try:
            self._symbol.infer_shape_partial(**shapes)
        except MXNetError:  # the network is made for its batch size
            return False
        return True

    def _has_a_row_for_each_sample(self) -> bool:
        """Whether rows can be left out: each output has a row a sample, or is one number."""
        group = self._exec_group
        return not any(group.label_layouts or ()) and all(
            output.shape[0] in (1, part.stop - part.start)
            for executor, part in zip(group.execs, group.slices)
            for output in executor.outputs
        )

"""Metrics that pick their output and label by name: `Accuracy` and `CenterLossMetric`."""

from __future__ import annotations

from typing import Any, Callable, Iterable, Mapping, Sequence

import numpy as np
from mxnet import metric as mxmetric
from mxnet import ndarray as nd
from mxnet.ndarray import NDArray
from mxnet.symbol import Symbol

from ._checks import check_choice
from ._mxnet.arrays import argmax
from ._mxnet.devices import device_slices
from ._mxnet.engine import wait_for_centers
from .operator.parameters import NORMALIZATIONS
from .symbol.description import describe
from .symbol.names import SOFTMAX_OUTPUT
from .symbol.tables import sampled_outputs

__all__ = ['Accuracy', 'CenterLossMetric', 'for_network']


def _paired(
    metric: mxmetric.EvalMetric,
    labels: Sequence[NDArray],
    preds: Sequence[NDArray],
    fits: Callable[[NDArray, NDArray], bool],
) -> list[tuple[NDArray, NDArray]]:
    """Pair labels and outputs; of lists that hold other losses, too, take the output that fits its label.

    Module hands over the arrays of a metric's names. `mxnet.model.FeedForward` hands over all labels and all
    outputs, without names.
    """
    if isinstance(labels, NDArray):
        labels, preds = [labels], [preds]
    pairs = [(labels[min(i, len(labels) - 1)], pred) for i, pred in enumerate(preds) if labels]
    found = [pair for pair in pairs if fits(*pair)]
    if len(preds) == len(labels) and len(found) in (0, len(pairs)):
        return pairs
    if len(found) != 1:
        shapes = ', '.join(str(pred.shape) for pred in preds)
        raise ValueError(
            f'metric {metric.name!r}: {len(labels)} labels and outputs of shapes {shapes}: expected one '
            'output that fits. Train with module.Module, which knows outputs by their names'
        )
    return found


class _ReadLater(mxmetric.EvalMetric):
    """A metric that counts a batch when the next one comes, or when its value is asked for.

    To read numbers of the device is to wait until forward has computed them. A batch later they are there,
    and the device already computes the next batch. The numbers must be a copy: the next forward overwrites an
    executor's outputs. Each device has one unread array at most, so that batches do not pile up in memory.
    """

    _unread: tuple[tuple[NDArray, Any], ...]

    def _count_later(self, numbers: NDArray, known: Any) -> None:
        while any(numbers.context == unread.context for unread, _ in self._unread):
            self._count_one()
        self._unread = (*self._unread, (numbers, known))

    def _count_one(self) -> None:
        (numbers, known), *rest = self._unread
        self._unread = tuple(rest)  # also if reading raises the error of the batch
        for total, count in self._counted(numbers.asnumpy(), known):
            self.sum_metric += total
            self.global_sum_metric += total
            self.num_inst += count
            self.global_num_inst += count

    def _count_all(self) -> None:
        while self._unread:
            self._count_one()

    def _counted(self, numbers: np.ndarray, known: Any) -> Iterable[tuple[float, int]]:
        """Return sums and numbers of samples, from the device's numbers and what the host knows."""
        raise NotImplementedError

    def update_dict(self, label: Mapping[str, NDArray], pred: Mapping[str, NDArray]) -> None:
        """Count one batch's named labels and outputs."""
        for kind, names, arrays in ('label', self.label_names, label), ('output', self.output_names, pred):
            for name in names:
                if name not in arrays:
                    raise ValueError(
                        f'metric {self.name!r}: the module has no {kind} {name!r}; it has {", ".join(arrays)}'
                    )
        super().update_dict(label, pred)

    def reset(self) -> None:
        """Forget all batches."""
        self._unread = ()
        super().reset()

    def reset_local(self) -> None:
        """Forget all batches but for the global value."""
        self._count_all()
        super().reset_local()

    def get(self) -> tuple[str, float]:
        """Return name and value since `reset` or `reset_local`."""
        self._count_all()
        return super().get()

    def get_global(self) -> tuple[str, float]:
        """Return name and value since `reset`."""
        self._count_all()
        return super().get_global()


class Accuracy(_ReadLater, mxmetric.Accuracy):
    """Accuracy of one output against one label, both found by name, whatever their position.

    Where there are no names, as under `mxnet.model.FeedForward`, it takes the output whose shape has a number
    for each class.

    The share of samples with argmax_k p_k = y. Registered as 'centerloss_accuracy'. The predictions of a
    batch are read from the device when the next batch comes or the value is asked for; an error of the batch
    is raised then.

    Parameters
    ----------
    axis : int
        The axis of the classes.
    name : str
        Name shown in logs.
    output_names, label_names : list of str
        One output, probabilities of shape (N, num_class), and one label, shape (N,).
    ignore_label : float or None
        Samples with this label are not counted.

    Raises
    ------
    ValueError
        In `update_dict`: the module has no output or label of that name; the message lists its names. In
        `update`: not exactly one output has the classes.

    References
    ----------
    The accuracy of Wen et al. 2016, Section 3.2; averaged over all samples since `reset`.

    Examples
    --------
    >>> metric = mx.metric.create('centerloss_accuracy')
    >>> metric.update_dict({'softmax_label': mx.nd.array([1])}, {'softmax_output': mx.nd.array([[0.1, 0.9]])})
    >>> metric.get()
    ('accuracy', 1.0)
    """

    def __init__(
        self,
        axis: int = 1,
        name: str = 'accuracy',
        output_names: Sequence[str] = ('softmax_output',),
        label_names: Sequence[str] = ('softmax_label',),
        ignore_label: float | None = None,
    ) -> None:
        super().__init__(axis, name, list(output_names), list(label_names))
        self.ignore_label = ignore_label

    def get_config(self) -> dict[str, Any]:
        """Return what `mx.metric.create(**config)` makes an equal metric from."""
        return {**super().get_config(), 'metric': 'centerloss_accuracy', 'ignore_label': self.ignore_label}

    def update(self, labels: Sequence[NDArray], preds: Sequence[NDArray]) -> None:
        """Count one batch."""
        for label, pred in _paired(self, labels, preds, self._has_classes):
            picked = nd.identity(pred) if pred.shape == label.shape else argmax(pred, self.axis)
            if picked.size != label.size:
                raise ValueError(f'metric {self.name!r}: {label.size} labels, but {picked.size} predictions')
            self._count_later(picked, label.asnumpy())

    def _has_classes(self, label: NDArray, pred: NDArray) -> bool:
        """Whether an output has, along the axis of the classes, a number for each."""
        return len(pred.shape) > self.axis and pred.size == label.size * pred.shape[self.axis]

    def _counted(self, numbers: np.ndarray, known: np.ndarray) -> Iterable[tuple[float, int]]:
        right = numbers.ravel() == known.ravel()
        if self.ignore_label is not None:
            right = right[known.ravel() != self.ignore_label]
        return [(right.sum(), right.size)]


class CenterLossMetric(_ReadLater):
    """The center loss per sample, 1/2 ||x - c_y||^2, whatever the operator divided by.

    It multiplies the loss by what the operator divided by, on any number of devices. Registered and named
    'center_loss'. The loss of a batch is read from the device when the next batch comes or the value is asked
    for; an error of the batch is raised then. Reading the value waits for pending center updates: with it
    among the metrics of `fit`, the centers that `fit` copies at an epoch's end are exact. Where there are no
    names, as under `mxnet.model.FeedForward`, it takes the output of one axis.

    Parameters
    ----------
    normalization : {'batch', 'null', 'valid'}
        That of the loss; `joint_supervision` uses 'null'.
    name : str
        Name shown in logs.
    output_names, label_names : list of str
        The loss, shape (1,) or one number a device, and its label, shape (N,).
    ignore_label : float or None
        That of the loss, if it has `use_ignore`: samples with this label are not counted.

    Raises
    ------
    ValueError
        An unknown normalization; in `update_dict`, no output or label of that name; in `update`, not exactly
        one output of one axis.

    References
    ----------
    Wen et al. 2016, Eq. 2, divided by the number of samples since `reset`.

    Examples
    --------
    >>> metric = mx.metric.create('center_loss')
    >>> metric.update([mx.nd.array([3, 7])], [mx.nd.array([0.25])])
    >>> metric.get()
    ('center_loss', 0.25)
    """

    def __init__(
        self,
        normalization: str = 'batch',
        name: str = 'center_loss',
        output_names: Sequence[str] = ('center_loss_output',),
        label_names: Sequence[str] = ('center_label',),
        ignore_label: float | None = None,
    ) -> None:
        check_choice(f'metric {name!r}: ', 'normalization', normalization, NORMALIZATIONS)
        super().__init__(
            name,
            list(output_names),
            list(label_names),
            normalization=normalization,
            ignore_label=ignore_label,
            has_global_stats=True,
        )
        self.normalization = normalization
        self.ignore_label = ignore_label

    def get_config(self) -> dict[str, Any]:
        """Return what `mx.metric.create(**config)` makes an equal metric from."""
        return {**super().get_config(), 'metric': 'center_loss'}

    def update(self, labels: Sequence[NDArray], preds: Sequence[NDArray]) -> None:
        """Add label arrays, each with the losses of the devices that had a slice of it."""
        for label, losses in _paired(self, labels, preds, lambda _, losses: len(losses.shape) == 1):
            slices = device_slices(len(label), len(losses))
            sizes = counts = [part.stop - part.start for part in slices]
            if self.ignore_label is not None:
                kept = label.asnumpy() != self.ignore_label
                counts = [int(kept[part].sum()) for part in slices]
            self._count_later(nd.identity(losses), list(zip(sizes, counts)))

    def _counted(self, numbers: np.ndarray, known: list[tuple[int, int]]) -> Iterable[tuple[float, int]]:
        for loss, (size, count) in zip(numbers, known):
            yield float(loss) * {'null': 1, 'batch': size, 'valid': max(1, count)}[self.normalization], count

    # `fit` reads the metric once between an epoch's last update and its copy of the centers. The losses are
    # read first: whoever waits for all operations gets their errors, and then failed losses are any numbers.
    def get(self) -> tuple[str, float]:
        """Return name and value since `reset` or `reset_local`, after all pending center updates."""
        value = super().get()
        wait_for_centers()
        return value

    def get_global(self) -> tuple[str, float]:
        """Return name and value since `reset`, after all pending center updates."""
        value = super().get_global()
        wait_for_centers()
        return value


def for_network(symbol: Symbol) -> mxmetric.CompositeEvalMetric:
    """Make the metrics of a network's outputs, with the names and the normalization that it has itself.

    Parameters
    ----------
    symbol : Symbol
        A network whose softmax, if it has one, is named `softmax`.

    Returns
    -------
    mxnet.metric.CompositeEvalMetric
        In the order of the outputs: `Accuracy` of `softmax_output`, `CenterLossMetric` of a center loss whose
        output is (1,), and `mxnet.metric.Loss`, the mean, of any other. Each has the name of its loss. The
        probabilities of a sampled class layer have none.

    Examples
    --------
    >>> from centerloss_mx.symbol import joint_supervision
    >>> net = joint_supervision(mx.sym.Variable('embedding'), num_class=10, scale=0.1, batchsize=128)
    >>> [metric.name for metric in for_network(net).metrics]
    ['accuracy', 'center_loss']
    """
    losses = {info.output: info for info in describe(symbol)}
    sampled = sampled_outputs(symbol)
    metrics: list[mxmetric.EvalMetric] = []
    for output in symbol.list_outputs():
        info = losses.get(output)
        if output in sampled:  # an accuracy among the classes that were drawn is none
            continue
        if output == SOFTMAX_OUTPUT:
            metrics.append(Accuracy())
        elif info is None or info.normalization is None or info.label not in symbol.list_arguments():
            name = output[: -len('_output')] if info is None else info.name
            metrics.append(mxmetric.Loss(name, output_names=[output], label_names=[]))
        else:
            metrics.append(
                CenterLossMetric(
                    normalization=info.normalization,
                    name=info.name,
                    output_names=[output],
                    label_names=[info.label],
                    ignore_label=info.ignored,
                )
            )
    return mxmetric.CompositeEvalMetric(metrics)


# By alias, because the class name `Accuracy` is MXNet's own in its registry.
mxmetric.alias('centerloss_accuracy')(Accuracy)
mxmetric.alias('center_loss')(CenterLossMetric)
